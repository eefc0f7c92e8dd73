"""Turn pytest-benchmark's JSON into the table of RESULTS.md: medians, ratios, machine's size."""

from __future__ import annotations

import json
import os
import platform
import re
import sys
from collections import defaultdict
from importlib import metadata
from pathlib import Path

PACKAGES = ("numpy", "scipy", "xarray", "pandas", "pgmpy", "SALib")


def _median(item: dict) -> float:
    """Median seconds, divided by the units of work done where a case says how many."""
    return item["stats"]["median"] / item["extra_info"].get("per", 1)


def table(path: Path) -> str:
    """Return the markdown table of one benchmark file."""
    groups = defaultdict(list)
    for item in json.loads(path.read_text())["benchmarks"]:
        groups[item["group"]].append(item)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES)
    lines = [
        "# Benchmarks",
        "",
        f"Written by `make bench` on {os.cpu_count()} cores, {memory:.0f} GiB, {platform.machine()}, "
        f"Python {platform.python_version()}; {versions}.",
        "",
        "Medians. A ratio is to the first row of its group, within the same run; single times depend on the "
        "machine.",
        "",
        "| group | case | median, s | ratio | note |",
        "|---|---|---:|---:|---|",
    ]
    for group, items in groups.items():
        items.sort(key=lambda item: item["name"])
        base = _median(items[0])
        for item in items:
            median = _median(item)
            cells = item["extra_info"].get("cells")
            note = f"{cells / median:.2e} cells/s" if cells else item["extra_info"].get("note", "")
            # A number before the first blank only orders the cases.
            case = re.sub(r"(^|-)\d+ ", r"\1", item["param"] or item["name"])
            lines.append(f"| {group} | {case} | {median:.4g} | {median / base:.2f} | {note} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(table(Path(sys.argv[1])))
    print(Path(sys.argv[2]).read_text())
