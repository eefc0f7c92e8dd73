"""The portfolio simulation once more, as plain xarray operations: an oracle, and what a benchmark is held to.

Written from the model's description alone, whole arrays over every dimension at a time, without a thought
for speed or memory. It shares no code with the package.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

RECIPIENTS = ("enhanced_weathering", "biochar")
PASSIVE, COLLAPSE = 2, 3
LAST = 2201.0

NEUTRAL = {
    "years_per_trl": 0.0, "additionality": 1.0, "efficiency": 1.0, "learning_rate": 0.0, "experience": 0.0,
    "cost_floor": 0.0, "scarcity": 0.0, "grid_intensity": 0.0, "power_share": 1.0,
    "heat_intensity": 0.0, "own_fuel": 0.0, "foregone_regrowth": 0.0, "non_co2": 0.0,
    "non_co2_young": 0.0,
    "non_co2_fade": np.inf, "fast_share": 0.0, "fast_half_life": np.inf, "saturation_years": np.inf,
    "hazard_exponent": 0.0, "shock_severity": 1.0, "late_hazard": 0.0, "setback": 0.0,
    "verification_delay": 0.0,
}  # fmt: skip

FLOWS = (
    "deployed", "reallocated", "received", "limited", "scarce", "withheld", "lost", "coupled", "uncounted",
    "saturated", "removed", "stored", "returned", "avoided", "utilised", "cost", "marginal_cost", "energy",
    "process", "foregone", "non_co2", "net", "durable",
)  # fmt: skip


def _ratio(top: xr.DataArray, bottom: xr.DataArray) -> xr.DataArray:
    return xr.where(bottom > 0.0, top / bottom.where(bottom > 0.0, 1.0), 0.0)


def _logistic(time: xr.DataArray, top: xr.DataArray, now: xr.DataArray, rate: xr.DataArray) -> xr.DataArray:
    """Integral from 0 to `time` of logistic growth from `now` towards `top`."""
    begun = (now > 0.0) & (top > 0.0)
    excess = ((top - now) / now.where(begun, 1.0)).clip(min=0.0)
    slow = rate * time < 1e-9
    safe = rate.where(~slow, 1.0)
    # log((e^gt + A) / (1 + A)) / g, written so that e^gt cannot overflow.
    grown = time + (np.log1p(excess * np.exp(-safe * time)) - np.log1p(excess)) / safe
    whole = xr.where(slow, time / (1.0 + excess), grown)
    return xr.where(begun, top * whole.clip(min=0.0), 0.0)


def _growth_mean(d: xr.Dataset, start: float, end: float) -> xr.DataArray:
    delay = (9.0 - d["trl"]).clip(min=0.0) * d["years_per_trl"]
    top = d["potential"] * d["ratio"]
    held = np.minimum(d["current_capacity"], top)
    wait = (delay.clip(start, end) - start).clip(min=0.0)
    since = [(t - delay).clip(min=0.0) for t in (start, end)]
    area = _logistic(since[1], top, held, d["growth_rate"]) - _logistic(since[0], top, held, d["growth_rate"])
    return (held * wait + area) / (end - start)


def _prepare(drawn: xr.Dataset) -> xr.Dataset:
    # xarray takes the modes for a coordinate, because mode_fraction has a dimension of that name.
    d = drawn.drop_vars("mode")
    for name, value in NEUTRAL.items():
        if name not in d:
            d[name] = value
    kinds = [str(text).split(";") for text in d["classes"].values]
    nature = xr.DataArray(
        ["nature" in own for own in kinds], dims="pathway", coords={"pathway": d["pathway"]}
    )
    d["nature"] = nature
    d["ratio"] = xr.where(nature, d["land_sink_ratio"].clip(min=0.0), 1.0)
    hazard = xr.where(nature, d["land_sink_ratio"].clip(min=0.1) ** -d["hazard_exponent"], 1.0)
    d["loss"] = (d["reversal_loss"] * hazard).clip(0.0, 1.0)
    flow = d["flow_class"]
    d["share_removal"] = xr.where(
        flow == "removal", 1.0, xr.where(flow == "utilisation", d["removal_share"], 0.0)
    )
    d["share_avoided"] = xr.where(flow == "avoided", 1.0, 0.0) + 0.0 * d["removal_share"]
    d["share_utilised"] = xr.where(flow == "utilisation", 1.0 - d["removal_share"], 0.0)
    if "resource" in d.dims and "point_co2" in d["resource"].values:
        point = d["resource"] == "point_co2"
        use = d["resource_use"]
        use = xr.where(point & (flow == "avoided"), 1.0, use)
        d["resource_use"] = xr.where(point & (flow == "utilisation"), 1.0 - d["removal_share"], use)
    return d


def _fractions(d: xr.Dataset, modes: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Return what is let through and whether what is held may move: (sample, pathway, region, period)."""
    by_mode = d["mode_fraction"]
    let = sum(by_mode.isel(mode=m) * (modes == m) for m in range(by_mode.sizes["mode"]))
    fractions, moving = [], []
    for text in d["classes"].values:
        members = [m.strip() for m in str(text).split(";")]
        own, mode = let.sel({"class": members}), modes.sel({"class": members})
        low = own.min("class")
        holds = own == low
        fractions.append(low)
        moving.append((holds & (mode == PASSIVE)).any("class") & ~(holds & (mode == COLLAPSE)).any("class"))
    return (xr.concat(v, dim="pathway").assign_coords(pathway=d["pathway"]) for v in (fractions, moving))


def plain_simulate(
    drawn: xr.Dataset, portfolios: xr.Dataset, only: tuple[str, ...] | None = None
) -> xr.Dataset:
    """Simulate as `sinkrisk.portfolio.simulate` says it does; `only` keeps a few of the flows."""
    modes = drawn["mode"]
    d = _prepare(drawn)
    fraction, passive = _fractions(d, modes)
    names = [str(p) for p in d["pathway"].values]
    taker = xr.DataArray([n in RECIPIENTS for n in names], dims="pathway", coords={"pathway": names})
    passive = passive & ~taker
    planned = portfolios["planned"].reindex(pathway=names, fill_value=0.0)
    together = (
        portfolios["coordinated"]
        if "coordinated" in portfolios
        else xr.zeros_like(planned["portfolio"], dtype=bool)
    )
    helps = (planned > 0.0).any(("pathway", "period")) if "region" in planned.dims else 1.0
    starts = d["period_start"].values.astype(float)
    lengths = d["period_length"].values.astype(float)
    ends, resources = starts + lengths, "resource" in d.dims
    whole = d["share_removal"] * d["potential"]  # only for its dims
    zero = 0.0 * (planned.isel(period=0) * d["suitability_share"] * whole)
    zero = zero.drop_vars("period", errors="ignore")
    slow = fast = age = before = zero
    brake = xr.ones_like(zero.isel(pathway=0, drop=True))
    cumulative = zero.sum("region")
    rate = np.log(2.0) / d["half_life"] + d["leakage_rate"]
    fast_rate = np.log(2.0) / d["fast_half_life"]
    survive = [1.0 - (d["loss"] * d["shock_severity"]).clip(0.0, 1.0) * d["shock"]][0]
    kept: dict[str, list[xr.DataArray]] = {
        name: [] for name in (*FLOWS, "resource_used", "scarcity_by_resource", "captured_in", "cost_in")
    }
    removed_rates = []
    for q, (start, length) in enumerate(zip(starts, lengths, strict=True)):
        at = {"period": q}
        plan = planned.isel(at, drop=True)
        wanted = plan * d["suitability_share"] if "region" not in planned.dims else plan + zero
        grown = _growth_mean(d, start - starts[0], start - starts[0] + length)
        cap = np.minimum(d["potential"] * d["ratio"], grown) * d["suitability_share"]
        if resources:
            supply = d["resource_supply"].isel(at, drop=True)
            use = d["resource_use"]
            per = (supply / use.where(use > 0.0, 1.0)).where(use > 0.0, np.inf).min("resource")
            cap = np.minimum(cap, per)
        base = np.minimum(wanted, cap) + zero
        room = (cap - base) * helps
        over, spare = (wanted - base).sum("region"), room.sum("region")
        moved = np.minimum(over, spare)
        shared = base + room * _ratio(moved, spare)
        base_new = xr.where(together, shared, base)
        limited = (wanted - base) * xr.where(together & (over > 0.0), 1.0 - _ratio(moved, over), 1.0)
        base = base_new
        let = fraction.isel(at, drop=True) * brake
        going = base * let
        held = base - going
        scarce = zero
        if resources:
            demand = (going * use).sum("pathway")
            factor = xr.where(demand > supply, supply / demand.where(demand > 0.0, 1.0), 1.0)
            own = factor.where(use > 0.0, 1.0) + 0.0 * going
            least = own.min("resource")
            which = own.argmin("resource")
            scarce = going * (1.0 - least)
            going = going * least
            binding = [
                scarce.where(which == z, 0.0).sum(("pathway", "region")) for z in range(d.sizes["resource"])
            ]
        can = passive.isel(at, drop=True)
        pool = held.where(can, 0.0).sum("pathway")
        space = (d["reallocation_headroom"] * (cap - base) * let).where(taker, 0.0)
        room = space.sum("pathway")
        gain = space * _ratio(np.minimum(pool, room), room)
        if resources:
            left = (supply - (going * use).sum("pathway")).clip(min=0.0)
            want = (gain * use).sum("pathway")
            spared = xr.where(want > left, left / want.where(want > 0.0, 1.0), 1.0)
            gain = gain * (spared.where(use > 0.0, 1.0) + 0.0 * gain).min("resource")
        moved = held.where(can, 0.0) * _ratio(gain.sum("pathway"), pool)
        withheld = held - moved
        asked = (base + limited).sum("pathway")
        lost_share = _ratio((limited + scarce + withheld).sum("pathway"), asked).clip(0.0, 1.0)
        brake = 1.0 - d["setback"] * lost_share
        captured = going + gain
        u = _ratio(captured, cap + 0.0 * captured)
        factors = dict.fromkeys(("yield", "cost", "energy"), 1.0 + 0.0 * captured)
        if "coupling" in d.dims:
            for k in range(d.sizes["coupling"]):
                one = d.isel(coupling=k)
                of, by, kind = (str(one[f"coupling_{n}"].values) for n in ("pathway", "with", "kind"))
                here = xr.DataArray([n == of for n in names], dims="pathway", coords={"pathway": names})
                push = one["coupling_effect"].reset_coords(drop=True) * u.sel(pathway=by, drop=True)
                factors[kind] = factors[kind] + xr.where(here, push, 0.0)
        coupled = captured * factors["yield"].clip(0.0, 2.0) - captured
        effective = captured + coupled
        middle = cumulative + 0.5 * length * captured.sum("region")
        experience = d["experience"]
        learned = ((experience + middle) / experience.where(experience > 0.0, 1.0)) ** np.log2(
            1.0 - d["learning_rate"]
        )
        learned = xr.where(
            (d["learning_rate"] > 0.0) & (experience > 0.0), np.maximum(learned, d["cost_floor"]), 1.0
        )
        cumulative = cumulative + length * captured.sum("region")
        scarcity = 1.0
        if resources and "land" in d["resource"].values:
            land = supply.sel(resource="land", drop=True)
            used = (captured * use.sel(resource="land", drop=True)).sum("pathway")
            finite = np.isfinite(land) & (land > 0.0)
            scarcity = 1.0 + d["scarcity"] * xr.where(finite, used / land.where(finite, 1.0), 0.0)
        unit = d["cost"] * learned * scarcity * factors["cost"].clip(0.1, 10.0)
        bent = captured * u ** d["cost_exponent"]
        cost = unit * (captured + d["cost_slope"] / (d["cost_exponent"] + 1.0) * bent)
        marginal = unit * (captured + d["cost_slope"] * bent)
        energy = d["energy"] * captured * factors["energy"].clip(0.1, 10.0)
        grid = (
            d["grid_intensity"].isel(at, drop=True)
            if "period" in d["grid_intensity"].dims
            else d["grid_intensity"]
        )
        heat = d["heat_intensity"]
        heat = heat.isel(at, drop=True) if "period" in heat.dims else heat
        bought = (1.0 - d["power_share"]) * (1.0 - d["own_fuel"])
        process = energy * (d["power_share"] * grid + bought * heat)
        real = effective * d["share_removal"] * d["additionality"] * d["efficiency"]
        uncounted = effective * d["share_removal"] - real
        foregone = np.minimum(d["foregone_regrowth"] * captured, real)
        counted = real - foregone
        inflow = (1.0 - d["fast_share"]) * counted
        most = d["potential"] * d["suitability_share"] * d["saturation_years"]
        pull = _ratio(inflow, most.where(np.isfinite(most), 0.0) + zero)
        total = rate + pull
        x = total * length
        safe = x.where(x > 0.0, 1.0)
        filled = length * xr.where(x > 0.0, -np.expm1(-safe) / safe, 1.0)
        end_slow = slow * np.exp(-x) + inflow * filled
        # The stock's integral: of what was there, and of what came in.
        tiny = x < 1e-6
        later = xr.where(tiny, 0.5 * length**2, (length - filled) / total.where(~tiny, 1.0))
        integral = slow * filled + inflow * later
        saturated = pull * integral / length
        removed = counted - saturated
        y = fast_rate * length
        safe = y.where(y > 0.0, 1.0)
        end_fast = fast * np.exp(-y) + d["fast_share"] * counted * length * xr.where(
            y > 0.0, -np.expm1(-safe) / safe, 1.0
        )
        lives = survive.isel(at, drop=True)
        opening = slow + fast
        slow, fast = end_slow * lives, end_fast * lives
        stored = (slow + fast - opening) / length
        mix = d["fast_share"] * np.exp(-100.0 * fast_rate) + (1.0 - d["fast_share"]) * np.exp(-100.0 * rate)
        chance = mix
        for later_q in range(q, len(ends)):
            if ends[later_q] - ends[q] < 100.0:
                chance = chance * survive.isel(period=later_q, drop=True)
        beyond = max(0.0, 100.0 - (ends[-1] - ends[q]))
        chance = chance * np.exp(-d["late_hazard"] * d["loss"] * beyond)
        older, grew = np.minimum(before, captured), (captured - before).clip(min=0.0)
        age = _ratio((age + length) * older + 0.5 * length * grew, captured)
        before = captured
        non_co2 = captured * (d["non_co2"] + d["non_co2_young"] * np.exp(-age / d["non_co2_fade"]))
        flows = {
            "deployed": going, "reallocated": moved, "received": gain, "limited": limited, "scarce": scarce,
            "withheld": withheld, "lost": limited + scarce + withheld, "coupled": coupled,
            "uncounted": uncounted, "saturated": saturated, "removed": removed, "stored": stored,
            "returned": removed - stored, "avoided": effective * d["share_avoided"],
            "utilised": effective * d["share_utilised"], "cost": cost, "marginal_cost": marginal,
            "energy": energy, "process": process, "foregone": foregone, "non_co2": non_co2,
            "net": stored - process - non_co2, "durable": removed * chance,
        }  # fmt: skip
        for name, values in flows.items():
            if only is None or name in only:
                kept[name].append((values + zero).sum("region"))
        removed_rates.append((removed + zero).sum("region"))
        kept["captured_in"].append(captured.sum("pathway"))
        kept["cost_in"].append((cost + zero).sum("pathway"))
        if resources:
            kept["resource_used"].append((captured * use).sum(("pathway", "region")))
            kept["scarcity_by_resource"].append(xr.concat(binding, dim="resource"))
    out = xr.Dataset(
        {name: xr.concat(v, dim="period").assign_coords(period=d["period"]) for name, v in kept.items() if v}
    )
    if resources:
        out = out.assign_coords(resource=d["resource"])
    creditable = d["creditable"] if "creditable" in d else xr.ones_like(taker, dtype=bool)
    credited = []
    for q in range(len(starts)):
        amount = 0.0 * removed_rates[0]
        for j, flow in enumerate(removed_rates):
            shift = d["verification_delay"]
            overlap = np.minimum(ends[j] + shift, ends[q]) - np.maximum(starts[j] + shift, starts[q])
            amount = (
                amount + flow * overlap.clip(min=0.0)
                if isinstance(overlap, xr.DataArray)
                else amount + flow * max(float(overlap), 0.0)
            )
        credited.append(amount * creditable / lengths[q])
    out["credited"] = xr.concat(credited, dim="period").assign_coords(period=d["period"])
    wait = max(0.0, LAST - ends[-1])
    late = np.exp(-d["late_hazard"] * d["loss"] * wait)
    out["retained"] = ((slow * np.exp(-rate * wait) + fast * np.exp(-fast_rate * wait)) * late).sum("region")
    return out.transpose("sample", "portfolio", ...)
