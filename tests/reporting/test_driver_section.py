"""The section on drivers: made from the drivers' tables, and from what an older run has of them."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from sinkrisk import files, reporting, sensitivity

from .test_portfolio_sections import section_of
from .test_report import page_of

DRIVERS = {name: stats.uniform(0, 1) for name in ("cost__daccs", "growth_rate__forests", "idle")}
GROUPS = {"cost__daccs": "cost", "growth_rate__forests": "growth", "idle": "maturity"}
TITLE = "Which doubt matters"


def chain(x):
    """Net removal of “mixed” is 3 b, of “trees” constant; mixed is worth 10 (a - 1/2), trees nothing."""
    gain = 10.0 * (x[:, 0] - 0.5)
    still = np.full(len(x), 2.0)
    measures = xr.DataArray(
        np.stack([3.0 * x[:, 1] + x[:, 0], still], axis=1)[:, :, None],
        dims=("sample", "portfolio", "criterion"),
        coords={"portfolio": ["mixed", "trees"], "criterion": ["net_removal_2100"]},
    )
    values = xr.DataArray(
        np.stack([gain, 0.0 * gain], axis=1),
        dims=("sample", "portfolio"),
        coords={"portfolio": ["mixed", "trees"]},
        attrs={"units": "billion USD"},
    )
    return sensitivity.stack_outputs(measures, values), values


@pytest.fixture(scope="module")
def tables():
    found = sensitivity.sobol_until(
        lambda x: chain(x)[0], DRIVERS, first=64, most=256, top=1, width=0.0, second_order=True,
        groups=GROUPS, rng=3,
    )  # fmt: skip
    x = np.random.default_rng(5).random((1024, 3))
    outputs, values = chain(x)
    drivers = dict(zip(DRIVERS, x.T, strict=True))
    units = {"margin": "billion USD", "net_removal_2100:mixed": "GtCO2", "net_removal_2100:trees": "GtCO2"}
    kept = [o for o in outputs["output"].values if o != "net_removal_2100:trees"]
    single = [
        sensitivity.tornado_table(outputs.sel(output=kept), drivers),
        sensitivity.response_curves(outputs.sel(output=kept), drivers),
    ]
    tornado, responses = (
        t.assign(
            group=t["driver"].map(GROUPS), unit=t["output"].map(units).fillna("1"), driver_unit="quantile"
        )
        for t in single
    )
    states = {"policy_support__open_ocean__long_term": (x[:, 1] > 0.5).astype(int)}
    shares = sensitivity.state_shares(outputs.sel(output=kept), states)
    actions = sensitivity.action_table(values, drivers, indices=found, output="margin", labels=GROUPS)
    return {
        "sobol.csv": sensitivity.sobol_table(found),
        "convergence.csv": sensitivity.convergence_table(found),
        "driver_ranks.csv": sensitivity.driver_ranks(found, top=1),
        "leading_drivers.csv": sensitivity.screen_drivers(outputs, drivers),
        "tornado.csv": tornado,
        "responses.csv": responses,
        "state_shares.csv": shares.assign(own_noise_S1=0.01, own_noise_kind="rank estimate of S1"),
        "actions.csv": actions.assign(group=actions["driver"].map(GROUPS)),
    }


def written(directory, tables, notes=()):
    path = directory / "manifest.json"
    raw = json.loads(path.read_text())
    record = raw["stages"]["sobol"]
    for name, table in tables.items():
        table.to_csv(directory / name, index=False)
        record["outputs"][name] = files.sha256_of(directory / name)
    record["notes"] = [*record["notes"], *notes]
    path.write_text(json.dumps(raw))
    return directory


@pytest.fixture
def page(run_dir, tables):
    note = "Stopping rule: not settled at N = 256, the most allowed: the widest interval is 0.2."
    reporting.report(written(run_dir, tables, [note]))
    return page_of(run_dir)


def test_what_the_choice_turns_on_is_told_with_its_interval(page):
    text = section_of(page, TITLE)
    assert "Being the best portfolio: groups whose total-order index is the largest" in text
    assert "Two kinds of output speak of the choice itself" in text
    assert "95 % equal-tailed replicate t interval" in text
    # The head names the lead, and leaves who is first to the section.
    head = page.text[page.text.index("The answers in short") : page.text.index("Contents")]
    assert "margin between the two best portfolios: cost 100 %" in head
    assert "being the best portfolio" not in head


def test_constant_outputs_are_said_to_be_undefined(page):
    assert (
        "Undefined are the indices of outputs that are constant, or constant in one of the designs: net "
        "removal until 2100 of “Trees only”."
    ) in section_of(page, TITLE)


def test_the_series_over_n_and_its_rule_are_told(page, tables):
    series = tables["convergence.csv"]
    widest = (series["high"] - series["low"]).groupby(series["n"]).max()
    text = section_of(page, TITLE)
    told = ", ".join(f"{w:.2f} at N = {n}" for n, w in widest.items())
    assert f"the widest interval of any index of any output is {told}." in text
    assert "The rule to stop: not settled at N = 256, the most allowed" in text


def test_sentences_to_quote_hold_the_numbers_of_the_tables(page):
    text = section_of(page, TITLE)
    # Var(3 b) / Var(3 b + a) = 9/10, exactly.
    assert "Group growth: alone it explains 90 %" in text
    assert "of the variance of net removal until 2100 of “Mixed & broad”" in text
    # The means of the lowest and highest tenth of b are .05 and .95; 3 b + 1/2 goes from .65 to 3.35.
    swing = re.search(
        r"Growth rate, forests \(growth\), net removal until 2100 of “Mixed & broad”: the mean goes from "
        r"([\d.]+) \(lowest 10 %; [\d.]+ to [\d.]+\) to ([\d.]+) GtCO₂ \(highest 10 %; [\d.]+ to [\d.]+\), "
        r"in brackets 95 % equal-tailed Student t intervals\.",
        text,
    )
    assert float(swing[1]) == pytest.approx(0.65, abs=0.1)
    assert float(swing[2]) == pytest.approx(3.35, abs=0.1)
    assert "with its interactions (95 % equal-tailed replicate t intervals)." in text
    # Of what does nothing there is nothing to quote.
    assert "Group maturity: alone" not in text
    # Who knows a chooses mixed above 1/2: in the lowest third trees, in the highest mixed.
    assert "lowest third: “Trees only”" in text
    assert "highest third: “Mixed & broad”" in text


def test_what_to_learn_first_is_a_table_with_an_honest_bracket(page, tables):
    text = section_of(page, TITLE)
    row = tables["actions.csv"].iloc[0]
    assert row["driver"] == "cost__daccs"
    reach = stats.norm.ppf(0.95) * row["mc_error"]
    assert f"{row['cross_fitted'] - reach:.2f} to {row['plug_in'] + reach:.2f}" in text
    # EVPPI of a: E[max(10 (a - 1/2), 0)] - max(0, 0) = 10/8.
    assert row["plug_in"] == pytest.approx(1.25, abs=0.1)
    assert "knowing everything would be worth" in text
    # What does not act changes no choice, whichever portfolio is ahead in a third of its draws.
    acting = tables["actions.csv"].query("acts")
    assert acting["driver"].tolist() == ["cost__daccs"]
    # Once in the sentence to quote and once in the table.
    assert text.count("lowest third:") == 2


def test_every_table_of_the_stage_is_named(run_dir, tables):
    reporting.report(written(run_dir, tables))
    # Those that are drawn alone are named to who cannot see the figure.
    source = (run_dir / "report.html").read_text()
    for name in set(tables) - {"leading_drivers.csv"}:
        assert name in source.split("From sobol.csv")[-1] or f"are in {name}" in source, name


def test_pictures_of_the_stage(run_dir, tables, real_figures):
    reporting.report(written(run_dir, tables))
    drawn = {p.stem for p in (run_dir / "figures").glob("*.svg")}
    for kind in ("ranks", "convergence", "interactions", "tornado", "responses"):
        assert {f"{kind}_net_removal_2100_mixed_broad", f"{kind}_margin"} <= drawn, kind


def test_tables_without_rows_are_told_by_nothing(run_dir, tables):
    empty = {n: t.iloc[:0] for n, t in tables.items() if n not in ("sobol.csv", "convergence.csv")}
    reporting.report(written(run_dir, {**tables, **empty}))
    text = section_of(page_of(run_dir), TITLE)
    assert "From actions.csv" not in text
    assert "Group growth: alone it explains 90 %" in text


def test_a_run_of_an_older_version_still_makes_a_page(run_dir):
    reporting.report(run_dir)
    text = section_of(page_of(run_dir), TITLE)
    assert "As N doubles" not in text
    assert "From sobol.csv" in text
