"""What one section of a spec says of another, checked before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sinkrisk.errors import Problems, did_you_mean

if TYPE_CHECKING:
    from sinkrisk.config import LoadedSpec

OPTIMUM = "optimum"
"""Name under which the programme's plan is simulated and ranked beside the named portfolios."""

NEEDS = {
    "target": "portfolios",
    "rank": "target",
    "sobol": "target",
    "scenarios": "portfolios",
    "optimize": "scenarios",
    "survey": "portfolios",
    "decision": "target",
    "adapt": "decision",
}
"""Section -> the section without which it means nothing."""


def cross_check(loaded: LoadedSpec, memory: Mapping[str, Any], found: Problems) -> None:
    """Collect every contradiction between sections of a spec.

    Parameters
    ----------
    loaded : LoadedSpec
    memory : mapping
        What `running.prepare` has read; what could not be read is not checked again.
    found : Problems
    """
    spec = loaded.spec
    for name, needed in NEEDS.items():
        absent = getattr(spec, needed) is None and needed not in loaded.dropped
        if getattr(spec, name) is not None and absent:
            found.add(f"section '{name}' needs a section '{needed}'", **loaded.place(name))
    for needed in ("portfolios", "budget"):
        if spec.outlook is not None and getattr(spec, needed) is None and needed not in loaded.dropped:
            found.add(f"section 'outlook' needs a section '{needed}'", **loaded.place("outlook"))
    if spec.survey is not None and spec.portfolios is not None:
        for period, amount in spec.portfolios.total.items():
            if not amount > 0.0:
                place = loaded.place("portfolios", "total", period)
                hint = "leave out 'survey', or plan a small amount"
                found.add("a survey needs a total in every period", got=amount, hint=hint, **place)
    known = _column("regions", "region")
    for index, region in enumerate((spec.inputs.regions if spec.inputs else None) or ()):
        if region not in known:
            near = did_you_mean(region, known)
            told = f"did you mean '{near}'?" if near else None
            place = loaded.place("inputs", "regions", index)
            found.add("unknown region", got=region, allowed=known, hint=told, **place)
    _names(loaded, memory, found)
    _horizon(loaded, found)
    _programme(loaded, found)


def _names(loaded: LoadedSpec, memory: Mapping[str, Any], found: Problems) -> None:
    spec = loaded.spec
    if "portfolios" in memory:
        names = [str(n) for plans in memory["portfolios"] for n in plans["portfolio"].values]
        for index, name in enumerate((spec.sobol.portfolios if spec.sobol else None) or ()):
            if name not in names:
                place = loaded.place("sobol", "portfolios", index)
                found.add("unknown portfolio", got=name, allowed=names, **place)
        world = [str(n) for n in memory["portfolios"][0]["portfolio"].values]
        for index, name in enumerate(spec.adapt.candidates if spec.adapt else ()):
            if name not in world:
                place = loaded.place("adapt", "candidates", index)
                found.add("unknown portfolio, or one by region", got=name, allowed=world, **place)
        if OPTIMUM in names and spec.optimize is not None:
            found.add(
                f"a portfolio may not be named '{OPTIMUM}' where the spec optimizes",
                hint="the programme's plan takes that name; rename yours",
                **loaded.place("portfolios", "file"),
            )
    criteria = _column("criteria", "criterion")
    for section, key in (("rank", "criteria"), ("sobol", "measures")):
        part = getattr(spec, section)
        for index, name in enumerate(getattr(part, key) if part is not None else ()):
            if name not in criteria:
                keys: tuple[str | int, ...] = (section, key, index)
                if section == "rank" and ("rank", "criteria", index) not in loaded.located.lines:
                    # The criteria are those that the weights name: what is wrong stands there.
                    keys = ("rank", "weights", name if isinstance(part.weights, dict) else index)
                found.add("unknown criterion", got=name, allowed=criteria, **loaded.place(*keys))


def _horizon(loaded: LoadedSpec, found: Problems) -> None:
    """Check the target's year against the periods."""
    from sinkrisk import priors

    target = loaded.spec.target
    if target is None:
        return
    periods = priors.load_table("periods")
    # `measure` sums until a year: the first year counts once a part of it has passed.
    first, last = int(periods["start"].min()) + 1, int(periods["end_exclusive"].max()) - 1
    if not first <= target.year <= last:
        found.add(
            "target year outside the horizon",
            got=target.year,
            allowed=f"{first} to {last}",
            **loaded.place("target", "year"),
        )


def _programme(loaded: LoadedSpec, found: Problems) -> None:
    """Check the optimizer's names and bounds, which a solver would only call infeasible."""
    spec = loaded.spec
    if spec.scenarios is not None and spec.scenarios.n > spec.draws:
        found.add(
            "more scenarios than joint draws",
            got=spec.scenarios.n,
            allowed=f"1 to {spec.draws}",
            **loaded.place("scenarios", "n"),
        )
    optimize = spec.optimize
    if optimize is None:
        return
    periods, pathways = _column("periods", "period"), _column("pathways", "pathway")
    for key, allowed in (
        ("target", periods),
        ("total", periods),
        ("minimum", pathways),
        ("maximum", pathways),
    ):
        value = getattr(optimize, key)
        for name in value if isinstance(value, Mapping) else ():
            if name not in allowed:
                found.add("unknown name", got=name, allowed=allowed, **loaded.place("optimize", key, name))
    if optimize.budget == 0.0:
        found.add(
            "a budget of nothing plans nothing",
            got=0.0,
            allowed="above 0",
            **loaded.place("optimize", "budget"),
        )
    minimum, maximum = optimize.minimum or {}, optimize.maximum or {}
    for name in minimum.keys() & maximum.keys():
        if minimum[name] > maximum[name]:
            found.add(
                "minimum above maximum",
                got=minimum[name],
                allowed=f"up to {maximum[name]}",
                **loaded.place("optimize", "minimum", name),
            )
    total = optimize.total or (spec.portfolios.total if spec.portfolios is not None else None)
    if total and minimum and sum(minimum.values()) > max(total.values()):
        found.add(
            "the minima alone exceed the largest total of any period",
            got=sum(minimum.values()),
            allowed=f"up to {max(total.values())} GtCO2/yr",
            **loaded.place("optimize", "minimum"),
        )


def _column(table: str, column: str) -> list[str]:
    from sinkrisk import priors

    return [str(name) for name in priors.load_table(table)[column]]
