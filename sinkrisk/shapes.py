"""The shape of written data against a model: what is wrong in our words, with what may stand in its place

A model's own annotations say what may stand at each key, so that no field needs a message of its own.
"""

from __future__ import annotations

import math
import re
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from sinkrisk.errors import InputError, Problem

Keys = tuple[Any, ...]

MOST = 60
"""Letters of a value that a message shows."""

_WORDS = {
    "string_type": "not text",
    "float_type": "not a number",
    "float_parsing": "not a number",
    "int_type": "not a whole number",
    "int_parsing": "not a whole number",
    "int_from_float": "not a whole number",
    "bool_type": "neither true nor false",
    "bool_parsing": "neither true nor false",
    "list_type": "not a list",
    "tuple_type": "not a list",
    "dict_type": "not a mapping of keys to values",
    "model_type": "not a mapping of keys to values",
    "greater_than": "below its range",
    "greater_than_equal": "below its range",
    "less_than": "above its range",
    "less_than_equal": "above its range",
    "int_parsing_size": "above its range",
    "finite_number": "not a finite number",
    "literal_error": "not one of the words that may stand here",
    "too_short": "too few items",
    "too_long": "too many items",
    "string_too_short": "empty text",
    "invalid_key": "a key that is not text",
}
"""What pydantic finds, by its name for it, in our words."""

_BOUNDS = (("ge", "of at least"), ("gt", "above"), ("le", "of at most"), ("lt", "below"))
_MANY = {"text": "texts", "a number": "numbers", "a whole number": "whole numbers"}
_AN_EXPONENT = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+")


@dataclass(frozen=True)
class Reason:
    """Why a number may not be larger, in its annotation beside the bound: told where it is."""

    text: str


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong, and the keys and indexes that lead to it."""

    keys: Keys
    problem: Problem


def read[Model: BaseModel](model: type[Model], data: Mapping[Any, Any]) -> tuple[Model | None, list[Fault]]:
    """Return data as a model, or everything that is wrong with them.

    Parameters
    ----------
    model : type
        A pydantic model.
    data : mapping
        What was written, as plain Python objects.

    Returns
    -------
    object or None, list of Fault
        The model where nothing is wrong. A `Problem` of a fault holds the dotted key, from the top of `data`.

    Examples
    --------
    >>> from pydantic import Field, create_model
    >>> plan = create_model("plan", draws=(int, Field(ge=16)), total=(dict[str, float], ...))
    >>> _, faults = read(plan, {"draws": 8, "total": {"near_term": "much"}})
    >>> for fault in faults:
    ...     print(fault.problem)
    key 'draws': below its range: got 8; allowed: a whole number of at least 16
    key 'total.near_term': not a number: got 'much'; allowed: a number; write the number alone
    """
    faults = [_fault(keys, "float_type", value, model) for keys, value in _misread(model, data)]
    made = None
    try:
        made = model.model_validate(data)
    except ValidationError as error:
        found = [*_told(error, model, data)]
        blamed = {fault.keys for fault in faults}
        faults += [fault for fault in found if fault.keys not in blamed]
    return (None if faults else made), faults


def _told(error: ValidationError, model: type[BaseModel], data: Any) -> Iterator[Fault]:
    """Yield each place once: the kinds a value might have been are one fault, not several."""
    gathered: dict[Keys, list[Any]] = {}
    for item in error.errors(include_url=False):
        keys = _keys(item["loc"], data, item["type"])
        gathered.setdefault(keys, []).append(item)
    for keys, items in gathered.items():
        # One alternative had the right kind and was entered: the others do not count.
        if all("error" not in item.get("ctx", {}) for item in items) and any(
            other[: len(keys)] == keys and len(other) > len(keys) for other in gathered
        ):
            continue
        for item in items if "error" in items[0].get("ctx", {}) else items[:1]:
            own = item.get("ctx", {}).get("error")
            if own is not None:
                yield from _own(keys, own, item)
            else:
                kinds = {i["type"] for i in items}
                of_range = [k for k in kinds if k.startswith(("greater_", "less_", "finite_"))]
                kind = of_range[0] if of_range else item["type"] if len(kinds) == 1 else "several"
                if item["loc"][-1] == "[key]":
                    kind = "invalid_key"
                yield _fault(keys, kind, item.get("input"), model)


def _own(keys: Keys, error: Exception, item: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield what a check of the model's own says; its keys start at the model or field it belongs to."""
    if isinstance(error, InputError):
        for problem in error.problems:
            parts = problem.key.split(".") if problem.key else []
            inner = tuple(int(part) if part.isdecimal() else part for part in parts)
            yield Fault(keys + inner, replace(problem, key=_dotted(keys + inner)))
    else:
        yield Fault(keys, Problem(str(error), got=_shown(item.get("input")), key=_dotted(keys)))


def _fault(keys: Keys, kind: str, given: Any, model: type[BaseModel]) -> Fault:
    key = _dotted(keys)
    if kind == "extra_forbidden":
        known = _names(_at(model, keys[:-1]))
        return Fault(keys, Problem("unknown key", got=str(keys[-1]), allowed=known or None, key=key))
    options = _at(model, keys)
    allowed = _allowed(options)
    if kind == "missing":
        return Fault(keys, Problem("missing key", allowed=allowed, key=key, hint="write it"))
    what = _WORDS.get(kind, "nothing that may stand here")
    if kind == "invalid_key":
        return Fault(keys, Problem(what, got=_shown(given), allowed="text", key=key, hint="put it in quotes"))
    if kind == "float_type" and options and not _kinds(options) & {"float"}:
        what = "not a whole number"
    if isinstance(given, float) and math.isnan(given) and _kinds(options) & {"int", "float"}:
        what = "not a number"
    return Fault(keys, Problem(what, got=_shown(given), allowed=allowed, key=key, hint=_hint(given, options)))


def _keys(loc: Sequence[Any], data: Any, kind: str) -> Keys:
    """Return the keys of the data in a location of pydantic, without the alternatives that it names."""
    keys: list[Any] = []
    current = data
    for index, part in enumerate(loc):
        in_list = isinstance(part, int) and isinstance(current, list | tuple) and part < len(current)
        if in_list or (isinstance(current, Mapping) and part in current):
            current = current[part]
            # A key of a mapping is text in the file, whatever YAML made of it: 2030.
            keys.append(part if in_list else str(part))
        elif kind == "missing" and index == len(loc) - 1:
            keys.append(part)
    return tuple(keys)


def _misread(model: Any, data: Any, keys: Keys = ()) -> Iterator[tuple[Keys, bool]]:
    """Yield each true and false where a number belongs: pydantic takes them for 1 and 0."""
    if isinstance(data, bool):
        kinds = _kinds(_at(model, keys))
        if kinds & {"int", "float"} and "bool" not in kinds:
            yield keys, data
    elif isinstance(data, Mapping):
        for key, value in data.items():
            yield from _misread(model, value, (*keys, str(key)))
    elif isinstance(data, list | tuple):
        for index, value in enumerate(data):
            yield from _misread(model, value, (*keys, index))


def _alternatives(annotation: Any, bounds: tuple[Any, ...] = ()) -> list[tuple[Any, tuple[Any, ...]]]:
    """Return what an annotation allows: plain types, each with its bounds; None is left out."""
    if isinstance(annotation, FieldInfo):
        return _alternatives(annotation.annotation, (*bounds, *annotation.metadata))
    if get_origin(annotation) is Annotated:
        inner, *given = get_args(annotation)
        more = [m for g in given for m in (g.metadata if isinstance(g, FieldInfo) else [g])]
        return _alternatives(inner, (*bounds, *more))
    if get_origin(annotation) in (Union, types.UnionType):
        return [a for part in get_args(annotation) for a in _alternatives(part, bounds)]
    return [] if annotation is type(None) else [(annotation, bounds)]


def _at(model: Any, keys: Keys) -> list[tuple[Any, tuple[Any, ...]]]:
    """Return what may stand at the end of `keys`; an empty list where the model does not say."""
    options = _alternatives(model)
    for key in keys:
        inside: list[tuple[Any, tuple[Any, ...]]] = []
        for annotation, _ in options:
            origin, args = get_origin(annotation), get_args(annotation)
            if isinstance(annotation, type) and origin is None and issubclass(annotation, BaseModel):
                field = annotation.model_fields.get(str(key))
                inside += _alternatives(field) if field is not None else []
            elif origin is dict:
                inside += _alternatives(args[1])
            elif origin in (list, tuple) and isinstance(key, int):
                inside += _alternatives(args[key if origin is tuple and key < len(args) else 0])
        options = inside
    return options


def _names(options: Sequence[tuple[Any, Any]]) -> list[str]:
    return [n for a, _ in options if hasattr(a, "model_fields") for n in a.model_fields]


def _kinds(options: Sequence[tuple[Any, Any]]) -> set[str]:
    return {getattr(get_origin(a) or a, "__name__", "") for a, _ in options}


def _allowed(options: Sequence[tuple[Any, tuple[Any, ...]]]) -> str | list[str] | None:
    if len(options) == 1 and get_origin(options[0][0]) is Literal:
        # A list of words lets the message name the nearest.
        return [str(word) for word in get_args(options[0][0])]
    texts = dict.fromkeys(_described(annotation, bounds) for annotation, bounds in options)
    return " or ".join(texts) or None


def _described(annotation: Any, bounds: tuple[Any, ...]) -> str:
    """Say in words what may stand here: the kind, and the bounds."""
    origin, args = get_origin(annotation), get_args(annotation)
    limits = {name: f"{getattr(b, name):.15g}" for name, _ in _BOUNDS for b in bounds if _has(b, name)}
    if {"ge", "le"} <= set(limits):
        limit = f"from {limits['ge']} to {limits['le']}"
    else:
        limit = " and ".join(f"{words} {limits[name]}" for name, words in _BOUNDS if name in limits)
    fewest = next((b.min_length for b in bounds if _has(b, "min_length")), None)
    most = next((b.max_length for b in bounds if _has(b, "max_length")), None)
    if origin is Literal:
        return " or ".join(f"'{word}'" for word in args)
    if origin is list:
        items = " or ".join(_several(_described(*a)) for a in _alternatives(args[0]))
        count = f"{fewest} to {most} " if fewest and most else f"at least {fewest} " if fewest else ""
        return f"a list of {count}{items}"
    if origin is tuple:
        return f"a list of {len(args)} {_several(_described(*_alternatives(args[0])[0]))}"
    if origin is dict:
        return (
            f"a mapping of names to {' or '.join(_several(_described(*a)) for a in _alternatives(args[1]))}"
        )
    if annotation is bool:
        return "true or false"
    if annotation in (int, float):
        finite = any(getattr(b, "allow_inf_nan", True) is False for b in bounds)
        noun = "a whole number" if annotation is int else "a finite number" if finite else "a number"
        return f"{noun} {limit}".strip()
    if annotation is str:
        return "text that is not empty" if fewest else "text"
    return f"a mapping with {', '.join(_names([(annotation, ())]))}"


def _has(bound: Any, name: str) -> bool:
    return getattr(bound, name, None) is not None


def _several(words: str) -> str:
    for one, many in (*_MANY.items(), ("a finite number", "finite numbers"), ("a list", "lists")):
        if words.startswith(one):
            return many + words.removeprefix(one)
    return words.replace("a mapping", "mappings", 1)


def _hint(given: Any, options: Sequence[tuple[Any, Any]]) -> str | None:
    """Say how to mend a value of the wrong kind; where only its size is wrong, what is allowed says it."""
    kinds = _kinds(options)
    numeric, textual = bool(kinds & {"int", "float"}), bool(kinds & {"str", "Literal"})
    if given is None:
        return "write a value, or leave the key out"
    if isinstance(given, bool):
        return "YAML reads yes, no, on and off as true and false" + ("; quote the word" if textual else "")
    if isinstance(given, str) and numeric:
        if _AN_EXPONENT.fullmatch(given):
            return f"YAML reads this as text: write {float(given):.15g}"
        return "write the number alone"
    if isinstance(given, int | float) and numeric:
        most = [b.le for _, bounds in options for b in bounds if _has(b, "le")]
        reasons = [b.text for _, bounds in options for b in bounds if isinstance(b, Reason)]
        return reasons[0] if reasons and any(given > bound for bound in most) else None
    if isinstance(given, Mapping | list | tuple) and (numeric or textual):
        return "write one value"
    if "str" in kinds and not isinstance(given, str):
        return "put it in quotes"
    if kinds == {"list"} and not isinstance(given, list | tuple):
        return "write a list: [first, second]"
    if not isinstance(given, Mapping) and (kinds == {"dict"} or _names(options)):
        return "write keys with values: {key: value}"
    return None


def _shown(value: Any) -> Any:
    if isinstance(value, Mapping) and len(repr(value)) > MOST:
        return f"a mapping of {len(value)}"
    if isinstance(value, list | tuple) and len(repr(value)) > MOST:
        return f"a list of {len(value)}"
    return value if len(repr(value)) <= MOST else f"{value!s:.{MOST}}..."


def _dotted(keys: Keys) -> str | None:
    return ".".join(map(str, keys)) or None
