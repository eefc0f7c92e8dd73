"""The drivers: what is uncertain in the chain, and the order in which u lists it.

The table of drivers is the answer to "what did you vary?": every row has a name, a group, a kind
(epistemic: what is not known; aleatory: what chance will decide), its sources and its transform.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sinkrisk.arguments import Holding, checked
from sinkrisk.errors import InputError, Problem, did_you_mean
from sinkrisk.inputs.blocks import Block

if TYPE_CHECKING:
    import xarray as xr

    from sinkrisk.inputs.specification import InputsSpec
    from sinkrisk.network import Network

Kind = Literal["epistemic", "aleatory"]


@dataclass(frozen=True)
class Driver:
    """One uncertain quantity: a column of u.

    Parameters
    ----------
    name : str
    group : str
        Drivers of a group are varied together in the default Sobol' analysis.
    kind : {"epistemic", "aleatory"}
    source : str
        Source keys behind it, "; "-separated.
    transform : str
        How u becomes the quantity, with its unit.
    """

    name: str
    group: str
    kind: Kind
    source: str
    transform: str


@dataclass(frozen=True)
class Constant:
    """A quantity that is not varied, with its value and the reason."""

    name: str
    value: float | str
    unit: str
    reason: str
    source: str


@dataclass(frozen=True)
class Variable:
    """One array of the drawn inputs before it is filled.

    Parameters
    ----------
    dims : tuple of str
        Dimensions after `sample`.
    dtype : str
    unit, meaning : str
        For the attrs ``units`` and ``long_name``.
    start : ndarray or number
        What it holds before the blocks fill it (constants stay), broadcast over samples.
    """

    dims: tuple[str, ...]
    dtype: str
    unit: str
    meaning: str
    start: Any


@dataclass(frozen=True, eq=False)
class Drivers:
    """The joint input space: its drivers in the order of u, and the blocks that compute from it.

    Parameters
    ----------
    rows : tuple of Driver
    held : tuple of Constant
        Quantities that are not varied.
    blocks : tuple of Block
    variables : mapping of str to Variable
    sizes : mapping of str to int
        Length of each dimension after `sample`.
    coords : mapping
        Coordinates of the drawn inputs.
    attrs : mapping
        Attributes of the drawn inputs.
    regions : tuple of str
        Regions that are kept, as a world of their own (`restrict`); empty for all.
    """

    rows: tuple[Driver, ...]
    held: tuple[Constant, ...]
    blocks: tuple[Block, ...]
    variables: Mapping[str, Variable]
    sizes: Mapping[str, int]
    coords: Mapping[str, Any]
    attrs: Mapping[str, Any]
    regions: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Driver names, in the order of the columns of u."""
        return tuple(row.name for row in self.rows)

    @cached_property
    def groups(self) -> dict[str, str]:
        """Driver name -> group, in the order of u."""
        return {row.name: row.group for row in self.rows}

    @cached_property
    def group_names(self) -> tuple[str, ...]:
        """The groups, in order of first appearance."""
        return tuple(dict.fromkeys(self.groups.values()))

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {name: index for index, name in enumerate(self.names)}

    @property
    def table(self) -> pd.DataFrame:
        """Table of the drivers: name, group, kind, source, transform."""
        columns = ("name", "group", "kind", "source", "transform")
        return pd.DataFrame([{c: getattr(r, c) for c in columns} for r in self.rows], columns=list(columns))

    @property
    def constants(self) -> pd.DataFrame:
        """Table of what is not varied: name, value, unit, reason, source."""
        columns = ("name", "value", "unit", "reason", "source")
        return pd.DataFrame([{c: getattr(r, c) for c in columns} for r in self.held], columns=list(columns))

    def index(self, name: str) -> int:
        """Return the column of a driver in u.

        Raises
        ------
        InputError
            When there is no such driver; the message names the nearest.
        """
        try:
            return self._positions[name]
        except KeyError:
            raise InputError(_unknown(name, self.names, "driver")) from None

    def columns(self, group: str) -> NDArray[np.intp]:
        """Return the columns of u of a group's drivers.

        Raises
        ------
        InputError
            When there is no such group.
        """
        if group not in self.group_names:
            raise InputError(Problem("unknown driver group", got=group, allowed=self.group_names))
        return np.array([i for i, row in enumerate(self.rows) if row.group == group], dtype=np.intp)

    def in_group(self, group: str) -> tuple[str, ...]:
        """Return the names of a group's drivers; raises as `columns`."""
        return tuple(self.names[i] for i in self.columns(group))

    def allocate(self, n: int) -> dict[str, NDArray[Any]]:
        """Return the arrays of n samples, holding what does not depend on u."""
        out: dict[str, NDArray[Any]] = {}
        for name, variable in self.variables.items():
            shape = (n, *(self.sizes[dim] for dim in variable.dims))
            out[name] = np.empty(shape, dtype=variable.dtype)
            out[name][:] = variable.start
        out["probability"][:] = 1.0 / n
        return out

    def label(self, out: Mapping[str, NDArray[Any]]) -> xr.Dataset:
        """Return filled arrays as a Dataset with units and coordinates."""
        import xarray as xr

        data = {
            name: (("sample", *self.variables[name].dims), values, _attrs(self.variables[name]))
            for name, values in out.items()
        }
        drawn = xr.Dataset(data, attrs=dict(self.attrs))
        n = out["probability"].size
        drawn = drawn.assign_coords({"sample": np.arange(n), **self.coords})
        if not self.regions:
            return drawn
        from sinkrisk.inputs.restricting import restrict

        return restrict(drawn, self.regions)

    def __str__(self) -> str:
        lines = [f"{len(self)} drivers in {len(self.group_names)} groups, {len(self.held)} quantities held"]
        width = max((len(group) for group in self.group_names), default=0)
        for group in self.group_names:
            members = self.in_group(group)
            kinds = sorted({self.rows[i].kind for i in self.columns(group)})
            shown = ", ".join(members[:3]) + (", ..." if len(members) > 3 else "")
            lines.append(f"  {group:<{width}}  {len(members):>4}  {' and '.join(kinds)}: {shown}")
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return str(self.table.to_html(index=False))


@checked(
    spec=Holding(origin="write inputs.InputsSpec(fixed={...})"),
    budget=Holding(origin="a budget comes from sinkrisk.reconcile"),
    network=Holding(origin="a network comes from sinkrisk.network.load"),
    claims=Holding(columns=("pathway", "quantity"), origin="claims come from sinkrisk.load_claims"),
)
def drivers(
    spec: InputsSpec | None = None,
    *,
    budget: xr.DataTree | None = None,
    network: Network | None = None,
    claims: pd.DataFrame | None = None,
) -> Drivers:
    """List what is uncertain in the chain, and make it a function of one uniform vector.

    Parameters
    ----------
    spec : InputsSpec, optional
        What is held fixed and how claims are read; by default nothing is fixed.
    budget : DataTree, optional
        From `sinkrisk.reconcile`: one driver ``budget_draw`` picks a whole posterior draw, the draws
        ordered by the land sink of the latest window of ten years. Without it the driver is absent,
        ``land_sink_ratio`` is 1, and ``land_sink`` and ``ocean_sink`` are not among the inputs.
    network : Network, optional
        From `sinkrisk.network.load`: one driver ``network_tables`` picks a draw of its tables, and
        each node is a driver. Without it every mode is ``full`` and there is no shock.
    claims : DataFrame, optional
        From `sinkrisk.load_claims`, the default.

    Returns
    -------
    Drivers

    Raises
    ------
    InputError
        All at once: quantities without a claim, claims that cannot be elicited or lie outside what
        the quantity can be, unknown or impossible fixed drivers, a budget without the sinks.

    Notes
    -----
    A scalar prior goes through its inverse CDF. A quantity stated as a point is a constant. Table 5's
    merged row of ocean alkalinity enhancement and iron fertilisation constrains the pool of their
    potentials: the pool follows the merged row and is split in proportion to draws from each one's
    own claims. Any other quantity of a pathway without a claim of its own is read from the claims of
    a group it belongs to, as `sinkrisk.elicit` does.

    What a region has of a resource in a period is one level of the world times constants of region and
    period, so a resource costs one driver (two where the level declines), not one per cell.

    With a budget, the parameters that `sinkrisk.budget.outlook` draws are drivers of group ``outlook``:
    ``fixed={name: drawn["outlook_" + name].values}`` hands them over, one value per draw.

    The kind of a network node is aleatory in group ``climate`` (shocks, disturbances: chance decides
    them) and epistemic elsewhere: what institutions will do is not known yet, but it can be learnt
    and influenced. How unsure the tables themselves are is the driver ``network_tables``.
    """
    from sinkrisk.inputs.assembly import assemble

    return assemble(spec, budget=budget, network=network, claims=claims)


def _attrs(variable: Variable) -> dict[str, Any]:
    attrs: dict[str, Any] = {"units": variable.unit, "long_name": variable.meaning}
    if variable.dtype == "int8":
        from sinkrisk.inputs.quantities import MODES

        attrs |= {"flag_values": list(range(len(MODES))), "flag_meanings": " ".join(MODES)}
    return attrs


def _unknown(name: str, known: tuple[str, ...], what: str, key: str | None = None) -> Problem:
    near = did_you_mean(name, known)
    hint = f"did you mean '{near}'?" if near else "Drivers.table lists them"
    return Problem(f"unknown {what}", got=name, key=key, hint=hint)
