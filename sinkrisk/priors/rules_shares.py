"""Stated shares, ratios and ranks against those that follow from the stated sizes.

The grammar of an observation's `definition`, up to a semicolon: ``share of A+B``, ``shortfall
against A``, ``ratio to A+B``, ``ratio to 1960-1969``, ``rank by flux among A+B+C`` (or ``by
stock``), where A, B, C are components. A statement is contradicted only when no pair of stated
sizes that fits its period agrees with it.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from sinkrisk.priors import statements as st
from sinkrisk.priors.findings import Finding, Library, computed, one_sd, severity
from sinkrisk.priors.rules_sums import sum_of_parts
from sinkrisk.priors.statements import Statement

_FORM = re.compile(r"(?P<form>share of|shortfall against|ratio to) (?P<rest>[^;]+)")
_RANK = re.compile(r"rank by (?P<measure>flux|stock) among (?P<rest>[^;]+)")
_YEARS = re.compile(r"(?P<start>\d{4})-(?P<end>\d{4})")

Ratio = tuple[float, float, list[Statement]]


def shares_and_ratios(library: Library) -> Iterator[Finding]:
    """Yield stated shares, shortfalls and ratios that the stated sizes do not give."""
    names = {"share of": "shares", "shortfall against": "shares", "ratio to": "ratios"}
    for stated in st.distinct(library.observed):
        form = _FORM.match(stated.definition)
        if form is None or stated.unit not in ("%", "1"):
            continue
        scale = 100.0 if stated.unit == "%" else 1.0
        ratios = _ratios(library, stated, form["rest"].strip())
        if form["form"] == "shortfall against":
            ratios = [(1.0 - high, 1.0 - low, used) for low, high, used in ratios]
        scaled = [(low * scale, high * scale, used) for low, high, used in ratios]
        least, most = stated.low - stated.slack, stated.high + stated.slack
        if not scaled or any(low <= most + 1e-9 and high >= least - 1e-9 for low, high, _ in scaled):
            continue
        low, high, used = min(scaled, key=lambda r: max(r[0] - most, least - r[1]))
        text = f"{stated.definition.partition(';')[0]}: the stated sizes give another"
        sd = _sd_of_ratio(low / scale, high / scale, used) * scale
        yield computed(f"{names[form['form']]} stated and computed", stated, low, high, used, text, sd)


def _ratios(library: Library, stated: Statement, rest: str) -> list[Ratio]:
    """Return every ratio of stated sizes that fits a statement; those of its own window first choice."""
    years = _YEARS.fullmatch(rest)
    found: list[Ratio] = []
    for measure in ("stock", "flux"):
        sizes = _during(stated, _sizes(library, stated.subject, measure, stated.geography))
        if years is not None:
            then = [
                s
                for s in library.of(stated.subject, measure, stated.geography)
                if (s.start, s.end) == (int(years["start"]), int(years["end"]))
            ]
            found += [_ratio(x, [w], inside=False) for x in sizes for w in then]
            continue
        wholes = [_wholes(library, name, measure, stated) for name in rest.split("+")]
        if not all(wholes):
            continue
        for x in sizes:
            for combination in itertools.product(*wholes):
                if all(st.same_period(x, w) or x.start == 0 for w in combination):
                    found.append(_ratio(x, list(combination)))
    found = [r for r in found if not math.isnan(r[0])]
    for preferred in (
        [r for r in found if all((s.start, s.end) == (stated.start, stated.end) for s in r[2])],
        found,
    ):
        if preferred:
            together = [r for r in preferred if len({s.place for s in r[2]}) == 1]
            return together or preferred
    return []


def _during(stated: Statement, sizes: Sequence[Statement]) -> list[Statement]:
    return [
        s
        for s in sizes
        if st.same_period(s, stated)
        or (s.kind == stated.kind and stated.start <= s.start and s.end <= stated.end)
    ]


def _ratio(part: Statement, whole: Sequence[Statement], *, inside: bool = True) -> Ratio:
    """Return part over the sum of `whole`, lowest and highest; a part named in the whole varies with it."""
    rest = [w.to(part.unit) for w in whole if w.subject != part.subject or not inside]
    within = len(rest) < len(whole)
    low, high = math.fsum(w.reach[0] for w in rest), math.fsum(w.reach[1] for w in rest)
    if math.isfinite(low) and low <= 0.0:
        return (math.nan, math.nan, [])
    least, most = part.reach
    used = [part, *whole]
    if within:
        return (least / (least + high), most / (most + low), used)
    # A whole known from above only bounds the share from below, and the other way round.
    lower = least / high if math.isfinite(high) else -math.inf
    upper = most / low if math.isfinite(low) else math.inf
    return (lower, upper, used)


def _sd_of_ratio(low: float, high: float, used: Sequence[Statement]) -> float:
    """Return the standard deviation of part over whole, by first-order propagation of the stated ones.

    Errors of part and whole are taken as independent; a part named in the whole moves both.
    """
    part, wholes = used[0], used[1:]
    rest = [w.to(part.unit) for w in wholes if w.subject != part.subject]
    size = math.fsum(_middle(s) for s in rest)
    ratio = 0.5 * (low + high)
    if not all(math.isfinite(x) and x != 0.0 for x in (size, ratio, _middle(part))):
        return 0.0
    relative = math.hypot(one_sd(part) / _middle(part), one_sd(*rest) / size)
    return abs(ratio) * relative * (1.0 - ratio if len(rest) < len(wholes) else 1.0)


def _sizes(library: Library, subject: str, measure: str, geography: str) -> list[Statement]:
    """Return the stated sizes of a component; for want of one, its stated share times its whole's size."""
    direct = [s for s in library.of(subject, measure, geography) if s.quantity == measure]
    return direct or [s for s, _ in _implied(library, subject, measure, geography)]


def _implied(
    library: Library, subject: str, measure: str, geography: str
) -> Iterator[tuple[Statement, Statement]]:
    for share in library.observed:
        form = _FORM.match(share.definition)
        fits = (share.subject, share.geography, share.unit) == (subject, geography, "%")
        if form is None or not fits or form["form"] != "share of" or "+" in form["rest"]:
            continue
        for whole in library.of(form["rest"].strip(), measure, geography):
            low = max(share.low, 0.0) / 100.0 * whole.low
            high = min(share.high, 100.0) / 100.0 * whole.high
            yield (
                replace(
                    whole, subject=subject, low=low, high=high, half=0.0, sd=math.nan,
                    locator=share.locator, source=share.source,
                ),
                share,
            )  # fmt: skip


def _wholes(library: Library, name: str, measure: str, stated: Statement) -> list[Statement]:
    """Return the stated sizes of a whole; for want of one, the sum of its parts, or their sum as a bound."""
    direct = _during(stated, library.of(name, measure, stated.geography))
    if direct:
        return direct
    for relation in library.relations:
        if (relation.whole, relation.measure) != (name, measure):
            continue
        unit = "PgC" if measure == "stock" else "PgC/yr"
        blank = replace(stated, subject=name, quantity=measure, unit=unit, half=0.0, locator=relation.locator)
        if relation.relation == "sum":
            total = sum_of_parts(library, relation, blank)
            if total is not None and not total[3]:
                return [replace(blank, low=total[0], high=total[1], definition="sum of the stated parts")]
        if relation.relation == "at_least":
            least = 0.0
            for part in relation.parts:
                options = _sizes(library, part, measure, stated.geography)
                if options:
                    least += min(s.to(unit).low for s in options)
            if least > 0.0:
                return [replace(blank, low=least, high=math.inf, definition="at least the stated parts")]
    return []


def sums_of_shares(library: Library) -> Iterator[Finding]:
    """Yield wholes whose parts' shares do not make up the whole, stated ones completed by computed ones."""
    for relation in library.relations:
        if relation.relation != "sum":
            continue
        for geography in dict.fromkeys(s.geography for s in library.observed):
            shares = [_share(library, relation.whole, relation.measure, p, geography) for p in relation.parts]
            stated = [s for s in shares if s is not None and s.definition.startswith("share of")]
            known = [s for s in shares if s is not None]
            if not stated:
                continue
            slack = math.fsum(s.slack for s in known)
            low, high = math.fsum(s.low for s in known), math.fsum(s.high for s in known)
            # Too much is too much whatever is missing; too little only when nothing is missing.
            excess = low - slack > 100.0 + 1e-9
            deficit = high + slack < 100.0 - 1e-9 and len(known) == len(shares)
            if not (excess or deficit):
                continue
            first = max(stated, key=lambda s: s.low)
            total = low if excess else high
            parts = " + ".join(f"{s.subject} {_short(s)}" for s in known)
            text = f"shares of {relation.whole}: {parts} make {total:.4g} %, not 100 %"
            yield Finding(
                "sums of shares", first, f"shares add up to {total:.4g} %",
                ";".join(dict.fromkeys(s.source for s in known)),
                "; ".join(dict.fromkeys(s.locator for s in known)),
                abs(total - 100.0), abs(total - 100.0) / 100.0, text,
            )  # fmt: skip


def _short(share: Statement) -> str:
    if share.definition.startswith("share of"):
        return share.printed()
    return f"{0.5 * (share.low + share.high):.3g} % (computed)"


def _share(library: Library, whole: str, measure: str, part: str, geography: str) -> Statement | None:
    """Return the share of a part as stated, else as computed from one place's sizes, else None."""
    for s in library.observed:
        if (s.subject, s.geography, s.unit) == (part, geography, "%") and s.definition == f"share of {whole}":
            return s
    for w in library.of(whole, measure, geography):
        for x in library.of(part, measure, geography):
            if x.place == w.place and st.same_period(x, w):
                low, high, _ = _ratio(x, [w])
                return replace(
                    x, unit="%", quantity="%", low=100 * low, high=100 * high, half=0.0, sd=math.nan,
                    definition="computed", note="",
                )  # fmt: skip
    return None


def ranks(library: Library) -> Iterator[Finding]:
    """Yield stated ranks that the stated sizes do not give."""
    for stated in st.distinct(library.observed):
        form = _RANK.match(stated.definition)
        if form is None:
            continue
        names = form["rest"].strip().split("+")
        orders = _orders(library, stated, form["measure"], names)
        ranked = [1 + [s.subject for s in order].index(stated.subject) for order in orders]
        if not ranked or any(rank == stated.low for rank in ranked):
            continue
        nearest = min(range(len(ranked)), key=lambda i: abs(ranked[i] - stated.low))
        listed = ", ".join(f"{s.subject} {s.printed()}" for s in orders[nearest])
        text = f"by size: {listed}"
        finding = computed("ranks", stated, ranked[nearest], ranked[nearest], orders[nearest], text)
        # A rank is open where its holder's size is within one standard deviation of the component's own.
        order, place = orders[nearest], round(stated.low) - 1
        if 0 <= place < len(order):
            yield replace(finding, severity=severity(order[ranked[nearest] - 1], order[place]))
        else:
            yield finding


def _orders(library: Library, stated: Statement, measure: str, names: Sequence[str]) -> list[list[Statement]]:
    """Return the components by size, the largest first, once for each place that states all of them."""
    sizes = {
        name: [
            s for s in library.of(name, measure, stated.geography) if s.bounded and st.same_period(s, stated)
        ]
        for name in names
    }
    places = dict.fromkeys(s.place for options in sizes.values() for s in options)
    orders = []
    for place in places:
        chosen = []
        for name in names:
            here = [s for s in sizes[name] if s.place == place]
            exact = [s for s in here if (s.start, s.end) == (stated.start, stated.end)]
            chosen += (exact or here)[:1]
        if len(chosen) == len(names):
            orders.append(
                sorted(chosen, key=lambda s: -(s.to(chosen[0].unit).low + s.to(chosen[0].unit).high))
            )
    return orders


def _middle(s: Statement) -> float:
    return 0.5 * (s.low + s.high)


def _first(item: tuple[float, Statement]) -> float:
    return item[0]
