"""Three ledgers that never overlap: removal, avoided emissions, utilisation.

Carbon taken from the air and stored is a removal. Carbon caught at a chimney is an avoided
emission, fossil carbon in products is utilisation; neither is ever a removal or a credit
(models.md 3.2). A pathway writes into the ledger of its flow class; industrial carbonation is
split by the origin of its carbon.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

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
    removal_share : ndarray, (pathway, sample)
        Share of a utilisation pathway's carbon that comes from the air; not read elsewhere.

    Returns
    -------
    removal, avoided, utilised : ndarray, (pathway, sample)
        Not negative, summing to 1.
    """
    removal = np.zeros(removal_share.shape)
    avoided = np.zeros(removal_share.shape)
    utilised = np.zeros(removal_share.shape)
    for p, name in enumerate(flow_class):
        if name == "removal":
            removal[p] = 1.0
        elif name == "avoided":
            avoided[p] = 1.0
        else:
            removal[p] = removal_share[p]
            utilised[p] = 1.0 - removal_share[p]
    return removal, avoided, utilised


def check_identities(outcomes: xr.Dataset, *, tolerance: float = TOLERANCE) -> list[Check]:
    """Check in every draw that nothing was lost or counted twice.

    Parameters
    ----------
    outcomes : Dataset
        From `simulate`.
    tolerance : float
        Largest error allowed, relative to the largest flow of the outcomes (at least 1 GtCO2/yr).

    Returns
    -------
    list of Check
        ``planned = deployed + reallocated + lost``; received = reallocated, summed over pathways;
        ``deployed + received = removed + avoided + utilised``; ``removed = stored + returned``;
        ledgers of a flow class other than the pathway's own are empty; and the carbon that has
        come back never exceeds what was removed until then.
    """
    scale = max(1.0, float(outcomes["planned"].max()), float(outcomes["received"].max()))
    captured = outcomes["deployed"] + outcomes["received"]
    ledgers = outcomes["removed"] + outcomes["avoided"] + outcomes["utilised"]
    flow = outcomes["flow_class"]
    length = outcomes["period_length"]
    wrong = (
        outcomes["removed"].where(flow == "avoided", 0.0)
        + outcomes["avoided"].where(flow != "avoided", 0.0)
        + outcomes["utilised"].where(flow != "utilisation", 0.0)
    )
    net = (outcomes["stored"] * length).cumsum("period")
    horizon = float(length.sum())
    errors = {
        "planned = deployed + reallocated + lost": (
            outcomes["planned"] - outcomes["deployed"] - outcomes["reallocated"] - outcomes["lost"]
        ),
        "received = reallocated": outcomes["received"].sum("pathway")
        - outcomes["reallocated"].sum("pathway"),
        "captured = removed + avoided + utilised": captured - ledgers,
        "removed = stored + returned": outcomes["removed"] - outcomes["stored"] - outcomes["returned"],
        "each pathway writes only into its own ledger": wrong,
        "no carbon returns twice": (-net / horizon).clip(min=0.0),
    }
    checks = []
    for name, error in errors.items():
        worst = float(np.abs(error).max())
        passed = bool(worst <= tolerance * scale)
        checks.append(
            Check(
                name, passed, f"{name}: largest error {worst:.3g} GtCO2/yr, allowed {tolerance * scale:.3g}"
            )
        )
    return checks
