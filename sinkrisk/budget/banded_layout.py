"""A structure laid out year by year: which values are states, which observations take an error in.

The states of a year are those random values that need naming. A white or endpoint value that a single
observation sees is part of that observation's noise. An ``ar`` process whose annual observations have no
noise besides is written through their residuals, e(t) = (y(t) - the rest) / profile(t), and needs a state
in the years without such an observation only. The constants and the observations over windows longer
than a year border the band. A window that sees an error which is the residual of an annual observation
has that residual subtracted, its observed value included: a change of data with determinant 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from sinkrisk.budget.structure import FloatArray, IntArray, Process, Structure, design

Sights = list[tuple[int, float]]


@dataclass(frozen=True)
class BandedLayout:
    """What the numba kernels read, one array per field.

    A row of `rows` or `windows` ends in pointers into `entries` and `weights`: for a row from where its
    states of the year, its states of the year before, its constants and its noise terms start, and where
    they end; for a window the same without the year before.

    Parameters
    ----------
    shape : ndarray of int
        Years, states per year, lasting states among them, constants, windows, correlated constants (which
        come first), observations, rows with noise (which come first).
    variances, correlations : ndarray of int
        Coefficients that must be positive, correlations that must lie in (-1, 1).
    lasting : ndarray of int, shape (lasting state, 3)
        1 for ``ar`` and 0 for ``walk``, coefficient, correlation.
    passing : ndarray of int, shape (value, 3)
        States that are independent between years: year, state, coefficient.
    idle : ndarray of int, shape (state, 2)
        Year and state of places that nothing uses.
    constants : ndarray of int, shape (constant,)
        Coefficients.
    crosses : ndarray of int, shape (cross, 3)
        Coefficient and the two constants.
    rows : ndarray of int, shape (row, 7)
        Year, observation (-1 for a year a chain crosses without one), five pointers.
    row_values : ndarray, shape (row, 2)
        Factor of the observed value, fixed noise variance.
    chains : ndarray of int, shape (chain, 4)
        First row, row after the last, coefficient, correlation of an absorbed ``ar`` process.
    windows : ndarray of int, shape (window, 5)
        Observation and four pointers; states count through years.
    window_noise : ndarray, shape (window,)
    residuals : ndarray of int, shape (subtraction, 2)
        Observation over a window, annual observation whose residual is subtracted from it.
    residual_weights : ndarray, shape (subtraction,)
    entries : ndarray of int
        States, constants or, for noise, coefficients.
    weights : ndarray
    owner_lasting, owner_constant, owner_chain : ndarray of int
        Processes of the lasting states, of the constants and of the chains, as places in the structure;
        not read by the kernels.
    """

    shape: IntArray
    variances: IntArray
    correlations: IntArray
    lasting: IntArray
    passing: IntArray
    idle: IntArray
    constants: IntArray
    crosses: IntArray
    rows: IntArray
    row_values: FloatArray
    chains: IntArray
    windows: IntArray
    window_noise: FloatArray
    residuals: IntArray
    residual_weights: FloatArray
    entries: IntArray
    weights: FloatArray
    owner_lasting: IntArray
    owner_constant: IntArray
    owner_chain: IntArray

    @property
    def arrays(self) -> tuple[Any, ...]:
        """The fields in the order the kernels take them."""
        return tuple(getattr(self, f.name) for f in fields(self) if not f.name.startswith("owner_"))


@dataclass
class _Sight:
    """What one observation sees: states as (year, state, weight), constants, noise, others' residuals."""

    states: list[tuple[int, int, float]] = field(default_factory=list)
    constants: Sights = field(default_factory=list)
    noise: Sights = field(default_factory=list)
    residuals: Sights = field(default_factory=list)


@dataclass
class _Draft:
    """A layout in the making."""

    structure: Structure
    designs: list[FloatArray]
    sights: list[_Sight]
    used: IntArray
    passing: list[tuple[int, int, int]] = field(default_factory=list)
    lasting: list[tuple[int, int, int]] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)
    chains: list[tuple[int, dict[int, int], dict[int, int]]] = field(default_factory=list)

    def place(self, year: int) -> int:
        """Take the next free place among the states of a year."""
        self.used[year] += 1
        return int(self.used[year]) - 1


def prepare(structure: Structure, negligible: float = 0.0) -> BandedLayout:
    """Lay out a structure for the banded kernels.

    Parameters
    ----------
    structure : Structure
    negligible : float, default 0.0
        A noise variance (GtC/yr squared) up to this is dropped where an ``ar`` process can then be
        absorbed. The default drops nothing, so the likelihood is exact.

    Raises
    ------
    ValueError
        Where an annual observation has neither noise nor a white or ``ar`` process that can stand for it.
        Windows longer than a year need none.
    """
    processes = structure.processes
    draft = _Draft(
        structure=structure,
        designs=[design(structure, index) for index in range(len(processes))],
        sights=[_Sight() for _ in structure.y],
        used=np.zeros(len(structure.years), dtype=np.int64),
    )
    shared = [
        value
        for index, process in enumerate(processes)
        if process.kind in ("white", "endpoint")
        for value in _absorb(draft, index, process)
    ]
    for index, column, seen in shared:
        _pass(draft, index, column, seen)
    absorbed, supplied = _absorbable(draft, negligible)
    for i in np.flatnonzero(structure.start == structure.end):
        if structure.noise_variance[i] <= 0 and not draft.sights[i].noise and i not in supplied:
            raise ValueError(
                f"observation {i} (year {structure.years[structure.start[i]]}) has neither noise nor an "
                "error of its own (white; ar if it sees its own year only): the banded likelihood needs one"
            )
    for index, bare in absorbed.items():
        _chain(draft, index, bare)
    constants = _order_constants(draft)
    # Passing states were placed from 0; the lasting ones go in front of them.
    for wanted in ("ar", "walk"):
        for index, process in enumerate(processes):
            if process.kind == wanted and index not in absorbed:
                _last(draft, index, process)
    return _pack(draft, constants, supplied)


def _absorb(draft: _Draft, index: int, process: Process) -> list[tuple[int, int, IntArray]]:
    """Turn the independent values that one observation sees into its noise; return the others, by place."""
    matrix = draft.designs[index]
    shared = []
    for column in np.flatnonzero(matrix.any(axis=0)):
        seen = np.flatnonzero(matrix[:, column]).astype(np.int64)
        if len(seen) == 1:
            weight = float(matrix[seen[0], column])
            draft.sights[int(seen[0])].noise.append((process.coefficient, weight**2))
        else:
            shared.append((index, int(column), seen))
    return shared


def _pass(draft: _Draft, index: int, column: int, seen: IntArray) -> None:
    """Give an independent value that several observations see a state, or make it a residual.

    It is one where it is the only noise of the one annual observation that sees it.
    """
    structure, process, matrix = draft.structure, draft.structure.processes[index], draft.designs[index]
    annual = seen[structure.start[seen] == structure.end[seen]]
    if process.kind == "white" and len(annual) == 1:
        i = int(annual[0])
        if structure.noise_variance[i] == 0 and not draft.sights[i].noise:
            weight = float(matrix[i, column])
            draft.sights[i].noise.append((process.coefficient, weight**2))
            for w in seen[seen != i]:
                draft.sights[w].residuals.append((i, float(matrix[w, column]) / weight))
            return
    year = max(column - int(process.kind == "endpoint"), 0)
    place = draft.place(year)
    draft.passing.append((year, place, process.coefficient))
    for i in seen:
        draft.sights[i].states.append((year, place, float(matrix[i, column])))


def _absorbable(draft: _Draft, negligible: float) -> tuple[dict[int, list[int]], set[int]]:
    """Return, by ``ar`` process to absorb, the observations it supplies with an error; and all of those."""
    structure = draft.structure
    annual = structure.start == structure.end
    bare = annual & (structure.noise_variance <= negligible)
    for i, sight in enumerate(draft.sights):
        # An observation that sees the year before (an endpoint) would tie three years together in a chain.
        before = any(year != structure.start[i] for year, _, _ in sight.states)
        bare[i] &= not sight.noise and not before
    seen = {
        index: np.flatnonzero(draft.designs[index].any(axis=1))
        for index, process in enumerate(structure.processes)
        if process.kind == "ar"
    }
    absorbed: dict[int, list[int]] = {}
    supplied: set[int] = set()
    for index in sorted(seen, key=lambda p: len(seen[p])):
        free = [int(i) for i in seen[index] if bare[i] and int(i) not in supplied]
        once = len({int(structure.start[i]) for i in free}) == len(free)
        if free and once:
            absorbed[index] = free
            supplied.update(free)
    return absorbed, supplied


def _chain(draft: _Draft, index: int, bare: list[int]) -> None:
    """Write an ``ar`` process through the residuals of `bare`, through states in the years between."""
    structure, matrix = draft.structure, draft.designs[index]
    seen = np.flatnonzero(matrix.any(axis=1))
    observed = {int(structure.start[i]): i for i in bare}
    others = [int(i) for i in seen if int(i) not in bare]
    states = {
        year: draft.place(year)
        for year in range(int(structure.start[seen].min()), int(structure.end[seen].max()) + 1)
        if year not in observed
    }
    for i in others:
        for year in np.flatnonzero(matrix[i]).tolist():
            weight = float(matrix[i, year])
            if year in states:
                draft.sights[i].states.append((year, states[year], weight))
            elif structure.start[i] == structure.end[i]:
                raise ValueError(
                    f"observations {observed[year]} and {i} (year {structure.years[year]}) share the process "
                    f"{structure.processes[index].name!r}, the only error of the first: give it some noise"
                )
            else:
                draft.sights[i].residuals.append(
                    (observed[year], weight / float(matrix[observed[year], year]))
                )
    draft.chains.append((index, observed, states))


def _order_constants(draft: _Draft) -> list[int]:
    """Return the constants that observations see, the correlated ones first, and note who sees them."""
    structure = draft.structure
    seen = [
        index
        for index, process in enumerate(structure.processes)
        if process.kind == "constant" and draft.designs[index].any()
    ]
    paired = {p for c in structure.crosses for p in (c.first, c.second) if {c.first, c.second} <= set(seen)}
    order = sorted(seen, key=lambda p: p not in paired)
    for place, index in enumerate(order):
        column = draft.designs[index][:, 0]
        for i in np.flatnonzero(column):
            draft.sights[i].constants.append((place, float(column[i])))
    return order


def _last(draft: _Draft, index: int, process: Process) -> None:
    """Give a walk or an ``ar`` process a state in every year; a walk is 0 in the first."""
    matrix = draft.designs[index].copy()
    if process.kind == "walk":
        matrix[:, 0] = 0.0
    if not matrix.any():
        return
    state = -1 - len(draft.lasting)
    draft.lasting.append((int(process.kind == "ar"), process.coefficient, process.correlation))
    draft.owners.append(index)
    for i, year in zip(*np.nonzero(matrix), strict=True):
        draft.sights[i].states.append((int(year), state, float(matrix[i, year])))


class _Entries:
    """The growing lists of entries and weights."""

    def __init__(self) -> None:
        self.entries: list[int] = []
        self.weights: list[float] = []

    def add(self, *groups: Sights, scale: float = 1.0) -> list[int]:
        """Append groups of (entry, weight) and return where each starts, and where the last ends."""
        pointers = [len(self.entries)]
        for group in groups:
            self.entries += [entry for entry, _ in group]
            self.weights += [weight * scale for _, weight in group]
            pointers.append(len(self.entries))
        return pointers


def _pack(draft: _Draft, constants: list[int], supplied: set[int]) -> BandedLayout:
    """Turn a draft into arrays."""
    structure, processes = draft.structure, draft.structure.processes
    years, count = len(structure.years), len(draft.lasting)
    width = max(count + int(draft.used.max(initial=0)), 1)

    def state(place: int) -> int:
        # Lasting states were numbered -1, -2, ...
        return -1 - place if place < 0 else count + place

    packed = _Entries()
    rows: list[list[int]] = []
    row_values: list[tuple[float, float]] = []

    def add_row(i: int, scale: float) -> None:
        sight, year = draft.sights[i], int(structure.start[i])
        now = [(state(p), w) for t, p, w in sight.states if t == year]
        before = [(state(p), w) for t, p, w in sight.states if t != year]
        pointers = packed.add(now, before, sight.constants, scale=scale)
        pointers.append(packed.add(sight.noise)[-1])
        rows.append([year, i, *pointers])
        row_values.append((scale, float(structure.noise_variance[i])))

    annual = np.flatnonzero(structure.start == structure.end)
    noisy = [int(i) for i in annual if int(i) not in supplied]
    for i in sorted(noisy, key=lambda i: int(structure.start[i])):
        add_row(i, 1.0)
    chains: list[tuple[int, int, int, int]] = []
    for index, observed, states in draft.chains:
        first = len(rows)
        for year in sorted([*observed, *states]):
            if year in observed:
                i = observed[year]
                add_row(i, 1.0 / float(draft.designs[index][i, year]))
            else:
                # Without an observation e(t) is the state itself, 0 less -1 times it.
                pointers = packed.add([(state(states[year]), -1.0)], [], [], [])
                rows.append([year, -1, *pointers])
                row_values.append((1.0, 0.0))
        chains.append((first, len(rows), processes[index].coefficient, processes[index].correlation))
    windows: list[list[int]] = []
    residuals: list[tuple[int, int]] = []
    residual_weights: list[float] = []
    for i in np.flatnonzero(structure.start != structure.end).tolist():
        sight = draft.sights[i]
        states_seen, constants_seen = list(sight.states), list(sight.constants)
        for other, weight in sight.residuals:
            states_seen += [(t, p, -weight * x) for t, p, x in draft.sights[other].states]
            constants_seen += [(p, -weight * x) for p, x in draft.sights[other].constants]
            residuals.append((i, other))
            residual_weights.append(weight)
        flat = [(t * width + state(p), w) for t, p, w in states_seen]
        windows.append([i, *packed.add(flat, constants_seen, sight.noise)])
    idle = [(0, j) for j, (is_ar, _, _) in enumerate(draft.lasting) if not is_ar]
    idle += [(t, j) for t in range(years) for j in range(count + int(draft.used[t]), width)]
    places = {index: place for place, index in enumerate(constants)}
    crosses = [
        (c.coefficient, places[c.first], places[c.second])
        for c in structure.crosses
        if c.first in places and c.second in places
    ]
    correlated = len({place for _, *pair in crosses for place in pair})
    return BandedLayout(
        shape=np.array(
            [years, width, count, len(constants), len(windows), correlated, len(structure.y), len(noisy)],
            dtype=np.int64,
        ),
        variances=np.unique(np.array([p.coefficient for p in processes], dtype=np.int64)),
        correlations=np.unique(
            np.array([p.correlation for p in processes if p.kind == "ar"], dtype=np.int64)
        ),
        lasting=_table(draft.lasting, 3),
        passing=_table([(t, count + p, c) for t, p, c in draft.passing], 3),
        idle=_table(idle, 2),
        constants=np.array([processes[index].coefficient for index in constants], dtype=np.int64),
        crosses=_table(crosses, 3),
        rows=_table(rows, 7),
        row_values=np.array(row_values, dtype=float).reshape(-1, 2),
        chains=_table(chains, 4),
        windows=_table(windows, 5),
        window_noise=np.array([structure.noise_variance[w[0]] for w in windows], dtype=float),
        residuals=_table(residuals, 2),
        residual_weights=np.array(residual_weights, dtype=float),
        entries=np.array(packed.entries, dtype=np.int64),
        weights=np.array(packed.weights, dtype=float),
        owner_lasting=np.array(draft.owners, dtype=np.int64),
        owner_constant=np.array(constants, dtype=np.int64),
        owner_chain=np.array([index for index, _, _ in draft.chains], dtype=np.int64),
    )


def _table(rows: list[Any], columns: int) -> IntArray:
    return np.array(rows, dtype=np.int64).reshape(-1, columns)
