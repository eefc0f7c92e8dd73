"""Named scenarios and policy levers: interventions written by base node, period, region and class."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sinkrisk import files
from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.network.building import Network
from sinkrisk.network.conditions import read_conditions, require_network
from sinkrisk.network.table_checks import check_source
from sinkrisk.network.telling import near_names, told_shape

SHIPPED = "governance_scenarios.yaml"


@dataclass(frozen=True)
class Scenario:
    """An intervention with a name.

    Parameters
    ----------
    name, label : str
    kind : str
        shock | opportunity | lever.
    do : mapping of str to str
        Node -> the state it is set to.
    rationale, source, locator : str
    remark : str
        What the network lacks of the scenario as written, empty where it has all.
    """

    name: str
    label: str
    kind: str
    do: Mapping[str, str]
    rationale: str
    source: str
    locator: str
    remark: str = ""


Scenarios = Mapping[str, Scenario | Mapping[str, str]] | Iterable[Scenario]
"""Scenarios by name, or one after another; plain interventions by name."""


def as_scenarios(net: Network, given: Scenarios | Scenario) -> dict[str, Scenario]:
    """Return scenarios by name, their interventions checked.

    Raises
    ------
    InputError
        For what is neither scenarios nor interventions, and for nodes or states the network has not.
    """
    allowed = "what load_scenarios returns, a list of Scenario, or {name: {node: state}}"
    if isinstance(given, Scenario):
        given = [given]
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise InputError(Problem("scenarios", got=given, allowed=allowed))
    pairs: list[tuple[str, object]]
    if isinstance(given, Mapping):
        pairs = list(given.items())
    else:
        pairs = [(getattr(entry, "name", ""), entry) for entry in given]
    found = Problems()
    result: dict[str, Scenario] = {}
    for name, entry in pairs:
        if isinstance(entry, Mapping):
            entry = Scenario(str(name), str(name).replace("_", " "), "shock", entry, "", "", "")
        if not isinstance(entry, Scenario):
            found.add("not a scenario", got=entry, allowed=allowed)
            continue
        if name in result:
            found.add("two scenarios of one name", got=name)
        try:
            read_conditions(net, None, entry.do)
        except InputError as error:
            found.extend(error.problems)
        result[str(name)] = entry
    found.raise_if_any()
    return result


class _Setting(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    node: str
    state: str
    periods: list[str] | None = None
    regions: list[str] | None = None
    classes: list[str] | None = None


class _ScenarioSpec(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    label: Annotated[str, Field(min_length=1)]
    kind: Literal["shock", "opportunity", "lever"]
    set: Annotated[list[_Setting], Field(min_length=1)]
    rationale: Annotated[str, Field(min_length=1)]
    source: Annotated[str, Field(min_length=1)]
    locator: str = ""


class _ScenarioFile(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    scenarios: Annotated[dict[str, _ScenarioSpec], Field(min_length=1)]


def _fields_at(loc: tuple[object, ...]) -> list[str]:
    """Keys that may stand in a scenario file where `loc` (without its last key) points."""
    model: type[BaseModel] = _ScenarioFile
    if len(loc) > 2:
        model = _Setting if "set" in loc[2:-1] else _ScenarioSpec
    return list(model.model_fields)


def load_scenarios(net: Network, path: str | os.PathLike[str] | None = None) -> dict[str, Scenario]:
    """Read scenarios and turn them into interventions on a network.

    Parameters
    ----------
    net : Network
    path : path, optional
        None means the scenarios shipped in ``priors/governance_scenarios.yaml``.

    Returns
    -------
    dict of str to Scenario
        In the order of the file. On part of a network (see `load`) a scenario sets what is left of
        it and `Scenario.remark` says what is not; one of which nothing is left is dropped with a
        warning.

    Raises
    ------
    InputError
        Every fault of the file with its line: unknown keys, nodes, states, periods, regions or
        classes, a setting that fits no node, a node set twice to different states, a source that is in
        no bibliography.

    Examples
    --------
    >>> from sinkrisk.network import load
    >>> list(load_scenarios(load(regions=["arid_zones"])))[:2]
    ['declining_support', 'price_collapse']
    """
    require_network(net)
    where = files.data_path("priors", SHIPPED) if path is None else path
    located = files.load_yaml(where, purpose="scenario file")
    found = Problems(file=str(where))
    try:
        spec = _ScenarioFile.model_validate(located.data)
    except ValidationError as error:
        told_shape(error, located, found, _fields_at)
        found.raise_if_any()
        raise AssertionError("a validation error without details") from error
    scenarios = {name: _scenario(net, name, entry, located, found) for name, entry in spec.scenarios.items()}
    found.raise_if_any()
    for name, scenario in scenarios.items():
        if not scenario.do:
            warnings.warn(f"scenario '{name}' is left out: {scenario.remark}", stacklevel=2)
    return {name: scenario for name, scenario in scenarios.items() if scenario.do}


def _scenario(
    net: Network, name: str, entry: _ScenarioSpec, located: files.LocatedYaml, found: Problems
) -> Scenario:
    check_source(located, found, entry.source, entry.locator, "scenarios", name)
    do: dict[str, str] = {}
    lacking: dict[str, None] = {}
    for index, setting in enumerate(entry.set):
        at = ("scenarios", name, "set", index)
        for node in _nodes(net, setting, at, located, found, lacking):
            if do.get(node, setting.state) != setting.state:
                found.add(
                    f"scenario '{name}': node set twice",
                    got=f"{node}: {do[node]} and {setting.state}",
                    key=".".join(map(str, at)),
                    row=located.line(*at),
                )
            do[node] = setting.state
    remark = f"this part of the network lacks {', '.join(lacking)}" if lacking else ""
    return Scenario(
        name, entry.label, entry.kind, MappingProxyType(do), entry.rationale, entry.source, entry.locator,
        remark,
    )  # fmt: skip


def _nodes(
    net: Network,
    setting: _Setting,
    at: tuple[str | int, ...],
    located: files.LocatedYaml,
    found: Problems,
    lacking: dict[str, None],
) -> list[str]:
    """Return the nodes a setting means; what fits none is reported, or noted where only part is read."""

    def add(what: str, got: str, allowed: Sequence[str], key: str) -> None:
        place = (*at, key)
        found.add(what, got=got, allowed=allowed, key=".".join(map(str, place)), row=located.line(*place))

    named = [node for node in net.nodes.values() if node.base == setting.node]
    if not named:
        bases = list(dict.fromkeys(node.base for node in net.nodes.values()))
        add("no such node in the network", setting.node, near_names(setting.node, bases) or bases, "node")
        return []
    if setting.state not in named[0].states:
        add(f"no such state of '{setting.node}'", setting.state, named[0].states, "state")
        return []
    sound = True
    for key, attribute in (("periods", "period"), ("regions", "region"), ("classes", "cls")):
        wanted = getattr(setting, key)
        if wanted is None:
            continue
        have = list(dict.fromkeys(str(getattr(node, attribute)) for node in named))
        whole = net.plates.get(attribute.replace("cls", "class"), ())
        for value in wanted:
            if value not in have and value in whole and have != ["None"]:
                lacking[value] = None
                if not set(have) & set(wanted):
                    sound = False
            elif value not in have:
                allowed = ["(none)"] if have == ["None"] else have
                add(f"'{setting.node}' has no such {attribute.replace('cls', 'class')}", value, allowed, key)
                sound = False
        named = [node for node in named if getattr(node, attribute) in wanted]
    if sound and not named:
        add("setting fits no node", setting.node, ["periods, regions and classes the node has"], "node")
    return [node.name for node in named]
