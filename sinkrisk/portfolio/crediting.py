"""Credit discounts: what a tonne of each pathway is worth beside another, and at what rate they exchange"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from sinkrisk import risk, rng as random
from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.portfolio import credit_factors
from sinkrisk.portfolio.measuring import weights_of

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

FACTORS: tuple[str, ...] = (
    "durability", "reversal", "measurement", "uptake", "additionality", "leakage", "delay", "other_gases",
    "energy_penalty", "co_benefit",
)  # fmt: skip
"""What stands between a tonne captured and a tonne credited; all at most 1 but the last, a premium."""

STATISTICS: tuple[str, ...] = ("mean", "median", "low", "high")

NEEDED: tuple[str, ...] = (
    "half_life", "leakage_rate", "reversal_loss", "classes", "land_sink_ratio", "shock", "suitability_share",
    "discount_rate", "energy", "period_start", "period_length", "creditable", "flow_class",
)  # fmt: skip


def credit_discounts(
    drawn: xr.Dataset,
    *,
    credits: pd.DataFrame | None = None,
    leave_out: tuple[str, ...] = (),
    rng: random.RandomSource = 1,
) -> xr.Dataset:
    """Return the discount of each pathway's credits, and the factors it is made of.

    Parameters
    ----------
    drawn : Dataset
        Joint draws of the inputs (``inputs.sample``).
    credits : DataFrame, optional
        Columns pathway, factor (measurement, leakage or co_benefit), low, high: bounds of a uniform
        distribution; ``priors/credits.csv`` when left out. A pathway it does not name has factor 1.
    leave_out : tuple of str
        Factors held at 1: ``("co_benefit", "delay")`` leaves tonnes alone to compare.
    rng : int, Generator or None
        Draws what the inputs do not hold.

    Returns
    -------
    Dataset
        ``factors`` (sample, pathway, factor), 1; ``discount`` (sample, pathway), their product: durable
        net tonnes (with premium) behind one tonne captured into the ledger of removal; ``probability``
        (sample). Only creditable
        pathways, those of the ledger of avoided emissions left out: an avoided tonne never exchanges
        for a removed one.

    Raises
    ------
    InputError
        For inputs that lack a variable, a table that is not sound or an unknown factor, all at once.

    Notes
    -----
    durability and reversal as 100 years after storage, additionality, uptake (of alkalinity and
    fertilisation), the delay of verification, other gases and process energy follow from the inputs
    (`credit_factors`); leakage is the share not displaced elsewhere, times 1 less foregone regrowth.

    Examples
    --------
    >>> from sinkrisk import inputs
    >>> discounts = credit_discounts(inputs.sample(inputs.drivers(), 16, rng=1))
    >>> discounts["factors"].sizes["factor"], "point_source_ccs" in discounts["pathway"].values
    (10, False)
    """
    table = _credits_table(credits)
    found = Problems()
    for name in NEEDED:
        if name not in drawn.variables:
            found.add("inputs lack a variable", key=name, hint="inputs come from inputs.sample")
    for name in leave_out:
        if name not in FACTORS:
            found.add("unknown factor", got=name, allowed=FACTORS, key="leave_out")
    found.raise_if_any()
    kept = drawn["creditable"].values.astype(bool) & (drawn["flow_class"].values.astype(str) != "avoided")
    if not kept.any():
        raise InputError(Problem("no pathway is creditable", key="creditable"))
    some = drawn.isel(pathway=np.flatnonzero(kept))
    stated = _stated_factors(some, table, random.generator(rng))
    parts = {
        "durability": credit_factors.durability(some),
        "reversal": credit_factors.reversal(some),
        "measurement": stated["measurement"],
        "uptake": credit_factors.uptake(some),
        "additionality": credit_factors.additionality(some),
        "leakage": stated["leakage"] * credit_factors.regrowth(some),
        "delay": credit_factors.delay(some),
        "other_gases": credit_factors.other_gases(some),
        "energy_penalty": credit_factors.energy_penalty(some),
        "co_benefit": stated["co_benefit"],
    }
    shape = xr.ones_like(stated["measurement"])
    factor = xr.concat(
        [shape if name in leave_out else (shape * parts[name]).reset_coords(drop=True) for name in FACTORS],
        dim="factor",
    ).transpose("sample", "pathway", "factor")
    factor = factor.drop_attrs().assign_coords(factor=list(FACTORS))
    out = xr.Dataset({"factors": factor, "discount": factor.prod("factor")})
    for name in ("factors", "discount"):
        out[name].attrs["units"] = "1"
    n = drawn.sizes["sample"]
    out["probability"] = (
        "sample",
        drawn["probability"].values if "probability" in drawn else np.full(n, 1 / n),
    )
    out.attrs["left_out"] = ", ".join(leave_out)
    return out


def credit_table(discounts: xr.Dataset, *, level: float = 0.9) -> pd.DataFrame:
    """Return discounts and their factors as a tidy table.

    Parameters
    ----------
    discounts : Dataset
        From `credit_discounts`.
    level : float
        Mass of the equal-tailed interval.

    Returns
    -------
    DataFrame
        pathway, factor (the last of each pathway "discount", the product), mean, median, low, high,
        interval_kind, interval_mass.

    Raises
    ------
    InputError
        For a level out of range.
    """
    import pandas as pd

    names = [*(str(v) for v in discounts["factor"].values), "discount"]
    values = np.concatenate(
        [
            discounts["factors"].transpose("pathway", "factor", "sample").values,
            discounts["discount"].transpose("pathway", "sample").values[:, None],
        ],
        axis=1,
    )
    weight = weights_of(discounts["discount"], discounts["probability"].values)
    numbers = _statistics(values, weight, level)
    rows = [
        {
            "pathway": str(pathway),
            "factor": factor,
            **dict(zip(STATISTICS, map(float, numbers[p, f]), strict=True)),
            "interval_kind": "equal-tailed",
            "interval_mass": level,
        }
        for p, pathway in enumerate(discounts["pathway"].values)
        for f, factor in enumerate(names)
    ]
    return pd.DataFrame(rows)


def exchange_rates(
    discounts: xr.Dataset, *, level: float = 0.9, probability: ArrayLike | None = None
) -> xr.DataArray:
    """Return how many credits of one pathway are worth one of another.

    Parameters
    ----------
    discounts : Dataset
        From `credit_discounts`.
    level : float
        Mass of the equal-tailed interval.
    probability : array_like, (sample,), optional

    Returns
    -------
    DataArray, (pathway, other, statistic)
        Credits of `other` that hold as many durable net tonnes as one credit of `pathway`: the ratio of
        their discounts in the same draw; mean, median, low, high and probability_defined. Draws in
        which a credit of `other` holds nothing have no rate and are left out; NaN where there are no
        others. Attributes ``interval_kind``, ``interval_mass``.

    Raises
    ------
    InputError
        For a level out of range or bad probabilities.

    Examples
    --------
    >>> discounts = xr.Dataset(
    ...     {
    ...         "discount": (("sample", "pathway"), [[0.8, 0.4], [0.6, 0.2]]),
    ...         "probability": ("sample", [0.5, 0.5]),
    ...     },
    ...     coords={"pathway": ["daccs", "forests"]},
    ... )
    >>> float(exchange_rates(discounts).sel(pathway="daccs", other="forests", statistic="mean"))
    2.5
    """
    discount = discounts["discount"].transpose("pathway", "sample")
    given = discounts["probability"].values if probability is None else probability
    weight = weights_of(discount, given)
    values = discount.values
    names = [str(v) for v in discount["pathway"].values]
    out = np.full((len(names), len(names), len(STATISTICS) + 1), np.nan)
    for j in range(len(names)):
        defined = values[j] > 0.0
        mass = float(weight[defined].sum())
        out[:, j, -1] = min(mass, 1.0)
        if mass > 0.0:
            rates = values[:, defined] / values[j, defined]
            out[:, j, :-1] = _statistics(rates, weight[defined] / mass, level)
    return xr.DataArray(
        out,
        dims=("pathway", "other", "statistic"),
        coords={
            "pathway": names,
            "other": names,
            "statistic": [*STATISTICS, "probability_defined"],
        },
        name="exchange_rate",
        attrs={"units": "1", "interval_kind": "equal-tailed", "interval_mass": level},
    )


def exchange_table(rates: xr.DataArray) -> pd.DataFrame:
    """Return exchange rates as a tidy table.

    Parameters
    ----------
    rates : DataArray, (pathway, other, statistic)
        From `exchange_rates`.

    Returns
    -------
    DataFrame
        pathway, other, mean, median, low, high, probability_defined, interval_kind, interval_mass; one row
        per pair of different pathways.
    """
    import pandas as pd

    values = rates.transpose("pathway", "other", "statistic")
    names = [str(v) for v in values["statistic"].values]
    rows = [
        {
            "pathway": str(pathway),
            "other": str(other),
            **dict(zip(names, map(float, values.values[i, j]), strict=True)),
            "interval_kind": str(rates.attrs["interval_kind"]),
            "interval_mass": float(rates.attrs["interval_mass"]),
        }
        for i, pathway in enumerate(values["pathway"].values)
        for j, other in enumerate(values["other"].values)
        if i != j
    ]
    return pd.DataFrame(rows)


def credit_sentence(discounts: xr.Dataset, *, level: float = 0.9) -> str:
    """Return what discounts say, in a sentence or two.

    Parameters
    ----------
    discounts : Dataset
        From `credit_discounts`.
    level : float
        Mass of the interval of the exchange rate.
    """
    table = credit_table(discounts, level=level)
    whole = table[table["factor"] == "discount"].set_index("pathway")["median"]
    best, worst = str(whole.idxmax()), str(whole.idxmin())
    most, least = float(whole[best]), float(whole[worst])
    parts = table[(table["pathway"] == worst) & (table["factor"] != "discount")]
    heaviest = str(parts.set_index("factor")["median"].idxmin())
    rate = exchange_rates(discounts, level=level).sel(pathway=best, other=worst)
    low, middle, high = (float(rate.sel(statistic=s)) for s in ("low", "median", "high"))
    return (
        f"A tonne that {best} books as removal holds {most:.2f} credited tonnes, the most; one by "
        f"{worst} {least:.2f}, the least, above all for its "
        f"{heaviest.replace('_', ' ')}. "
        f"One credit of {best} is worth {middle:.3g} of {worst} (median; {level:.0%} equal-tailed interval "
        f"{low:.3g} to {high:.3g})."
    )


def _statistics(x: Floats, weight: Floats, level: float) -> Floats:
    """Return mean, median, low and high over the last axis, on a new last axis."""
    if not 0.0 < level < 1.0:
        raise InputError(Problem("level outside its range", got=level, allowed="0 < level < 1", key="level"))
    probability = None if np.ptp(weight) <= 1e-15 else weight
    masses = [0.5, (1.0 - level) / 2.0, (1.0 + level) / 2.0]
    return np.concatenate(
        [(x @ weight)[..., None], risk.quantile(x, masses, probability=probability)], axis=-1
    )


def _credits_table(credits: pd.DataFrame | None) -> pd.DataFrame:
    from sinkrisk.priors.layouts_credits import CREDIT_FACTORS

    if credits is None:
        from sinkrisk.priors import load_table

        return load_table("credits")
    found = Problems()
    for name in ("pathway", "factor", "low", "high"):
        if name not in credits.columns:
            found.add("credits lack a column", key=name)
    found.raise_if_any()
    for row, line in enumerate(credits.to_dict("records")):
        if line["factor"] not in CREDIT_FACTORS:
            found.add("unknown factor", got=line["factor"], allowed=CREDIT_FACTORS, row=row)
        if not 0.0 <= line["low"] <= line["high"] < np.inf:
            found.add("bounds of a factor", got=f"{line['low']} .. {line['high']}", row=row,
                      allowed="0 <= low <= high")  # fmt: skip
    if credits.duplicated(["pathway", "factor"]).any():
        found.add("a factor of a pathway is stated twice")
    found.raise_if_any()
    return credits


def _stated_factors(
    drawn: xr.Dataset, table: pd.DataFrame, rng: np.random.Generator
) -> dict[str, xr.DataArray]:
    """Return factors of the table, uniform between their bounds, (sample, pathway) each."""
    from sinkrisk.priors.layouts_credits import CREDIT_FACTORS

    names = [str(v) for v in drawn["pathway"].values]
    bounds = {
        (str(r["pathway"]), str(r["factor"])): (float(r["low"]), float(r["high"]))
        for r in table.to_dict("records")
    }
    out = {}
    for factor in CREDIT_FACTORS:
        low, high = np.array([bounds.get((name, factor), (1.0, 1.0)) for name in names]).T
        u = rng.random((drawn.sizes["sample"], len(names)))
        out[factor] = xr.DataArray(
            low + (high - low) * u,
            dims=("sample", "pathway"),
            coords={"sample": drawn["sample"].values, "pathway": names},
        )
    return out
