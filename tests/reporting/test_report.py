"""The page: what it says against the tables it was made from, and that it needs nothing else."""

from __future__ import annotations

import base64
import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from sinkrisk import files, reporting
from sinkrisk.provenance import Manifest
from sinkrisk.reporting.collecting import ASKED_BY, STAGES, collect
from sinkrisk.reporting.doubts import leading_groups


class Page(HTMLParser):
    """Text of the page, its figures, tables and headings, and whether every element was closed."""

    VOID = frozenset({"meta", "link", "img", "br"})

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.headings: list[str] = []
        self.feed(source)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.attributes.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)
            if self.open[-1] in {"h1", "h2"}:
                self.headings.append(data.strip())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.attributes if name == tag]


def page_of(directory: Path) -> Page:
    page = Page((directory / "report.html").read_text(encoding="utf-8"))
    assert page.open == []
    return page


@pytest.fixture(scope="module")
def page(finished: Path) -> Page:
    return page_of(finished)


def test_sections_come_in_order_and_all_are_there(page):
    assert page.headings[0] == "A run <of> the tests & nothing else"
    numbered = [h for h in page.headings if h[:1].isdigit()]
    assert [h.split(" ")[0] for h in numbered] == [str(k) for k in range(1, 17)]
    assert page.headings[-1] == "Glossary"


def test_nothing_is_fetched_from_anywhere(finished, page):
    source = (finished / "report.html").read_text()
    assert page.all("script") == []
    assert all(a["src"].startswith("data:image/svg+xml;base64,") for a in page.all("img"))
    assert {a["href"] for a in page.all("link")} == {"data:,"}
    assert all(a["href"].startswith("#") for a in page.all("a"))
    assert "url(" not in source
    assert "@import" not in source


def test_every_figure_has_words_for_those_who_cannot_see_it(page):
    figures = page.all("img")
    assert len(figures) == 31
    assert all(len(a["alt"]) > 40 for a in figures)
    assert all(int(a["width"]) > 500 and int(a["height"]) > 100 for a in figures)


def test_tables_have_captions_and_scopes(page):
    assert len(page.all("caption")) == len(page.all("table"))
    assert {a.get("scope") for a in page.all("th")} == {"col", "row"}


def test_identifiers_are_unique(page):
    found = [a["id"] for _, a in page.attributes if "id" in a]
    assert len(found) == len(set(found))
    labels = [a["aria-labelledby"] for _, a in page.attributes if "aria-labelledby" in a]
    assert set(labels) <= set(found)


FRAME = re.compile(rb'width="[\d.]+pt" height="([\d.]+)pt" viewBox="0 0 [\d.]+ ([\d.]+)"')


def test_inlined_figures_are_the_files_beside_it_without_their_captions(finished, page):
    inlined = [base64.b64decode(a["src"].split(",", 1)[1]) for a in page.all("img")]
    held = {
        FRAME.sub(b"", p.read_bytes()): FRAME.search(p.read_bytes())
        for p in (finished / "figures").glob("*.svg")
    }
    assert {FRAME.sub(b"", svg) for svg in inlined} == set(held)
    for svg, shown in zip(inlined, page.all("img"), strict=True):
        whole, cut = held[FRAME.sub(b"", svg)], FRAME.search(svg)
        assert cut[1] == cut[2]
        # A caption of one line to four takes 15 to 70 points.
        assert 12 < float(whole[1]) - float(cut[1]) < 80
        assert abs(int(shown["height"]) - float(cut[1]) * 96 / 72) <= 1


def test_what_the_marks_mean_is_text_of_the_page(page):
    assert "Hollow, left: stated value ± 1.64 stated standard deviations" in page.text
    assert "Diamond: conditional value at risk, the mean of the worst 5 % of draws." in page.text
    assert "no node or no possible pathway are left out." in page.text


def test_the_budget_is_the_closed_oracle(page):
    # models.md 1.3: posterior mean / sd of 2014-2023; interval mean ± 1.6449 sd.
    assert (
        "the ocean sink is 2.85 GtC/yr (90 % equal-tailed interval 2.23 to 3.48; stated 2.90 ± 0.40)"
        in page.text
    )
    assert "the land sink is 2.97 GtC/yr (90 % equal-tailed interval 1.88 to 4.05" in page.text
    assert "9.70 ± 0.50" in page.text
    assert "9.77 (9.01 to 10.53)" in page.text


def test_the_attribution_says_that_it_is_stated_variance_only(page):
    assert "In the closed model this attribution is stated variance and nothing more." in page.text
    assert "46 % / 46 %" in page.text
    # 2023 closes: its shares of nothing are a dash, not a number.
    assert "– / 56 %" in page.text
    assert "from 3.20 to 2.97 GtC/yr" in page.text


def test_no_imbalance_is_told_from_a_table_without_a_row(run_dir, record_again):
    path = run_dir / "attribution.csv"
    pd.read_csv(path).iloc[:0].to_csv(path, index=False)
    record_again(run_dir, path.name)
    path = run_dir / "air.csv"
    pd.read_csv(path).iloc[:0].to_csv(path, index=False)
    record_again(run_dir, path.name)
    reporting.report(run_dir)
    text = page_of(run_dir).text
    assert "No window has a statement of every component, so there is no imbalance to explain." in text
    assert "air.csv holds no row, so there is nothing to report here." in text
    assert "recorded no" not in text


def test_the_warning_is_the_closed_models_alone(run_dir):
    manifest = Manifest.read(run_dir)
    manifest.spec["budget"]["model"] = "hierarchical"
    manifest.write(run_dir)
    reporting.report(run_dir)
    assert "stated variance and nothing more" not in page_of(run_dir).text


def test_the_answers_carry_numbers_and_intervals(page):
    start, end = page.text.index("The answers in short"), page.text.index("Contents")
    answers = page.text[start:end]
    assert "“Mixed & broad” ranks first most often, with probability 50 % (± 2.2 percentage points" in answers
    assert "“Optimum of the programme” has the best chance to meet the target" in answers
    assert "(150 GtCO₂ of durable removal by 2100), 55 %" in answers
    assert "in the worst 5 % of draws it falls short by 66.0 GtCO₂ on average" in answers
    assert "170 GtCO₂ (90 % equal-tailed interval 90 to 260)" in answers
    assert "probability between 1 % (ocean, near term) and" not in answers
    # Ocean, near term: the mean over its two regions of .05 and .01. Nature, long term: .34 in North
    # America; the open ocean, where nothing of the class is possible, does not count.
    assert "probability between 3 % (ocean, near term) and 34 % (nature, long term)" in answers


def test_the_first_is_not_crowned_without_saying_whether_it_delivers(page):
    said = (
        "It meets the target (150 GtCO₂ of durable removal by 2100) with probability 42 % (likeliest: "
        "“Optimum of the programme”, 55 %); its mean net removal until 2100 is 160 GtCO₂; its mean rank "
        "is 1.7 of 3, the best."
    )
    assert page.text.count(said) == 2


def test_ties_between_doubts_are_not_hidden(page):
    start, end = page.text.index("The answers in short"), page.text.index("Contents")
    answers = page.text[start:end]
    # deployment .40 and .64 (± .03) beside budget .65 (± .03): it never leads but cannot be told apart.
    told = "for net removal until 2100: budget 65 % (65 to 65; 2 of 2), deployment 52 % (40 to 64; 0 of 2)"
    assert told in answers
    assert "for total discounted cost: budget 65 % (65 to 65; 2 of 2)." in answers
    said = (
        "all groups whose 95 % interval (from 8 independent repetitions of the analysis) overlaps the largest"
    )
    assert said in answers
    # The exact kind of the interval stays where the analysis is explained.
    assert "equal-tailed intervals over these replicates" in page.text[end:]
    assert "what policy and markets do through the deployment modes is credited to policy" in answers
    assert (
        "deployment (largest in 0 of 2 portfolios, its interval overlaps the largest's in 1; mean ST 0.52, "
        "0.40 to 0.64)"
    ) in page.text


def test_leading_groups_by_hand():
    rows = [
        ("m", "p", "a", 0.50, 0.45, 0.55), ("m", "p", "b", 0.44, 0.40, 0.48), ("m", "p", "c", 0.1, 0.0, 0.2),
        ("m", "q", "a", 0.10, 0.05, 0.15), ("m", "q", "b", 0.60, 0.58, 0.62), ("m", "q", "c", 0.3, 0.2, 0.4),
        ("m", "r", "a", 0.30, 0.25, 0.35), ("m", "r", "b", 0.20, 0.18, 0.22), ("m", "r", "c", 0.1, 0.0, 0.2),
        ("still", "p", "a", float("nan"), float("nan"), float("nan")),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["measure", "portfolio", "driver", "value", "low", "high"])
    table = table.assign(index="ST")
    first, second = leading_groups(table, "m")
    assert (first.driver, first.leads, first.overlaps, first.portfolios) == ("a", 2, 2, 3)
    assert (first.mean, first.lowest, first.highest) == (pytest.approx(0.3), 0.1, 0.5)
    # b leads one portfolio and overlaps the leader of another; c never comes near.
    assert (second.driver, second.leads, second.overlaps) == ("b", 1, 2)
    assert leading_groups(table, "still") == []


def test_the_printed_imbalance_stands_beside_the_recomputed_one(page):
    assert "−0.50 GtC/yr (recomputed from the rounded means of the tables; −0.40 printed)" in page.text
    assert "2014–2023 −0.50 ± 1.32 −0.40 +0.10" in page.text
    # 1990-1999 prints none here.
    assert "1990–1999 +0.30 ± 1.07 – –" in page.text


def test_what_other_pathways_deliver_is_said(page):
    assert "12 % of what “Trees only” delivers was moved there" in page.text
    assert "of what “Mixed & broad” delivers" not in page.text
    assert "Share moved to other pathways" in page.text


def test_a_ratio_ruled_by_few_draws_is_told_by_its_median(page):
    # The mean stands after it, never before its interval.
    assert "170 (40 to 300); 900 000 " in page.text
    assert page.text.count(" 900 000 ") == 1
    assert "Cost per durable tonne: median and after it the mean," in page.text
    assert "of draws with durable removal above nought alone" in page.text


def test_the_sensitivity_of_the_ranking_is_a_table_and_a_sentence(page):
    assert (
        "Leaving out one criterion, or the optimum, changes who is first most often in 1 of 3 cases: without "
        "net removal until 2100 “Trees only” (70 %)."
    ) in page.text
    assert "Trees only 10 % / 2.6 70 % / 1.3 0 % / 3.0 10 % / 1.9" in page.text
    assert "Optimum of the programme 40 % / 1.7 10 % / 2.5 40 % / 1.5 –" in page.text


def test_the_closed_model_says_what_its_checks_are_worth(page, run_dir):
    said = (
        "test independent draws from an exact posterior, and the budget closes in every draw by construction"
    )
    assert said in page.text
    assert "each in proportion to its stated variance" in page.text
    manifest = Manifest.read(run_dir)
    manifest.spec["budget"]["model"] = "hierarchical"
    manifest.write(run_dir)
    reporting.report(run_dir)
    assert said not in page_of(run_dir).text


def test_what_durable_and_nature_leave_out_is_on_the_page(page):
    assert "still stored in 2200 take the hazard expected after it, so later chance" in page.text
    assert "scales the potential of every nature pathway one for one: an assumption" in page.text


def test_ranking_table(page):
    assert "Mixed & broad 50 % ± 2.2 100 % 20 % 1.7 80 %" in page.text
    assert "Trees only 10 % ± 2.2 100 % 70 % 2.6 80 %" in page.text


def test_a_small_probability_is_not_rounded_to_none(page):
    assert "Trees only <1 % 110 (70 to 138)" in page.text


def test_sobol_outputs_are_split_into_measure_and_portfolio(page):
    assert "Mixed & broad budget 0.50 (0.47 to 0.53) 0.65 (0.62 to 0.68)" in page.text


def test_the_optimum_shows_its_certificate(page):
    assert "Status within gap" in page.text
    gap = (
        "Optimality gap on the scenarios, relative 6.1e-03 (0 is a proven optimum; no plan is better by more)"
    )
    assert gap in page.text
    assert "Captures may be left undone no" in page.text
    assert "Linear pieces of a cost curve 4" in page.text
    assert "In the long term the plan reaches 2.00 GtCO₂/yr, led by DACCS 1.5" in page.text
    assert "Not read." not in page.text


def test_the_optimum_is_told_out_of_sample_beside_in_sample(page):
    text = page.text
    assert (
        "Out of sample, simulated on 512 fresh draws, the plan meets the target with probability 27 %" in text
    )
    assert "90 % bootstrap percentile, equal-tailed intervals" in text
    # 120797.4 / 100664.5 is 1.2.
    assert "the CVaR was 100 664: out of sample it is 20 % higher" in text
    assert "Mean shortfall, GtCO₂ 21.3 34.2 31.7 (30.6 to 32.8)" in text
    assert "Probability that the target is met 34 % 24 % 27 % (26 % to 29 %)" in text
    assert text.index("Fresh draws, simulated") < text.index("Optimality gap on the scenarios")


def test_the_reduction_and_what_the_programme_leaves_out_are_said(page):
    assert "weigh as much as 34.0 equally probable ones, about 3.4 of them in the tail" in page.text
    assert "their Wasserstein distance to all draws is 0.894 standard deviations" in page.text
    assert "effort that passive redundancy moves to other pathways" in page.text
    assert "is 7 240 and 7 440 billion USD, present value" in page.text


def test_named_portfolios_stand_beside_the_optimum(page):
    assert (
        "No named portfolio has a better simulated objective; the best of them, “Mixed & broad”" in page.text
    )
    rows = page.text[page.text.index("simulated on the same 512 fresh draws") :]
    assert (
        rows.index("Optimum of the programme 87")
        < rows.index("Mixed & broad 89")
        < rows.index("Trees only 97")
    )


@pytest.mark.parametrize(("half", "apart"), [(100.0, False), (400.0, True)])
def test_a_named_portfolio_that_beats_the_optimum_is_a_warning(run_dir, record_again, half, apart):
    record = json.loads((run_dir / "optimum.json").read_text())
    rival = record["out_of_sample"]["portfolios"][1]
    rival |= {"objective": 86700.0, "difference": -300.0, "difference_low": -300.0 - half}
    rival["difference_high"] = -300.0 + half
    (run_dir / "optimum.json").write_text(json.dumps(record))
    record_again(run_dir, "optimum.json")
    reporting.report(run_dir)
    text = page_of(run_dir).text
    assert (
        "“Trees only”, a named portfolio, has a better simulated objective than the optimum, by 300" in text
    )
    assert "No named portfolio has a better" not in text
    assert ("the draws do not tell the two apart" in text) == apart


def test_an_optimum_that_was_not_judged_says_so(run_dir, record_again):
    record = json.loads((run_dir / "optimum.json").read_text())
    record["out_of_sample"] = None
    record["reduction"]["wasserstein"] = None
    (run_dir / "optimum.json").write_text(json.dumps(record))
    record_again(run_dir, "optimum.json")
    reporting.report(run_dir)
    text = page_of(run_dir).text
    assert "The figures below are in sample" in text
    assert "Out of sample" not in text
    assert "Wasserstein" not in text


def test_assumptions_are_counted(page):
    assert "2 of 5 drivers (40 %) rest on assumptions of this project alone" in page.text
    assert "; 1 more rest on assumptions in part" in page.text


def test_provenance_is_the_manifest(finished, page):
    manifest = json.loads((finished / "manifest.json").read_text())
    assert "Seed 7" in page.text
    assert "note of rank" in page.text
    for name, record in manifest["stages"].items():
        for file in record["outputs"]:
            assert file in page.text, name
    stages = page.text[page.text.index("Stages of the run") :]
    assert stages.index("network_marginals.csv") < stages.index("drivers.csv") < stages.index("sobol.csv")


def test_markup_in_the_spec_is_text_on_the_page(finished, page):
    source = (finished / "report.html").read_text()
    assert "<of>" not in source
    assert html.escape("<tests> & nothing") in source
    assert "Made for <tests> & nothing else." in page.text


def test_same_directory_same_bytes(run_dir, finished, real_figures):
    first = reporting.report(run_dir)
    before = {p: p.read_bytes() for p in [first, *(run_dir / "figures").iterdir()]}
    assert reporting.report(run_dir) == first
    assert {p: p.read_bytes() for p in before} == before
    assert first.read_bytes() == (finished / "report.html").read_bytes()


def test_composing_elsewhere_leaves_the_run_directory_alone(run_dir, tmp_path):
    before = sorted(p.name for p in run_dir.iterdir())
    path = reporting.compose(run_dir, tmp_path / "elsewhere")
    assert path == tmp_path / "elsewhere" / "report.html"
    assert sorted(p.name for p in run_dir.iterdir()) == before


def test_its_own_record_does_not_change_the_page(run_dir):
    from sinkrisk.provenance import StageRecord

    first = reporting.report(run_dir).read_bytes()
    manifest = Manifest.read(run_dir)
    manifest.stages["report"] = StageRecord("report", "hash", {"report.html": "x"}, 4.2)
    manifest.write(run_dir)
    assert reporting.report(run_dir).read_bytes() == first


def test_a_file_the_manifest_does_not_record_does_not_exist(write, tmp_path):
    directory = write(tmp_path / "run")
    manifest = Manifest.read(directory)
    del manifest.stages["sobol"]
    manifest.write(directory)
    reporting.report(directory)
    assert (directory / "sobol.csv").exists()
    text = page_of(directory).text
    assert "This run has no finished stage 'sobol'" in text
    assert "0.65 (0.62 to 0.68)" not in text
    assert not (directory / "figures" / "sobol_total_cost.svg").exists()


def test_skipped_stages_are_said_with_their_reason(write, tmp_path):
    skipped = {"optimize": "the spec has no 'optimize' section", "sobol": "the spec has no 'sobol' section"}
    directory = write(tmp_path / "run", skipped=skipped)
    reporting.report(directory)
    page = page_of(directory)
    assert "The stage 'optimize' was skipped: the spec has no 'optimize' section." in page.text
    assert len([h for h in page.headings if h[:1].isdigit()]) == 16
    assert "optimize: the spec has no 'optimize' section." in page.text


def banner_of(directory: Path) -> str:
    text = page_of(directory).text
    return text[: text.index("Seed 7")]


def test_a_whole_run_is_not_called_unfinished(page):
    assert "Unfinished" not in page.text
    assert "Every stage ran; none was skipped." in page.text


def test_a_killed_run_says_which_stages_are_missing(write, tmp_path):
    directory = write(tmp_path / "run", leave_out=("rank", "sobol"))
    reporting.report(directory)
    assert "Unfinished: these stages are missing: rank, sobol." in banner_of(directory)
    text = page_of(directory).text
    assert "rank: missing; the spec asks for it, but the run ended before it was finished." in text
    assert "none was skipped" not in text


def test_a_stage_the_spec_does_not_ask_for_is_not_missing(write, tmp_path):
    gone = ("scenarios", "optimize", "simulate_optimum", "sobol")
    directory = write(tmp_path / "run", leave_out=gone)
    manifest = Manifest.read(directory)
    manifest.spec |= {"scenarios": None, "sobol": None}
    manifest.write(directory)
    reporting.report(directory)
    # Without scenarios nothing can be optimized, though the spec keeps its section 'optimize'.
    assert "Unfinished" not in page_of(directory).text


def test_the_report_is_never_missing_from_its_own_page(finished):
    assert "report" not in Manifest.read(finished).stages
    assert collect(finished).missing() == []


def test_the_report_knows_the_stages_of_a_run_and_what_asks_for_them():
    from sinkrisk.stages import stages

    known = [stage for stage in stages() if stage.name != "report"]
    assert tuple(stage.name for stage in known) == STAGES
    sections = sorted({name for names in ASKED_BY.values() for name in names})
    for stage in known:
        for section in sections:
            asked = {name: None if name == section else {} for name in sections}
            skipped = stage.skip(SimpleNamespace(spec=SimpleNamespace(draws=4096, **asked))) is not None
            assert skipped == (section in ASKED_BY[stage.name]), (stage.name, section)


def test_a_budget_alone_makes_a_page(write, tmp_path):
    others = (
        "network", "inputs", "simulate", "optimize", "survey", "outlook", "measure", "rank", "decide",
        "adapt", "sobol",
    )  # fmt: skip
    directory = write(tmp_path / "run", leave_out=others)
    reporting.report(directory)
    page = page_of(directory)
    assert "the ocean sink is 2.85 GtC/yr" in page.text
    assert page.text.count("This run has no finished stage") >= 12
    assert sorted(p.name for p in (directory / "figures").iterdir()) == ["attribution.svg", "budget.svg"]


def test_a_manifest_without_stages_makes_a_page(tmp_path):
    (tmp_path / "run").mkdir()
    Manifest(versions={}).write(tmp_path / "run")
    reporting.report(tmp_path / "run")
    page = page_of(tmp_path / "run")
    assert "The run finished no stage that gives an answer." in page.text
    assert "No stage is recorded." in page.text


def test_plans_beyond_the_potential_are_minded_where_portfolios_are_told(page):
    start = page.text.index("Portfolios: what they plan and what they achieve", page.text.index("Glossary"))
    section = page.text[start : page.text.index("The ranking, with its probabilities", start)]
    assert (
        "Mind: 2 of 9 plans exceed the potential in some draws; most often “Trees only”, forests, long term: "
        "8 GtCO₂/yr planned, in 37 % of draws more than there is; what exceeds it is lost."
    ) in section
    assert "The total cost is a present value, discounted to the start of the first period" in section
    assert "Total discounted cost, billion USD" in section


def test_plans_beyond_the_potential_are_told_once(run_dir):
    manifest = Manifest.read(run_dir)
    checks = manifest.stages["simulate"].checks
    text = (
        "3 of 8 plans by region exceed the potential of their region in some draws; most often trees, "
        "forests, north_america, long_term: 2 GtCO2/yr planned, in 9% of draws more than there is"
    )
    checks.append(checks[0] | {"text": text})
    manifest.write(run_dir)
    reporting.report(run_dir)
    page = page_of(run_dir).text
    assert page.count("2 of 9 plans exceed the potential") == 1
    assert page.count("3 of 8 plans by region exceed the potential of their region") == 1
    assert page.count("Mind: 2 of 9 plans") == 1
    assert "Mind: 3 of 8" not in page
    assert page.count("Told in the section on the portfolios.") == 2


def test_a_single_portfolio_is_not_told_as_the_first_of_many(run_dir, record_again):
    for name in ("ranking", "ranking_sensitivity", "measures", "decision", "tracing", "air"):
        path = run_dir / f"{name}.csv"
        table = pd.read_csv(path)
        table[table["portfolio"].isin(["trees", "none"])].to_csv(path, index=False)
        record_again(run_dir, path.name)
    reporting.report(run_dir)
    text = page_of(run_dir).text
    assert "“Trees only” is the only portfolio of the run: nothing is ranked." in text
    assert "A ranking needs a second one to compare with." in text
    assert "“Trees only” meets the target (150 GtCO₂ of durable removal by 2100) with probability" in text
    assert "With one portfolio there is nothing to choose or to regret." in text
    assert "The portfolio is simulated to 2100 under joint draws (512 of them)" in text
    for odd in ("ranks first most often", "best chance", "Leaving out one criterion", "is best on average",
                ", lowest,", "least regretted", "differences of luck", "of 1, the best"):  # fmt: skip
        assert odd not in text, odd


def test_plans_within_the_potential_need_no_warning(run_dir):
    manifest = Manifest.read(run_dir)
    manifest.stages["simulate"].checks[0] |= {"passed": True, "text": "no plan exceeds the potential"}
    manifest.write(run_dir)
    reporting.report(run_dir)
    assert "Mind: No plan" not in page_of(run_dir).text


def test_the_value_at_risk_is_not_printed_twice(page, run_dir, record_again):
    # The upper end of a 90 % equal-tailed interval is the value at risk of the worst 5 %.
    assert "P(target met) Shortfall CVaR" in page.text
    assert "whose upper end is also the value at risk (VaR)" in page.text
    table = pd.read_csv(run_dir / "measures.csv", keep_default_na=False)
    table["tail_mass"] = table["tail_mass"].replace({"": None}).astype(float) * 2.0
    table.to_csv(run_dir / "measures.csv", index=False)
    record_again(run_dir, "measures.csv")
    reporting.report(run_dir)
    text = page_of(run_dir).text
    assert "P(target met) Shortfall VaR CVaR" in text
    assert "upper end is also" not in text


def test_findings_end_with_one_full_stop(run_dir):
    manifest = Manifest.read(run_dir)
    manifest.stages["budget"].checks = [
        {"name": "rhat", "passed": False, "text": "Largest R-hat is 1.31; allowed 1.01."},
        {
            "name": "ess",
            "passed": False,
            "text": "Smallest bulk ESS is 12; needed 400, from 4 chains of 9 draws.",
        },
    ]
    manifest.write(run_dir)
    reporting.report(run_dir)
    text = page_of(run_dir).text
    assert "Failed checks: Largest R-hat is 1.31; allowed 1.01; Smallest bulk ESS is 12" in text
    assert ".;" not in text
    assert ".. " not in text


def test_cells_break_only_where_an_interval_begins(finished):
    source = (finished / "report.html").read_text()
    assert '<td class="number">9.77 (9.01\N{NO-BREAK SPACE}to\N{NO-BREAK SPACE}10.53)</td>' in source


def manifest_of_the_library(run_dir: Path, name: str) -> Manifest:
    manifest = Manifest.read(run_dir)
    manifest.spec["budget"]["observations"] = name
    path = files.data_path("priors", "observations", "global.csv")
    manifest.inputs["observations"] = files.sha256_of(path)
    return manifest


def test_the_works_behind_the_observations_are_named(run_dir):
    manifest_of_the_library(run_dir, "global").write(run_dir)
    reporting.report(run_dir)
    work = "Global carbon budget 2024, as printed in Table 2 of the review"
    assert f"closed model on the observations 'global': {work}" in page_of(run_dir).text


@pytest.mark.parametrize("name", ["global", "mine/global.csv", "unknown"])
def test_works_are_named_only_of_the_file_that_was_read(run_dir, name):
    manifest = manifest_of_the_library(run_dir, name)
    manifest.inputs["observations"] = "0" * 64
    manifest.write(run_dir)
    reporting.report(run_dir)
    text = page_of(run_dir).text
    assert f"closed model on the observations '{name.rsplit('/')[-1]}' Planned" in text


def test_stale_figures_go(run_dir):
    reporting.report(run_dir)
    manifest = Manifest.read(run_dir)
    del manifest.stages["optimize"]
    manifest.write(run_dir)
    reporting.report(run_dir)
    assert not (run_dir / "figures" / "optimum.svg").exists()


def test_an_unconverged_run_bears_a_banner_before_everything(run_dir):
    manifest = Manifest.read(run_dir)
    manifest.allowed_unconverged = True
    manifest.stages["budget"].checks = [{"name": "rhat", "passed": False, "text": "Largest R-hat is 1.31."}]
    manifest.write(run_dir)
    reporting.report(run_dir)
    page = page_of(run_dir)
    banner = page.text.index("Not converged, or convergence not enforced.")
    assert banner < page.text.index("A run <of> the tests", len("A run <of> the tests & nothing else"))
    assert "rhat: Largest R-hat is 1.31." in page.text
    assert "Failed checks: Largest R-hat is 1.31." in page.text
    assert page.all("div")[0]["class"] == "banner"


def test_a_converged_run_bears_none(page):
    assert "Not converged" not in page.text


def test_numbers_have_true_minus_signs(page):
    bare = re.findall(r"(?<![\w–.e])-\d+\.\d+", page.text.split("The spec as it was run")[0])
    assert bare == []


def test_an_output_that_does_not_vary_is_said(write, record_again, tmp_path):
    import numpy as np
    import pandas as pd

    directory = write(tmp_path / "run")
    table = pd.read_csv(directory / "sobol.csv", keep_default_na=False)
    still = table["output"].str.startswith("total_cost")
    for column in ("value", "low", "high"):
        table[column] = pd.to_numeric(table[column]).where(~still, np.nan)
    table.to_csv(directory / "sobol.csv", index=False)
    record_again(directory, "sobol.csv")
    reporting.report(directory)
    assert (
        "Total discounted cost: it is constant, or hardly ever varies, in every portfolio, so no index is "
        "defined." in page_of(directory).text
    )
