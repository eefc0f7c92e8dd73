"""Execute every notebook of a folder once and write the executed copies into another folder."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient


def main(source: Path, target: Path) -> int:
    """Return the number of notebooks executed; a failing cell raises with its traceback."""
    target.mkdir(parents=True, exist_ok=True)
    paths = sorted(source.glob("*.ipynb"))
    if not paths:
        raise SystemExit(f"no notebooks in {source}")
    for path in paths:
        begin = time.perf_counter()
        notebook = nbformat.read(path, as_version=4)
        stored = [c for c in notebook.cells if c.cell_type == "code" and (c.outputs or c.execution_count)]
        if stored:
            raise SystemExit(f"{path}: outputs are stored in the repository; clear them")
        NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(source)}}).execute()
        nbformat.write(notebook, target / path.name)
        print(f"{path.name}: executed in {time.perf_counter() - begin:.1f} s")
    return len(paths)


if __name__ == "__main__":
    count = main(Path(sys.argv[1]), Path(sys.argv[2]))
    print(f"{count} passed, 0 failed")
