from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from sinkrisk import files
from sinkrisk.errors import InputError


def test_yaml_keeps_the_line_of_every_key_and_item(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("a: 1\nb:\n  - x\n  - y: 2\n")
    located = files.load_yaml(path)
    assert located.data == {"a": 1, "b": ["x", {"y": 2}]}
    assert located.line("b", 1, "y") == 4
    assert located.line("b", 1, "absent") == 4
    assert located.line("nowhere") == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2\n", r"row 2, key 'a': key given twice"),
        ("a: [1, 2\n", r"not valid YAML"),
        ("a: !!python/object/apply:os.system ['true']\n", r"not valid YAML.*python"),
    ],
)
def test_yaml_refuses_duplicates_syntax_and_tags(tmp_path, text, message):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        files.load_yaml(path)


@pytest.mark.parametrize("depth", [60, 20_000])
def test_deep_nesting_is_refused(tmp_path, depth):
    path = tmp_path / "deep.yaml"
    path.write_text("a: 1\nb: " + "[" * depth + "]" * depth)
    with pytest.raises(InputError, match="row 2: nested deeper than 40"):
        files.load_yaml(path)


def test_a_billion_laughs_is_refused_before_it_is_built(tmp_path):
    path = tmp_path / "laughs.yaml"
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]" for k in range(1, 12)]
    path.write_text("\n".join(lines))
    with pytest.raises(InputError, match="row 6: too many values once aliases are written out"):
        files.load_yaml(path)
    path.write_text("a: &a\n  - *a\n")
    with pytest.raises(InputError, match="an alias stands for what it lies in"):
        files.load_yaml(path)
    path.write_text("a: &a [1, 2]\nb: *a\n")
    assert files.load_yaml(path).data == {"a": [1, 2], "b": [1, 2]}


def test_csv_rows_know_their_line_even_after_a_quoted_line_break(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('x,y\n1,"two\nlines"\n\n3,4\n')
    rows = files.read_csv(path, required=["x", "y"])
    assert [(r.row, r.cells["x"]) for r in rows] == [(2, "1"), (5, "3")]


def test_csv_problems_come_together(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("x,z,z\n1,2\n")
    with pytest.raises(InputError) as caught:
        files.read_csv(path, required=["x", "y"], optional=["w"])
    text = str(caught.value)
    assert "key 'y'" in text
    assert "missing column" in text
    assert "unknown column: got 'z'" in text
    assert "column given twice" in text
    assert "row 2: CSV file: wrong number of cells: got 2; allowed: 3" in text


def test_another_encoding_is_named(tmp_path):
    path = tmp_path / "latin.csv"
    path.write_bytes("x,y\n1,\xe9\n".encode("latin-1"))
    with pytest.raises(InputError, match="not UTF-8 text"):
        files.read_csv(path, required=["x"])


def test_missing_file_lists_the_neighbours(tmp_path):
    (tmp_path / "global.csv").write_text("x\n1\n")
    with pytest.raises(InputError, match=r"no such file.*did you mean|allowed: global.csv"):
        files.read_csv(tmp_path / "globl.csv", required=["x"])


def test_a_failed_write_leaves_the_old_file_and_no_debris(tmp_path):
    path = tmp_path / "a.txt"
    files.write_text(path, "old")
    with pytest.raises(RuntimeError), files.atomic_file(path) as handle:
        handle.write("new")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_process_killed_while_writing_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    files.write_text(path, "old")
    code = (
        "import os, signal\nfrom sinkrisk import files\n"
        f"with files.atomic_file({str(path)!r}) as h:\n"
        "    h.write('half'); h.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_text() == "old"


def test_move_into_replaces_a_folder_that_is_not_empty(tmp_path):
    old, new = tmp_path / "out", tmp_path / "tmp"
    old.mkdir()
    (old / "stale").write_text("1")
    new.mkdir()
    (new / "fresh").write_text("2")
    files.move_into(new, old)
    assert [p.name for p in old.iterdir()] == ["fresh"]
    assert sorted(os.listdir(tmp_path)) == ["out"]


def test_tree_hash_sees_content_and_names(tmp_path):
    (tmp_path / "a").write_text("1")
    first = files.sha256_of_tree(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    assert files.sha256_of_tree(tmp_path) != first
    (tmp_path / "b").rename(tmp_path / "a")
    assert files.sha256_of_tree(tmp_path) == first
    (tmp_path / "a").write_text("2")
    assert files.sha256_of_tree(tmp_path) != first


def test_hash_of_does_not_depend_on_key_order():
    assert files.hash_of({"a": 1, "b": [2]}) == files.hash_of({"b": [2], "a": 1})
    assert files.hash_of({"a": 1}) != files.hash_of({"a": 1.5})


def test_packaged_data_is_found_from_the_package_not_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert files.data_path("analyses", "global.yaml").is_file()
    with pytest.raises(InputError, match="no such packaged data"):
        files.data_path("priors", "nothing.csv")


def test_a_cell_beyond_the_csv_limit_is_named_with_its_line(tmp_path):
    path = tmp_path / "long.csv"
    path.write_text("x\n1\n" + "9" * 200_000 + "\n")
    with pytest.raises(InputError, match=r"long\.csv, row 3: CSV file: not readable as CSV: field larger"):
        files.read_csv(path, required=["x"])


@pytest.mark.parametrize(("mark", "word"), [(";", "semicolons"), ("\t", "tabs")])
def test_another_separator_is_one_problem_and_says_how_to_save(tmp_path, mark, word):
    path = tmp_path / "table.csv"
    path.write_text(f"a{mark}b\n1{mark}2\n")
    with pytest.raises(InputError) as caught:
        files.read_csv(path, required=("a", "b"), optional=(), purpose="sheet")
    assert len(caught.value.problems) == 1
    assert f"sheet: cells are separated by {word}" in str(caught.value)
    assert "save the file with commas" in str(caught.value)
