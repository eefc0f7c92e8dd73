"""Writing the page: figures drawn once, inlined, the template filled in, every file atomic."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from sinkrisk import files
from sinkrisk.plots.labels import readable
from sinkrisk.plots.style import svg_text, without_caption
from sinkrisk.reporting import (
    adapting,
    air,
    caveats,
    choices,
    credits,
    deciding,
    doubts,
    places,
    ranks,
    sinks,
    summary,
    tracing,
)
from sinkrisk.reporting.blocks import Picture, Section
from sinkrisk.reporting.collecting import Collected, collect
from sinkrisk.reporting.numbers import sentence, together, unbroken

REPORT_NAME = "report.html"
FIGURES = "figures"


def report(run_dir: str | Path) -> Path:
    """Write ``report.html`` and ``figures/*.svg`` of a run into its directory.

    Parameters
    ----------
    run_dir : path
        A directory written by ``sinkrisk run``.

    Returns
    -------
    Path
        Of ``report.html``: one page that needs no other file and no network. The same directory gives
        the same bytes.

    Raises
    ------
    InputError
        When the directory or its manifest is missing, a recorded file is missing or was changed, or a
        table lacks a column; everything at once, and nothing is written.
    """
    return compose(run_dir, run_dir)


def compose(run_dir: str | Path, into: str | Path) -> Path:
    """Write the report of a run into another folder, for example a stage's temporary one.

    Parameters
    ----------
    run_dir : path
        The run directory, only read.
    into : path
        Folder that receives ``report.html`` and ``figures``.

    Returns
    -------
    Path
        Of ``report.html``.

    Raises
    ------
    InputError
        As `report`.
    """
    collected = collect(run_dir)
    sections = compose_sections(collected)
    drawn = {
        block.name: draw(block)
        for section in sections
        for block in section.blocks
        if isinstance(block, Picture)
    }
    page = render(collected, sections, drawn)
    target = Path(into)
    (target / FIGURES).mkdir(parents=True, exist_ok=True)
    for name, one in drawn.items():
        files.write_text(target / FIGURES / f"{name}.svg", one.svg)
    for stale in (target / FIGURES).glob("*.svg"):
        if stale.stem not in drawn:
            stale.unlink()
    # The page comes last: while it is old, the figures beside it are at worst newer.
    files.write_text(target / REPORT_NAME, page)
    return target / REPORT_NAME


@dataclass(frozen=True)
class Drawn:
    """A figure as the file beside the page, and as the page shows it.

    Parameters
    ----------
    svg : str
        With its caption inside, for whoever takes the file away.
    shown : str
        Without, for on a narrow screen words inside a figure grow too small.
    words : str
        The caption, which the page sets as text.
    """

    svg: str
    shown: str
    words: str


def draw(picture: Picture) -> Drawn:
    """Draw a figure once, for its file and for the page."""
    figure = picture.draw()
    svg = svg_text(figure)
    return Drawn(svg, *without_caption(figure, svg))


def compose_sections(collected: Collected) -> list[Section]:
    """Return the sections of the page in their order."""
    return [
        sinks.budget_section(collected),
        sinks.imbalance_section(collected),
        sinks.institutions_section(collected),
        places.places_section(collected),
        places.costs_section(collected),
        choices.portfolio_section(collected),
        tracing.tracing_section(collected),
        air.air_section(collected),
        ranks.ranking_section(collected),
        deciding.decision_section(collected),
        adapting.adapting_section(collected),
        credits.credits_section(collected),
        doubts.driver_section(collected),
        doubts.optimum_section(collected),
        caveats.distrust_section(collected),
        caveats.provenance_section(collected),
    ]


def render(collected: Collected, sections: list[Section], drawn: Mapping[str, Drawn]) -> str:
    """Fill the template; every text is escaped, figures go in as data.

    Parameters
    ----------
    collected : Collected
    sections : list of Section
    drawn : mapping of str to Drawn
        By the figure's name.
    """
    import jinja2

    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=unbroken,
    )
    environment.filters["together"] = together
    source = resources.files("sinkrisk.reporting").joinpath("templates", "report.html.j2")
    template = environment.from_string(source.read_text(encoding="utf-8"))
    unconverged = [
        f"{check['name']}: {sentence(str(check['text']))}"
        for check in collected.checks()
        if check["passed"] is False
    ]
    return template.render(
        title=str(collected.option("title") or "A sinkrisk run"),
        description=str(collected.option("description") or ""),
        facts=summary.facts(collected),
        answers=summary.answers(collected),
        sections=sections,
        images={name: data_uri(one.shown) for name, one in drawn.items()},
        widths={name: width_of(one.shown) for name, one in drawn.items()},
        heights={name: height_of(one.shown) for name, one in drawn.items()},
        words={name: one.words for name, one in drawn.items()},
        distrust=1 + [section.anchor for section in sections].index("distrust"),
        missing=[readable(name) for name in collected.missing()],
        allowed_unconverged=collected.manifest.allowed_unconverged,
        unconverged=unconverged,
        glossary=caveats.GLOSSARY,
        version=collected.manifest.versions.get("sinkrisk", ""),
    )


def data_uri(svg: str) -> str:
    """Return an SVG as a data URI, so that the page needs no other file."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def _points(svg: str, attribute: str) -> int:
    found = re.search(rf'<svg[^>]*\b{attribute}="([\d.]+)pt"', svg)
    # CSS pixels: 96 to the inch, where a point is a 72nd.
    return round(float(found.group(1)) * 96 / 72) if found else 0


def width_of(svg: str) -> int:
    """Return the width of an SVG in CSS pixels."""
    return _points(svg, "width")


def height_of(svg: str) -> int:
    """Return the height of an SVG in CSS pixels."""
    return _points(svg, "height")
