"""Credit discounts: what a tonne of each pathway is worth beside another, and at what rate they exchange"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from sinkrisk import risk, rng as random
from sinkrisk.arguments import Holding
from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.portfolio import credit_factors
from sinkrisk.portfolio.forms import DISCOUNTS, checked
from sinkrisk.portfolio.measuring import weights_of

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

FACTORS: tuple[str, ...] = (
    "durability", "reversal", "measurement", "uptake", "additionality", "leakage", "delay", "co_benefit",
)  # fmt: skip
"""What a tonne is multiplied by; all at most 1 but the last, a premium."""

CHARGES: tuple[str, ...] = ("foregone_regrowth", "other_gases", "process_energy")
"""What is taken off, tonnes per tonne captured."""

STATISTICS: tuple[str, ...] = ("median", "low", "high")

NEEDED: tuple[str, ...] = (
    "half_life", "leakage_rate", "reversal_loss", "classes", "land_sink_ratio", "shock", "suitability_share",
    "discount_rate", "energy", "period_start", "period_length", "creditable", "flow_class",
)  # fmt: skip


@checked()
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
        Factors held at 1 and charges held at 0: ``("co_benefit", "delay")`` leaves tonnes alone to compare.
    rng : int, Generator or None
        Draws what the inputs do not hold.

    Returns
    -------
    Dataset
        ``factors`` (sample, pathway, factor), 1; ``charges`` (sample, pathway, charge), tonnes per tonne
        captured; ``discount`` (sample, pathway): durable net tonnes (with premium) behind one tonne
        captured into the ledger of removal, below 0 where a credit stands for a net source;
        ``probability`` (sample). Only creditable pathways, those of the ledger of avoided emissions left
        out: an avoided tonne never exchanges for a removed one.

    Raises
    ------
    InputError
        For inputs that lack a variable, a table that is not sound or an unknown factor, all at once.

    Notes
    -----
    ``discount = co_benefit x delay x measurement x leakage x net``, ``net = durability x reversal x
    (additionality x uptake - foregone_regrowth) - process_energy - other_gases``: charges are tonnes and
    are subtracted, not multiplied. Regrowth given up would have decayed like what is stored instead; it is
    charged up to ``additionality x uptake`` and no further, as in ``simulate``: beyond, nothing is stored.
    `net` is what ``simulate`` calls (durable - process - non_co2) per tonne captured, of a pathway alone
    that deploys all its capacity allows and whose store does not fill (`credit_factors`). Of a pathway
    that also utilises, removal bears the charges by its share.

    Examples
    --------
    >>> from sinkrisk import inputs
    >>> discounts = credit_discounts(inputs.sample(inputs.drivers(), 16, rng=1))
    >>> discounts["factors"].sizes["factor"], "point_source_ccs" in discounts["pathway"].values
    (8, False)
    """
    table = _credits_table(credits)
    found = Problems()
    for name in NEEDED:
        if name not in drawn.variables:
            found.add("inputs lack a variable", key=name, hint="inputs come from inputs.sample")
    for name in leave_out:
        if name not in (*FACTORS, *CHARGES):
            found.add("unknown factor", got=name, allowed=(*FACTORS, *CHARGES), key="leave_out")
    found.raise_if_any()
    kept = drawn["creditable"].values.astype(bool) & (drawn["flow_class"].values.astype(str) != "avoided")
    if not kept.any():
        raise InputError(Problem("no pathway is creditable", key="creditable"))
    some = drawn.isel(pathway=np.flatnonzero(kept))
    stated = _stated_factors(some, table, random.generator(rng))
    flow = credit_factors.deployable(drawn).isel(pathway=np.flatnonzero(kept))
    shares = {
        "durability": credit_factors.durability(some),
        "reversal": credit_factors.reversal(some, flow),
        "measurement": stated["measurement"],
        "uptake": credit_factors.uptake(some),
        "additionality": credit_factors.additionality(some),
        "leakage": stated["leakage"],
        "delay": credit_factors.delay(some),
        "co_benefit": stated["co_benefit"],
    }
    tonnes = {
        "foregone_regrowth": credit_factors.foregone_regrowth(some),
        "other_gases": credit_factors.other_gases(some, flow),
        "process_energy": credit_factors.process_energy(some, flow),
    }
    shape = xr.ones_like(stated["measurement"])
    f = {n: shape if n in leave_out else (shape * shares[n]).reset_coords(drop=True) for n in FACTORS}
    c = {n: 0.0 * shape if n in leave_out else (shape * tonnes[n]).reset_coords(drop=True) for n in CHARGES}
    # As in the simulation: of what would have regrown no more is taken off than there is to store.
    into = f["additionality"] * f["uptake"]
    c["foregone_regrowth"] = c["foregone_regrowth"].where(c["foregone_regrowth"] < into, into)
    stored = f["durability"] * f["reversal"] * (into - c["foregone_regrowth"])
    net = stored - c["process_energy"] - c["other_gases"]
    out = xr.Dataset(
        {
            "factors": _along("factor", f),
            "charges": _along("charge", c),
            "discount": f["co_benefit"] * f["delay"] * f["measurement"] * f["leakage"] * net,
        }
    )
    for name in ("factors", "charges", "discount"):
        out[name].attrs = {"units": "1"}
    n = drawn.sizes["sample"]
    out["probability"] = (
        "sample",
        drawn["probability"].values if "probability" in drawn else np.full(n, 1 / n),
    )
    out.attrs["left_out"] = ", ".join(leave_out)
    return out


def _along(dim: str, parts: dict[str, xr.DataArray]) -> xr.DataArray:
    """Return arrays (sample, pathway) as one with their names on a new last axis."""
    joined = xr.concat(list(parts.values()), dim=dim).transpose("sample", "pathway", dim)
    return joined.assign_coords({dim: list(parts)})


@checked()
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
        pathway, factor (the last of each pathway "discount", what the others come to), kind (factor,
        charge or whole), mean, median, low, high, interval_kind, interval_mass.

    Raises
    ------
    InputError
        For a level out of range.

    Examples
    --------
    >>> from sinkrisk import inputs
    >>> drawn = inputs.sample(inputs.drivers(), 8, rng=1)
    >>> table = credit_table(credit_discounts(drawn))
    >>> table.groupby("kind", sort=False)["factor"].nunique().to_dict()
    {'factor': 8, 'charge': 3, 'whole': 1}
    """
    import pandas as pd

    kinds = {str(v): "factor" for v in discounts["factor"].values}
    kinds |= {str(v): "charge" for v in discounts["charge"].values} | {"discount": "whole"}
    values = np.concatenate(
        [
            discounts["factors"].transpose("pathway", "factor", "sample").values,
            discounts["charges"].transpose("pathway", "charge", "sample").values,
            discounts["discount"].transpose("pathway", "sample").values[:, None],
        ],
        axis=1,
    )
    weight = weights_of(discounts["discount"], discounts["probability"].values)
    numbers = _statistics(values, weight, level)
    mean = values @ weight
    rows = [
        {
            "pathway": str(pathway),
            "factor": factor,
            "kind": kind,
            "mean": float(mean[p, f]),
            **dict(zip(STATISTICS, map(float, numbers[p, f]), strict=True)),
            "interval_kind": "equal-tailed",
            "interval_mass": level,
        }
        for p, pathway in enumerate(discounts["pathway"].values)
        for f, (factor, kind) in enumerate(kinds.items())
    ]
    return pd.DataFrame(rows)


@checked(discounts=Holding(variables=("discount",), dims=("sample",), origin=DISCOUNTS))
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
        their discounts in the same draw; median, low and high over the draws in which it is defined, and
        probability_defined. Where a credit of `other` holds nothing or stands for a net source there is
        no rate: NaN where that is so in every draw. A rate below 0: `pathway` is a net source there.
        ratio_of_means is the rate between large numbers of credits, NaN unless both hold something on
        average. There is no mean of ratios: it grows without bound as the other's discount nears 0.
        Attributes ``interval_kind``, ``interval_mass``.

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
    >>> float(exchange_rates(discounts).sel(pathway="daccs", other="forests", statistic="median"))
    2.5
    """
    discount = discounts["discount"].transpose("pathway", "sample")
    given = discounts["probability"].values if probability is None else probability
    weight = weights_of(discount, given)
    values = discount.values
    names = [str(v) for v in discount["pathway"].values]
    out = np.full((len(names), len(names), len(STATISTICS) + 2), np.nan)
    mean = values @ weight
    for j in range(len(names)):
        defined = values[j] > 0.0
        mass = float(weight[defined].sum())
        out[:, j, -1] = min(mass, 1.0)
        if mean[j] > 0.0:
            out[:, j, -2] = np.where(mean > 0.0, mean / mean[j], np.nan)
        if mass > 0.0:
            rates = values[:, defined] / values[j, defined]
            out[:, j, :-2] = _statistics(rates, weight[defined] / mass, level)
    return xr.DataArray(
        out,
        dims=("pathway", "other", "statistic"),
        coords={
            "pathway": names,
            "other": names,
            "statistic": [*STATISTICS, "ratio_of_means", "probability_defined"],
        },
        name="exchange_rate",
        attrs={"units": "1", "interval_kind": "equal-tailed", "interval_mass": level},
    )


@checked()
def exchange_table(rates: xr.DataArray) -> pd.DataFrame:
    """Return exchange rates as a tidy table.

    Parameters
    ----------
    rates : DataArray, (pathway, other, statistic)
        From `exchange_rates`.

    Returns
    -------
    DataFrame
        pathway, other, median, low, high, ratio_of_means, probability_defined, interval_kind,
        interval_mass; one row per pair of different pathways.

    Examples
    --------
    >>> discounts = xr.Dataset(
    ...     {
    ...         "discount": (("sample", "pathway"), [[0.8, 0.4], [0.6, 0.2]]),
    ...         "probability": ("sample", [0.5, 0.5]),
    ...     },
    ...     coords={"pathway": ["daccs", "forests"]},
    ... )
    >>> table = exchange_table(exchange_rates(discounts))
    >>> table[["pathway", "other", "median", "probability_defined"]]
       pathway    other    median  probability_defined
    0    daccs  forests  2.500000                  1.0
    1  forests    daccs  0.416667                  1.0
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


@checked()
def credit_sentence(discounts: xr.Dataset, *, level: float = 0.9) -> str:
    """Return what discounts say, in a sentence or two.

    Parameters
    ----------
    discounts : Dataset
        From `credit_discounts`.
    level : float
        Mass of the interval of the exchange rate.

    Examples
    --------
    >>> from sinkrisk import inputs
    >>> drawn = inputs.sample(inputs.drivers(), 8, rng=1)
    >>> text = credit_sentence(credit_discounts(drawn))
    >>> text.startswith("A tonne that ") and " holds " in text
    True
    """
    table = credit_table(discounts, level=level)
    whole = table[table["factor"] == "discount"].set_index("pathway")["median"]
    best, worst = str(whole.idxmax()), str(whole.idxmin())
    most, least = float(whole[best]), float(whole[worst])
    parts = table[(table["pathway"] == worst) & (table["kind"] != "whole")].set_index("factor")
    taken = parts["median"].where(parts["kind"] == "charge", 1.0 - parts["median"])
    rate = exchange_rates(discounts, level=level).sel(pathway=best, other=worst)
    low, middle, high = (float(rate.sel(statistic=s)) for s in ("low", "median", "high"))
    defined = float(rate.sel(statistic="probability_defined"))
    text = (
        f"A tonne that {best} books as removal holds {most:.2f} credited tonnes, the most; one by "
        f"{worst} {least:.2f}, the least, above all for its {str(taken.idxmax()).replace('_', ' ')}. "
    )
    if defined < 0.5:
        return text + (
            f"Credits of {best} and {worst} do not exchange: in {1.0 - defined:.0%} of draws one of {worst} "
            "holds nothing or stands for a net source."
        )
    rest = "" if defined > 0.9995 else f", over the {defined:.0%} of draws in which it is defined"
    return text + (
        f"One credit of {best} is worth {middle:.3g} of {worst} (median; {level:.0%} equal-tailed interval "
        f"{low:.3g} to {high:.3g}{rest})."
    )


def _statistics(x: Floats, weight: Floats, level: float) -> Floats:
    """Return median, low and high over the last axis, on a new last axis."""
    if not 0.0 < level < 1.0:
        raise InputError(Problem("level outside its range", got=level, allowed="0 < level < 1", key="level"))
    probability = None if np.ptp(weight) <= 1e-15 else weight
    masses = [0.5, (1.0 - level) / 2.0, (1.0 + level) / 2.0]
    return np.asarray(risk.quantile(x, masses, probability=probability))


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
