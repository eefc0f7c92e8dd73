"""The tables that the report reads: their files, the stages that write them, the columns they must have"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """A table the report reads: its file, the stage that writes it, its columns."""

    file: str
    stage: str
    columns: tuple[str, ...]
    numeric: tuple[str, ...] = ()


_INTERVAL = ("interval_kind", "interval_mass")
_AT_RISK = (
    "removed", "promised", "kept", "extra", "extra_low", "extra_high", "extra_decoupled",
    "extra_decoupled_low", "extra_decoupled_high", "extra_certain", "extra_certain_decoupled",
    "gap_certain", "level", "interval_mass",
)  # fmt: skip
_RANKS = ("rank", "rank_low", "rank_high", "first", "among_top")
_SWING = ("base", "at_low", "at_low_low", "at_low_high", "at_high", "at_high_low", "at_high_high")
_WORTH = ("ST", "ST_low", "ST_high", "cross_fitted", "plug_in", "mc_error", "floor", "perfect")

SOURCES: dict[str, Source] = {
    "budget": Source(
        "budget.csv",
        "budget",
        ("window", "component", "stated", "stated_sd", "mean", "sd", "low", "high", *_INTERVAL, "unit"),
        ("stated", "stated_sd", "mean", "sd", "low", "high", "interval_mass"),
    ),
    "attribution": Source(
        "attribution.csv",
        "budget",
        (
            "window", "component", "adjustment_mean", "adjustment_low", "adjustment_high",
            "adjustment_share", "variance_share", "reported_imbalance", "imbalance_sd",
            "printed_imbalance", "rounding_difference", *_INTERVAL, "unit",
        ),
        (
            "adjustment_mean", "adjustment_low", "adjustment_high", "adjustment_share", "variance_share",
            "reported_imbalance", "imbalance_sd", "printed_imbalance", "rounding_difference", "interval_mass",
        ),
    ),
    "fluxes": Source(
        "fluxes.csv",
        "budget",
        ("component", "year", "mean", "low", "high", *_INTERVAL, "unit"),
        ("year", "mean", "low", "high", "interval_mass"),
    ),
    "parameters": Source(
        "parameters.csv",
        "budget",
        (
            "parameter", "label", "prior_mean", "prior_low", "prior_high", "mean", "low", "high",
            "prior_driven", *_INTERVAL,
        ),
        ("prior_mean", "prior_low", "prior_high", "mean", "low", "high", "interval_mass"),
    ),
    "network_marginals": Source(
        "network_marginals.csv",
        "network",
        ("node", "base", "class", "region", "period", "state", "probability"),
        ("probability",),
    ),
    "drivers": Source("drivers.csv", "inputs", ("name", "group", "kind", "source", "transform")),
    "portfolios": Source(
        "portfolios.csv", "simulate", ("portfolio", "pathway", "period", "planned", "unit"), ("planned",)
    ),
    "tracing": Source(
        "tracing.csv",
        "simulate",
        ("portfolio", "step", "role", "mean", "low", "high", "share", "unit", *_INTERVAL),
        ("mean", "low", "high", "share", "interval_mass"),
    ),
    "binding": Source(
        "binding.csv",
        "simulate",
        (
            "portfolio", "period", "resource", "probability_binds", "mean", "low", "high", "share", "unit",
            *_INTERVAL,
        ),
        ("probability_binds", "mean", "low", "high", "share", "interval_mass"),
    ),
    "limiting": Source(
        "limiting.csv",
        "simulate",
        ("pathway", "period", "limit", "probability", "draws"),
        ("probability", "draws"),
    ),
    "suitability": Source(
        "suitability.csv",
        "survey",
        (
            "pathway", "region", "possible", "probability_suited", "limiting", "method", "threshold", "draws",
            *_INTERVAL,
        ),
        ("probability_suited", "threshold", "draws", "interval_mass"),
    ),
    "schedule": Source(
        "schedule.csv",
        "survey",
        (
            "pathway", "region", "period", "probability_active", "share_mean", "share_low", "share_high",
            "total", "probability_reached", "least", "draws", *_INTERVAL,
        ),
        (
            "probability_active", "share_mean", "share_low", "share_high", "total", "probability_reached",
            "least", "draws", "interval_mass",
        ),
    ),
    "abatement": Source(
        "abatement.csv",
        "survey",
        ("region", "period", "price", "median", "low", "high", "unit", *_INTERVAL),
        ("price", "median", "low", "high", "interval_mass"),
    ),
    "credits": Source(
        "credits.csv",
        "survey",
        ("pathway", "factor", "kind", "median", "low", "high", *_INTERVAL),
        ("median", "low", "high", "interval_mass"),
    ),
    "exchange_rates": Source(
        "exchange_rates.csv",
        "survey",
        ("pathway", "other", "median", "low", "high", "probability_defined", *_INTERVAL),
        ("median", "low", "high", "probability_defined", "interval_mass"),
    ),
    "air": Source(
        "air.csv",
        "outlook",
        ("portfolio", "year", "quantity", "mean", "median", "low", "high", "unit", *_INTERVAL),
        ("year", "mean", "median", "low", "high", "interval_mass"),
    ),
    "decision": Source(
        "decision.csv",
        "decide",
        (
            "portfolio", "mean", "low", "high", "cvar", "expected_regret", "cvar_regret", "probability_best",
            "dominated_first", "dominated_second", "unit", *_INTERVAL, "tail_mass",
        ),
        (
            "mean", "low", "high", "cvar", "expected_regret", "cvar_regret", "probability_best",
            "dominated_first", "dominated_second", "interval_mass", "tail_mass",
        ),
    ),
    "learning": Source(
        "learning.csv",
        "decide",
        ("driver", "cross_fitted", "plug_in", "mc_error", "floor", "perfect", "acts", "unit"),
        ("cross_fitted", "plug_in", "mc_error", "floor", "perfect"),
    ),
    "buffers": Source(
        "buffers.csv",
        "decide",
        ("portfolio", "pathway", "removed", "own_share", "pooled_share", "saved", "unit", "tail_mass"),
        ("removed", "own_share", "pooled_share", "saved", "tail_mass"),
    ),
    "carbon_at_risk": Source(
        "carbon_at_risk.csv",
        "decide",
        ("portfolio", *_AT_RISK, "unit", "interval_kind"),
        _AT_RISK,
    ),
    "adaptation": Source(
        "adaptation.csv",
        "adapt",
        (
            "policy", "mean", "low", "high", "cvar", "gain", "gain_low", "gain_high", "cvar_gain",
            "cvar_gain_low", "cvar_gain_high", "unit", *_INTERVAL,
        ),
        (
            "mean", "low", "high", "cvar", "gain", "gain_low", "gain_high", "cvar_gain", "cvar_gain_low",
            "cvar_gain_high", "interval_mass",
        ),
    ),
    "decisions": Source(
        "decisions.csv", "adapt", ("policy", "period", "ess", "refused"), ("ess", "refused")
    ),
    "flows": Source(
        "flows.csv", "adapt", ("policy", "period", "next_period", "from", "to", "share"), ("share",)
    ),
    "triggers": Source(
        "triggers.csv",
        "adapt",
        (
            "half", "period", "from", "to", "signal", "side", "threshold", "signal_unit", "share", "value",
            "low", "high", "kept", "unit", *_INTERVAL,
        ),
        ("threshold", "share", "value", "low", "high", "interval_mass"),
    ),
    "early_warning": Source(
        "early_warning.csv",
        "adapt",
        ("portfolio", "period", "year", "base_rate", "auc", "low", "high", *_INTERVAL),
        ("year", "base_rate", "auc", "low", "high", "interval_mass"),
    ),
    "warning_calibration": Source(
        "warning_calibration.csv",
        "adapt",
        ("portfolio", "period", "predicted", "observed", "low", "high", *_INTERVAL),
        ("predicted", "observed", "low", "high", "interval_mass"),
    ),
    "lead_times": Source(
        "lead_times.csv",
        "adapt",
        ("portfolio", "false_alarms", "hit_rate", "lead_time", "lead_low", "lead_high"),
        ("false_alarms", "hit_rate", "lead_time", "lead_low", "lead_high"),
    ),
    "measures": Source(
        "measures.csv",
        "measure",
        ("portfolio", "criterion", "statistic", "value", "unit", *_INTERVAL, "tail_mass"),
        ("value", "interval_mass", "tail_mass"),
    ),
    "ranking": Source(
        "ranking.csv",
        "rank",
        ("portfolio", "quantity", "label", "value", "standard_error"),
        ("value", "standard_error"),
    ),
    "ranking_sensitivity": Source(
        "ranking_sensitivity.csv",
        "rank",
        ("variant", "portfolio", "first", "mean_rank"),
        ("first", "mean_rank"),
    ),
    "sobol": Source(
        "sobol.csv",
        "sobol",
        (
            "output", "measure", "portfolio", "driver", "index", "value", "low", "high", *_INTERVAL,
            "n", "replicates",
        ),
        ("value", "low", "high", "interval_mass", "n", "replicates"),
    ),
    "convergence": Source(
        "convergence.csv",
        "sobol",
        ("output", "measure", "portfolio", "driver", "index", "n", "value", "low", "high", *_INTERVAL),
        ("n", "value", "low", "high", "interval_mass"),
    ),
    "driver_ranks": Source(
        "driver_ranks.csv",
        "sobol",
        ("output", "measure", "portfolio", "driver", *_RANKS, "top", "index", *_INTERVAL),
        (*_RANKS, "top", "interval_mass"),
    ),
    "leading_drivers": Source(
        "leading_drivers.csv",
        "sobol",
        ("output", "driver", "value", "floor", "tried"),
        ("value", "floor", "tried"),
    ),
    "tornado": Source(
        "tornado.csv",
        "sobol",
        (
            "output", "measure", "portfolio", "driver", *_SWING, "low_label", "high_label", "n", "group",
            "unit", *_INTERVAL,
        ),
        (*_SWING, "n", "interval_mass"),
    ),
    "responses": Source(
        "responses.csv",
        "sobol",
        (
            "output", "measure", "portfolio", "driver", "kind", "at", "state", "mean", "low", "high", "unit",
            "driver_unit", *_INTERVAL,
        ),
        ("at", "mean", "low", "high", "interval_mass"),
    ),
    "state_shares": Source(
        "state_shares.csv",
        "sobol",
        (
            "output", "measure", "portfolio", "node", "value", "low", "high", "floor", "own_noise_S1",
            "own_noise_kind", *_INTERVAL,
        ),
        ("value", "low", "high", "floor", "own_noise_S1", "interval_mass"),
    ),
    "actions": Source(
        "actions.csv",
        "sobol",
        ("driver", "group", *_WORTH, "acts", "winner", "winners", "unit"),
        _WORTH,
    ),
    "optimum": Source("optimum.csv", "optimize", ("pathway", "period", "planned", "unit"), ("planned",)),
    "checks": Source("checks.csv", "budget", ("name", "passed", "text")),
}  # fmt: skip
"""Tables the report knows, by name."""
