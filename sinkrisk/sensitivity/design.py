"""Saltelli designs: who the drivers are, which rows to evaluate, one block of them at a time.

The rows and their order are those of ``SALib.sample.sobol.sample``, bit for bit (a test compares
them); only the two base matrices are held, because the crossed sample of 500 drivers would not fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sinkrisk.errors import Problems

Floats = NDArray[np.float64]

U_MIN = 2.0**-53
"""Uniform numbers are clipped to [U_MIN, 1 - U_MIN], so that no inverse CDF returns infinity."""


@dataclass(frozen=True)
class DriverSet:
    """The drivers of an analysis.

    Parameters
    ----------
    names : tuple of str
        In the order of the columns.
    group_of : tuple of str
        Group of each driver; a driver's own name where it stands alone.
    distributions : tuple, optional
        Frozen distributions; absent where the function takes uniform numbers.
    """

    names: tuple[str, ...]
    group_of: tuple[str, ...]
    distributions: tuple[Any, ...] | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """Groups in the order in which they first appear: what indices are computed for."""
        return tuple(dict.fromkeys(self.group_of))

    @property
    def grouped(self) -> bool:
        """Whether any index speaks of more than one driver."""
        return self.group_of != self.names

    def inputs(self, u: Floats) -> Floats:
        """Return what the function receives for uniform rows `u` (rows, drivers)."""
        u = np.clip(u, U_MIN, 1.0 - U_MIN)
        if self.distributions is None:
            return u
        return np.column_stack([d.ppf(u[:, j]) for j, d in enumerate(self.distributions)])


def driver_set(drivers: Any, groups: Any, found: Problems) -> DriverSet | None:
    """Validate drivers and groups; problems go to `found`, and None is returned if there are any.

    Parameters
    ----------
    drivers : object or mapping
        An object with ``names``, ``groups`` (name -> group) and ``__len__`` (uniform space), or a
        mapping name -> frozen scipy distribution.
    groups : None, bool or mapping
        None: the drivers' own groups where they have any. True: the same, and an error where they
        have none. False: every driver alone. A mapping: driver -> group, or group -> drivers;
        drivers it leaves out stand alone.
    found : Problems
    """
    before = len(found.found)
    distributions: tuple[Any, ...] | None = None
    if isinstance(drivers, Mapping):
        names = tuple(drivers)
        distributions = tuple(drivers.values())
        own: Mapping[str, str] = {}
        for name, distribution in drivers.items():
            _check_distribution(str(name), distribution, found)
    elif hasattr(drivers, "names") and hasattr(drivers, "groups"):
        names = tuple(drivers.names)
        own = dict(drivers.groups)
        if len(drivers) != len(names):
            found.add("drivers: len() differs from the number of names", got=len(drivers), key="drivers")
    else:
        found.add(
            "drivers: neither a driver table nor a mapping",
            got=type(drivers).__name__,
            allowed="an object with names, groups and len(), or a dict of frozen distributions",
            key="drivers",
        )
        return None
    if not names:
        found.add("drivers: none given", key="drivers")
    for name in dict.fromkeys(names):
        if not isinstance(name, str) or not name:
            found.add("drivers: a name must be text", got=name, key="drivers")
        elif names.count(name) > 1:
            found.add("drivers: name given twice", got=name, key="drivers")
    mapping = _group_mapping(groups, own, names, found)
    if len(found.found) > before:
        return None
    return DriverSet(names, tuple(mapping.get(name, name) for name in names), distributions)


def _check_distribution(name: str, distribution: Any, found: Problems) -> None:
    if not callable(getattr(distribution, "ppf", None)):
        found.add(
            "driver: not a frozen distribution",
            got=type(distribution).__name__,
            allowed="an object with ppf, for example scipy.stats.uniform(0, 1)",
            key=name,
        )
        return
    try:
        quantiles = np.asarray(distribution.ppf(np.array([U_MIN, 0.25, 0.5, 0.75, 1.0 - U_MIN])), dtype=float)
    except (TypeError, ValueError) as error:
        # A family without its parameters, scipy.stats.lognorm say.
        found.add(
            f"driver: not a frozen distribution: {error}",
            got=type(distribution).__name__,
            allowed="a distribution with its parameters, for example scipy.stats.lognorm(0.5)",
            key=name,
        )
        return
    if quantiles.shape != (5,) or not np.isfinite(quantiles).all():
        found.add(
            "driver: quantiles are not finite numbers",
            got=str(quantiles.tolist()),
            key=name,
            hint="check its scale and shape parameters",
        )
    elif quantiles[0] == quantiles[-1]:
        found.add(
            "driver: degenerate distribution, one value only",
            got=float(quantiles[0]),
            key=name,
            hint="leave it out of the drivers and fix the value inside the function",
        )


def _group_mapping(
    groups: Any, own: Mapping[str, str], names: Sequence[str], found: Problems
) -> dict[str, str]:
    if groups is False or (groups is None and not own):
        return {}
    if groups is None or groups is True:
        if not own:
            found.add("groups: these drivers carry no groups", key="groups", hint="pass driver -> group")
        groups = own
    if not isinstance(groups, Mapping):
        found.add(
            "groups: not understood",
            got=type(groups).__name__,
            allowed="None, True, False, a dict driver -> group, or a dict group -> drivers",
            key="groups",
        )
        return {}
    pairs: list[tuple[str, str]] = []
    for key, value in groups.items():
        if isinstance(value, str):
            pairs.append((key, value))
        elif isinstance(value, Mapping) or not hasattr(value, "__iter__"):
            found.add(
                f"groups: '{key}' holds no names", got=value, allowed="a group, or drivers", key="groups"
            )
        else:
            pairs.extend((member, key) for member in value)
    mapping: dict[str, str] = {}
    for driver, group in pairs:
        if driver not in names:
            found.add(f"groups: '{group}' names an unknown driver", got=driver, allowed=names, key="groups")
        elif mapping.get(driver, group) != group:
            found.add(
                f"groups: driver '{driver}' is in two groups", got=[mapping[driver], group], key="groups"
            )
        else:
            mapping[driver] = str(group)
    for name in names:
        if name not in mapping and name in mapping.values():
            found.add("groups: a group bears the name of a driver outside it", got=name, key="groups")
    return mapping


@dataclass(frozen=True)
class SaltelliDesign:
    """A crossed design, held as its two base matrices.

    Parameters
    ----------
    a, b : ndarray
        (n, drivers) uniform numbers.
    columns : ndarray of bool
        (labels, drivers): which columns belong to which group.
    second_order : bool
        Whether B crossed with A is evaluated too.

    Notes
    -----
    Rows come as SALib orders them: for each base point A, A with group 1 from B, ..., A with the
    last group from B, then (second order) B with group 1 from A, ..., then B.
    """

    a: Floats
    b: Floats
    columns: NDArray[np.bool_]
    second_order: bool

    @property
    def step(self) -> int:
        """Evaluations per base point."""
        return int((2 if self.second_order else 1) * self.columns.shape[0] + 2)

    @property
    def rows(self) -> int:
        """Evaluations of the whole design."""
        return int(self.a.shape[0]) * self.step

    def block(self, start: int, stop: int) -> Floats:
        """Return rows start .. stop - 1 of the design, (rows, drivers)."""
        from_b = np.zeros((self.step, self.columns.shape[1]), dtype=bool)
        count = self.columns.shape[0]
        from_b[1 : count + 1] = self.columns
        if self.second_order:
            from_b[count + 1 : 2 * count + 1] = ~self.columns
        from_b[-1] = True
        base, kind = np.divmod(np.arange(start, stop), self.step)
        return np.where(from_b[kind], self.b[base], self.a[base])

    def mapped(self, who: DriverSet) -> SaltelliDesign:
        """Return the design in what the function receives instead of uniform numbers.

        Each base point goes through the inverse CDFs once, not once for every row it stands in.
        """
        return replace(self, a=who.inputs(self.a), b=who.inputs(self.b))

    def separate(self, y: Floats) -> tuple[Floats, Floats, Floats, Floats | None]:
        """Split outputs (rows, outputs) into A, B (n, outputs), AB and BA (n, labels, outputs)."""
        cube = y.reshape(self.a.shape[0], self.step, -1)
        count = self.columns.shape[0]
        ba = cube[:, count + 1 : 2 * count + 1] if self.second_order else None
        return cube[:, 0], cube[:, -1], cube[:, 1 : count + 1], ba


def draw_design(who: DriverSet, n: int, *, design: str, second_order: bool, seed: int) -> SaltelliDesign:
    """Return one design of `n` base points.

    Parameters
    ----------
    who : DriverSet
    n : int
    design : {"sobol", "random"}
        Scrambled Sobol' points in 2 D dimensions, drawn exactly as SALib draws them, or
        independent uniform numbers.
    second_order : bool
    seed : int
        Not zero: SALib ignores it.
    """
    dimensions = 2 * len(who.names)
    if design in ("qmc", "sobol"):
        from scipy.stats import qmc

        # `seed=`, not `rng=`: the two scramble differently, and SALib passes `seed=`.
        base = np.asarray(qmc.Sobol(d=dimensions, scramble=True, seed=seed).random(n))
    else:
        base = np.random.default_rng(seed).random((n, dimensions))
    columns = np.array([[group == label for group in who.group_of] for label in who.labels])
    half = len(who.names)
    return SaltelliDesign(base[:, :half], base[:, half:], columns, second_order)
