"""Small tables in the form the rooms hand over, with numbers that can be told apart in a picture."""

from __future__ import annotations

import pandas as pd
import pytest

MODES = ("full", "throttled", "passive_redundancy", "collapse")


@pytest.fixture
def budget() -> pd.DataFrame:
    rows = []
    for k, window in enumerate(("2000-2009", "2010-2019", "2024")):
        for j, component in enumerate(("land", "fossil", "ocean")):
            mean = 1.0 + j + 0.1 * k
            rows.append((window, component, mean + 0.05, 0.4, mean, 0.2, mean - 0.3, mean + 0.35))
    table = pd.DataFrame(
        rows, columns=["window", "component", "stated", "stated_sd", "mean", "sd", "low", "high"]
    )
    return table.assign(interval_kind="equal-tailed", interval_mass=0.9, unit="GtC/yr")


@pytest.fixture
def attribution() -> pd.DataFrame:
    # Imbalance −0.4, split by variance shares .25 and .75.
    rows = [
        ("2014-2023", "fossil", -0.1, -0.5, 0.3, 0.25, 0.25, -0.4, 1.0),
        ("2014-2023", "land", -0.3, -1.0, 0.4, 0.75, 0.75, -0.4, 1.0),
        ("2024", "fossil", 0.0, -0.4, 0.4, float("nan"), 0.5, 0.0, 1.1),
        ("2024", "land", 0.0, -0.4, 0.4, float("nan"), 0.5, 0.0, 1.1),
    ]
    columns = [
        "window", "component", "adjustment_mean", "adjustment_low", "adjustment_high",
        "adjustment_share", "variance_share", "reported_imbalance", "imbalance_sd",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns).assign(
        interval_kind="equal-tailed", interval_mass=0.9, unit="GtC/yr"
    )


@pytest.fixture
def marginals() -> pd.DataFrame:
    rows = [("climate_ambition__near_term", "climate_ambition", "", "", "near_term", "low", 1.0)]
    held = {"nature": ("north_america", "arid_zones"), "ocean": ("open_ocean",)}
    for c, regions in held.items():
        for r, region in enumerate(regions):
            for p, period in enumerate(("near_term", "long_term")):
                first = 0.1 + 0.2 * r + 0.1 * p
                values = (first, 0.3, 0.2, 0.5 - first)
                node = f"deployment_mode__{c}__{region}__{period}"
                rows += [
                    (node, "deployment_mode", c, region, period, m, v)
                    for m, v in zip(MODES, values, strict=True)
                ]
    return pd.DataFrame(rows, columns=["node", "base", "class", "region", "period", "state", "probability"])


@pytest.fixture
def portfolios() -> pd.DataFrame:
    rows = [
        ("mixed", "Mixed", "forests", "near_term", 0.6),
        ("mixed", "Mixed", "daccs", "near_term", 0.4),
        ("mixed", "Mixed", "daccs", "long_term", 5.0),
        ("trees", "Trees", "forests", "near_term", 1.0),
        ("trees", "Trees", "forests", "long_term", 5.0),
    ]
    columns = ["portfolio", "name", "pathway", "period", "planned"]
    return pd.DataFrame(rows, columns=columns).assign(unit="GtCO2/yr", description="")


@pytest.fixture
def measures() -> pd.DataFrame:
    rows = []
    values = {
        ("mixed", "net_removal_2100"): (120.0, 80.0, 160.0, 70.0),
        ("trees", "net_removal_2100"): (60.0, 20.0, 90.0, 10.0),
        ("mixed", "shortfall"): (30.0, 0.0, 60.0, 75.0),
        ("trees", "shortfall"): (90.0, 50.0, 130.0, 140.0),
    }
    for (portfolio, criterion), (mean, low, high, cvar) in values.items():
        for statistic, value in (("mean", mean), ("low", low), ("high", high), ("cvar", cvar)):
            banded = statistic in ("low", "high")
            rows.append(
                (
                    portfolio, criterion, statistic, value, "GtCO2",
                    "equal-tailed" if banded else None, 0.9 if banded else None,
                    0.05 if statistic == "cvar" else None,
                )
            )  # fmt: skip
    for portfolio, met in (("mixed", 0.37), ("trees", 0.0)):
        rows.append((portfolio, "shortfall", "probability_met", met, "1", None, None, None))
    columns = [
        "portfolio", "criterion", "statistic", "value", "unit", "interval_kind", "interval_mass",
        "tail_mass",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


@pytest.fixture
def ranking() -> pd.DataFrame:
    rows = [
        ("trees", "rank_acceptability", "1", 0.3),
        ("trees", "rank_acceptability", "2", 0.7),
        ("mixed", "rank_acceptability", "1", 0.7),
        ("mixed", "rank_acceptability", "2", 0.3),
        ("trees", "central_weight", "total_cost", 0.8),
        ("trees", "central_weight", "ecological_risk", 0.2),
        ("mixed", "central_weight", "total_cost", float("nan")),
        ("mixed", "central_weight", "ecological_risk", float("nan")),
        ("trees", "confidence", "", 0.6),
        ("mixed", "confidence", "", 0.9),
        ("trees", "pairwise", "mixed", 0.3),
        ("mixed", "pairwise", "trees", 0.7),
    ]
    return pd.DataFrame(rows, columns=["portfolio", "quantity", "label", "value"])


@pytest.fixture
def sobol() -> pd.DataFrame:
    rows = []
    for portfolio, shift in (("mixed", 0.0), ("trees", 0.1)):
        for driver, s1, st in (("cost", 0.1, 0.2), ("network", 0.5 + shift, 0.7 + shift)):
            for index, value in (("S1", s1), ("ST", st)):
                rows.append(
                    (
                        f"total_cost:{portfolio}", "total_cost", portfolio, driver, index, value,
                        value - 0.04, value + 0.06,
                    )
                )  # fmt: skip
    columns = ["output", "measure", "portfolio", "driver", "index", "value", "low", "high"]
    return pd.DataFrame(rows, columns=columns).assign(
        interval_kind="equal-tailed", interval_mass=0.95, n=256, replicates=8
    )


@pytest.fixture
def optimum() -> pd.DataFrame:
    rows = [
        ("forests", "near_term", 0.3),
        ("forests", "long_term", 1.2),
        ("daccs", "near_term", 0.0),
        ("daccs", "long_term", 2.5),
        ("oif", "near_term", 0.0),
        ("oif", "long_term", 1e-9),
    ]
    return pd.DataFrame(rows, columns=["pathway", "period", "planned"]).assign(unit="GtCO2/yr")
