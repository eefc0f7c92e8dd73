"""What a run tells of its progress: whole lines to a pipe, open ones to a terminal, none when quiet."""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
import sys

import pytest

from sinkrisk import cli, pipeline, running

LINE = re.compile(r"\[ ?(\d+)/(\d+)\] (\w+): (\d+\.\d s|unchanged|skipped: .+)")
SPEC = "title: t\nseed: 1\ndraws: 16\nnetwork:\n  tables: 4\n"


@pytest.fixture
def spec(tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC)
    return path


def told(arguments, capsys):
    with contextlib.suppress(SystemExit):
        cli.main([str(a) for a in arguments])
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    found = [LINE.fullmatch(line) for line in lines]
    assert all(found), lines
    return [match.groups() for match in found if match], captured.out


def test_a_pipe_gets_one_line_per_finished_stage(spec, tmp_path, capsys):
    lines, out = told(["network", spec, "--out", tmp_path / "run"], capsys)
    names = [name for _, _, name, _ in lines]
    assert names[-1] == "network"
    assert [int(k) for k, *_ in lines] == list(range(1, len(lines) + 1))
    assert {int(total) for _, total, *_ in lines} == {len(lines)}
    assert re.fullmatch(r"\d+\.\d s", lines[-1][3])
    assert lines[names.index("budget")][3].startswith("skipped: ")
    # What was asked for stays alone on standard output.
    assert all(line.endswith(".csv") for line in out.splitlines())
    again, _ = told(["network", spec, "--out", tmp_path / "run"], capsys)
    assert again[-1][3] == "unchanged"


@pytest.mark.parametrize("flag", ["--quiet", "-q"])
def test_quiet_says_nothing(flag, spec, tmp_path, capsys):
    lines, out = told(["network", spec, "--out", tmp_path / "run", flag], capsys)
    assert lines == []
    # The command's own answer is no progress: the tables' paths, as without the flag.
    assert {line.rsplit("/", 1)[-1] for line in out.splitlines()} == {"network_marginals.csv"}


def test_the_library_is_silent_unless_asked(spec, tmp_path, capsys):
    running.run(spec, tmp_path / "run", until="network")
    assert capsys.readouterr().err == ""
    running.run(spec, tmp_path / "run", until="network", progress=True)
    assert "network: unchanged\n" in capsys.readouterr().err


def test_lines_come_as_stages_finish_not_at_the_end():
    code = (
        "import sys, time\nfrom sinkrisk.pipeline import Progress\np = Progress(2, True)\n"
        "p.start('budget')\np.end('1.0 s')\nsys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stderr=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    )
    with process:
        # The process waits for its input to end: the line must be there before.
        assert process.stderr.readline() == "[ 1/2] budget: 1.0 s\n"
        process.stdin.close()
    assert process.returncode == 0


class Terminal(io.StringIO):
    """Something that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_a_stage_start(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    progress = pipeline.Progress(3)
    progress.start("budget")
    assert screen.getvalue() == "[ 1/3] budget ..."
    progress.end("2.0 s")
    assert screen.getvalue() == "[ 1/3] budget ... 2.0 s\n"
