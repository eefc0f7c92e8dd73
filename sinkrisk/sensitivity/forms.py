"""What the room's functions are given: what each argument must hold, by its name"""

from __future__ import annotations

from sinkrisk.arguments import Checker, Holding

SOBOL = "indices come from sensitivity.sobol"
VALUES = "values come from portfolio.net_benefit"

INDEX_NAMES = tuple(name + end for name in ("S1", "ST") for end in ("", "_low", "_high"))

ESTIMATED = Holding(variables=(*INDEX_NAMES, "driver", "status"), origin=SOBOL)

RANKED = Holding(
    columns=("rank_low", "rank_high", "among_top", "top", "interval_mass"),
    origin="ranks come from sensitivity.driver_ranks",
)
SWUNG = Holding(
    columns=("at_low", "at_high", "low_label", "high_label"),
    origin="a tornado comes from sensitivity.tornado_table",
)
WORTH = Holding(
    columns=("acts", "cross_fitted", "plug_in", "mc_error", "unit", "winner", "winners"),
    origin="actions come from sensitivity.action_table",
)


def rows_of(holding: Holding, *labels: str) -> Holding:
    """Return what a whole table must hold of which a function reads rows by `labels`."""
    return Holding(columns=(*labels, *holding.columns), origin=holding.origin)


checked = Checker(
    {
        "drivers": Holding(origin="write {'price': array, ...}; of a DataFrame, dict(frame)"),
        "values": Holding(dims=("sample", "portfolio"), origin=VALUES),
        "measures": Holding(
            dims=("sample", "portfolio", "criterion"), origin="measures come from sinkrisk.measure"
        ),
        "states": Holding(dims=("sample", "node"), origin="states come from sinkrisk.inputs.network_states"),
        "indices": ESTIMATED,
        "dataset": ESTIMATED,
        "result": Holding(variables=("driver",), origin="a series comes from sensitivity.sobol_until"),
        "ranks": rows_of(RANKED, "output", "driver"),
        "tornado": rows_of(SWUNG, "output", "driver"),
        "actions": rows_of(WORTH, "driver"),
    }
)
