"""A directory that cannot be reported is refused with one message, and nothing is written."""

from __future__ import annotations

import pytest

from sinkrisk import reporting
from sinkrisk.errors import InputError


def test_no_such_directory(tmp_path):
    with pytest.raises(InputError, match=r"no such run directory.*nowhere.*--out"):
        reporting.report(tmp_path / "nowhere")


def test_a_file_is_no_directory(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="no such run directory"):
        reporting.report(tmp_path / "file")


def test_a_directory_without_a_manifest(tmp_path):
    with pytest.raises(InputError, match=r"holds no manifest\.json"):
        reporting.report(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_manifest_that_is_none(tmp_path):
    (tmp_path / "manifest.json").write_text("[1, 2")
    with pytest.raises(InputError, match="not a manifest"):
        reporting.report(tmp_path)


def test_everything_wrong_is_said_at_once_and_nothing_is_written(run_dir, record_again):
    (run_dir / "ranking.csv").unlink()
    with open(run_dir / "measures.csv", "a") as handle:
        handle.write("mixed,shortfall,mean,1,GtCO2,,,\n")
    text = (run_dir / "sobol.csv").read_text().replace("replicates", "copies", 1)
    (run_dir / "sobol.csv").write_text(text)
    record_again(run_dir, "sobol.csv")
    text = (run_dir / "optimum.csv").read_text().replace("1.5", "lots", 1)
    (run_dir / "optimum.csv").write_text(text)
    record_again(run_dir, "optimum.csv")
    with pytest.raises(InputError) as caught:
        reporting.report(run_dir)
    said = {(p.file.rsplit("/", 1)[1], p.what) for p in caught.value.problems}
    assert said == {
        ("ranking.csv", "the manifest records this file, but it is missing"),
        ("measures.csv", "changed since the manifest recorded it"),
        ("sobol.csv", "missing column"),
        ("optimum.csv", "not a number"),
    }
    wrong = next(p for p in caught.value.problems if p.what == "not a number")
    # Header, three rows of forests, then the first of direct air capture.
    assert (wrong.row, wrong.key, wrong.got) == (5, "planned", "lots")
    assert not (run_dir / "report.html").exists()
    assert not (run_dir / "figures").exists()


def test_a_record_that_is_not_json(run_dir, record_again):
    (run_dir / "optimum.json").write_text("{")
    record_again(run_dir, "optimum.json")
    with pytest.raises(InputError, match="not JSON"):
        reporting.report(run_dir)
    (run_dir / "optimum.json").write_text("[]")
    record_again(run_dir, "optimum.json")
    with pytest.raises(InputError, match="must hold keys and values"):
        reporting.report(run_dir)


def test_an_old_page_survives_a_failure(run_dir):
    page = reporting.report(run_dir)
    before = page.read_bytes()
    (run_dir / "budget.csv").unlink()
    with pytest.raises(InputError, match=r"budget\.csv"):
        reporting.report(run_dir)
    assert page.read_bytes() == before


def test_lazy_names_can_be_called_twice_and_clash_with_no_module():
    from pathlib import Path

    assert sorted(reporting.__all__) == ["compose", "report"]
    for name in reporting.__all__:
        assert getattr(reporting, name) is getattr(reporting, name)
    modules = {p.stem for p in Path(reporting.__file__).parent.glob("*.py")}
    assert not modules & set(reporting.__all__)
