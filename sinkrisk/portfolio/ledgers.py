"""Three ledgers that never overlap: removal, avoided emissions, utilisation

Carbon taken from the air and stored is a removal. Carbon caught at a chimney is an avoided
emission, fossil carbon in products is utilisation; neither is ever a removal or a credit
(models.md 3.2). A pathway writes into the ledger of its flow class; industrial carbonation is
split by the origin of its carbon.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sinkrisk.arguments import Holding
from sinkrisk.errors import InputError, Problem
from sinkrisk.portfolio.forms import DRAWN, OUTCOMES, checked
from sinkrisk.results import Check

if TYPE_CHECKING:
    import xarray as xr

Floats = NDArray[np.float64]

FLOW_CLASSES: tuple[str, ...] = ("removal", "avoided", "utilisation")

TOLERANCE = 1e-9


def ledger_shares(flow_class: Sequence[str], removal_share: Floats) -> tuple[Floats, Floats, Floats]:
    """Return how the captured carbon of each pathway is split between the ledgers.

    Parameters
    ----------
    flow_class : sequence of str, (pathway,)
        "removal", "avoided" or "utilisation".
    removal_share : ndarray, (sample, pathway)
        Share of a utilisation pathway's carbon that comes from the air; not read elsewhere.

    Returns
    -------
    removal, avoided, utilised : ndarray, (sample, pathway)
        Not negative, summing to 1.

    Examples
    --------
    >>> removal, avoided, utilised = ledger_shares(["avoided", "utilisation"], np.array([[0.9, 0.3]]))
    >>> removal.tolist(), avoided.tolist(), utilised.tolist()
    ([[0.0, 0.3]], [[1.0, 0.0]], [[0.0, 0.7]])
    """
    removal = np.zeros(removal_share.shape)
    avoided = np.zeros(removal_share.shape)
    utilised = np.zeros(removal_share.shape)
    for p, name in enumerate(flow_class):
        if name == "removal":
            removal[:, p] = 1.0
        elif name == "avoided":
            avoided[:, p] = 1.0
        else:
            removal[:, p] = removal_share[:, p]
            utilised[:, p] = 1.0 - removal_share[:, p]
    return removal, avoided, utilised


def _returned_twice(o: xr.Dataset) -> xr.DataArray:
    net = (o["stored"] * o["period_length"]).cumsum("period")
    return (-net / float(o["period_length"].sum())).clip(min=0.0)


def _credited_ahead(o: xr.Dataset) -> xr.DataArray:
    ahead = ((o["credited"] - o["removed"]) * o["period_length"]).cumsum("period")
    return (ahead / float(o["period_length"].sum())).clip(min=0.0)


def _wrong_ledger(o: xr.Dataset) -> xr.DataArray:
    flow = o["flow_class"]
    return (
        o["removed"].where(flow == "avoided", 0.0)
        + o["avoided"].where(flow != "avoided", 0.0)
        + o["utilised"].where(flow != "utilisation", 0.0)
    )


_NEW = ("coupled", "uncounted", "foregone", "saturated", "removed", "avoided", "utilised")

IDENTITIES: dict[str, tuple[tuple[str, ...], Callable[[xr.Dataset], xr.DataArray]]] = {
    "planned = deployed + reallocated + lost": (
        ("planned", "deployed", "reallocated", "lost"),
        lambda o: o["planned"] - o["deployed"] - o["reallocated"] - o["lost"],
    ),
    "lost = limited + scarce + withheld": (
        ("lost", "limited", "scarce", "withheld"),
        lambda o: o["lost"] - o["limited"] - o["scarce"] - o["withheld"],
    ),
    "received = reallocated": (
        ("received", "reallocated"),
        lambda o: o["received"].sum("pathway") - o["reallocated"].sum("pathway"),
    ),
    "captured + coupled = removed + avoided + utilised + uncounted + foregone + saturated": (
        ("deployed", "received", *_NEW),
        lambda o: (
            (o["deployed"] + o["received"] + o["coupled"])
            - (o["removed"] + o["avoided"] + o["utilised"])
            - (o["uncounted"] + o["foregone"] + o["saturated"])
        ),
    ),
    "removed = stored + returned": (
        ("removed", "stored", "returned"),
        lambda o: o["removed"] - o["stored"] - o["returned"],
    ),
    "each pathway writes only into its own ledger": (("removed", "avoided", "utilised"), _wrong_ledger),
    "no carbon returns twice": (("stored",), _returned_twice),
    "net = stored - process - non-CO2": (
        ("net", "stored", "process", "non_co2"),
        lambda o: o["net"] - o["stored"] + o["process"] + o["non_co2"],
    ),
    "credits never run ahead of removal": (("credited", "removed"), _credited_ahead),
    "captured by region = captured by pathway": (
        ("captured_in", "deployed", "received"),
        lambda o: o["captured_in"].sum("region") - (o["deployed"] + o["received"]).sum("pathway"),
    ),
    "cost by region = cost by pathway": (
        ("cost_in", "cost"),
        # Relative, because money is counted in another unit than carbon.
        lambda o: (
            (o["cost_in"].sum("region") - o["cost"].sum("pathway")) / (1.0 + abs(o["cost"]).sum("pathway"))
        ),
    ),
}
"""Name of each identity, the outcomes it speaks of, and its error."""


@checked(outcomes=Holding(origin=OUTCOMES), drawn=Holding(dims=("sample",), origin=DRAWN))
def check_identities(
    outcomes: xr.Dataset, drawn: xr.Dataset | None = None, *, tolerance: float = TOLERANCE
) -> list[Check]:
    """Check in every draw that nothing was lost or counted twice.

    Parameters
    ----------
    outcomes : Dataset
        From `simulate`, GtCO2/yr (sample, portfolio, pathway, period).
    drawn : Dataset, optional
        The inputs it came from: then the use of shared resources is held against their supply.
    tolerance : float
        Largest error allowed, relative to the largest flow of the outcomes (at least 1 GtCO2/yr).

    Returns
    -------
    list of Check
        One for each of `IDENTITIES`: plans are deployed, moved or lost, and every loss has a reason;
        what moved arrived; captured carbon is in exactly one ledger, or uncounted, or makes up for
        regrowth given up, or is turned away by full stores; removal is stored or returned, and
        nothing returns twice; credits never exceed removal so far; sums over regions and over pathways
        agree. With shared resources in both datasets, one more for their supply. Where `variables=` left
        out what an identity speaks of, its check has ``passed=None`` and says so.

    Raises
    ------
    InputError
        When `drawn` holds other draws than the outcomes.

    Examples
    --------
    >>> import xarray as xr
    >>> flows = {"removed": 2.0, "stored": 1.5, "returned": 0.4}
    >>> outcomes = xr.Dataset({name: ("period", [value]) for name, value in flows.items()})
    >>> outcomes["period_length"] = "period", [10.0]
    >>> [c.text for c in check_identities(outcomes) if c.passed is False]
    ['removed = stored + returned: largest error 0.1 GtCO2/yr, allowed 1e-09']
    """
    scale = 1.0
    for name in ("planned", "received", "coupled"):
        if name in outcomes:
            scale = max(scale, float(np.abs(outcomes[name]).max()))
    if drawn is not None and drawn.sizes["sample"] != outcomes.sizes.get("sample"):
        got = f"{drawn.sizes['sample']} draws of inputs, {outcomes.sizes.get('sample')} of outcomes"
        raise InputError(Problem("inputs and outcomes of different draws", got=got, key="drawn"))
    checks = []
    for name, (needed, error_of) in IDENTITIES.items():
        absent = [n for n in needed if n not in outcomes]
        if absent:
            checks.append(Check(name, None, f"{name}: not checked, outcomes lack {', '.join(absent)}"))
            continue
        # xarray's sums and maxima pass over NaN: a draw that is none must not pass for a draw that holds.
        finite = all(bool(np.isfinite(outcomes[n]).all()) for n in needed)
        worst = float(np.abs(error_of(outcomes)).max()) if finite else np.nan
        checks.append(_judge(name, worst, tolerance * scale))
    if drawn is not None and "resource_supply" in drawn and "resource_used" in outcomes:
        supply = drawn["resource_supply"].sum("region")
        over = (outcomes["resource_used"] - supply) / (1.0 + supply.where(np.isfinite(supply), 0.0))
        checks.append(
            _judge("resources in use within their supply", max(0.0, float(over.max())), tolerance * scale)
        )
    return checks


def _judge(name: str, worst: float, allowed: float) -> Check:
    if np.isnan(worst):
        return Check(name, False, f"{name}: outcomes hold values that are not finite")
    text = f"{name}: largest error {worst:.3g} GtCO2/yr, allowed {allowed:.3g}"
    return Check(name, bool(worst <= allowed), text)
