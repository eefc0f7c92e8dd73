"""Contradictions across quantities: groups and members, parts of a process, products, turnover."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace

from sinkrisk import units
from sinkrisk.priors import statements as st
from sinkrisk.priors.findings import Finding, Library, computed, gap, pair
from sinkrisk.priors.statements import Statement

ADDITIVE: tuple[str, ...] = ("potential",)
"""Quantities of a group that are the sum of its members'; the others hold for each member."""

PARTS_OF_ENERGY: tuple[str, ...] = ("grinding", "heat", "electricity")
"""Bases that are a part of the basis ``total``."""

SHORTEST_TURNOVER = 10.0
"""Years below which stock over flux cannot be called a long-term store."""

_SURFACE = re.compile(r"share of (?P<surface>\w+_surface)")


def all_rules(library: Library) -> Iterator[Finding]:
    """Yield what every rule of this module finds."""
    yield from groups_and_members(library)
    yield from parts_of_a_total(library)
    yield from best_cases(library)
    yield from products(library)
    yield from projects(library)
    yield from projections(library)
    yield from turnover(library)


def _of(library: Library, pathway: str, quantity: str) -> list[Statement]:
    return [
        s
        for s in st.distinct(library.claimed)
        if (s.subject, s.quantity, s.geography) == (pathway, quantity, "global") and not s.in_words
    ]


def groups_and_members(library: Library) -> Iterator[Finding]:
    """Yield claims on a group that its members' sum, or a member's own range, contradicts."""
    quantities = dict.fromkeys(s.quantity for s in library.claimed)
    for group, members in library.groups:
        for quantity in quantities:
            for whole in _of(library, group, quantity):
                if quantity in ADDITIVE:
                    yield from _sum_of_members(library, whole, members)
                    continue
                for member in members:
                    for part in _of(library, member, quantity):
                        apart = part.to(whole.unit).low > whole.high or part.to(whole.unit).high < whole.low
                        if not (part.bounded and whole.bounded and apart):
                            continue
                        difference = gap(part, whole) if st.comparable_bases(part, whole) else None
                        if difference is not None:
                            text = f"{member} lies outside the range stated for {group}, which includes it"
                            yield pair("groups and members", part, whole, difference, text)


def _sum_of_members(library: Library, whole: Statement, members: tuple[str, ...]) -> Iterator[Finding]:
    options = {
        member: [
            s.to(whole.unit) for s in _of(library, member, whole.quantity) if st.comparable_bases(s, whole)
        ]
        for member in members
    }
    if not all(options.values()):
        return
    places = [
        place
        for place in dict.fromkeys(s.place for chosen in options.values() for s in chosen)
        if all(any(s.place == place for s in chosen) for chosen in options.values())
    ]
    for place in places:
        used = [next(s for s in chosen if s.place == place) for chosen in options.values()]
        if any(s.locator in whole.locator for s in used):
            continue
        low, high = math.fsum(s.low for s in used), math.fsum(s.high for s in used)
        total = Statement(whole.table, whole.subject, whole.quantity, whole.geography, low, high, whole.unit)
        difference = gap(whole, total) if total.bounded else None
        if difference is not None:
            names = " + ".join(s.subject for s in used)
            text = f"{names} is not what is stated for both together"
            if any(s.basis != whole.basis for s in used):
                bases = dict.fromkeys(s.basis or "not stated" for s in used)
                text += f"; bases {whole.basis or 'not stated'} and {', '.join(bases)}"
            finding = computed("groups and members", whole, low, high, used, text)
            size = max(abs(x) for x in (whole.low, whole.high, low, high) if math.isfinite(x))
            yield replace(finding, absolute=difference, relative=difference / size)


def parts_of_a_total(library: Library) -> Iterator[Finding]:
    """Yield a part of a process that needs more energy than the whole is said to need."""
    for part in st.distinct(library.claimed):
        if part.quantity != "energy" or part.basis not in PARTS_OF_ENERGY:
            continue
        for total in _of(library, part.subject, part.quantity):
            if total.basis != "total":
                continue
            excess = part.high - total.to(part.unit).high
            if excess > max(part.half, total.half) and math.isfinite(excess):
                text = f"{part.basis} alone may need more than the stated total"
                yield pair("parts above the whole", part, total, excess, text)


def best_cases(library: Library) -> Iterator[Finding]:
    """Yield a best case that is worse than the best end of the ordinary range."""
    for best in st.distinct(library.claimed):
        if best.basis != "optimal":
            continue
        for usual in _of(library, best.subject, best.quantity):
            worse = best.low - usual.to(best.unit).low
            if usual.basis != "optimal" and usual.place == best.place and worse > max(best.half, usual.half):
                text = "the optimal case begins above the low end of the ordinary range"
                yield pair("best case above the range", best, usual, worse, text)


def products(library: Library) -> Iterator[Finding]:
    """Yield capacities that yield times feedstock of the same pathway does not give."""
    for capacity in library.claimed:
        if capacity.quantity != "current_capacity" or not capacity.bounded:
            continue
        for feedstock in _of(library, capacity.subject, "feedstock"):
            if feedstock.basis != "current" or not feedstock.bounded:
                continue
            for per_tonne in _of(library, capacity.subject, "yield"):
                if not per_tonne.bounded or not st.convertible(feedstock.unit, "Mt/yr"):
                    continue
                tonnes, each = feedstock.to("Mt/yr"), per_tonne.to("tCO2/t")
                stated = capacity.to("MtCO2/yr")
                low = tonnes.reach[0] * each.reach[0]
                high = tonnes.reach[1] * each.reach[1]
                if low > stated.reach[1] or high < stated.reach[0]:
                    middle = (tonnes.low + tonnes.high) * (each.low + each.high) / 4.0
                    text = f"{feedstock.printed()} times {per_tonne.printed()} is {middle:.3g} MtCO2/yr"
                    yield computed("products", stated, low, high, [feedstock, per_tonne], text)


def projects(library: Library) -> Iterator[Finding]:
    """Yield a single project larger than the total stated for all projects of its pathway."""
    for project in st.distinct(library.claimed):
        if project.quantity != "project_capacity":
            continue
        for total in _of(library, project.subject, "current_capacity"):
            excess = project.low - total.to(project.unit).high
            if project.point and excess > max(project.half, total.to(project.unit).half):
                text = f"one project ({project.geography}, {project.basis}) is larger than all together"
                yield pair("parts above the whole", project, total, excess, text)


def projections(library: Library) -> Iterator[Finding]:
    """Yield projected increases that lie below a sink stated for today."""
    for later in st.distinct(library.observed):
        if later.kind != "projection" or not later.definition.startswith("increase"):
            continue
        for now in st.distinct(library.of(later.subject, later.quantity, later.geography)):
            present = now.to(later.unit)
            short = present.reach[0] - later.reach[1]
            if now.kind == "observed" and not now.superseded and short > 0.0:
                text = f"an increase by {later.start} to less than is stated for today"
                yield pair("projections against the present", later, now, short, text)


def turnover(library: Library) -> Iterator[Finding]:
    """Yield stores that their own stated flux would fill within `SHORTEST_TURNOVER` years."""
    for stock in st.distinct(s for s in library.observed if s.quantity == "stock" and s.bounded):
        for flux, used in _fluxes(library, stock):
            if flux <= 0.0:
                continue
            years = stock.to("GtC").high / flux
            if years < SHORTEST_TURNOVER:
                text = f"the stated flux, {flux:.3g} GtC/yr, would fill the store in {years:.2g} years"
                least = flux * SHORTEST_TURNOVER / units.factor(stock.unit, "GtC")
                finding = computed("turnover", stock, least, math.inf, used, text)
                yield replace(finding, b=f"computed {years:.2g} years of its own stated flux")


def _fluxes(library: Library, stock: Statement) -> Iterator[tuple[float, list[Statement]]]:
    for s in library.of(stock.subject, "flux", stock.geography):
        if s.bounded:
            yield s.to("GtC/yr").high, [s]
    rates = [
        s
        for s in library.observed
        if (s.subject, s.geography) == (stock.subject, stock.geography)
        and s.point
        and st.convertible(s.unit, "gC/m^2/yr")
    ]
    for rate in rates:
        for share in library.observed:
            surface = _SURFACE.match(share.definition)
            if surface is None or (share.subject, share.geography) != (stock.subject, stock.geography):
                continue
            for area in (*library.observed, *library.assumed):
                if area.subject == surface["surface"] and st.convertible(area.unit, "km^2"):
                    square = area.to("km^2").low * share.to("1").high
                    # Grams on a square metre are tonnes on a square kilometre.
                    yield rate.to("gC/m^2/yr").low * square * 1e-9, [rate, share]
