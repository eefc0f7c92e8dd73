"""The report as a reader sees it: opened from the disk in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from sinkrisk import files, running

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def report_path(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("browser") / "run"
    running.run(files.data_path("analyses", "global.yaml"), out, draws=256)
    return out / "report.html"


@pytest.fixture
def page(chromium, report_path, request):
    width = getattr(request, "param", 1200)
    context = chromium.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    page.requests, page.errors = [], []
    page.on("request", lambda r: page.requests.append(r.url))
    page.on("console", lambda m: page.errors.append(m.text) if m.type in {"error", "warning"} else None)
    page.on("pageerror", lambda e: page.errors.append(str(e)))
    page.goto(report_path.as_uri())
    yield page
    context.close()


def test_it_asks_the_network_for_nothing_and_logs_no_error(page, report_path):
    outside = [u for u in page.requests if not u.startswith(("data:", report_path.as_uri()))]
    assert outside == []
    assert page.errors == []


def test_every_figure_is_drawn_and_described(page):
    figures = page.locator("figure")
    assert figures.count() >= 5
    for index in range(figures.count()):
        box = figures.nth(index).bounding_box()
        assert box is not None
        assert box["width"] > 200
        assert box["height"] > 100
        graphic = figures.nth(index).locator("img, svg").first
        label = graphic.get_attribute("alt") or graphic.get_attribute("aria-label") or ""
        assert len(label) > 15


def test_the_questions_are_answered_in_the_text(page):
    text = page.inner_text("body").lower()
    for phrase in (
        "imbalance",
        "equal-tailed",
        "rank acceptability",
        "sobol",
        "assumption",
        "cvar",
        "gtc/yr",
    ):
        assert phrase in text, phrase
    assert "nan" not in text.split()
    assert page.locator("h1").count() == 1
    assert page.locator("h2").count() >= 6


@pytest.mark.parametrize("page", [400, 800, 1600], indirect=True)
def test_nothing_sticks_out_sideways(page):
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 1


def test_tables_have_captions_and_headers(page):
    tables = page.locator("table")
    assert tables.count() >= 3
    for index in range(tables.count()):
        assert tables.nth(index).locator("caption").count() == 1
        assert tables.nth(index).locator("th[scope]").count() >= 2


def test_open_tables_fit_a_desktop_window(page):
    """At 1200 pixels nothing is cut off at the edge of a table's frame, before anything is unfolded."""
    wide = page.evaluate(
        """[...document.querySelectorAll(".scroll")]
            .filter((frame) => frame.innerText !== "" && frame.scrollWidth > frame.clientWidth + 1)
            .map((frame) => frame.innerText.slice(0, 60))"""
    )
    assert wide == []


@pytest.mark.parametrize("page", [400], indirect=True)
def test_findings_of_checks_are_seen_on_a_narrow_screen(page):
    cut = page.evaluate(
        """[...document.querySelectorAll("caption")]
            .filter((caption) => caption.innerText.startsWith("Checks of the run"))
            .flatMap((caption) => [...caption.closest("table").querySelectorAll("td.text:last-child")])
            .map((cell) => cell.getBoundingClientRect().right > window.innerWidth)"""
    )
    assert len(cut) > 5
    assert not any(cut)
