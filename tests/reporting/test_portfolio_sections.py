"""The sections on places, costs, planned tonnes, the air, the decision and credits, against their tables."""

from __future__ import annotations

import html
import re

import pandas as pd
import pytest

from sinkrisk import reporting
from sinkrisk.provenance import Manifest

from .test_report import Page, page_of


@pytest.fixture(scope="module")
def page(finished) -> Page:
    return page_of(finished)


def section_of(page: Page, title: str) -> str:
    """Return the text from a section's heading to the next section's."""
    numbered = [h for h in page.headings if h[:1].isdigit()]
    at = next(k for k, h in enumerate(numbered) if title in h)
    start = page.text.index(numbered[at])
    return page.text[start : page.text.index(numbered[at + 1], start)]


def test_what_places_allow(page):
    text = section_of(page, "What places allow")
    assert "Of 2 pairs of pathway and region that are possible at all, 1 are suited" in text
    assert "Forests 95 % (water) –" in text
    # Growth is the least in all cases but .4 of those of direct air capture, the last of two pathways.
    assert "in the long term growth in 80 % of cases" in text
    assert "clean energy for DACCS (40 %)" in text
    assert "8.00 GtCO₂/yr in the long term in <1 % of draws" in text
    assert "Near term 1.00 0 % 16.0 (8.0 to 32.0)" in text
    assert "Mid term forests North America 90 % 50 % (10 % to 90 %)" in text


def test_what_tonnes_cost(page):
    text = section_of(page, "What tonnes cost")
    assert (
        "In the long term the world could remove 2.00 (1.00 to 4.00) GtCO₂/yr for at most 100 USD/tCO₂"
        in text
    )
    assert "North America Long term 0.5 (0.2 to 1.0) 1.0 (0.5 to 2.0) 4.0 (2.0 to 8.0)" in text


def test_a_run_of_chosen_regions_does_not_speak_of_the_world(run_dir):
    manifest = Manifest.read(run_dir)
    manifest.spec["inputs"] = {"regions": ["north_america"]}
    text = "2 of 9 plans exceed the potential; most often trees, wetlands, china_southwest, long_term"
    manifest.stages["simulate"].checks[0] |= {"name": "plans within potentials", "text": text}
    manifest.write(run_dir)
    reporting.report(run_dir)
    page = page_of(run_dir)
    costs = section_of(page, "What tonnes cost")
    assert "In the long term all regions together could remove 2.00" in costs
    assert "All regions together Long term" in costs
    assert "world" not in costs.lower()
    # Institutions are averaged over the regions of the run alone, here one: no range between regions.
    assert "Ocean Long term 9 % (9 % to 9 %)" in section_of(page, "What institutions allow")
    assert "wetlands, China, southwest, long term" in section_of(page, "Portfolios: what they plan")


def test_no_optimum_is_spoken_of_where_none_was_ranked(run_dir, record_again):
    path = run_dir / "ranking_sensitivity.csv"
    table = pd.read_csv(path)
    kept = (table["variant"] != "without optimum") & (table["portfolio"] != "optimum")
    table[kept].to_csv(path, index=False)
    record_again(run_dir, path.name)
    reporting.report(run_dir)
    text = section_of(page_of(run_dir), "The ranking")
    assert "Leaving out one criterion changes who is first most often in 1 of 2 cases" in text
    assert "all criteria of the spec, and with each left out. A dash" in text


def test_what_becomes_of_a_planned_tonne(page):
    text = section_of(page, "What becomes of a planned tonne")
    assert (
        "Of what “Mixed & broad” plans 10 % become net removal on average, the most of all portfolios "
        "(least: “Trees only”, 4 %); the most is lost as 60 % beyond capacity and as 20 % withheld by "
        "institutions."
    ) in text
    assert "Net removal 50.0 (40.0 to 70.0) 25.0 (15.0 to 45.0)" in text
    assert "Beyond capacity −300.0 −150.0" in text
    # What is nought for all has no row.
    assert "Fossil carbon in products" not in text
    assert "land binds most often: in 18 % of draws for “Mixed & broad” in the long term" in text
    assert "Nowhere do shared resources" not in text
    # Binding in four of a thousand draws is not listed.
    assert "Trees only Long term water" not in text


def test_the_air(page):
    text = section_of(page, "The air")
    assert (
        "Under the emission scenario 'decline' the air holds 440 (420 to 460) ppm of CO₂ at the end of 2100 "
        "without any portfolio and, lowest, 434 (414 to 454) ppm with “Mixed & broad”"
    ) in text
    # 1.8 GtC of every 11 GtCO2: 6.6 of 11.
    assert "The air keeps 60 % of what is removed or avoided" in text
    row = "434 (414 to 454) 424 (404 to 444) −6.0 66 (33 to 132) 40 (20 to 79) 60 %"
    assert f"Mixed & broad 444 (424 to 464) {row}" in text
    assert "Without any 450 (430 to 470) 440 (420 to 460) 430 (410 to 450) – – – –" in text


def test_the_decision(page):
    text = section_of(page, "The decision")
    assert "“Optimum of the programme” is best on average, −800 billion USD" in text
    assert "“Mixed & broad” is best in the worst 5 % of draws, −2 400 on average there" in text
    assert "least regretted is “Mixed & broad”, 60.0 billion USD behind the best of each draw" in text
    assert "Nobody who prefers more and dislikes risk would take “Trees only”" in text
    assert "A durable tonne is worth 200 USD here and a missing one costs 600 USD" in text
    assert "Trees only −4 000 (−6 000 to −1 000) −7 000 3 200 5 000 0 % 2 / 2" in text
    assert (
        "Of 2 inputs 1 stand out from a shuffled one: readiness levels (TRL) "
        "(31.8 to 43.2, the estimates cross)"
    ) in text
    assert "would be worth 60.0 billion USD (EVPI)" in text


def test_many_dominated_portfolios_are_told_by_those_that_are_not():
    from sinkrisk.reporting.deciding import _dominated

    table = pd.DataFrame({"portfolio": list("abcdef"), "dominated_second": [0, 2, 1, 1, 3, 1]})
    assert "would take any but “a”: another" in _dominated(table)
    assert "would take “b”, “c”: another" in _dominated(table.iloc[:3])
    assert "No portfolio is dominated" in _dominated(table.iloc[:1])


def test_credits(page):
    text = section_of(page, "Credits")
    assert "DACCS keeps most, 0.80 (0.70 to 0.90), forests least, 0.20 (0.10 to 0.30)" in text
    assert "one credit of DACCS is worth 4.0 (2.0 to 9.0) credits of forests" in text
    assert "over the 98 % of draws in which it is defined): to exchange them one for one" in text
    assert "between 15 % (“Mixed & broad”) and 90 % (“Trees only”) of its credits" in text
    assert "Pooling saves up to 25 % of the buffers" in text
    assert "“Trees only” would have to add 10.0 (9.00 to 11.5) GtCO₂ of the same mix" in text
    assert "if regions' shocks struck apart, 8.50 (8.00 to 9.00); no portfolio more" in text
    assert "were removal certain, 6.00 GtCO₂ beyond what is promised would do, 5.50 if" in text
    assert "Mixed & broad 40.0 38.0 33.0 6.0 (5.0 to 7.0) – 3.0 – 1.0" in text


def test_deciding_again(page):
    text = section_of(page, "Deciding again")
    assert (
        "adds to the best fixed plan: 30.0 (10.0 to 55.0) billion USD (in brackets the 90 % percentile "
        "bootstrap interval, out of sample), of 200 that perfect information would add"
    ) in text
    assert (
        "Rolling: best for all that is left −870 (−920 to −810) −2 300 30 (10 to 55) 100 (−20 to 240)" in text
    )
    assert (
        "By 2035 monitoring tells draws of “Mixed & broad” that will miss the target from the others with an "
        "area under the curve of 0.60 (0.55 to 0.65)"
    ) in text
    assert "by 2050 with 0.80 for “Mixed & broad”" in text
    assert "Mixed & broad 10 % 62 % 41 (30 to 65)" in text
    assert "Trees only – – –" in text


def test_a_gain_that_was_mostly_refused_is_no_estimate(run_dir, record_again):
    table = pd.read_csv(run_dir / "decisions.csv")
    # The first decision is never refused and does not count.
    table["refused"] = [0.0, 0.9, 0.0]
    table.to_csv(run_dir / "decisions.csv", index=False)
    record_again(run_dir, "decisions.csv")
    reporting.report(run_dir)
    text = section_of(page_of(run_dir), "Deciding again")
    assert "is not estimable from these draws: 90 % of the later decisions rest on too few effective" in text
    assert "Perfect information would add 200 billion USD." in text
    assert "to the best fixed plan: 30.0" not in text


def test_a_certain_outcome_needs_no_warning(run_dir, record_again):
    table = pd.read_csv(run_dir / "early_warning.csv")
    for column in ("auc", "low", "high"):
        table[column] = float("nan")
    table.to_csv(run_dir / "early_warning.csv", index=False)
    record_again(run_dir, "early_warning.csv")
    reporting.report(run_dir)
    text = page_of(run_dir).text
    assert "all but certain for “Mixed & broad” (40 %), “Trees only” (99 %)" in text
    assert "Early warning of a missed target" not in text


def test_answers_tell_of_them_too(page):
    start, end = page.text.index("The answers in short"), page.text.index("Contents")
    answers = page.text[start:end]
    for said in ("10 % become net removal", "The air keeps 60 %", "least regretted is “Mixed & broad”"):
        assert said in answers


@pytest.mark.parametrize(
    ("stage", "section", "titles"),
    [
        ("survey", "survey", ["What tonnes cost"]),
        ("outlook", "outlook", ["The air"]),
        ("decide", "decision", ["The decision"]),
        ("adapt", "adapt", ["Deciding again"]),
    ],
)
def test_skipped_stages_leave_a_line_and_no_figure(write, tmp_path, stage, section, titles):
    directory = write(tmp_path / "run", skipped={stage: f"the spec has no '{section}' section"})
    reporting.report(directory)
    page = page_of(directory)
    for title in titles:
        text = section_of(page, title)
        assert f"The stage '{stage}' was skipped: the spec has no '{section}' section." in text
        assert len(text) < 200
    # What another stage wrote is told all the same.
    assert "Carbon-at-Risk: to store" in page.text or stage == "decide"
    assert "What limits capacity" in page.text


def test_a_run_before_these_stages_makes_a_page(write, tmp_path):
    directory = write(tmp_path / "run", leave_out=("survey", "outlook", "decide", "adapt"))
    manifest = Manifest.read(directory)
    manifest.spec |= {"survey": None, "outlook": None, "decision": None, "adapt": None}
    for file in ("tracing.csv", "binding.csv", "limiting.csv"):
        del manifest.stages["simulate"].outputs[file]
    manifest.write(directory)
    reporting.report(directory)
    page = page_of(directory)
    assert "Unfinished" not in page.text
    for title in ("What places allow", "What becomes of a planned tonne", "The air", "Credits"):
        assert "nothing to report here" in section_of(page, title)
    assert "Removal does not feed back on the natural sinks here" in page.text
    assert not (directory / "figures" / "tracing.svg").exists()


def test_no_resource_that_binds_and_no_input_that_stands_out_are_said(run_dir, record_again):
    for file, column, value in (("binding.csv", "probability_binds", 0.0), ("learning.csv", "acts", False)):
        table = pd.read_csv(run_dir / file)
        table[column] = value
        table.to_csv(run_dir / file, index=False)
        record_again(run_dir, file)
    reporting.report(run_dir)
    text = page_of(run_dir).text
    assert "No shared resource is oversubscribed in 1 % of draws or more" in text
    assert "none stands out from a shuffled one" in text


def test_criteria_are_told_by_group(write, record_again, tmp_path):
    directory = write(tmp_path / "run")
    table = pd.read_csv(directory / "measures.csv", keep_default_na=False)
    one = table[table["criterion"] == "storage_permanence"]
    added = {"co2_2100": "ppm", "acceptance": "1", "water_demand": "km3/yr"}
    parts = [one.assign(criterion=name, unit=unit) for name, unit in added.items()]
    pd.concat([table, *parts]).to_csv(directory / "measures.csv", index=False)
    record_again(directory, "measures.csv")
    reporting.report(directory)
    page = page_of(directory)
    headings = [h.split(":")[0] for h in page.text.split("From measures.csv.")]
    assert "The axes of the comparison: mean" in page.text
    assert "Portfolio Storage permanence, share Mixed & broad" in page.text
    assert "CO₂ in 2100, ppm" in page.text
    assert "Water demand, km3/yr" in page.text
    assert "Acceptance, share" in page.text
    assert len(headings) > 4


def test_long_row_headers_may_wrap_and_short_words_need_no_wide_column(finished):
    markup = (finished / "report.html").read_text(encoding="utf-8")
    headers = re.findall(r'<th scope="row"( class="long")?>([^<]*)<', markup)
    assert headers
    assert all(bool(wraps) == (len(html.unescape(text)) > 32) for wraps, text in headers)
    assert not [
        t for t in re.findall(r'<td class="text">([^<]*)</td>', markup) if len(html.unescape(t)) <= 12
    ]
