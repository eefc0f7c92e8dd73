"""Bars of the way from plan to net removal add up as the table says."""

from __future__ import annotations

import pandas as pd
import pytest

from sinkrisk import plots
from sinkrisk.errors import InputError

STEPS = {
    "mixed": (100, -40, -1, -29, 30, 5, 2, -3, 0, -4, -1, -1, 23, -6, -2, -3, 12),
    # Losses exceed what is stored: net removal is negative; non-CO2 effects cool.
    "drained": (50, -30, 0, -10, 10, 0, 0, 0, 0, -2, -1, 0, 7, -6, -4, 1, -2),
    "empty": (0,) * 17,
}
NAMES = (
    "planned", "limited", "scarce", "withheld", "captured", "reallocated", "coupled", "avoided", "utilised",
    "uncounted", "foregone", "saturated", "removed", "returned", "process", "non_co2", "net",
)  # fmt: skip
LEVELS = ("planned", "captured", "removed", "net")


@pytest.fixture
def tracing() -> pd.DataFrame:
    rows = []
    for portfolio, values in STEPS.items():
        for step, value in zip(NAMES, values, strict=True):
            role = "level" if step in LEVELS else "part" if step == "reallocated" else "change"
            share = value / values[0] if values[0] else float("nan")
            rows.append((portfolio, step, role, float(value), value - 3.0, value + 4.0, share))
    table = pd.DataFrame(rows, columns=["portfolio", "step", "role", "mean", "low", "high", "share"])
    return table.assign(unit="GtCO2", interval_kind="equal-tailed", interval_mass=0.9)


def _bars(axes, row: int) -> list[tuple[float, float]]:
    return [
        (round(p.get_x(), 9), round(p.get_width(), 9))
        for p in axes.patches
        if abs(p.get_y() + p.get_height() / 2 - row) < 1e-9
    ]


def test_shares_of_the_plan_fill_the_row(tracing):
    left, _ = plots.plot_tracing(tracing).axes
    assert _bars(left, 0) == [(0.0, 25.0), (25.0, 5.0), (30.0, 29.0), (59.0, 1.0), (60.0, 40.0)]
    for row in (0, 1):
        assert sum(width for _, width in _bars(left, row)) == pytest.approx(100.0)
    assert sum(width for _, width in _bars(left, 2)) == 0.0


def test_losses_lead_from_what_is_captured_to_net_removal(tracing):
    _, right = plots.plot_tracing(tracing).axes
    bars = _bars(right, 0)
    # 30 captured and 2 gained by couplings.
    assert max(x + width for x, width in bars) == pytest.approx(32.0)
    assert bars[-1] == (0.0, 12.0)
    assert sum(width for _, width in bars) == pytest.approx(32.0)
    drained = _bars(right, 1)
    assert max(x + width for x, width in drained) == pytest.approx(11.0)
    assert min(x for x, _ in drained) == pytest.approx(-2.0)
    assert drained[-1] == (0.0, 0.0)
    assert list(right.lines[0].get_xdata()) == [12.0, -2.0, 0.0]
    assert right.collections[0].get_segments()[0][:, 0].tolist() == [9.0, 16.0]


def test_a_waterfall_meets_every_level(tracing):
    axes = plots.plot_waterfall(tracing, "mixed").axes[0]
    labels = [t.get_text() for t in axes.get_yticklabels()]
    # What is nought, and the part that moved inside the captured, have no row.
    assert labels[:5] == [
        "Planned", "Beyond capacity", "Resources oversubscribed", "Withheld by institutions", "Captured",
    ]  # fmt: skip
    assert "Fossil carbon in products" not in labels
    assert "Moved to other pathways" not in labels
    level = 0.0
    for bar, label in zip(axes.patches, labels, strict=True):
        start, end = bar.get_x(), bar.get_x() + bar.get_width()
        if label in ("Planned", "Captured", "Gross removal", "Net removal"):
            assert start == 0.0
            assert label == "Planned" or end == pytest.approx(level)
        else:
            assert start == pytest.approx(level)
        level = end
    assert axes.texts[0].get_text() == "100"
    assert axes.texts[1].get_text() == "−40"


def test_limits_fill_a_hundred_per_cent():
    rows = [
        ("daccs", "near_term", "growth", 1.0), ("daccs", "long_term", "growth", 0.6),
        ("daccs", "long_term", "clean_energy", 0.4), ("forests", "near_term", "land", 0.3),
        ("forests", "near_term", "growth", 0.7), ("forests", "long_term", "growth", 1.0),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["pathway", "period", "limit", "probability"]).assign(draws=64)
    near, late = plots.plot_limits(table).axes
    assert [t.get_text() for t in near.get_yticklabels()] == ["forests", "DACCS"]
    assert [b for b in _bars(near, 0) if b[1]] == [(0.0, 70.0), (70.0, 30.0)]
    assert [b for b in _bars(late, 1) if b[1]] == [(0.0, 60.0), (60.0, 40.0)]
    with pytest.raises(InputError, match="missing column"):
        plots.plot_limits(table.drop(columns="limit"))


def test_bad_tables_are_named(tracing):
    with pytest.raises(InputError, match="no such portfolio"):
        plots.plot_waterfall(tracing, "mixd")
    with pytest.raises(InputError, match="missing column"):
        plots.plot_tracing(tracing.drop(columns="share"))
    with pytest.raises(InputError, match="interval ends before it starts"):
        plots.plot_tracing(tracing.assign(low=1e9))
