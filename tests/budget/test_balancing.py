"""Tables whose stated means do not close by far: said before sampling, with the row that stands out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sinkrisk import budget
from sinkrisk.budget.balancing import find_misfits
from sinkrisk.budget.statements import china_observations, ocean_observations
from sinkrisk.errors import ImbalanceWarning, InputError

NAMES = ["fossil", "land_use", "atmosphere", "ocean", "land"]
VALUES = [9.7, 1.1, 5.2, 2.9, 3.2]
SDS = [0.5, 0.7, 0.2, 0.4, 0.9]


def build(**changes):
    values = dict(zip(NAMES, VALUES, strict=True)) | changes
    return pd.DataFrame(
        {"component": NAMES, "start": 2014, "end": 2023, "value": [values[n] for n in NAMES], "sd": SDS,
         "unit": "GtC/yr"}
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        # A value in another unit, its sd left alone: imbalance by hand, over sqrt(1.75) = 1.323.
        ({"fossil": 35.6}, r"\+25.40 GtC/yr, 19.2 of their sds: fossil in row 1 .*is it in GtCO2/yr"),
        ({"ocean": 10.6}, r"-8.20 GtC/yr, 6.2 of their sds: ocean in row 4 .*is it in GtCO2/yr"),
        ({"fossil": 0.0097}, "fossil in row 1 .*is it in GtC/yr, not MtC/yr"),
        ({"fossil": 20.0}, r"\+9.80 GtC/yr, 7.4 of their sds: fossil in row 1 .*look at its unit, its sign"),
    ],
)
@pytest.mark.parametrize("model", ["closed", "hierarchical"])
def test_a_slip_is_named_before_sampling(changes, said, model, monkeypatch):
    def sampled(*_, **__):
        raise KeyboardInterrupt("the sampler was reached")

    monkeypatch.setattr("sinkrisk.budget.hierarchical.sample_parameters", sampled)
    monkeypatch.setattr("sinkrisk.budget.closed.draw", sampled)
    with pytest.warns(ImbalanceWarning, match=said), pytest.raises(KeyboardInterrupt, match="was reached"):
        budget.reconcile(build(**changes), model=model, rng=1)


def test_four_sds_is_the_bound():
    sd = float(np.sqrt(np.square(SDS).sum()))
    rows = build().assign(row=range(1, 6), window="2014-2023")
    closed = 5.2 + 2.9 + 3.2 - 1.1
    for times, found in ((3.99, 0), (4.01, 1), (-4.01, 1)):
        rows.loc[0, "value"] = closed + times * sd
        assert len(find_misfits(rows)) == found
    # A difference of two components is no statement on either; nor does a window without all close.
    assert find_misfits(rows.assign(net_of=["", "", "", "", "land_use"])) == []
    assert find_misfits(rows.iloc[1:]) == []


@pytest.mark.parametrize("table", ["global", china_observations, ocean_observations])
def test_no_packaged_table_is_suspect(table, packaged):
    frame = packaged(table) if isinstance(table, str) else table()
    assert not [note for note in budget.prepare_rows(frame).notes if "of their sds" in note]


def test_a_row_of_a_hundred_gigatonnes_is_refused():
    with pytest.raises(InputError, match=r"row 1, .*far larger.*got 101\.0; allowed: at most 100 GtC/yr"):
        budget.reconcile(build(fossil=101.0), model="closed", rng=1)
