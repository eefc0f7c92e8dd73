"""Which nodes can tell of which: d-separation by Bayes ball, and the reason in plain words.

A path joins two nodes while every node on it lets news through: a link in a chain or a common cause
does unless it is given, a common effect only when it or something downstream of it is given (Shachter
1998, UAI, "Bayes-Ball"; Koller and Friedman 2009, section 3.3). An intervention cuts the edges into
its node and holds it fixed, which blocks it like a given node.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sinkrisk.errors import Problems
from sinkrisk.network.building import Network
from sinkrisk.network.conditions import require_network
from sinkrisk.network.telling import near_names

_Step = tuple[str, bool]
"""A node, and whether the walk came to it from one of its parents."""


MOST_NAMED = 3
"""Nodes of one kind that a sentence names."""


@dataclass(frozen=True)
class Separation:
    """Whether two sets of nodes are d-separated, and why.

    Parameters
    ----------
    separated : bool
        True: independent whatever the tables say. False: some tables make them dependent.
    words : str
        The reason in plain words.
    path : tuple of str
        A shortest path that joins them; empty when separated.
    blocked_by : tuple of str
        Nodes, given or set by `do`, that are enough to block every path and all needed for it.
    common_effects : tuple of str
        Unobserved common effects where news from both meets, when only `blocked_by` is given:
        observing one, or what follows from it, would join the two.
    cut : tuple of str
        Nodes of `do` whose cut edges would have joined the two.
    """

    separated: bool
    words: str
    path: tuple[str, ...]
    blocked_by: tuple[str, ...]
    common_effects: tuple[str, ...]
    cut: tuple[str, ...]

    def __bool__(self) -> bool:
        return self.separated


@dataclass(frozen=True)
class _Graph:
    """The network's graph with the edges into some nodes cut, and what is given in it."""

    parents: Mapping[str, Sequence[str]]
    children: Mapping[str, Sequence[str]]
    given: frozenset[str]
    opened: frozenset[str]
    """Given nodes and everything upstream of them: common effects that let news through."""

    def next_steps(self, node: str, from_parent: bool, start: bool) -> list[_Step]:
        steps: list[_Step] = []
        blocked = node in self.given and not start
        if not blocked:
            steps += [(child, True) for child in self.children[node]]
        if (node in self.opened if from_parent else not blocked) or start:
            steps += [(parent, False) for parent in self.parents[node]]
        return steps


def separated(
    net: Network,
    a: str | Sequence[str],
    b: str | Sequence[str],
    given: str | Sequence[str] = (),
    do: str | Iterable[str] = (),
) -> Separation:
    """Return whether two sets of nodes are d-separated, with the reason in words.

    Parameters
    ----------
    net : Network
    a, b : str or sequence of str
        One of them may be in `do`: the answer is then whether what it is set to matters.
    given : str or sequence of str
        Observed nodes, whatever their states. Soft evidence on a node does not block it: leave
        the node out, and ask with it given to learn which common effects it opens.
    do : str or iterable of str
        Nodes that are set (a mapping node -> state as `query` takes it will do).

    Returns
    -------
    Separation
        True in a condition when separated.

    Raises
    ------
    InputError
        For unknown nodes, nothing to separate, and a node in two places.

    Examples
    --------
    >>> from sinkrisk.network import network_from_tables
    >>> net = network_from_tables(
    ...     {"rain": ["no", "yes"], "hose": ["no", "yes"], "wet": ["no", "yes"]},
    ...     {"wet": ["rain", "hose"]},
    ...     {"rain": [0.8, 0.2], "hose": [0.9, 0.1], "wet": [[[0.9, 0.1], [0.1, 0.9]]] * 2},
    ... )
    >>> print(separated(net, "rain", "hose").words)
    rain and hose are independent. Every path between them ends at a common effect that is not
    observed: wet.
    >>> print(separated(net, "rain", "hose", given="wet").words)
    rain and hose can depend on each other given wet. The shortest path: rain and hose both act
    on wet, which is observed.
    """
    require_network(net)
    ends_a, ends_b, observed, held = _names(a), _names(b), _names(given), _names(do)
    _check(net, ends_a, ends_b, observed, held)
    graph = _graph(net, observed, held, fixed=[name for name in held if name not in {*ends_a, *ends_b}])
    trail = _shortest(graph, ends_a, set(ends_b))
    condition = _condition(observed, held)
    names = f"{_listed(ends_a)} and {_listed(ends_b)}"
    if trail is not None:
        words = f"{names} can depend on each other{condition}. The shortest path: {_told(graph, trail)}."
        return Separation(False, words, tuple(name for name, _ in trail), (), (), ())
    # Descendants first: a given common effect makes its causes' blockers needed; it should go first.
    needed = dict.fromkeys(name for name in net.order if name in graph.given)
    for name in reversed(list(needed)):
        fewer = [other for other in needed if other != name]
        if _shortest(_graph(net, fewer, held, fixed=()), ends_a, set(ends_b)) is None:
            del needed[name]
    lean = _graph(net, needed, held, fixed=())
    effects = _common_effects(net, lean, _reached(lean, ends_a), _reached(lean, ends_b))
    cut = tuple(name for name in held if not _separated_without(net, name, ends_a, ends_b, observed, held))
    reason = _blocked_words(tuple(needed), effects, cut, held, _joined(lean, ends_a, ends_b))
    words = f"{names} are independent{condition}. {reason}"
    return Separation(True, words, (), tuple(needed), effects, cut)


def _names(value: str | Iterable[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(dict.fromkeys(value))


def _check(net: Network, a: list[str], b: list[str], given: list[str], do: list[str]) -> None:
    found = Problems()
    places = {"a": a, "b": b, "given": given, "do": do}
    for key, names in places.items():
        for name in names:
            if name not in net.nodes:
                found.add(
                    "no such node in the network",
                    got=name,
                    allowed=near_names(str(name), net.order) or list(net.order[:5]),
                    key=key,
                    hint=f"the {len(net)} nodes are in net.order",
                )
        if key in ("a", "b") and not names:
            found.add("no node to separate", got=names, key=key)
    for first, second in (("a", "b"), ("a", "given"), ("b", "given"), ("given", "do")):
        for name in places[first]:
            if name in places[second]:
                found.add(f"node both in '{first}' and in '{second}'", got=name, hint="give it once")
    found.raise_if_any()


def _graph(net: Network, given: Iterable[str], do: Iterable[str], fixed: Iterable[str]) -> _Graph:
    """Return the graph with the edges into `do` cut; `fixed` are the nodes of it that block."""
    cut = set(do)
    parents = {name: () if name in cut else node.parents for name, node in net.nodes.items()}
    children: dict[str, list[str]] = {name: [] for name in net.order}
    for name, above in parents.items():
        for parent in above:
            children[parent].append(name)
    blocking = frozenset(given) | frozenset(fixed)
    return _Graph(parents, children, blocking, frozenset(net.ancestors(blocking, parents)))


def _shortest(graph: _Graph, starts: Sequence[str], goals: set[str]) -> list[_Step] | None:
    """Breadth first over (node, side it was entered from); a shortest walk visits no node twice."""
    before: dict[_Step, _Step | None] = {(name, False): None for name in starts}
    waiting = deque(before)
    while waiting:
        step = waiting.popleft()
        if step[0] in goals:
            trail = [step]
            while (earlier := before[trail[-1]]) is not None:
                trail.append(earlier)
            return trail[::-1]
        for following in graph.next_steps(*step, start=before[step] is None):
            if following not in before:
                before[following] = step
                waiting.append(following)
    return None


def _reached(graph: _Graph, starts: Sequence[str]) -> set[_Step]:
    """Return every node the ball comes to, and from which side; nodes that block it included."""
    seen: set[_Step] = set()
    waiting = deque(step for name in starts for step in graph.next_steps(name, False, start=True))
    while waiting:
        step = waiting.popleft()
        if step not in seen:
            seen.add(step)
            waiting.extend(graph.next_steps(*step, start=False))
    return seen


def _common_effects(net: Network, graph: _Graph, from_a: set[_Step], from_b: set[_Step]) -> tuple[str, ...]:
    """Return the topmost unobserved nodes that news from both sides runs into."""
    met = [
        name
        for name in net.order
        if name not in graph.opened and (name, True) in from_a and (name, True) in from_b
    ]
    return tuple(name for name in met if not any(parent in met for parent in graph.parents[name]))


def _separated_without(
    net: Network, name: str, a: list[str], b: list[str], given: list[str], do: list[str]
) -> bool:
    """Whether the ends stay separated when one node of `do` is observed instead (an end: left)."""
    ends = {*a, *b}
    rest = [other for other in do if other != name]
    seen = given if name in ends else [*given, name]
    graph = _graph(net, seen, rest, fixed=[other for other in rest if other not in ends])
    return _shortest(graph, a, set(b)) is None


def _joined(graph: _Graph, a: Sequence[str], b: Sequence[str]) -> bool:
    """Whether any path joins the two, whichever way its edges run."""
    seen: set[str] = set()
    waiting = list(a)
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += [*graph.parents[name], *graph.children[name]]
    return not seen.isdisjoint(b)


def _told(graph: _Graph, trail: list[_Step]) -> str:
    """Tell a path triple by triple; runs of edges in one direction are one chain."""
    names = [name for name, _ in trail]
    # down[i]: whether edge i runs from names[i] to names[i + 1]
    down = [names[i] in graph.parents[names[i + 1]] for i in range(len(names) - 1)]
    if all(down) or not any(down):
        chain = names if down[0] else names[::-1]
        if len(chain) == 2:
            return f"{chain[0]} acts on {chain[1]} directly"
        return f"{chain[0]} acts on {chain[-1]} through the chain {' -> '.join(chain)}"
    # Nodes where the direction turns, and the ends; between two of them lies one chain.
    turns = [0, *(i for i in range(1, len(names) - 1) if down[i - 1] != down[i]), len(names) - 1]
    parts = []
    for at in range(1, len(turns) - 1):
        left, middle, right = (names[turns[at + k]] for k in (-1, 0, 1))
        via = [*names[turns[at - 1] + 1 : turns[at]], *names[turns[at] + 1 : turns[at + 1]]]
        through = f" (through {', '.join(via)})" if via else ""
        if down[turns[at]]:
            parts.append(f"{middle} is a common cause of {left} and {right}{through}")
        else:
            parts.append(f"{left} and {right} both act on {middle}{through}, {_why_open(graph, middle)}")
    return "; ".join(parts)


def _why_open(graph: _Graph, effect: str) -> str:
    """Say how a common effect is observed: itself, or through its nearest given descendant."""
    if effect in graph.given:
        return "which is observed"
    before: dict[str, str | None] = {effect: None}
    waiting = deque([effect])
    while True:
        name = waiting.popleft()
        if name in graph.given:
            break
        for child in graph.children[name]:
            if child not in before:
                before[child] = name
                waiting.append(child)
    chain = [name]
    while (earlier := before[chain[-1]]) is not None:
        chain.append(earlier)
    return f"which is observed through its descendant {name} ({' -> '.join(chain[::-1])})"


def _listed(names: Sequence[str]) -> str:
    if len(names) > MOST_NAMED + 1:
        return f"{', '.join(names[:MOST_NAMED])} and {len(names) - MOST_NAMED} more"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _condition(given: list[str], do: list[str]) -> str:
    parts = [f"given {_listed(given)}"] if given else []
    parts += [f"with {_listed(do)} set"] if do else []
    return f" {' and '.join(parts)}" if parts else ""


def _blocked_words(
    blocked: tuple[str, ...], effects: tuple[str, ...], cut: tuple[str, ...], held: list[str], joined: bool
) -> str:
    ends = []
    if blocked:
        kinds = [f"{name} ({'set' if name in held else 'given'})" for name in blocked]
        ends.append(f"at {_listed(kinds)}")
    if effects:
        ends.append(f"at a common effect that is not observed: {_listed(effects)}")
    if cut:
        ends.append(f"where setting {_listed(cut)} cut it off from its causes")
    if not ends:
        return "Every path passes several unobserved common effects." if joined else "No path joins them."
    return f"Every path between them ends {', or '.join(ends)}."
