from __future__ import annotations

import pytest

from sinkrisk import files
from sinkrisk.errors import InputError
from sinkrisk.provenance import Manifest, StageRecord, versions


def _with_stage(tmp_path, digest="abc"):
    (tmp_path / "out.csv").write_text("x\n1\n")
    record = StageRecord("budget", digest, {"out.csv": files.sha256_of(tmp_path / "out.csv")}, 0.1)
    manifest = Manifest(spec={"title": "t"}, seed=4, stages={"budget": record})
    manifest.write(tmp_path)
    return manifest


def test_a_manifest_reads_back_equal(tmp_path):
    assert Manifest.read(tmp_path) is None
    written = _with_stage(tmp_path)
    assert Manifest.read(tmp_path) == written


def test_a_stage_is_complete_only_for_equal_inputs_and_untouched_files(tmp_path):
    manifest = _with_stage(tmp_path)
    assert manifest.complete(tmp_path, "budget", "abc")
    assert not manifest.complete(tmp_path, "budget", "other")
    assert not manifest.complete(tmp_path, "rank", "abc")
    (tmp_path / "out.csv").write_text("x\n2\n")
    assert not manifest.complete(tmp_path, "budget", "abc")
    (tmp_path / "out.csv").unlink()
    assert not manifest.complete(tmp_path, "budget", "abc")


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 99, "stages": {}}', '{"format": 1}'])
def test_a_foreign_manifest_is_refused(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(InputError, match="not a manifest written by sinkrisk"):
        Manifest.read(tmp_path)


def test_versions_name_what_is_installed():
    found = versions(["numpy", "no-such-package"])
    assert "numpy" in found
    assert "python" in found
    assert "no-such-package" not in found
