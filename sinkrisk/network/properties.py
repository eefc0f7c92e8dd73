"""Our labels as the named properties that XDSL and BIFXML allow on a node, and back.

What equals its default is left out, so a plain network gives a plain file. A table's rule (how it
is doubted, and the parameters behind a ranked or noisy-max table) goes with the first node that
has it. A file may come back edited: a table that no longer follows from its parameters is then
read as a full table, and a node that no longer shares its rule's table gets a rule of its own.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import numpy as np

from sinkrisk.errors import Problems
from sinkrisk.network.building import Network, Node
from sinkrisk.network.noisy import NoisyMaxParameters, noisy_max_table, stated
from sinkrisk.network.tables import RankedParameters, TableRule, ranked_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

PREFIX = "sinkrisk_"
GROUPS = ("policy", "market", "acceptance", "deployment", "climate")
FOLLOWS = 1e-9
"""How near a table must be to the one its parameters give for the parameters to be believed."""

_ATTRIBUTES = {
    "base": "base",
    "kind": "kind",
    "class": "cls",
    "region": "region",
    "period": "period",
    "group": "group",
    "favourable": "favourable",
    "rule": "rule",
    "rationale": "rationale",
    "source": "source",
    "locator": "locator",
    "equivalent_sample_size": "equivalent_sample_size",
}
_CHOICES = {"kind": ("global", "regional", "class"), "group": GROUPS, "favourable": ("first", "last")}
# A property of BIFXML is "name = value": pgmpy stumbles over a second equals sign. Control characters
# cannot stand in XML, and blanks at the ends do not survive it.
_UNSAFE = re.compile(r"[%=\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]|^\s+|\s+$")


@dataclass(frozen=True)
class Labels:
    """Properties of one node as they stand in a file: key without the prefix -> text, line."""

    text: Mapping[str, str]
    lines: Mapping[str, int]


def encoded(text: str) -> str:
    """Return text as it can stand in any property, per cent signs before two hexadecimal digits.

    Examples
    --------
    >>> encoded("a = b")
    'a %3D b'
    """
    return _UNSAFE.sub(lambda found: quote(found[0], safe="", errors="surrogatepass"), text)


def decoded(text: str) -> str:
    """Return what `encoded` was given."""
    return unquote(text, errors="surrogatepass")


def properties_of(net: Network) -> dict[str, list[tuple[str, str]]]:
    """Return the properties of every node: prefixed key, encoded text."""
    written: set[str] = set()
    result: dict[str, list[tuple[str, str]]] = {}
    for index, (name, node) in enumerate(net.nodes.items()):
        found: list[tuple[str, str]] = []
        if index == 0 and net.description:
            found.append(("description", net.description))
        if index == 0:
            used = dict.fromkeys(other.rule for other in net.nodes.values())
            order = [rule for rule in net.rules if rule in used]
            # A bank draws one rule after another: in another order the same seed gives other draws.
            if order != list(used):
                found.append(("rule_order", json.dumps(order)))
        defaults = _defaults(name)
        for key, attribute in _ATTRIBUTES.items():
            value = getattr(node, attribute)
            if value != defaults[key]:
                found.append((key, repr(float(value)) if isinstance(value, (int, float)) else value))
        if node.rule not in written:
            written.add(node.rule)
            definition = _definition(net.rules[node.rule], node)
            if definition:
                found.append(("rule_definition", json.dumps(definition)))
        result[name] = [(PREFIX + key, encoded(text)) for key, text in found]
    return result


def _defaults(name: str) -> dict[str, Any]:
    return {
        "base": name, "kind": "global", "class": None, "region": None, "period": None, "group": "policy",
        "favourable": "last", "rule": name, "rationale": "", "source": "", "locator": "",
        "equivalent_sample_size": math.inf,
    }  # fmt: skip


def _definition(rule: TableRule, node: Node) -> dict[str, Any]:
    definition: dict[str, Any] = {}
    if rule.stream != node.name:
        definition["stream"] = rule.stream
    if rule.equivalent_sample_size != node.equivalent_sample_size:
        # As text: JSON has no infinity.
        definition["equivalent_sample_size"] = repr(float(rule.equivalent_sample_size))
    if rule.row_sizes is not None:
        # In the order of the table's rows, the last parent changing fastest.
        definition["row_sizes"] = [float(value) for value in rule.row_sizes.ravel()]
    if rule.correlation != 0.0:
        definition["correlation"] = float(rule.correlation)
    if rule.ranked is not None:
        definition["ranked"] = asdict(rule.ranked)
    if rule.noisy is not None:
        definition["noisy"] = asdict(rule.noisy)
    return definition


def labelled_network(
    states: Mapping[str, tuple[str, ...]],
    parents: Mapping[str, tuple[str, ...]],
    tables: Mapping[str, NDArray[np.float64]],
    labels: Mapping[str, Labels],
    *,
    name: str,
    found: Problems,
) -> Network:
    """Return the network of sound tables and the labels beside them.

    Raises
    ------
    InputError
        All at once, with node and line: unknown kinds, groups or ends, sizes that are none, rule
        definitions that cannot be read.
    """
    nodes: list[Node] = []
    rules: dict[str, TableRule] = {}
    description, order = "", "[]"
    values = {node: _values(node, labels[node], found) for node in states}
    shared = _shared(values, labels, tables)
    for node in states:
        given = labels[node].text
        description = description or given.get("description", "")
        order = given.get("rule_order", order)
        size, rule = values[node]["equivalent_sample_size"], values[node]["rule"]
        if rule not in rules:
            reference, definer = shared[rule]
            rules[rule] = _rule(definer, size, tables[reference], labels[definer], found)
        if not np.array_equal(rules[rule].mean, tables[node]):
            like, rule = rules[rule], _free(node, rules)
            rules[rule] = TableRule(rule, tables[node], size, like.correlation, row_sizes=like.row_sizes)
        arguments = {attribute: values[node][key] for key, attribute in _ATTRIBUTES.items()}
        nodes.append(
            Node(**{**arguments, "rule": rule}, name=node, states=states[node], parents=parents[node])
        )
    found.raise_if_any()
    return Network(nodes, _in_order(rules, order), name=name, description=description)


def _in_order(rules: dict[str, TableRule], order: str) -> dict[str, TableRule]:
    """Rules in the order of a list in JSON, those it does not name last; as they are without a list."""
    try:
        listed = [rule for rule in json.loads(order) if isinstance(rule, str) and rule in rules]
    except (ValueError, TypeError, RecursionError):
        listed = []
    return {rule: rules[rule] for rule in dict.fromkeys([*listed, *rules])}


def _shared(
    values: Mapping[str, Mapping[str, Any]],
    labels: Mapping[str, Labels],
    tables: Mapping[str, NDArray[np.float64]],
) -> dict[str, tuple[str, str]]:
    """Rule -> a node with the table that most of its nodes have, and the node it is defined at."""
    nodes: dict[str, list[str]] = {}
    for node, given in values.items():
        nodes.setdefault(given["rule"], []).append(node)
    result = {}
    for rule, names in nodes.items():
        counts = Counter(tables[node].tobytes() for node in names)
        most = counts.most_common(1)[0][0]
        reference = next(node for node in names if tables[node].tobytes() == most)
        definer = next((node for node in names if "rule_definition" in labels[node].text), names[0])
        result[rule] = reference, definer
    return result


def _free(name: str, rules: Mapping[str, TableRule]) -> str:
    while name in rules:
        name += "@own"
    return name


def _values(node: str, given: Labels, found: Problems) -> dict[str, Any]:
    values = _defaults(node)
    for key, text in given.text.items():
        row = given.lines[key]
        if key in _CHOICES and text not in _CHOICES[key]:
            found.add(
                f"node '{node}': property '{PREFIX}{key}'", got=text, allowed=_CHOICES[key], row=row, key=node
            )
        elif key == "equivalent_sample_size":
            size = _positive(text)
            if size is None:
                found.add(
                    f"node '{node}': property '{PREFIX}{key}'",
                    got=text,
                    allowed="a positive number, or inf",
                    row=row,
                    key=node,
                )
            else:
                values[key] = size
        elif key in values:
            values[key] = text
    return values


def _positive(text: object) -> float | None:
    try:
        value = float(str(text))
    except ValueError:
        return None
    return value if value > 0.0 else None


def _rule(
    node: str, stated_size: float, table: NDArray[np.float64], given: Labels, found: Problems
) -> TableRule:
    """Return the rule defined at a node; without a definition, a full table of its own stream."""
    size: float | None = stated_size
    stream, correlation = node, 0.0
    sizes: NDArray[np.float64] | None = None
    ranked: RankedParameters | None = None
    noisy: NoisyMaxParameters | None = None
    text = given.text.get("rule_definition")
    if text is not None:
        from pydantic import TypeAdapter, ValidationError

        try:
            definition = json.loads(text)
            stream = str(definition.get("stream", node))
            size = _positive(definition.get("equivalent_sample_size", size))
            correlation = float(definition.get("correlation", 0.0))
            if size is None or not 0.0 <= correlation <= 1.0:
                raise ValueError("a size or a correlation out of range")
            if "row_sizes" in definition:
                sizes = _row_sizes(definition["row_sizes"], table.shape[:-1])
            if "ranked" in definition:
                ranked = TypeAdapter(RankedParameters).validate_python(definition["ranked"])
            if "noisy" in definition:
                noisy = TypeAdapter(NoisyMaxParameters).validate_python(definition["noisy"])
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            reason = "unknown form" if isinstance(error, ValidationError) else str(error).splitlines()[0]
            found.add(
                f"node '{node}': property '{PREFIX}rule_definition' cannot be read: {reason}",
                row=given.lines["rule_definition"],
                key=node,
                hint="delete the property: the table is then read as a full table",
            )
    if ranked is not None and not _follows(table, ranked):
        ranked = None
    if noisy is not None and not _follows(table, noisy):
        noisy = None
    return TableRule(stream, table, size or math.inf, correlation, ranked, noisy, row_sizes=sizes)


def _row_sizes(given: object, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Equivalent sample sizes of a table's rows, from a list in the order of the rows."""
    sizes = np.array(given, dtype=float)
    if sizes.size != math.prod(shape) or not np.all(np.isfinite(sizes) & (sizes > 0.0)):
        raise ValueError(f"row sizes are not {math.prod(shape)} positive numbers")
    return sizes.reshape(shape)


def _follows(table: NDArray[np.float64], parameters: RankedParameters | NoisyMaxParameters) -> bool:
    """Whether a table is the one its parameters give; false too where they give none."""
    try:
        with np.errstate(all="ignore"):
            if isinstance(parameters, RankedParameters):
                made = ranked_table(parameters)
            else:
                made = noisy_max_table(*stated(parameters))
    except (ValueError, IndexError):
        return False
    return made.shape == table.shape and bool(np.allclose(made, table, rtol=0.0, atol=FOLLOWS))
