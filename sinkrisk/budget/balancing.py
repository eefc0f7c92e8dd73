"""Sums of the stated means before any model: an imbalance no honest errors leave, and the row behind it"""

from __future__ import annotations

import itertools
import os
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sinkrisk.budget.cells import LARGEST
from sinkrisk.budget.identity import REQUIRED, SIGNS, UNIT
from sinkrisk.errors import ImbalanceWarning

FAR = 4.0
"""Standard deviations of the stated means' imbalance from which a table is not believed: 6 in 100,000."""

SLIPS: dict[float, str] = {
    44.0 / 12.0: "GtCO2/yr",
    1e-3: "GtC/yr, not MtC/yr",
    1e-3 * 44.0 / 12.0: "GtCO2/yr, not MtCO2/yr",
}
"""Factor by which a value is off -> the unit it seems to be in. A thousand times too much is refused as a
row already, and would make any small component fit by taking it away."""

START = "the stated means of "
"""How every such note begins."""


@dataclass(frozen=True)
class Misfit:
    """A window whose stated means do not close.

    Parameters
    ----------
    window : str
    imbalance, sd : float
        Sources minus sinks of the pooled stated means, and the root of their summed variances (of each
        component the smallest stated), GtC/yr.
    row : int
        The row that stands out.
    text : str
        What to say of it.
    """

    window: str
    imbalance: float
    sd: float
    row: int
    text: str


def find_misfits(rows: pd.DataFrame) -> list[Misfit]:
    """Return the windows whose stated means leave more than `FAR` standard deviations.

    Parameters
    ----------
    rows : DataFrame
        row, component, window, value and sd (GtC/yr); net_of where some rows state a difference of two
        components, which is no statement on either.

    Examples
    --------
    >>> rows = pd.DataFrame({
    ...     "row": range(1, 6), "component": list(REQUIRED), "window": "2014-2023",
    ...     "value": [35.6, 1.1, 5.2, 2.9, 3.2], "sd": [1.8, 0.7, 0.2, 0.4, 0.9]})
    >>> print(find_misfits(rows)[0].text)
    the stated means of 2014-2023 leave +25.40 GtC/yr, ... of their sds: fossil in row 1 ... GtCO2/yr?
    """
    if "net_of" in rows:
        rows = rows[rows["net_of"] == ""]
    if rows.empty:
        return []
    pooled = _pooled(rows)
    means = pooled["mean"].unstack("component")
    if not set(REQUIRED) <= set(means.columns):
        return []
    names = [name for name in SIGNS if name in means.columns]
    means = means.loc[means[list(REQUIRED)].notna().all(axis=1), names]
    variance = pooled["variance"].unstack("component").loc[means.index, names].fillna(0.0)
    mean = means.fillna(0.0)
    signs = np.array([SIGNS[name] for name in names])
    imbalance = mean.to_numpy() @ signs
    sd = np.sqrt(variance.to_numpy().sum(axis=1))
    out = []
    for place in np.flatnonzero(np.abs(imbalance) > FAR * sd):
        window, gap = str(mean.index[int(place)]), float(imbalance[place])
        component, slip = _odd(mean.iloc[int(place)], variance.iloc[int(place)], gap)
        mine = rows[(rows["window"] == window) & (rows["component"] == component)]
        worst = mine.iloc[int(mine["value"].abs().to_numpy().argmax())]
        text = (
            f"{START}{window} leave {gap:+.2f} {UNIT}, {abs(gap) / sd[place]:.1f} of their sds: {component} "
            f"in row {worst['row']} ({worst['value']:.4g} +- {worst['sd']:.2g}) stands out; "
            + (f"is it in {slip}?" if slip else "look at its unit, its sign and its window")
        )
        out.append(Misfit(window, gap, float(sd[place]), int(worst["row"]), text))
    return out


def warn_misfits(notes: tuple[str, ...]) -> None:
    """Warn, before any sampling, with the notes on windows that do not close."""
    said = [note for note in notes if note.startswith(START)]
    if said:
        shown = "; ".join(said[:3]) + (f"; and {len(said) - 3} windows more" if len(said) > 3 else "")
        warnings.warn(
            shown, ImbalanceWarning, skip_file_prefixes=(os.path.dirname(os.path.dirname(__file__)),)
        )


def _pooled(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the inverse-variance mean of each window and component, and the smallest variance stated.

    Estimates share what they are made of: taken as independent, hundreds of them would leave no sd at all.
    """
    weight = 1.0 / np.square(rows["sd"].to_numpy(dtype=float))
    frame = pd.DataFrame(
        {
            "window": rows["window"].to_numpy(),
            "component": rows["component"].to_numpy(),
            "weight": weight,
            "moment": weight * rows["value"].to_numpy(dtype=float),
        }
    )
    groups = frame.groupby(["window", "component"], sort=False)
    total, surest = groups.sum(), groups["weight"].max()
    return pd.DataFrame({"mean": total["moment"] / total["weight"], "variance": 1.0 / surest})


def _odd(mean: pd.Series[float], variance: pd.Series[float], gap: float) -> tuple[str, str]:
    """Return the component that stands out and the unit it seems to be in, or ``""``.

    A unit that closes the window names the component; else it is the one that closure would change by
    the smallest factor, for a slip leaves every other component an absurd flux to close with.
    """
    best = ("", "", np.inf)
    for component, (factor, unit) in itertools.product(mean.index, SLIPS.items()):
        value, own = float(mean[component]), float(variance[component])
        if abs(value) / factor > LARGEST:
            continue
        left = gap - SIGNS[str(component)] * value * (1.0 - 1.0 / factor)
        # The sd may have slipped with the value or not; the wider would let any small component fit.
        sd = np.sqrt(float(variance.sum()) - own + min(own, own / factor**2))
        if abs(left) / sd < best[2]:
            best = (str(component), unit, abs(left) / sd)
    if best[2] < FAR / 2:
        return best[0], best[1]
    needed = {str(c): float(mean[c]) - SIGNS[str(c)] * gap for c in mean.index}
    change = {
        name: abs(np.log(max(abs(float(mean[name])), 1e-9) / max(abs(value), 1e-9)))
        + (10.0 if value * float(mean[name]) < 0 else 0.0)
        for name, value in needed.items()
    }
    return min(change, key=lambda name: change[name]), ""
