"""The portfolio engine: plain arrays of one block of samples in, outcomes out

`simulate_block` writes the model down. It works out what does not depend on the portfolio (`gate`,
`stores`) and runs the kernel (`kernel`). Axes are written p pathway, r region, q period, f portfolio,
c deployment class, z resource, k coupling, s sample; the sample axis is FIRST everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sinkrisk.portfolio import gate, kernel, ledgers, rows, stores, variables
from sinkrisk.portfolio.tiling import in_tiles, stack

Floats = NDArray[np.float64]

FULL, THROTTLED, PASSIVE, COLLAPSE = gate.FULL, gate.THROTTLED, gate.PASSIVE, gate.COLLAPSE

OUTCOMES: dict[str, str] = variables.FLOWS
"""Outcome variables and their units, all means over the period."""

Block = Mapping[str, Floats]
"""Inputs of one block of samples by name, dims as in `variables.INPUTS`, absent where neutral."""


@dataclass(frozen=True)
class Layout:
    """What the axes of the arrays mean; the same for every sample.

    Parameters
    ----------
    member : (p, c) bool
        Classes of each pathway.
    nature, recipient, creditable : (p,) bool
        Pathways whose potential follows the land sink; that take over what passive redundancy frees
        elsewhere; whose removal earns credits.
    flow_class : sequence of str, (p,)
        The ledger of each pathway.
    bounds : (q + 1,)
        Calendar years at which the periods begin and end; growth starts at the first.
    regions : int
    resources : sequence of str, (z,)
    coupling : (k, 3) int
        Index of the pathway acted on, of the one that acts, and the kind's code.
    """

    member: NDArray[np.bool_]
    nature: NDArray[np.bool_]
    recipient: NDArray[np.bool_]
    creditable: NDArray[np.bool_]
    flow_class: Sequence[str]
    bounds: Floats
    regions: int
    resources: Sequence[str]
    coupling: NDArray[np.int64]

    @property
    def pathways(self) -> int:
        """Number of pathways."""
        return len(self.flow_class)

    @property
    def periods(self) -> int:
        """Number of periods."""
        return len(self.bounds) - 1


def _get(block: Block, name: str, layout: Layout) -> Floats:
    """Return one input of the block, filled with its neutral value where it is absent."""
    sizes = {
        "pathway": layout.pathways, "region": layout.regions, "period": layout.periods,
        "resource": len(layout.resources), "coupling": len(layout.coupling),
    }  # fmt: skip
    if name not in block:
        shape = (len(block["potential"]), *(sizes[d] for d in variables.OPTIONAL[name].dims))
        return np.full(shape, variables.OPTIONAL[name].neutral)
    return np.require(block[name], dtype=float, requirements=["C", "W"])


def scaled_potential(block: Block, layout: Layout) -> Floats:
    """Return the potential (s, p), that of nature pathways times the land sink's ratio (cut at 0)."""
    ratio = np.maximum(_get(block, "land_sink_ratio", layout), 0.0)
    return np.asarray(_get(block, "potential", layout) * np.where(layout.nature, ratio[:, None], 1.0))


def resource_use(block: Block, layout: Layout) -> Floats:
    """Return the need of resources (s, p, z); that of point emissions follows from the ledgers.

    An avoided tonne needs one tonne of `point_co2`, a utilised one the part that is not from the air.
    """
    use = _get(block, "resource_use", layout)
    if "point_co2" not in layout.resources:
        return use
    use = use.copy()
    z = list(layout.resources).index("point_co2")
    _, avoided, utilised = ledgers.ledger_shares(layout.flow_class, _get(block, "removal_share", layout))
    for p, flow in enumerate(layout.flow_class):
        if flow != "removal":
            use[:, p, z] = avoided[:, p] + utilised[:, p]
    return use


def available_capacity(block: Block, layout: Layout) -> tuple[Floats, NDArray[np.int8]]:
    """Return the capacity of each pathway, region and period, GtCO2/yr, and what limits it.

    Returns
    -------
    available : ndarray, (s, q, p, r)
    limiting : ndarray, (s, q, p, r)
        0 potential, 1 growth, 2 + z resource; see `gate.open_gate`.
    """
    share = _get(block, "suitability_share", layout)
    shape = (share.shape[0], layout.periods, layout.pathways, layout.regions)
    available, limiting = np.empty(shape), np.empty(shape, np.int8)
    gate.open_gate(
        scaled_potential(block, layout),
        _get(block, "current_capacity", layout),
        _get(block, "growth_rate", layout),
        _get(block, "trl", layout),
        _get(block, "years_per_trl", layout),
        share,
        resource_use(block, layout),
        _supply(block, layout),
        layout.bounds - layout.bounds[0],
        available,
        limiting,
    )
    return available, limiting


def _supply(block: Block, layout: Layout) -> Floats:
    return np.ascontiguousarray(_get(block, "resource_supply", layout).transpose(0, 3, 1, 2))


def deployment(block: Block, layout: Layout) -> tuple[Floats, NDArray[np.bool_]]:
    """Return what the deployment modes let through (s, q, p, r), and where the rest may move."""
    mode = np.require(block["mode"], dtype=np.int8, requirements=["C", "W"])
    shape = (len(mode), layout.periods, layout.pathways, layout.regions)
    fraction, passive = np.empty(shape), np.empty(shape, bool)
    gate.let_through(mode, _get(block, "mode_fraction", layout), layout.member, fraction, passive)
    return fraction, passive


def block_stores(block: Block, layout: Layout) -> stores.StoreFactors:
    """Return what time does to the stores of a block, see `stores.store_factors`."""

    def get(name: str) -> Floats:
        return _get(block, name, layout)

    return stores.store_factors(
        half_life=get("half_life"),
        leakage=get("leakage_rate"),
        fast_share=get("fast_share"),
        fast_half_life=get("fast_half_life"),
        reversal_loss=get("reversal_loss"),
        ratio=get("land_sink_ratio"),
        hazard_exponent=get("hazard_exponent"),
        nature=layout.nature,
        shock=get("shock"),
        severity=get("shock_severity"),
        late_hazard=get("late_hazard"),
        bounds=layout.bounds,
    )


def counted_share(block: Block, layout: Layout) -> Floats:
    """Return the share of captured carbon that counts as removal (s, p), less regrowth given up, 1."""
    removal, _, _ = ledgers.ledger_shares(layout.flow_class, _get(block, "removal_share", layout))
    gross = removal * _get(block, "additionality", layout) * _get(block, "efficiency", layout)
    return np.maximum(gross - _get(block, "foregone_regrowth", layout), 0.0)


def _inputs(block: Block, layout: Layout) -> rows.Inputs:
    def get(name: str) -> Floats:
        return _get(block, name, layout)

    available, _ = available_capacity(block, layout)
    fraction, passive = deployment(block, layout)
    kept = block_stores(block, layout)
    # Without capacity nothing is captured, so the infinite use of nothing is called 0.
    inverse = np.divide(1.0, available, out=np.zeros_like(available), where=available > 0.0)
    share, years = get("suitability_share"), get("saturation_years")
    # A store of no potential holds nothing, but nothing is captured there either.
    room = (get("potential") * np.where(np.isinf(years), 0.0, years))[:, :, None] * share
    fullness = np.divide(1.0, room, out=np.zeros_like(room), where=room > 0.0)
    # Where it is taken from the grid matters to power alone.
    power, grid = get("power_share"), get("grid_intensity").transpose(0, 2, 1)
    bought = (1.0 - power) * (1.0 - get("own_fuel"))
    cells = {
        "available": available, "inverse": inverse, "fraction": fraction, "passive": passive,
        "survival": kept.survival, "durable": kept.durable,
        "share": share[:, None], "fullness": fullness[:, None],
        "emission": power[:, None, :, None] * grid[:, :, None]
        + bought[:, None, :, None] * get("heat_intensity")[:, :, None, None],
    }  # fmt: skip
    removal, avoided, utilised = ledgers.ledger_shares(layout.flow_class, get("removal_share"))
    paths = {
        "removal": removal,
        "avoided": avoided,
        "utilised": utilised,
        "counted": get("additionality") * get("efficiency"),
        "rate": kept.rate,
        "fast_share": get("fast_share"),
        "cost": get("cost"),
        "energy": get("energy"),
        "learning": np.log2(1.0 - get("learning_rate")),
        "experience": get("experience"),
        "cost_floor": get("cost_floor"),
        "scarcity": get("scarcity"),
        "foregone": get("foregone_regrowth"),
        "non_co2": get("non_co2"),
        "young": get("non_co2_young"),
        "fade": get("non_co2_fade"),
        "delay": get("verification_delay"),
        "slope": get("cost_slope")[:, None],
        "exponent": get("cost_exponent")[:, None],
    }
    # What does not change with the period stands there for each of them.
    by_period = {name: values[:, None] for name, values in paths.items()} | {
        "kept": kept.kept, "filled": kept.filled, "fast_kept": kept.fast_kept, "fast_filled": kept.fast_filled
    }  # fmt: skip

    pathways, regions, periods, n = layout.pathways, layout.regions, layout.periods, share.shape[0]
    late = {"late": kept.late, "fast_late": kept.fast_late}
    alone = {"headroom": get("reallocation_headroom"), "setback": get("setback")}
    return rows.Inputs(
        cell=stack(rows.CELL_ROWS, cells, (n, periods, pathways, regions)),
        late=stack(rows.LATE_ROWS, late, (n, pathways, regions)),
        path=stack(rows.PATH_ROWS, by_period, (n, periods, pathways)),
        alone=stack(rows.ALONE_ROWS, alone, (n,)),
        need=in_tiles(resource_use(block, layout)),
        supply=in_tiles(_supply(block, layout)),
        effect=in_tiles(get("coupling_effect")),
        samples=n,
        lanes=rows.LANES,
    )


def make_plans(planned: Floats, coordinated: NDArray[np.bool_], layout: Layout) -> rows.Plans:
    """Return the kernel's form of plans (f, p, q) of the world or (f, p, r, q) of regions, GtCO2/yr."""
    regional = planned.ndim == 4
    world = planned.sum(axis=2) if regional else planned
    resources = list(layout.resources)
    # Regions in which a portfolio plans nothing are none of its business: China's zones help each other,
    # not the world. A plan of the world plans in every region.
    everywhere = np.ones((len(planned), layout.regions), bool)
    planning = (planned > 0.0).any(axis=(1, 3)) if regional else everywhere
    return rows.Plans(
        world=np.zeros((0, 1, 1)) if regional else np.ascontiguousarray(world.transpose(0, 2, 1)),
        regional=np.ascontiguousarray(planned.transpose(0, 3, 1, 2)) if regional else np.zeros((0, 1, 1, 1)),
        planned=np.ascontiguousarray(world.transpose(0, 2, 1)),
        used=np.ascontiguousarray((world > 0.0).any(axis=2)),
        takes=np.ascontiguousarray(np.asarray(coordinated, bool)[:, None] & planning),
        bounds=np.array(layout.bounds, float),
        recipient=np.array(layout.recipient, bool),
        creditable=np.array(layout.creditable, bool),
        coupling=np.array(layout.coupling, np.int64).reshape(-1, 3),
        land=resources.index("land") if "land" in resources else -1,
    )


def make_results(wanted: Sequence[str], samples: int, portfolios: int, layout: Layout) -> rows.Results:
    """Return arrays of zeros for the wanted outcomes; of the others there is none."""
    chosen = [code for code, name in enumerate(rows.KERNEL_FLOWS) if name in wanted]
    p, r, q, z = layout.pathways, layout.regions, layout.periods, len(layout.resources)

    def room(name: str, *shape: int) -> Floats:
        return np.zeros((samples if name in wanted else 0, portfolios, *shape))

    return rows.Results(
        chosen=np.array(chosen, np.int64),
        flows=np.zeros((len(chosen), samples, portfolios, p, q)),
        retained=room("retained", p),
        captured_in=room("captured_in", r, q),
        cost_in=room("cost_in", r, q),
        resource_used=room("resource_used", z, q),
        scarcity=room("scarcity_by_resource", z, q),
    )


def named(results: rows.Results) -> dict[str, Floats]:
    """Return the arrays of the outcomes by name, all but `planned`; sample and portfolio first."""
    out = {rows.KERNEL_FLOWS[code]: results.flows[row] for row, code in enumerate(results.chosen)}
    others = {
        "retained": results.retained,
        "captured_in": results.captured_in,
        "cost_in": results.cost_in,
        "resource_used": results.resource_used,
        "scarcity_by_resource": results.scarcity,
    }
    return out | {name: values for name, values in others.items() if values.shape[0] > 0}


def simulate_block(
    block: Block, layout: Layout, plans: rows.Plans, results: rows.Results, first: int = 0
) -> None:
    """Simulate every portfolio on one block of samples, writing `results` from row `first` on.

    Parameters
    ----------
    block : mapping of str to ndarray
        Inputs by name, sample axis first, dims and units of `variables.INPUTS`; optional ones may be
        absent and then take their neutral value.
    layout : Layout
    plans : rows.Plans
        From `make_plans`.
    results : rows.Results
        From `make_results`, zero beforehand.
    first : int
        Row of the block's first sample.

    Notes
    -----
    For every sample, portfolio, region and period in order (models.md 3.2 and 3.3); c is the mean
    captured flow over the period, L its years, K the capacity of `gate.open_gate`, u = c / K the use of
    it (0 where K = 0).

    1. Plan. A world plan is spread by the suitability shares, a regional one is taken as it is;
       ``base = min(plan, K)``. Where the portfolio is coordinated, what exceeds K moves to other regions
       in which it plans anything, in proportion to ``K - base``, and the unplaced rest stays booked where
       it came from in proportion.
       ``limited = planned - sum base``.
    2. Institutions. ``let = fraction[mode] * (1 - setback * lost share)``, the share of the REGION's plans
       of all pathways lost in the period before (limited, scarce or withheld; 0 in the first period).
       ``going = base * let``; the rest is held.
    3. Shared resources, in one pass. Where ``sum going * use`` exceeds a region's supply of a resource its
       users are scaled by ``supply / demand``, each by the least of its resources; the cut is ``scarce``,
       booked to that resource (the first of equals).
    4. Reallocation. What passive redundancy holds moves, tonne for tonne, to the recipients in the same
       region and period as far as ``headroom * (K - base) * let`` of each allows, in proportion to that
       room; then, where the resources left do not suffice for these gains, every gain is scaled by the
       least ``left / wanted`` of its resources, and what no longer moves is withheld where it was held.
       A recipient's own loss does not move: it is what the others fall back on.
       ``reallocated`` (givers) = ``received`` (takers), ``withheld = held - reallocated``,
       ``lost = limited + scarce + withheld``, ``planned = deployed + reallocated + lost``.
    5. Couplings. ``c = going + received``; the use u of one pathway changes another's yield by
       ``clip(1 + sum effect * u, 0, 2)``, its unit cost and its energy by ``clip(..., 0.1, 10)``.
       ``coupled = effective - c``, signed. Resources, learning, foregone regrowth and non-CO2 effects read
       c, ledgers the effective flow.
    6. Cost. Marginal cost ``mc(u) = c0' (1 + a u^eta)`` integrates to ``c0' K (u + a u^(eta+1)/(eta+1))``;
       ``marginal_cost`` prices every tonne at the last one's cost, ``c0' K u (1 + a u^eta)``.
       ``c0' = c0 * learning * scarcity * coupling``; ``learning = max(cost_floor, ((experience + X) /
       experience) ** log2(1 - learning_rate))`` with X the world's captures up to the period's middle;
       ``scarcity = 1 + scarcity * land in use / land supply`` of the region. GtCO2 times USD/t is billion
       USD, GtCO2 times GJ/t is EJ, EJ times tCO2/GJ is GtCO2:
       ``process = energy * (power_share * grid_intensity + (1 - power_share) * (1 - own_fuel) *
       heat_intensity)``, the grid being that of region and period, heat that of the period; what burns of a
       pathway's own biomass (`own_fuel`) took its carbon from the air.
    7. Ledgers. The effective flow goes to removal, avoided or utilised (`ledgers.ledger_shares`). Of the
       removal ledger ``g0 = additionality * efficiency`` of it is from the air and additional, the rest
       is ``uncounted``. ``foregone = min(foregone_regrowth * c, g0)`` per region: the regrowth given up
       is taken off BEFORE storage, for it would have had the permanence of the store. What a full store
       turns away of ``g0 - foregone`` is ``saturated``: the slow pool follows
       ``dS/dt = g (1 - S/Smax) - k S`` with ``Smax = potential * share * saturation_years`` (the potential
       as drawn).
       ``c + coupled = removed + avoided + utilised + uncounted + foregone + saturated``.
    8. Stores (`stores.store_factors`). Two pools decay; a shock at the end of the period takes its share
       of both. ``stored`` is the net change of the stock a year, ``returned = removed - stored``.
       ``durable = removed * share left 100 years after storage``; ``retained`` is the stock at the end of
       2200.
    9. Other gases. ``non_co2 = c (non_co2 + non_co2_young exp(-age / fade))``,
       where what was captured before is L years older and new capacity L/2 old, per pathway and region.
       ``net = stored - process - non_co2`` in CO2 equivalents (GWP100).
    10. ``credited``: removal of creditable pathways, issued `verification_delay` years later; what falls
        after the horizon is not credited.
    """
    kernel.run(first, _inputs(block, layout), plans, results)
