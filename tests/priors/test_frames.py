"""Pandera schemas and the check of a user's frame: the same verdict as the file reader's."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pandera.pandas as pandera
import pytest

from sinkrisk import files, priors
from sinkrisk.errors import InputError
from sinkrisk.priors import layouts, tables

BAD = Path(__file__).parents[1] / "data" / "bad"

LIBRARY = tables.load_everything()
KINDS = ("observations", "claims", "regions", "periods", "portfolios", "suitability", "pathways")


@pytest.mark.parametrize("name", list(LIBRARY))
def test_every_table_of_the_library_passes_its_schema_unchanged(name):
    kind = name.partition("/")[0]
    validated = priors.frame_schema(kind).validate(LIBRARY[name], lazy=True)
    pd.testing.assert_frame_equal(validated, LIBRARY[name])
    pd.testing.assert_frame_equal(priors.check_frame(kind, LIBRARY[name]), LIBRARY[name])


@pytest.mark.parametrize("name", ["claims", "observations", *priors.list_tables()])
def test_a_schema_is_derived_from_its_layout(name):
    layout, schema = tables.schema_of(name), priors.frame_schema(name)
    assert tuple(schema.columns) == layout.names
    assert schema.strict
    assert tuple(schema.unique or ()) == layout.unique
    kinds = {"number": "float64", "integer": "int64", "boolean": "bool"}
    for column in layout.columns:
        # pandas 3 writes its string type as str, pandera as string[pyarrow].
        assert str(schema.columns[column.name].dtype).startswith(kinds.get(column.kind, "str"))
        assert schema.columns[column.name].nullable == (column.kind == "number" and not column.required)
    # One check for each rule across cells and rows, and the one on assumptions.
    assert len(schema.checks) == 1 + len(layout.row_checks) + len(layout.table_checks)


def _bad():
    for path in sorted(BAD.glob("*.csv")):
        kind = path.name.partition("_")[0]
        if kind not in KINDS:
            continue
        text = path.read_bytes()
        try:
            rows = list(csv.reader(text.decode("utf-8").splitlines()))
        except UnicodeDecodeError:
            continue
        # Faults of the file, not of a frame: ragged rows, no header, no rows.
        # A frame may lack a column that may be empty.
        if path.name == "observations_missing_column.csv":
            continue
        if len(rows) > 1 and all(len(row) == len(rows[0]) for row in rows):
            yield pytest.param(kind, rows, path, id=path.name)


def _load(kind, path):
    if kind == "observations":
        return priors.load_observations(path)
    return priors.load_claims(path) if kind == "claims" else priors.load_table(kind, path)


@pytest.mark.parametrize(("kind", "rows", "path"), list(_bad()))
def test_a_frame_of_a_broken_file_is_refused_for_the_same_reasons(kind, rows, path):
    with pytest.raises(InputError) as of_file:
        _load(kind, path)
    frame = pd.DataFrame(rows[1:], columns=rows[0])
    for column in tables.schema_of(kind).columns:
        if column.kind == "number" and column.name in frame:
            numbers = pd.to_numeric(frame[column.name], errors="coerce")
            # A frame of numbers, but for a cell that is none.
            if not (numbers.isna() & (frame[column.name] != "")).any():
                frame[column.name] = numbers
    with pytest.raises(InputError) as of_frame:
        priors.check_frame(kind, frame)

    def said(caught, shift):
        return {
            (p.what, None if p.row is None else p.row - shift, p.key)
            for p in caught.value.problems
            if "missing column" not in p.what
        }

    # The header is line 1 of a file; a frame's rows are counted from 1.
    assert said(of_frame, 0) == said(of_file, 1)
    with pytest.raises((pandera.errors.SchemaErrors, pandera.errors.SchemaError)):
        priors.frame_schema(kind).validate(frame, lazy=True)


@pytest.mark.parametrize(("column", "value"), [("start", 2025.5), ("start", "2025"), ("phase", None)])
def test_pandera_coerces_nothing_that_loses_something(column, value):
    periods = priors.load_table("periods").astype({column: object})
    periods.loc[0, column] = value
    with pytest.raises(pandera.errors.SchemaErrors):
        priors.frame_schema("periods").validate(periods, lazy=True)


def claims_frame(**cells):
    row = {"id": "mine_1", "pathway": "daccs", "quantity": "cost", "geography": "global", "start": np.nan}
    row |= {"end": np.nan, "low": 100.0, "high": 200.0, "central": np.nan, "sd": np.nan, "unit": "USD/tCO2"}
    row |= {"interval": 0.9, "basis": "net", "source": "ma2025", "locator": "", "note": ""}
    return pd.DataFrame([row | cells])


def test_a_frame_built_by_hand_can_be_elicited():
    frame = claims_frame(low=100, high=200, start=None, note=None)
    checked = priors.check_frame("claims", frame.drop(columns=["locator", "central"]))
    assert checked["low"].dtype == np.float64
    assert checked["locator"].tolist() == [""]
    assert priors.elicit(checked, "daccs", "cost").interval(0.9) == pytest.approx((100.0, 200.0), rel=1e-9)


def test_messages_name_row_column_and_the_nearest_word():
    frame = pd.concat(
        [
            claims_frame(),
            claims_frame(id="b", pathway="dacs", low=300.0),
            claims_frame(id="c", source="assumption", unit="GJ/tCO2"),
        ]
    )
    with pytest.raises(InputError) as caught:
        priors.check_frame("claims", frame)
    assert [(p.row, p.key) for p in caught.value.problems] == [
        (2, "pathway"),
        (2, "low"),
        (3, "note"),
        (3, "unit"),
    ]
    assert "row 2, key 'pathway': unknown pathway: got 'dacs'" in str(caught.value)
    assert "did you mean 'daccs'?" in str(caught.value)


def test_wrong_columns_and_things_that_are_no_frame():
    with pytest.raises(InputError, match=r"key 'unit': claims: missing column"):
        priors.check_frame("claims", claims_frame().drop(columns="unit"))
    with pytest.raises(InputError, match=r"unknown column: got 'pathwey'.*did you mean 'pathway'"):
        priors.check_frame("claims", claims_frame().assign(pathwey="x"))
    with pytest.raises(InputError, match=r"not a table: got 'dict'"):
        priors.check_frame("claims", {"id": []})
    with pytest.raises(InputError, match=r"unknown table: got 'claim'.*did you mean 'claims'"):
        priors.frame_schema("claim")
    with pytest.raises(InputError, match="no rows"):
        priors.check_frame("claims", claims_frame().iloc[:0])


def test_every_layout_of_the_room_has_a_schema():
    known = [tables.schema_of(name) for name in ("observations", "claims", *priors.list_tables())]
    names = {schema.name for schema in known}
    assert {v.name for v in vars(layouts).values() if isinstance(v, type(layouts.CLAIMS))} <= names


def test_loading_a_table_does_not_import_pandera():
    code = "import sys; from sinkrisk import priors; priors.load_claims(); print('pandera' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    assert files.data_path("priors", "claims.csv").exists()
