"""What deciding again in every period needs: candidates that fit together, and options in their range"""

from __future__ import annotations

import xarray as xr

from sinkrisk.errors import InputError, Problems
from sinkrisk.portfolio.labels import validated

MOST_COURSES = 2000
"""Most composite plans simulated: candidates to the power of periods."""


def check_candidates(drawn: xr.Dataset, candidates: xr.Dataset, found: Problems) -> None:
    """Collect what is wrong with the portfolios between which every period may choose."""
    if "planned" not in candidates:
        return
    try:
        validated(drawn, candidates)
    except InputError as error:
        found.extend(error.problems)
    count = candidates.sizes.get("portfolio", 0)
    if count < 2:
        found.add("nothing to choose between", got=f"{count} candidates", allowed="2 or more")
    courses = count ** drawn.sizes.get("period", 1)
    if courses > MOST_COURSES:
        found.add(
            "too many composite plans",
            got=f"{count} candidates in {drawn.sizes['period']} periods: {courses}",
            allowed=f"at most {MOST_COURSES}",
            hint="take fewer candidates",
        )
    if "coordinated" in candidates.coords and len(set(candidates["coordinated"].values.tolist())) > 1:
        found.add(
            "candidates are coordinated or not, all alike",
            got=candidates["coordinated"].values.tolist(),
            key="coordinated",
        )


def check_options(
    objective: str,
    tail: float,
    level: float,
    ess_min: float,
    on_low_ess: str,
    caution: float,
    replicates: int,
    drawn: xr.Dataset,
    found: Problems,
) -> None:
    """Collect the options of `adapt` that lie outside their range."""
    for key, got, allowed in (
        ("objective", objective, ("mean", "cvar")),
        ("on_low_ess", on_low_ess, ("fixed", "error")),
    ):
        if got not in allowed:
            found.add(f"unknown {key}", got=got, allowed=allowed, key=key)
    if not 0.0 < level < 1.0:
        found.add("level outside its range", got=level, allowed="0 < level < 1", key="level")
    if not 0.0 <= tail < 1.0:
        found.add("tail outside its range", got=tail, allowed="0 <= tail < 1", key="tail")
    half = drawn.sizes.get("sample", 0) // 2
    if not 1.0 <= ess_min <= max(half, 1):
        found.add(
            "ess_min outside its range", got=ess_min, allowed=f"1 .. {half}, half the draws", key="ess_min"
        )
    if not 0.0 <= caution < float("inf") or (caution and objective != "mean"):
        found.add("caution outside its range", got=caution, allowed="0 or more; 0 with cvar", key="caution")
    if replicates < 100:
        found.add("too few replicates", got=replicates, allowed="100 or more", key="replicates")
