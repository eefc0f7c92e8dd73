"""From ranking to action: what learning each driver is worth, and who would win if it were known"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from sinkrisk import rng as random
from sinkrisk.errors import InputError, Problem, Problems
from sinkrisk.portfolio.valuing import value_of_learning
from sinkrisk.risk.features import principal_components
from sinkrisk.risk.information import FOLDS
from sinkrisk.risk.partial_information import FLEXIBILITY, PERMUTATIONS
from sinkrisk.sensitivity.dependence import tie_broken_order
from sinkrisk.sensitivity.describing import one_output
from sinkrisk.sensitivity.forms import checked
from sinkrisk.sensitivity.reading import GivenDriver, read_drivers

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

THIRDS = ("lowest third", "middle third", "highest third")


@checked()
def action_table(
    values: xr.DataArray,
    drivers: Mapping[Any, ArrayLike] | xr.Dataset,
    *,
    indices: xr.Dataset | None = None,
    output: Any = None,
    labels: Mapping[str, str] | None = None,
    probability: ArrayLike | None = None,
    folds: int = FOLDS,
    permutations: int = PERMUTATIONS,
    flexibility: int = FLEXIBILITY,
    rng: random.RandomSource = 1,
) -> pd.DataFrame:
    """Return for each driver what it explains, what learning it is worth, and who would win then.

    Parameters
    ----------
    values : DataArray, (sample, portfolio)
        `portfolio.net_benefit`, or any value of which more is better.
    drivers : mapping or Dataset
        Name -> the driver in the same draws: numbers, states, or a block (sample, variable).
    indices : Dataset, optional
        From `sobol`: S1 and ST are put beside.
    output : label, optional
        The output of `indices` that is meant, ``"margin"`` say; may be left out where it has one.
    labels : mapping, optional
        Driver -> driver or group of `indices` that it belongs to; its own name when left out.
    probability, folds, permutations, flexibility, rng
        See `portfolio.value_of_learning`.

    Returns
    -------
    DataFrame
        The most worth learning first: driver, kind, S1, ST, ST_low, ST_high (NaN where not known),
        cross_fitted and plug_in (the bracket of the EVPPI), mc_error, floor, perfect, share_of_perfect,
        acts, winner (the choice without knowing), winners (the choice in each third or state, in words),
        changes (whether it differs anywhere, and the driver acts), unit.

    Raises
    ------
    InputError
        For values, drivers or outputs that do not fit.

    Notes
    -----
    ST says what moves the outcome, the EVPPI (models.md 3.4) what would change the choice: a driver can
    have a large ST and be worth nothing to know. `acts` is that of `value_of_learning`, and False where
    ST is exactly 0 in every output of `indices`: such a driver was seen to do nothing. `winners` are those
    of the draws: which of them is ahead by more than its error is in `winners_by`.

    Examples
    --------
    >>> x = np.random.default_rng(1).standard_normal((2000, 2))
    >>> values = xr.DataArray(np.stack([x[:, 0], 0 * x[:, 0]], axis=1), dims=("sample", "portfolio"),
    ...                       coords={"portfolio": ["bold", "safe"]})
    >>> found = action_table(values, {"price": x[:, 0], "weather": x[:, 1]}, rng=1)
    >>> found[["driver", "acts", "winners"]].values[0].tolist()
    ['price', True, 'lowest third: safe; middle third: safe; highest third: bold']
    """
    table = value_of_learning(
        values,
        {str(name): _coded(given) for name, given in drivers.items()},
        probability=probability,
        folds=folds,
        permutations=permutations,
        flexibility=flexibility,
        rng=rng,
    )
    names = [str(name) for name in drivers]
    found = Problems()
    known = _known(indices, output, names, labels or {}, found)
    found.raise_if_any()
    winners = winners_by(values, drivers, probability=probability)
    words: dict[str, str] = {}
    changes: dict[str, bool] = {}
    for name, part in winners.groupby("driver", sort=False):
        words[str(name)] = "; ".join(
            f"{c}: {w}" for c, w in zip(part["condition"], part["winner"], strict=True)
        )
        changes[str(name)] = bool((part["winner"] != part["without"]).any())
    for column in ("S1", "ST", "ST_low", "ST_high"):
        table[column] = [known[name][column] for name in table["driver"]]
    # A driver without any effect in the design is not to be acted on, whatever chance makes of it.
    table["acts"] &= np.array([not known[name]["idle"] for name in table["driver"]])
    table = table.assign(
        winner=winners["without"].iloc[0],
        winners=table["driver"].map(words),
        changes=table["driver"].map(changes),
    )
    # Where two portfolios are close, chance alone puts another ahead in a third of the draws.
    table["changes"] &= table["acts"]
    table = table.sort_values(["acts", "cross_fitted"], ascending=False, kind="stable", ignore_index=True)
    return table[
        [
            "driver", "kind", "S1", "ST", "ST_low", "ST_high", "cross_fitted", "plug_in", "mc_error", "floor",
            "perfect", "share_of_perfect", "acts", "winner", "winners", "changes", "unit",
        ]
    ]  # fmt: skip


@checked()
def winners_by(
    values: xr.DataArray,
    drivers: Mapping[Any, ArrayLike] | xr.Dataset,
    *,
    probability: ArrayLike | None = None,
) -> pd.DataFrame:
    """Return which portfolio is best in each third or state of each driver.

    Parameters
    ----------
    values : DataArray, (sample, portfolio)
        More is better.
    drivers : mapping or Dataset
        As for `action_table`; a block is cut by its first principal component.
    probability : array_like, (sample,), optional

    Returns
    -------
    DataFrame
        driver, condition ("lowest third", or the state), probability, winner, without (the choice
        without knowing), mean (of the winner), gain (over the choice without knowing, at least 0),
        gain_error (its standard error), unit.

    Raises
    ------
    InputError
        For values or drivers that do not fit.
    """
    import pandas as pd

    if set(values.dims) != {"sample", "portfolio"}:
        raise InputError(Problem("dims of values", got=str(values.dims), allowed="(sample, portfolio)"))
    data = np.asarray(values.transpose("sample", "portfolio").values, dtype=float)
    names = [str(p) for p in values["portfolio"].values]
    found = Problems()
    if not np.isfinite(data).all():
        found.add("values are not finite", got=f"draw {np.argwhere(~np.isfinite(data))[0, 0]}")
    weight = np.full(len(data), 1.0 / len(data)) if probability is None else np.asarray(probability, float)
    if weight.shape != (len(data),) or (weight < 0.0).any() or not weight.sum() > 0.0:
        found.add("probability", got=weight.shape, allowed=f"({len(data)},), none below 0", key="probability")
    read = read_drivers(drivers, len(data), found, blocks=True)
    found.raise_if_any()
    weight = weight / weight.sum()
    best = int(np.argmax(weight @ data))
    rows = []
    for driver in read:
        codes, labels = _conditions(driver)
        for code, label in enumerate(labels):
            inside = codes == code
            chance = float(weight[inside].sum())
            if not chance > 0.0:
                continue
            share = weight[inside] / chance
            means = share @ data[inside]
            winner = int(np.argmax(means))
            ahead = data[inside, winner] - data[inside, best]
            gain = float(share @ ahead)
            rows.append(
                {
                    "driver": driver.name,
                    "condition": label,
                    "probability": chance,
                    "winner": names[winner],
                    "without": names[best],
                    "mean": float(means[winner]),
                    "gain": gain,
                    "gain_error": float(np.sqrt(np.sum(share**2 * (ahead - gain) ** 2))),
                    "unit": str(values.attrs.get("units", "1")),
                }
            )
    return pd.DataFrame(rows)


def _coded(given: Any) -> Any:
    """Return words, which are states, as whole numbers; everything else as it is."""
    if hasattr(given, "categories"):
        return np.asarray(given.codes)
    raw = np.asarray(given)
    if raw.ndim != 1 or raw.dtype.kind not in "OUST":
        return given
    return np.unique(raw.astype(str), return_inverse=True)[1]


def _conditions(driver: GivenDriver) -> tuple[NDArray[np.intp], tuple[str, ...]]:
    """Return the condition each draw is in, and the conditions' names."""
    if driver.kind == "states":
        return np.asarray(driver.values, dtype=np.intp), driver.states
    x, ending = driver.values, ""
    if driver.kind == "block":
        components = principal_components(np.asarray(x, dtype=float))
        x = components[:, 0] if components.shape[1] else np.zeros(len(x))
        ending = " of its first component"
    rank = np.empty(len(x), dtype=np.intp)
    # Equal values in random order: in that of the draws they would get the draws' own trend.
    rank[tie_broken_order(x, np.random.default_rng(0))] = np.arange(len(x)) * 3 // len(x)
    return rank, tuple(name + ending for name in THIRDS)


def _known(
    indices: xr.Dataset | None,
    output: Any,
    names: list[str],
    labels: Mapping[str, str],
    found: Problems,
) -> dict[str, dict[str, float]]:
    columns = ("S1", "ST", "ST_low", "ST_high")
    unknown = {**dict.fromkeys(columns, float("nan")), "idle": False}
    if indices is None:
        return dict.fromkeys(names, unknown)
    one = one_output(indices, output)
    there = [str(d) for d in indices["driver"].values]
    for driver, label in labels.items():
        if driver not in names:
            found.add("labels: no such driver", got=driver, allowed=names, key="labels")
        if label not in there:
            found.add("labels: not a driver or group of the indices", got=label, allowed=there, key="labels")
    out = {}
    for name in names:
        label = labels.get(name, name)
        at = there.index(label) if label in there else None
        if at is None:
            out[name] = unknown
        else:
            idle = bool((indices["ST"].isel(driver=at) == 0.0).all())
            out[name] = {**{c: float(one[c].values[at]) for c in columns}, "idle": idle}
    return out
