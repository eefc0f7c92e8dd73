"""A run directory in the form of design 4.5, small, with a manifest that records its files.

Numbers are synthetic except for the budget, which is the closed reconciliation of three windows of
the review's Table 2, computed here in closed form.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sinkrisk import files
from sinkrisk.provenance import Manifest, StageRecord

COMPONENTS = ("fossil", "land_use", "atmosphere", "ocean", "land")
SIGNS = np.array([1.0, 1.0, -1.0, -1.0, -1.0])
STATED = {
    "1990-1999": ((6.4, 1.6, 3.1, 2.1, 2.5), (0.3, 0.7, 0.2, 0.4, 0.6)),
    "2014-2023": ((9.7, 1.1, 5.2, 2.9, 3.2), (0.5, 0.7, 0.2, 0.4, 0.9)),
    "2023": ((10.1, 1.0, 5.9, 2.9, 2.3), (0.5, 0.7, 0.2, 0.4, 1.1)),
}
PRINTED = {"2014-2023": -0.4, "2023": 0.0}
PERIODS = ("near_term", "mid_term", "long_term")
MODES = ("full", "throttled", "passive_redundancy", "collapse")
PORTFOLIOS = {"mixed": "Mixed & broad", "trees": "Trees only"}


def budget_tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    z = 1.6448536269514722
    budget, attribution = [], []
    for window, (stated, sds) in STATED.items():
        y, variance = np.array(stated), np.array(sds) ** 2
        imbalance, share = float(SIGNS @ y), variance / variance.sum()
        adjustment = share * imbalance
        mean = y - SIGNS * adjustment
        sd = np.sqrt(variance * (1 - share))
        for k, component in enumerate(COMPONENTS):
            budget.append(
                {
                    "window": window, "component": component, "stated": y[k], "stated_sd": sds[k],
                    "mean": mean[k], "sd": sd[k], "low": mean[k] - z * sd[k], "high": mean[k] + z * sd[k],
                }
            )  # fmt: skip
            attribution.append(
                {
                    "window": window, "component": component, "adjustment_mean": adjustment[k],
                    "adjustment_low": adjustment[k] - z * sd[k],
                    "adjustment_high": adjustment[k] + z * sd[k],
                    "adjustment_share": share[k] if abs(imbalance) > 1e-9 else np.nan,
                    "variance_share": share[k], "reported_imbalance": imbalance,
                    "imbalance_sd": np.sqrt(variance.sum()),
                    "printed_imbalance": PRINTED.get(window, np.nan),
                    "rounding_difference": PRINTED.get(window, np.nan) - imbalance,
                }
            )  # fmt: skip
    labels = {"interval_kind": "equal-tailed", "interval_mass": 0.9, "unit": "GtC/yr"}
    return pd.DataFrame(budget).assign(**labels), pd.DataFrame(attribution).assign(**labels)


def marginals() -> pd.DataFrame:
    rows = []
    for c, full in {"nature": 0.3, "geological": 0.2, "ocean": 0.05}.items():
        for r, region in enumerate(("north_america", "open_ocean")):
            for p, period in enumerate(PERIODS):
                f = full + 0.02 * p - 0.04 * r
                values = (f, 0.3, 0.2, 0.5 - f)
                node = f"deployment_mode__{c}__{region}__{period}"
                rows += [
                    (node, "deployment_mode", c, region, period, m, v)
                    for m, v in zip(MODES, values, strict=True)
                ]
    columns = ["node", "base", "class", "region", "period", "state", "probability"]
    return pd.DataFrame(rows, columns=columns)


def portfolios() -> pd.DataFrame:
    rows = []
    for period, total in zip(PERIODS, (1.0, 4.0, 8.0), strict=True):
        rows += [("mixed", "forests", period, 0.4 * total), ("mixed", "daccs", period, 0.6 * total)]
        rows += [("trees", "forests", period, total)]
    table = pd.DataFrame(rows, columns=["portfolio", "pathway", "period", "planned"])
    table.insert(1, "name", [PORTFOLIOS[p] for p in table["portfolio"]])
    table.insert(2, "description", "Made for <tests> & nothing else.")
    return table.assign(unit="GtCO2/yr")


def measures() -> pd.DataFrame:
    values = {
        ("net_removal_2050", "GtCO2"): {"mixed": (20, 5, 42), "trees": (9, 2, 18), "optimum": (22, 7, 45)},
        ("net_removal_2100", "GtCO2"): {
            "mixed": (160, 71, 250), "trees": (41, 12, 80), "optimum": (170, 90, 260),
        },
        ("total_cost", "billion USD"): {
            "mixed": (12345.6, 4000, 30000), "trees": (900, 200, 2000), "optimum": (11000, 3000, 25000),
        },
        ("storage_permanence", "1"): {
            "mixed": (0.91, 0.8, 0.97), "trees": (0.5, 0.2, 0.7), "optimum": (0.9, 0.8, 0.96),
        },
        ("cost_per_durable_tonne", "USD/tCO2"): {
            "mixed": (105, 60, 190), "trees": (9e5, 40, 300), "optimum": (95, 50, 160),
        },
        ("reallocated_share", "1"): {
            "mixed": (0.04, 0, 0.1), "trees": (0.124, 0, 0.4), "optimum": (0.03, 0, 0.1),
        },
        ("shortfall", "GtCO2"): {"mixed": (31, 0, 80), "trees": (110, 70, 138), "optimum": (22, 0, 60)},
    }  # fmt: skip
    rows = []
    for (criterion, unit), held in values.items():
        for portfolio, (mean, low, high) in held.items():
            both = {"portfolio": portfolio, "criterion": criterion, "unit": unit}
            rows += [
                {**both, "statistic": "mean", "value": mean},
                {**both, "statistic": "sd", "value": (high - low) / 3.3},
                {**both, "statistic": "median", "value": min(mean, (low + high) / 2)},
                {**both, "statistic": "low", "value": low},
                {**both, "statistic": "high", "value": high},
                {**both, "statistic": "value_at_risk", "value": high, "tail_mass": 1 - 0.95},
                {**both, "statistic": "cvar", "value": 1.1 * high, "tail_mass": 1 - 0.95},
                {**both, "statistic": "probability_defined", "value": 1.0, "unit": "1"},
            ]
    for portfolio, met in {"mixed": 0.42, "trees": 0.001, "optimum": 0.55}.items():
        both = {"portfolio": portfolio, "criterion": "shortfall", "unit": "1"}
        rows.append({**both, "statistic": "probability_met", "value": met})
    table = pd.DataFrame(rows)
    banded = table["statistic"].isin(["low", "high"])
    table["interval_kind"] = np.where(banded, "equal-tailed", "")
    table["interval_mass"] = np.where(banded, 0.9, np.nan)
    return table


def ranking() -> pd.DataFrame:
    first = {"mixed": (0.5, 0.3, 0.2), "trees": (0.1, 0.2, 0.7), "optimum": (0.4, 0.5, 0.1)}
    rows = [(p, "rank_acceptability", str(r + 1), v) for p, vs in first.items() for r, v in enumerate(vs)]
    for p in first:
        rows += [(p, "central_weight", "net_removal_2100", 0.7), (p, "central_weight", "total_cost", 0.3)]
        rows.append((p, "confidence", "", 0.8))
        rows += [(p, "pairwise", q, 0.5) for q in first if q != p]
    table = pd.DataFrame(rows, columns=["portfolio", "quantity", "label", "value"])
    counted = table["quantity"].isin(["rank_acceptability", "pairwise"])
    return table.assign(standard_error=np.where(counted, 0.022, np.nan))


def ranking_sensitivity() -> pd.DataFrame:
    first = {
        "all criteria": {"mixed": (0.5, 1.7), "trees": (0.1, 2.6), "optimum": (0.4, 1.7)},
        "without net_removal_2100": {"mixed": (0.2, 2.2), "trees": (0.7, 1.3), "optimum": (0.1, 2.5)},
        "without total_cost": {"mixed": (0.6, 1.5), "trees": (0.0, 3.0), "optimum": (0.4, 1.5)},
        "without optimum": {"mixed": (0.9, 1.1), "trees": (0.1, 1.9)},
    }
    rows = [(v, p, share, mean) for v, held in first.items() for p, (share, mean) in held.items()]
    return pd.DataFrame(rows, columns=["variant", "portfolio", "first", "mean_rank"])


def sobol() -> pd.DataFrame:
    rows = []
    for measure in ("net_removal_2100", "total_cost"):
        for portfolio in PORTFOLIOS:
            for k, driver in enumerate(("cost", "deployment", "budget")):
                # In “Trees only” deployment comes within reach of the budget, for removal alone.
                near = 0.24 * (driver == "deployment") * (portfolio == "trees") * (measure != "total_cost")
                for index, value in (("S1", 0.1 + 0.2 * k), ("ST", 0.15 + 0.25 * k + near)):
                    output = f"{measure}:{portfolio}"
                    rows.append((output, output, "", driver, index, value, value - 0.03, value + 0.03))
    columns = ["output", "measure", "portfolio", "driver", "index", "value", "low", "high"]
    return pd.DataFrame(rows, columns=columns).assign(
        interval_kind="equal-tailed", interval_mass=0.95, n=256, replicates=8
    )


def drivers() -> pd.DataFrame:
    rows = [
        ("budget_draw", "budget", "epistemic", "posterior 'closed' of the budget", "row"),
        ("cost_beccs", "cost", "epistemic", "ma2025", "lognormal"),
        ("cost_daccs", "cost", "epistemic", "ma2025; assumption", "lognormal"),
        ("shock", "climate", "aleatory", "assumption", "inverse CDF"),
        ("mode", "deployment", "epistemic", "assumption", "inverse CDF"),
    ]
    return pd.DataFrame(rows, columns=["name", "group", "kind", "source", "transform"])


def optimum() -> pd.DataFrame:
    rows = [(p, q, v) for p, v in (("forests", 0.5), ("daccs", 1.5), ("oif", 0.0)) for q in PERIODS]
    return pd.DataFrame(rows, columns=["pathway", "period", "planned"]).assign(unit="GtCO2/yr")


def optimum_record() -> dict:
    def held(value, low, high):
        return {"value": value, "low": low, "high": high}

    def named(portfolio, name, objective, apart, half):
        return {
            "portfolio": portfolio, "name": name, "objective": objective, "low": objective - 900.0,
            "high": objective + 900.0, "difference": apart, "difference_low": apart - half,
            "difference_high": apart + half, "expected_cost": 12000.0, "expected_shortfall": 30.0,
            "probability_met": 0.25, "cvar": 120000.0,
        }  # fmt: skip

    return {
        "status": "within gap", "gap": 0.0061, "linearisation": 98.9, "cvar_level": 0.9, "risk_weight": 0.5,
        "shortfall_penalty": 600.0, "commitment_share": 0.0, "curtail": False, "segments": 4,
        "sentence": "Not read.",
        "in_sample": {
            "objective": 75263.4, "expected_loss": 49862.3, "expected_cost": 6800.0, "cvar": 100664.0,
            "probability_met": 0.34, "expected_shortfall": 21.28, "value_at_risk": 90000.0, "bound": 74804.0,
        },
        "out_of_sample": {
            "draws": 512, "interval_kind": "bootstrap percentile, equal-tailed", "interval_mass": 0.9,
            "resamples": 1000, "objective": held(87000.0, 85000.0, 89000.0),
            "expected_loss": held(53200.0, 52000.0, 54500.0), "expected_cost": held(7440.0, 7280.0, 7610.0),
            "expected_shortfall": held(31.7, 30.6, 32.8), "probability_met": held(0.27, 0.26, 0.29),
            "cvar": held(120797.4, 118000.0, 123000.0),
            "programme": {
                "objective": 88000.0, "expected_loss": 54000.0, "expected_cost": 7240.0,
                "expected_shortfall": 34.2, "probability_met": 0.24, "cvar": 122000.0,
            },
            "portfolios": [
                named("mixed", "Mixed & broad", 89550.0, 2550.0, 170.0),
                named("trees", "Trees only", 97000.0, 10000.0, 500.0),
            ],
        },
        "reduction": {"scenarios": 50, "effective_scenarios": 34.0, "wasserstein": 0.894},
        "units": {"money": "billion USD, present value", "shortfall": "GtCO2", "planned": "GtCO2/yr"},
    }  # fmt: skip


BANDED = {"interval_kind": "equal-tailed", "interval_mass": 0.9}


def survey() -> dict[str, pd.DataFrame]:
    fits = [
        ("forests", "north_america", True, 0.95, "water"), ("forests", "open_ocean", False, 0.0, ""),
        ("daccs", "north_america", True, 0.05, "clean_energy"), ("daccs", "open_ocean", False, 0.0, ""),
    ]  # fmt: skip
    atlas = pd.DataFrame(fits, columns=["pathway", "region", "possible", "probability_suited", "limiting"])
    cells = [
        (p, r, q, 0.2 + 0.7 * (p == "forests"), 0.5 * (p == "forests"), 0.1, 0.9, total, reached)
        for p, r, _, _, _ in fits
        for q, total, reached in zip(PERIODS, (1.0, 4.0, 8.0), (0.0, 0.25, 0.003), strict=True)
    ]
    columns = [
        "pathway", "region", "period", "probability_active", "share_mean", "share_low", "share_high",
        "total", "probability_reached",
    ]  # fmt: skip
    curves = [
        (region, period, price, base * price / 100, base * price / 200, base * price / 50)
        for region, base in (("world", 2.0), ("north_america", 0.5))
        for period in PERIODS
        for price in (50.0, 100.0, 200.0, 800.0)
    ]
    worth = {"forests": (0.2, 0.1, 0.3), "daccs": (0.8, 0.7, 0.9)}
    kinds = {"durability": "factor", "process_energy": "charge", "discount": "whole"}
    factors = [(p, f, kind, *v) for p, v in worth.items() for f, kind in kinds.items()]
    rates = [("forests", "daccs", 0.25, 0.1, 0.5), ("daccs", "forests", 4.0, 2.0, 9.0)]
    band = ["median", "low", "high"]
    return {
        "suitability.csv": atlas.assign(method="topsis", threshold=0.5, draws=1000, **BANDED),
        "schedule.csv": pd.DataFrame(cells, columns=columns).assign(least=0.005, draws=512, **BANDED),
        "abatement.csv": pd.DataFrame(curves, columns=["region", "period", "price", *band]).assign(
            unit="GtCO2/yr", **BANDED
        ),
        "credits.csv": pd.DataFrame(factors, columns=["pathway", "factor", "kind", *band]).assign(**BANDED),
        "exchange_rates.csv": pd.DataFrame(rates, columns=["pathway", "other", *band]).assign(
            probability_defined=0.98, **BANDED
        ),
    }


def traced() -> dict[str, pd.DataFrame]:
    steps = {
        "planned": 500, "limited": -300, "scarce": -1, "withheld": -99, "captured": 100, "reallocated": 7,
        "coupled": 2, "avoided": -12, "utilised": 0, "uncounted": -5, "foregone": -4, "saturated": -3,
        "removed": 78, "returned": -20, "process": -6, "non_co2": -2, "net": 50,
    }  # fmt: skip
    rows = [
        (
            portfolio, step,
            "level" if value > 20 else "part" if step == "reallocated" else "change",
            value * part, value * part - 10.0, value * part + 20.0, value * part / (500.0 * part),
        )
        for portfolio, part in (("mixed", 1.0), ("trees", 0.5))
        for step, value in steps.items()
    ]  # fmt: skip
    tracing = pd.DataFrame(rows, columns=["portfolio", "step", "role", "mean", "low", "high", "share"])
    tracing.loc[(tracing["portfolio"] == "trees") & (tracing["step"] == "net"), "share"] = 0.04
    bound = [
        ("mixed", "long_term", "land", 0.18, 0.2, 0.0, 0.6, 0.025),
        ("trees", "long_term", "water", 0.004, 0.0, 0.0, 0.1, 0.0),
    ]
    columns = ["portfolio", "period", "resource", "probability_binds", "mean", "low", "high", "share"]
    limits = [
        (p, q, limit, value)
        for p, late in (("forests", 1.0), ("daccs", 0.6))
        for q in PERIODS
        for limit, value in (("growth", late if q == "long_term" else 1.0), ("clean_energy", 1.0 - late))
        if value > 0.0 and (limit == "growth" or q == "long_term")
    ]
    return {
        "tracing.csv": tracing.assign(unit="GtCO2", **BANDED),
        "binding.csv": pd.DataFrame(bound, columns=columns).assign(unit="GtCO2/yr", least=1e-6, **BANDED),
        "limiting.csv": pd.DataFrame(limits, columns=["pathway", "period", "limit", "probability"]).assign(
            draws=512
        ),
    }


def air() -> pd.DataFrame:
    rows = []
    for portfolio, cut in (("mixed", 6.0), ("trees", 2.0), ("optimum", 5.0), ("none", 0.0)):
        for year, top in ((2025, 425.0), (2050, 450.0), (2100, 440.0), (2200, 430.0)):
            fall = cut * (year > 2025)
            top -= fall
            rows.append((portfolio, year, "co2", top, top, top - 20.0, top + 20.0, "ppm"))
            if portfolio != "none":
                gone, less = 11.0 * fall, -1.8 * fall
                rows.append((portfolio, year, "relief_cumulative", gone, gone, gone / 2, gone * 2, "GtCO2"))
                rows.append((portfolio, year, "net_effect", less, less, less * 2, less / 2, "GtC"))
    columns = ["portfolio", "year", "quantity", "mean", "median", "low", "high", "unit"]
    return pd.DataFrame(rows, columns=columns).assign(**BANDED)


def decided() -> dict[str, pd.DataFrame]:
    rows = [
        ("mixed", -900.0, -2000.0, 100.0, -2400.0, 60.0, 300.0, 0.7, 0, 0),
        ("optimum", -800.0, -2500.0, 400.0, -2900.0, 80.0, 500.0, 0.3, 0, 0),
        ("trees", -4000.0, -6000.0, -1000.0, -7000.0, 3200.0, 5000.0, 0.0, 2, 2),
    ]
    columns = [
        "portfolio", "mean", "low", "high", "cvar", "expected_regret", "cvar_regret", "probability_best",
        "dominated_first", "dominated_second",
    ]  # fmt: skip
    money = {"unit": "billion USD"}
    learned = [("trl", 40.0, 35.0, 5.0, 20.0, True), ("mode", -3.0, 8.0, 4.0, 15.0, False)]
    held = [
        ("mixed", "forests", 10.0, 0.5, 0.3), ("mixed", "daccs", 30.0, 0.1, 0.05),
        ("trees", "forests", 20.0, 0.9, 0.9),
    ]  # fmt: skip
    pools = [("mixed", "pool", 40.0, 0.2, 0.15, 0.25), ("trees", "pool", 20.0, 0.9, 0.9, 0.0)]
    columns_of_buffers = ["portfolio", "pathway", "removed", "own_share", "pooled_share", "saved"]
    risk = [
        ("mixed", 40.0, 38.0, 33.0, 6.0, 5.0, 7.0, np.nan, np.nan, np.nan, 3.0, np.nan, 1.0),
        ("trees", 20.0, 12.0, 8.0, 10.0, 9.0, 11.5, 8.5, 8.0, 9.0, 6.0, 5.5, -2.0),
    ]
    columns_of_risk = [
        "portfolio", "removed", "promised", "kept", "extra", "extra_low", "extra_high", "extra_decoupled",
        "extra_decoupled_low", "extra_decoupled_high", "extra_certain", "extra_certain_decoupled",
        "gap_certain",
    ]  # fmt: skip
    return {
        "decision.csv": pd.DataFrame(rows, columns=columns).assign(tail_mass=1 - 0.95, **money, **BANDED),
        "learning.csv": pd.DataFrame(
            learned, columns=["driver", "cross_fitted", "plug_in", "mc_error", "floor", "acts"]
        ).assign(perfect=60.0, **money),
        "buffers.csv": pd.DataFrame(
            [(*row, np.nan) for row in held] + pools, columns=columns_of_buffers
        ).assign(unit="GtCO2", tail_mass=1 - 0.95),
        "carbon_at_risk.csv": pd.DataFrame(risk, columns=columns_of_risk).assign(
            level=0.95, unit="GtCO2", interval_kind="percentile bootstrap", interval_mass=0.9
        ),
    }


def adapted() -> dict[str, pd.DataFrame]:
    columns = [
        "policy", "mean", "low", "high", "cvar", "gain", "gain_low", "gain_high", "cvar_gain",
        "cvar_gain_low", "cvar_gain_high",
    ]  # fmt: skip
    rows = [
        ("fixed", -900.0, -950.0, -850.0, -2400.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
        ("rolling", -870.0, -920.0, -810.0, -2300.0, 30.0, 10.0, 55.0, 100.0, -20.0, 240.0),
        ("perfect", -700.0, -760.0, -650.0, -2100.0, 200.0, 150.0, 260.0, 300.0, 200.0, 400.0),
    ]
    flows = [
        (policy, PERIODS[k], PERIODS[k + 1], "mixed", to, share)
        for k in (0, 1)
        for policy, to, share in (
            ("fixed", "mixed", 1.0),
            ("rolling", "mixed", 0.7),
            ("rolling", "trees", 0.3),
        )
        if k == 0 or to == "mixed"
    ]
    triggers = [
        ("1", "mid_term", "mixed", "trees", "land_sink", "below", 2.1, "GtC/yr", 0.3, 12.0, 4.0, 20.0, True),
        ("2", "mid_term", "mixed", "trees", "land_sink", "below", 1.9, "GtC/yr", 0.2, 8.0, -4.0, 20.0, False),
    ]
    columns_of_triggers = [
        "half", "period", "from", "to", "signal", "side", "threshold", "signal_unit", "share", "value",
        "low", "high", "kept",
    ]  # fmt: skip
    warned = [
        ("mixed", "near_term", 2035, 0.4, 0.6, 0.55, 0.65), ("mixed", "mid_term", 2050, 0.4, 0.8, 0.75, 0.85),
        ("trees", "near_term", 2035, 0.99, np.nan, np.nan, np.nan),
        ("trees", "mid_term", 2050, 0.99, np.nan, np.nan, np.nan),
    ]  # fmt: skip
    binned = [("mixed", "mid_term", 0.3, 0.35, 0.2, 0.5), ("mixed", "mid_term", 0.7, 0.6, 0.5, 0.8)]
    leads = [("mixed", 0.1, 0.62, 41.0, 30.0, 65.0), ("trees", np.nan, np.nan, np.nan, np.nan, np.nan)]
    money = {"unit": "billion USD", "interval_kind": "percentile bootstrap", "interval_mass": 0.9}
    return {
        "adaptation.csv": pd.DataFrame(rows, columns=columns).assign(**money),
        "decisions.csv": pd.DataFrame(
            [
                ("rolling", "near_term", np.nan, 0.0),
                ("rolling", "mid_term", 40.0, 0.2),
                ("greedy", "mid_term", 40.0, 0.9),
            ],
            columns=["policy", "period", "ess", "refused"],
        ),
        "flows.csv": pd.DataFrame(flows, columns=["policy", "period", "next_period", "from", "to", "share"]),
        "triggers.csv": pd.DataFrame(triggers, columns=columns_of_triggers).assign(**money),
        "early_warning.csv": pd.DataFrame(
            warned, columns=["portfolio", "period", "year", "base_rate", "auc", "low", "high"]
        ).assign(interval_kind="logit-normal (DeLong)", interval_mass=0.9),
        "warning_calibration.csv": pd.DataFrame(
            binned, columns=["portfolio", "period", "predicted", "observed", "low", "high"]
        ).assign(interval_kind="Wilson", interval_mass=0.9),
        "lead_times.csv": pd.DataFrame(
            leads, columns=["portfolio", "false_alarms", "hit_rate", "lead_time", "lead_low", "lead_high"]
        ),
    }


SPEC = {
    "title": "A run <of> the tests & nothing else",
    "description": "Synthetic numbers.",
    "seed": 7,
    "draws": 512,
    "level": 0.9,
    "budget": {"model": "closed", "observations": "global"},
    "portfolios": {"total": {"long_term": 8.0, "mid_term": 4.0, "near_term": 1.0}},
    "target": {"net_removal": 150.0, "unit": "GtCO2", "year": 2100},
    "rank": {"criteria": ["net_removal_2100", "total_cost"], "weights": "uniform"},
    "network": {"tables": 512},
    "sobol": {"n": 256},
    "scenarios": {"n": 50},
    "optimize": {"shortfall_penalty": 600.0},
    "survey": {},
    "outlook": {"scenario": "decline"},
    "decision": {"carbon_value": 200.0, "shortfall_penalty": 600.0},
    "adapt": {"candidates": ["mixed", "trees"]},
}
CHECK = {"name": "closure", "passed": True, "text": "Largest |sources - sinks| is 1e-15 GtC/yr."}


BEYOND = {
    "name": "plans within potentials",
    "passed": None,
    "text": (
        "2 of 9 plans exceed the potential in some draws; most often trees, forests, long_term: 8 GtCO2/yr "
        "planned, in 37% of draws more than there is; what exceeds it is lost"
    ),
}


def write_run(directory: Path, *, leave_out: tuple[str, ...] = (), skipped: dict[str, str] | None = None):
    """Write a run directory; stages in `leave_out` are absent, those in `skipped` were skipped."""
    directory.mkdir(parents=True, exist_ok=True)
    budget, attribution = budget_tables()
    record = optimum_record()
    stages = {
        "budget": {"budget.csv": budget, "attribution.csv": attribution},
        "network": {"network_marginals.csv": marginals()},
        "inputs": {"drivers.csv": drivers()},
        "simulate": {"portfolios.csv": portfolios(), **traced()},
        "scenarios": {},
        "simulate_optimum": {},
        "optimize": {"optimum.csv": optimum(), "optimum.json": record},
        "survey": survey(),
        "outlook": {"air.csv": air()},
        "measure": {"measures.csv": measures()},
        "rank": {"ranking.csv": ranking(), "ranking_sensitivity.csv": ranking_sensitivity()},
        "decide": decided(),
        "adapt": adapted(),
        "sobol": {"sobol.csv": sobol()},
    }
    manifest = Manifest(
        spec=SPEC, seed=7, inputs={"spec": "0" * 64}, versions={"sinkrisk": "0.1.0", "python": "3.13.0"}
    )
    for name, tables in stages.items():
        if name in leave_out:
            continue
        if skipped and name in skipped:
            manifest.stages[name] = StageRecord(name, "hash", {}, 0.0, skipped=skipped[name])
            continue
        for file, content in tables.items():
            if isinstance(content, pd.DataFrame):
                content.to_csv(directory / file, index=False)
            else:
                files.write_json(directory / file, content)
        outputs = {file: files.sha256_of(directory / file) for file in tables}
        checks = {"budget": [CHECK], "simulate": [BEYOND]}.get(name, [])
        manifest.stages[name] = StageRecord(name, "hash", outputs, 1.25, None, checks, [f"note of {name}"])
    manifest.write(directory)
    return directory


def rerecord(directory: Path, file: str) -> None:
    """Record a file's present bytes, as if the stage had written them."""
    raw = json.loads((directory / "manifest.json").read_text())
    for record in raw["stages"].values():
        if file in record["outputs"]:
            record["outputs"][file] = files.sha256_of(directory / file)
    (directory / "manifest.json").write_text(json.dumps(raw))


@pytest.fixture
def real_figures() -> None:
    """Asked for by a test that needs figures as they are; `finished` always has them."""


@pytest.fixture(autouse=True)
def _quick_figures(request, monkeypatch):
    """Leave figures blank where a test reads words alone: drawing thirty of them takes seconds."""
    from sinkrisk.reporting import writing

    if "real_figures" not in request.fixturenames:
        blank = '<svg width="600pt" height="300pt" xmlns="http://www.w3.org/2000/svg"></svg>'
        monkeypatch.setattr(writing, "draw", lambda picture: writing.Drawn(blank, blank, ""))


@pytest.fixture
def write():
    return write_run


@pytest.fixture
def record_again():
    return rerecord


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run with its report written; tests only read it."""
    from sinkrisk import reporting

    directory = write_run(tmp_path_factory.mktemp("finished") / "run")
    reporting.report(directory)
    return directory
