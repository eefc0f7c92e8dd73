"""`build`: whole joint draws with probabilities, and what an optimizer needs of each of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sinkrisk import rng as random
from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.portfolio.available import durable_fraction
from sinkrisk.portfolio.ledgers import FLOW_CLASSES
from sinkrisk.portfolio.measuring import annuity
from sinkrisk.scenarios import reduction

Floats = NDArray[np.float64]

METHODS = ("forward_selection", "sample")

FULL = ("sample", "pathway", "region", "period")
SUMMED = ("sample", "pathway", "period")

VARIABLES: dict[str, tuple[tuple[str, ...], str, str]] = {
    "probability": (("sample",), "1", "probability of the scenario"),
    "available": (FULL, "GtCO2/yr", "capacity that could capture carbon, mean over the period"),
    "deployable_fraction": (FULL, "1", "share of that capacity which institutions let through"),
    "durable_fraction": (
        FULL, "1", "durable removal per tonne captured: removal-ledger share, retained at least 100 years",
    ),
    "capacity": (SUMMED, "GtCO2/yr", "available, summed over regions"),
    "delivered_fraction": (SUMMED, "1", "share of a plan that is captured, up to the capacity"),
    "deliverable": (SUMMED, "GtCO2/yr", "most that can be captured: capacity times delivered_fraction"),
    "durable_share": (SUMMED, "1", "durable_fraction averaged over regions by what each delivers"),
    "cost": (("sample", "pathway"), "USD/tCO2", "unit cost at the start of the cost curve"),
    "unit_cost": (("sample", "pathway"), "USD/tCO2", "mean unit cost at full use of the capacity"),
    "cost_rise": (SUMMED, "1", "rise of the marginal cost when all that is deliverable is captured"),
    "cost_exponent": (("sample",), "1", "exponent of the rise in the share of the deliverable captured"),
    "energy": (("sample", "pathway"), "GJ/tCO2", "energy per tonne captured"),
    "discount_factor": (("sample", "period"), "1", "present value of a steady payment, mean over the period"),
}  # fmt: skip
"""Variables of every scenario set: dims, unit, meaning."""

MAY_BE_NEGATIVE = ("cost", "unit_cost")


def build(
    drawn: xr.Dataset,
    outcomes: xr.Dataset | None,
    n: int,
    *,
    method: Literal["forward_selection", "sample"] = "forward_selection",
    capacity: xr.Dataset | None = None,
    rng: random.RandomSource = None,
) -> xr.Dataset:
    """Pick `n` whole joint draws as scenarios with probabilities.

    Parameters
    ----------
    drawn : Dataset
        Joint draws of the inputs, dim ``sample`` first (`sinkrisk.inputs.sample`).
    outcomes : Dataset or None
        Outcomes of `simulate` on the same draws; durable removal and cost of every portfolio join
        the features by which draws are told apart.
    n : int
        Scenarios, from 1 to the number of draws.
    method : {"forward_selection", "sample"}
        Fast forward selection, each scenario carrying the probability of the draws nearest to it;
        or `n` draws at random, equally probable.
    capacity : Dataset, optional
        ``available`` and ``deployable_fraction`` (sample, pathway, region, period); computed by
        `sinkrisk.portfolio.capacity` when left out.
    rng : int, Generator or None
        Used by "sample", and to bound the candidates of very large sets.

    Returns
    -------
    Dataset
        The variables of `VARIABLES`, and every input of `drawn` that has one number per draw.
        Coordinate ``draw(sample)`` is the draw's label in `drawn`. attrs: ``method``, ``draws``,
        ``features``, ``candidates``, ``wasserstein`` (distance to all draws, in RMS standard
        deviations; NaN where a random sample is too large to solve), ``wasserstein_ground``.

    Raises
    ------
    InputError
        For an unknown method, `n` out of range, missing variables, draws that do not match, or
        numbers that are not finite.

    Notes
    -----
    A plan spread over regions in proportion to their capacity, as `simulate` does, captures
    ``min(plan, capacity) * delivered_fraction``: the summed forms are exact, not averages of ratios.
    In each region ``simulate`` charges ``mc(u) = c0 (1 + a u^eta)`` at the use ``u`` of that region's
    capacity, which is the plan's share of capacity, the same everywhere, times the region's deployable
    fraction ``f``. Summed over regions of capacity K, a share v of the deliverable captured costs on average
    ``c0 (1 + cost_rise v^eta / (eta + 1))`` a tonne, ``cost_rise = a sum K f^(eta + 1) / sum K f``: exact.
    Capacity that passive redundancy moves to other pathways is left out, with its removal and cost.
    """
    draws = _validate(drawn, outcomes, n, method, capacity)
    generator = random.generator(rng)
    if capacity is None:
        from sinkrisk import portfolio

        capacity = portfolio.capacity(drawn)
    every = _contents(drawn, capacity)
    weight = every["probability"].values
    points = reduction.standardise(_features(every, outcomes))
    candidates = np.arange(draws)
    if method == "forward_selection":
        candidates = reduction.candidates_for(draws, n, generator)
        picked, probability, distance = reduction.forward_selection(points, n, weight, candidates)
    else:
        equal = bool(np.ptp(weight) <= 1e-15)
        # Draws of unequal probability are drawn with replacement, so that 1/n each is unbiased.
        picked = np.sort(generator.choice(draws, size=n, replace=not equal, p=None if equal else weight))
        probability = np.full(n, 1.0 / n)
        distance = reduction.transport_distance(points, weight, picked, probability)
    chosen = every.isel(sample=picked)
    chosen["probability"] = ("sample", probability, every["probability"].attrs)
    labels = drawn["sample"].values if "sample" in drawn.coords else np.arange(draws)
    chosen = chosen.assign_coords(
        sample=np.arange(n),
        draw=(
            "sample",
            np.asarray(labels)[picked].astype(np.int64),
            {"long_name": "label of the joint draw"},
        ),
    )
    chosen.attrs = {
        "title": "posterior scenarios for optimizers: whole joint draws with probabilities",
        "method": method,
        "draws": int(draws),
        "candidates": int(candidates.size),
        "features": int(points.shape[1]),
        "wasserstein": float(distance),
        "wasserstein_ground": "root mean square difference of standardised features",
    }
    return canonical(check(chosen))


def whole(drawn: xr.Dataset, capacity: xr.Dataset | None = None) -> xr.Dataset:
    """Return every draw as a scenario, with its own probability; nothing is picked.

    Parameters and errors are those of `build`.
    """
    draws = _validate(drawn, None, 1, "sample", capacity)
    if capacity is None:
        from sinkrisk import portfolio

        capacity = portfolio.capacity(drawn)
    return canonical(check(_contents(drawn, capacity).assign_coords(sample=np.arange(draws))))


def _validate(
    drawn: xr.Dataset, outcomes: xr.Dataset | None, n: int, method: str, capacity: xr.Dataset | None
) -> int:
    found = Problems()
    needed = ["cost", "energy", "half_life", "leakage_rate", "reversal_loss", "removal_share", "shock"]
    for name in [*needed, "flow_class", "period_start", "period_length"]:
        if name not in drawn:
            found.add("drawn: variable missing", got=name, allowed=[*map(str, drawn.variables)], key="drawn")
    draws = int(drawn.sizes.get("sample", 0))
    if draws == 0:
        found.add("drawn: no draws", allowed="a dimension 'sample'", key="drawn")
    if method not in METHODS:
        found.add("unknown method", got=method, allowed=METHODS, key="method")
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or not 1 <= n <= max(draws, 1):
        found.add("number of scenarios out of range", got=n, allowed=f"1 to {draws}, the draws", key="n")
    for key, other in (("outcomes", outcomes), ("capacity", capacity)):
        if other is None:
            continue
        same = other.sizes.get("sample") == draws
        if same and "sample" in other.coords and "sample" in drawn.coords:
            same = bool(np.array_equal(other["sample"].values, drawn["sample"].values))
        if not same:
            found.add(
                f"{key}: not of the same draws", got=dict(other.sizes), allowed=f"{draws} draws", key=key
            )
    found.raise_if_any()
    return draws


def _contents(drawn: xr.Dataset, capacity: xr.Dataset) -> xr.Dataset:
    """Return the variables of `VARIABLES` for every draw."""
    available = capacity["available"].transpose(*FULL)
    deployable = capacity["deployable_fraction"].transpose(*FULL)
    durable = durable_fraction(drawn)
    total = available.sum("region")
    delivered = (available * deployable).sum("region")
    # Where a pathway has no capacity its fractions do not matter; plain means keep them finite.
    fraction = (delivered / total.where(total > 0, 1.0)).where(total > 0, deployable.mean("region"))
    kept = (available * deployable * durable).sum("region")
    share = (kept / delivered.where(delivered > 0, 1.0)).where(delivered > 0, durable.mean("region"))
    samples = xr.DataArray(np.zeros(drawn.sizes["sample"]), dims="sample")
    worth = annuity(drawn.get("discount_rate", samples), drawn["period_start"], drawn["period_length"])
    data: dict[str, Any] = {
        "available": available,
        "deployable_fraction": deployable,
        "durable_fraction": durable,
        "capacity": total,
        "delivered_fraction": fraction.clip(0.0, 1.0),
        "deliverable": delivered,
        "durable_share": share.clip(0.0, 1.0),
        "cost": drawn["cost"],
        "unit_cost": drawn["cost"],
        "cost_rise": xr.zeros_like(total),
        "cost_exponent": samples + 1.0,
        "energy": drawn["energy"],
        "discount_factor": worth / drawn["period_length"],
        "probability": drawn.get("probability", samples + 1.0 / drawn.sizes["sample"]),
    }
    if "cost_slope" in drawn and "cost_exponent" in drawn:
        # Mean over use u from 0 to 1 of c0 (1 + a u^eta).
        data["unit_cost"] = drawn["cost"] * (1.0 + drawn["cost_slope"] / (drawn["cost_exponent"] + 1.0))
        power = (available * deployable * deployable ** drawn["cost_exponent"]).sum("region")
        share_of_use = (power / delivered.where(delivered > 0, 1.0)).where(delivered > 0, 0.0)
        data["cost_rise"] = drawn["cost_slope"] * share_of_use
        data["cost_exponent"] = drawn["cost_exponent"]
    for name, variable in drawn.data_vars.items():
        if variable.dims == ("sample",) and variable.dtype.kind == "f":
            data.setdefault(str(name), variable)
    out = xr.Dataset()
    for name, value in data.items():
        dims, unit, meaning = VARIABLES.get(name, (("sample",), value.attrs.get("units", "1"), ""))
        plain = value.transpose(*dims).values.astype(float)
        about = {"units": unit, "long_name": meaning or value.attrs.get("long_name", name)}
        out[name] = (dims, plain, about)
    coords: dict[str, Any] = {dim: drawn[dim].values for dim in ("pathway", "region", "period")}
    for name, dim in (
        ("flow_class", "pathway"), ("classes", "pathway"), ("domain", "region"),
        ("period_start", "period"), ("period_length", "period"),
    ):  # fmt: skip
        if name in drawn:
            units = {"units": "yr"} if name.startswith("period_") else {}
            coords[name] = (dim, drawn[name].values, units)
    out = out.assign_coords(coords)
    weight = out["probability"]
    out["probability"] = (weight / weight.sum()).assign_attrs(weight.attrs)
    return out


def _features(every: xr.Dataset, outcomes: xr.Dataset | None) -> Floats:
    """Return what draws are told apart by, (draw, feature)."""
    parts = [every[name] for name in ("deliverable", "unit_cost", "durable_share", "discount_factor")]
    if outcomes is not None:
        parts += [
            outcomes[name].sum("pathway").transpose("sample", ...)
            for name in ("durable", "cost")
            if name in outcomes
        ]
    draws = every.sizes["sample"]
    flat = np.concatenate([np.asarray(part.values, dtype=float).reshape(draws, -1) for part in parts], axis=1)
    if not np.isfinite(flat).all():
        bad = np.flatnonzero(~np.isfinite(flat).all(axis=1))
        raise InputError(Problem("draws with numbers that are not finite", got=bad[:5].tolist(), key="drawn"))
    return flat


def canonical(scenarios: xr.Dataset) -> xr.Dataset:
    """Return the set in the one form that is written and read: text as object, integers as int64."""
    out = scenarios.copy()
    for name, coord in scenarios.coords.items():
        values = coord.values
        if values.dtype.kind in "OUT":
            text = np.array([str(v) for v in values], dtype=object)
            out = out.assign_coords({name: (coord.dims, text, dict(coord.attrs))})
        elif values.dtype.kind in "iu":
            out = out.assign_coords({name: (coord.dims, values.astype(np.int64), dict(coord.attrs))})
    for variable in out.variables.values():
        variable.encoding.clear()
    out.encoding.clear()
    return out


def check(scenarios: xr.Dataset, *, file: str | None = None) -> xr.Dataset:
    """Return `scenarios` when they are complete and sane.

    Raises
    ------
    InputError
        Listing every fault: a missing variable or dimension, numbers that are not finite or out
        of range, repeated labels, an unknown flow class, probabilities that do not sum to 1.
    """
    found = Problems(file=file)
    for name, (dims, _, _) in VARIABLES.items():
        if name not in scenarios.data_vars:
            found.add("scenarios: variable missing", got=name, allowed=[*VARIABLES], key=name)
            continue
        variable = scenarios[name]
        if set(variable.dims) != set(dims):
            found.add("scenarios: wrong dimensions", got=variable.dims, allowed=dims, key=name)
            continue
        values = variable.values
        if values.dtype.kind not in "fiu":
            found.add("scenarios: not numbers", got=str(values.dtype), key=name)
        elif not np.isfinite(values).all():
            found.add(
                "scenarios: not finite",
                got=f"{int((~np.isfinite(values)).sum())} of {values.size} values",
                key=name,
            )
        elif name not in MAY_BE_NEGATIVE and (values < 0).any():
            found.add("scenarios: negative", got=float(values.min()), key=name)
        elif name.endswith(("fraction", "share")) and (values > 1.0 + 1e-9).any():
            found.add("scenarios: above 1", got=float(values.max()), key=name)
    for name in ("flow_class", "period_start", "period_length"):
        if name not in scenarios.coords:
            found.add("scenarios: coordinate missing", got=name, key=name)
    for dim in FULL:
        _check_labels(scenarios, dim, found)
    if "flow_class" in scenarios.coords:
        for value in dict.fromkeys(str(v) for v in scenarios["flow_class"].values):
            if value not in FLOW_CLASSES:
                found.add("scenarios: unknown flow class", got=value, allowed=FLOW_CLASSES, key="flow_class")
    if "probability" in scenarios:
        total = float(scenarios["probability"].sum())
        # A NaN fails this comparison too, and has been named above.
        if not abs(total - 1.0) <= 1e-9:
            found.add("scenarios: probabilities do not sum to 1", got=total, key="probability")
    found.raise_if_any()
    return scenarios


def _check_labels(scenarios: xr.Dataset, dim: str, found: Problems) -> None:
    if dim not in scenarios.coords:
        found.add("scenarios: coordinate missing", got=dim, key=dim)
        return
    labels: Sequence[Any] = scenarios[dim].values.tolist()
    repeated = [v for v in dict.fromkeys(labels) if labels.count(v) > 1]
    if repeated:
        found.add("scenarios: label given twice", got=repeated[0], key=dim)
