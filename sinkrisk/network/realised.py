"""What a period brought, as evidence for the next: disturbance, reversal and shortfall

Each is told as soft evidence: how likely what was seen is under each state of the node behind it.
`joined_evidence` puts several together for `query`, `causes` or `sample`; what they say of one node
is multiplied, as observations that err independently given its state. Periods share carried-over
states, so evidence on one moves what is believed of the next.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from sinkrisk.errors import Problems, did_you_mean
from sinkrisk.network.building import Network
from sinkrisk.network.conditions import read_conditions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sinkrisk.network.conditions import Evidence


def shortfall_evidence(
    net: Network,
    region: str,
    cls: str,
    period: str,
    severity: float,
    *,
    sd: float,
    factors: Mapping[str, float],
    base: str = "deployment_mode",
) -> dict[str, dict[str, float]]:
    """Turn a realised shortfall into soft evidence on the deployment mode behind it.

    Parameters
    ----------
    net : Network
    region, cls, period : str
        Where and when the shortfall was seen, and in which class.
    severity : float
        Share of what was planned that was not realised, 0 to 1.
    sd : float
        Standard deviation of `severity` (measurement, and how far realised shares scatter within
        one mode), positive.
    factors : mapping of str to float
        Mode -> share of what is planned that it realises, 0 to 1; every mode of the node.
    base : str
        The node's base name.

    Returns
    -------
    dict of str to dict
        Evidence for `query` or `causes`: the likelihood of each mode is the normal density of the
        realised share, 1 - severity, about the mode's own, the largest scaled to 1.

    Raises
    ------
    InputError
        For no such node, a severity or factor outside 0 to 1, an sd that is not positive, and
        modes that are unknown or missing; all at once.

    Examples
    --------
    >>> from sinkrisk.network import load
    >>> modes = {"full": 1.0, "throttled": 0.5, "passive_redundancy": 0.25, "collapse": 0.0}
    >>> place = ("open_ocean", "ocean", "near_term")
    >>> found = shortfall_evidence(load(), *place, severity=0.6, sd=0.15, factors=modes)
    >>> for node, likelihood in found.items():
    ...     print(node, {mode: round(value, 3) for mode, value in likelihood.items()})
    deployment_mode__ocean__open_ocean__near_term
    {'full': 0.0, 'throttled': 1.0, 'passive_redundancy': 0.757, 'collapse': 0.036}
    """
    found = Problems()
    name = _placed(net, base, {"class": cls, "region": region, "period": period}, found)
    _share(severity, "severity", found)
    likelihood = _normal(net, name, 1.0 - severity, sd, factors, ("factors", "mode", "factor"), found)
    found.raise_if_any()
    assert name is not None
    return {name: likelihood}


def disturbance_evidence(
    net: Network,
    region: str,
    period: str,
    seen: bool,
    *,
    detection: float,
    false_alarm: float,
    base: str = "disturbance",
) -> dict[str, dict[str, float]]:
    """Turn a report that a region was or was not disturbed in a period into soft evidence.

    Parameters
    ----------
    net : Network
    region, period : str
    seen : bool
        Whether a disturbance (drought, fire, pests, storms) was reported.
    detection : float
        Probability of a report where there was one, 0 to 1.
    false_alarm : float
        Probability of a report where there was none, 0 to 1, below `detection`.
    base : str
        The node's base name; of two states, the favourable one meaning no disturbance.

    Returns
    -------
    dict of str to dict
        Node -> likelihood of each state, the largest 1. Detection 1 and no false alarms make it hard
        evidence.

    Raises
    ------
    InputError
        For no such node or one of other than two states, probabilities outside 0 to 1, and reports
        that say nothing (`detection` not above `false_alarm`); all at once.

    Examples
    --------
    >>> from sinkrisk.network import load, query
    >>> net = load(regions=["arid_zones"])
    >>> fires = disturbance_evidence(
    ...     net, "arid_zones", "near_term", True, detection=0.8, false_alarm=0.1
    ... )
    >>> print(fires)
    {'disturbance__arid_zones__near_term': {'none': 0.125, 'shock': 1.0}}
    >>> node = "controversy__arid_zones__mid_term"
    >>> print(*(round(query(net, node, seen)[node]["contested"], 3) for seen in ({}, fires)))
    0.247 0.289
    """
    found = Problems()
    name = _placed(net, base, {"region": region, "period": period}, found)
    _share(detection, "detection", found)
    _share(false_alarm, "false_alarm", found)
    if not found and not detection > false_alarm:
        found.add("reports that say nothing", got=detection, allowed=f"above {false_alarm}", key="detection")
    if name is not None and len(net.nodes[name].states) != 2:
        found.add("node has other than two states", got=net.nodes[name].states, key="base")
    found.raise_if_any()
    assert name is not None
    node = net.nodes[name]
    quiet, shock = node.states if node.favourable == "first" else node.states[::-1]
    chances = {quiet: false_alarm, shock: detection}
    likelihood = {state: chances[state] if seen else 1.0 - chances[state] for state in node.states}
    largest = max(likelihood.values())
    return {name: {state: value / largest for state, value in likelihood.items()}}


def reversal_evidence(
    net: Network,
    region: str,
    period: str,
    reversed_share: float,
    *,
    sd: float,
    expected: Mapping[str, float],
    base: str = "disturbance",
) -> dict[str, dict[str, float]]:
    """Turn a realised reversal into soft evidence on the disturbance behind it.

    Parameters
    ----------
    net : Network
    region, period : str
        Where and when carbon was lost again.
    reversed_share : float
        Share of the carbon held in the region's stores that was lost in the period, 0 to 1.
    sd : float
        Standard deviation of that share (measurement, and how far losses scatter within one state),
        positive.
    expected : mapping of str to float
        State of the node -> share lost in it, 0 to 1; every state. The means of the reversal drivers
        over the period, for example.
    base : str
        The node's base name.

    Returns
    -------
    dict of str to dict
        Node -> likelihood of each state: the normal density of the share about what the state
        expects, the largest scaled to 1.

    Raises
    ------
    InputError
        For no such node, shares outside 0 to 1, an sd that is not positive, and states that are
        unknown or missing; all at once.

    Examples
    --------
    >>> from sinkrisk.network import load
    >>> found = reversal_evidence(
    ...     load(), "arid_zones", "near_term", 0.06, sd=0.02, expected={"none": 0.02, "shock": 0.08}
    ... )
    >>> for node, likelihood in found.items():
    ...     print(node, {state: round(value, 3) for state, value in likelihood.items()})
    disturbance__arid_zones__near_term {'none': 0.223, 'shock': 1.0}
    """
    found = Problems()
    name = _placed(net, base, {"region": region, "period": period}, found)
    _share(reversed_share, "reversed_share", found)
    likelihood = _normal(net, name, reversed_share, sd, expected, ("expected", "state", "share"), found)
    found.raise_if_any()
    assert name is not None
    return {name: likelihood}


def joined_evidence(net: Network, *parts: Evidence) -> dict[str, str | dict[str, float]]:
    """Return several pieces of evidence as one; likelihoods of one node are multiplied.

    Parameters
    ----------
    net : Network
    *parts : mapping
        Evidence as `query` takes it, and as the functions of this module return it.

    Returns
    -------
    dict
        Node -> likelihood, the largest 1; or the state, where no other is left.

    Raises
    ------
    InputError
        Where pieces contradict one another: two states, or a state with likelihood nought.

    Examples
    --------
    >>> from sinkrisk.network import network_from_tables
    >>> net = network_from_tables({"rain": ["no", "yes"]}, {}, {"rain": [0.8, 0.2]})
    >>> joined_evidence(net, {"rain": {"no": 0.5, "yes": 1.0}}, {"rain": {"no": 0.5, "yes": 0.8}})
    {'rain': {'no': 0.3125, 'yes': 1.0}}
    """
    joined: dict[str, NDArray[np.float64]] = {}
    found = Problems()
    for part in parts:
        conditions = read_conditions(net, part, None)
        told = {name: np.eye(len(net.nodes[name].states))[code] for name, code in conditions.hard.items()}
        for name, likelihood in {**told, **conditions.soft}.items():
            both = joined.get(name, 1.0) * likelihood
            if not both.max() > 0.0:
                found.add("pieces of evidence contradict one another", got=name, key=name)
            joined[name] = both
    found.raise_if_any()
    result: dict[str, str | dict[str, float]] = {}
    for name, likelihood in joined.items():
        states = net.nodes[name].states
        possible = np.flatnonzero(likelihood)
        if len(possible) == 1:
            result[name] = states[possible[0]]
        else:
            values = likelihood / likelihood.max()
            result[name] = dict(zip(states, values.tolist(), strict=True))
    return result


def _normal(
    net: Network,
    name: str | None,
    seen: float,
    sd: float,
    expected: Mapping[str, float],
    words: tuple[str, str, str],
    found: Problems,
) -> dict[str, float]:
    """Likelihood of each state: the normal density of what was seen about what the state expects."""
    key, state_word, value_word = words
    if not (math.isfinite(sd) and sd > 0.0):
        what = "severity" if key == "factors" else "reversed share"
        found.add(f"sd of the {what}", got=sd, allowed="a positive number", key="sd")
    for state, value in expected.items():
        _share(value, f"{key}.{state}", found)
    states = net.nodes[name].states if name is not None else ()
    if name is not None:
        for state in expected:
            if state not in states:
                found.add(f"no such {state_word}", got=state, allowed=states, key=key)
        for state in states:
            if state not in expected:
                found.add(f"a {state_word} has no {value_word}", got=list(expected), key=key, hint=state)
    if found:
        return {}
    misses = {state: (seen - expected[state]) / sd for state in states}
    # The nearest state is the unit: an sd that is small against all misses does not underflow.
    nearest = min(miss**2 for miss in misses.values())
    return {state: math.exp(-0.5 * (miss**2 - nearest)) for state, miss in misses.items()}


def _share(value: float, key: str, found: Problems) -> None:
    if not 0.0 <= value <= 1.0:
        found.add("not a share", got=value, allowed="0 to 1", key=key)


def _placed(net: Network, base: str, place: Mapping[str, str], found: Problems) -> str | None:
    """Find a node by base and place; say which part of the place is unknown."""
    nodes = [node for node in net.nodes.values() if node.base == base]
    if not nodes:
        bases = sorted({node.base for node in net.nodes.values()})
        near = did_you_mean(base, bases)
        found.add("no such base in the network", got=base, allowed=[near] if near else bases, key="base")
        return None
    unknown = False
    for plate, value in place.items():
        values = sorted({_on(node.cls, node.region, node.period)[plate] for node in nodes})
        if value not in values:
            found.add(f"no such {plate} for '{base}'", got=value, allowed=values, key=plate)
            unknown = True
    if unknown:
        return None
    return next(n.name for n in nodes if _on(n.cls, n.region, n.period) == {"class": "", **place})


def _on(cls: str | None, region: str | None, period: str | None) -> dict[str, str]:
    return {"class": cls or "", "region": region or "", "period": period or ""}
