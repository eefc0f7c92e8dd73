"""What is wrong with a network or scenario file, told in our words: its shape, and names near to one given"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from sinkrisk import files
from sinkrisk.errors import Problems

_WORDS = {
    "string_type": "not a text",
    "float_type": "not a number",
    "int_type": "not a whole number",
    "list_type": "not a list",
    "dict_type": "not a mapping of keys to values",
    "model_type": "not a mapping of keys to values",
    "model_attributes_type": "not a mapping of keys to values",
    "greater_than_equal": "below its range",
    "less_than_equal": "above its range",
    "finite_number": "not a finite number",
    "literal_error": "not one of the words that may stand here",
    "union_tag_invalid": "no such kind of table",
    "union_tag_not_found": "missing key 'kind'",
    "too_short": "too few values",
    "string_too_short": "empty",
}
"""What pydantic finds, by its name for it, in our words."""
_UNION = re.compile(r"^(str|list\[.*\])$")


def told_shape(
    error: ValidationError,
    located: files.LocatedYaml,
    found: Problems,
    fields: Callable[[tuple[Any, ...]], Sequence[str] | None] = lambda loc: None,
) -> None:
    """Put what pydantic finds in the shape of a YAML file into our words, with keys and lines.

    Parameters
    ----------
    error : ValidationError
    located : LocatedYaml
    found : Problems
    fields : callable
        Place in the file -> keys that may stand there.
    """
    told: set[tuple[str, str]] = set()
    for item in error.errors(include_url=False):
        # The tags of kinds and of alternatives are part of pydantic's path but not of the file's.
        loc = tuple(part for part in item["loc"] if not _UNION.match(str(part)))
        in_file = loc[:3] + loc[4:] if loc[:1] == ("nodes",) and loc[2:3] == ("table",) else loc
        key = ".".join(map(str, in_file)) or None
        row = located.line(*in_file)
        context, given = item.get("ctx", {}), item.get("input")
        if item["type"] == "extra_forbidden":
            found.add("unknown key", got=str(loc[-1]), allowed=fields(loc), key=key, row=row)
            continue
        if item["type"] == "missing":
            what = f"missing key '{loc[-1]}'"
            if loc[:1] == ("nodes",) and len(loc) == 3 and loc[2] == "table":
                what = f"node '{loc[1]}' has no table"
            found.add(what, allowed=fields(loc), key=key, row=row)
            continue
        what = _WORDS.get(item["type"], item["msg"])
        union = len(loc) < len(item["loc"])
        if union and item["type"] in ("string_type", "list_type"):
            what = "neither a text nor a list of texts"
        if (what, str(key)) in told:
            continue
        told.add((what, str(key)))
        found.add(what, got=_short(given), allowed=_allowed(context), key=key, row=row, hint=_hint(given))


def _short(value: Any) -> Any:
    text = repr(value)
    return value if len(text) <= 80 else text[:77] + "..."


def _allowed(context: Mapping[str, Any]) -> str | None:
    if "expected_tags" in context:
        return str(context["expected_tags"]).replace("'", "")
    if "expected" in context:
        return str(context["expected"]).replace("'", "").replace(" or ", ", ")
    for key, words in (("ge", "at least"), ("le", "at most"), ("min_length", "at least")):
        if key in context:
            return f"{words} {context[key]:g}"
    return None


def _hint(given: Any) -> str | None:
    if isinstance(given, bool):
        return "YAML reads yes, no, on and off as true and false: quote the word"
    if isinstance(given, str) and re.fullmatch(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+", given):
        return f"YAML reads this as text: write {float(given):.1e}".replace("e+", "e+")
    return None


def near_names(got: str, names: Sequence[str], count: int = 5) -> list[str]:
    """Return the few names nearest to `got`, for messages that cannot list hundreds."""
    return difflib.get_close_matches(got, names, n=count, cutoff=0.5)
