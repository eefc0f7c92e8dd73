"""Sobol' results as a tidy table and as a sentence an analyst can quote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import xarray as xr

from sinkrisk.arguments import Holding
from sinkrisk.errors import InputError, Problem
from sinkrisk.sensitivity.forms import INDEX_NAMES, SOBOL, checked

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = [
    "output", "measure", "portfolio", "driver", "index", "value", "low", "high",
    "interval_kind", "interval_mass", "n", "replicates",
]  # fmt: skip
"""Columns of ``sobol.csv``, in order."""


@checked(dataset=Holding(variables=(*INDEX_NAMES, "driver"), origin=SOBOL))
def sobol_table(dataset: xr.Dataset) -> pd.DataFrame:
    """Return the indices of `sobol` as a tidy table, one row per output, driver and index.

    Parameters
    ----------
    dataset : Dataset
        What `sobol` returned. ``measure`` (or ``criterion``) and ``portfolio`` are taken from
        coordinates of ``output`` where it has them; otherwise the measure is the output itself.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`; index is S1, ST, or S2 with the pair joined by `` x `` as the driver.
        Undefined indices (a constant output) are NaN.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    drivers = [str(name) for name in dataset["driver"].values]
    for number, who in enumerate(outputs_of(dataset)):
        one = dataset.isel(output=number) if "output" in dataset.dims else dataset
        shared = {
            "interval_kind": dataset.attrs["interval_kind"],
            "interval_mass": dataset.attrs["interval_mass"],
            "n": dataset.attrs["n"],
            "replicates": dataset.attrs["replicates"],
        }
        for index in ("S1", "ST"):
            triple = [one[index + suffix].values for suffix in ("", "_low", "_high")]
            for j, driver in enumerate(drivers):
                value, low, high = (float(part[j]) for part in triple)
                rows.append(
                    {**who, "driver": driver, "index": index, "value": value, "low": low, "high": high}
                    | shared
                )
        if "S2" in dataset:
            triple = [one["S2" + suffix].values for suffix in ("", "_low", "_high")]
            for j, driver in enumerate(drivers):
                for k in range(j + 1, len(drivers)):
                    value, low, high = (float(part[j, k]) for part in triple)
                    pair = f"{driver} x {drivers[k]}"
                    rows.append(
                        {**who, "driver": pair, "index": "S2", "value": value, "low": low, "high": high}
                        | shared
                    )
    return pd.DataFrame(rows, columns=COLUMNS)


def outputs_of(dataset: xr.Dataset) -> list[dict[str, str]]:
    """Return output, measure and portfolio of every output, as text.

    Parameters
    ----------
    dataset : Dataset
        With or without a dimension ``output``.
    """
    if "output" not in dataset.dims:
        return [{"output": "output", "measure": "output", "portfolio": ""}]
    count = dataset.sizes["output"]
    parts: dict[str, list[str]] = {}
    for key, names in {"measure": ("measure", "criterion"), "portfolio": ("portfolio",)}.items():
        held = [name for name in names if name in dataset.coords and dataset[name].dims == ("output",)]
        if held:
            parts[key] = [str(v) for v in dataset[held[0]].values]
    if "output" in dataset.coords:
        output = [str(v) for v in dataset["output"].values]
    elif parts:
        output = [" ".join(values) for values in zip(*parts.values(), strict=True)]
    else:
        output = [str(k) for k in range(count)]
    measure = parts.get("measure", output)
    portfolio = parts.get("portfolio", [""] * count)
    return [
        {"output": o, "measure": m, "portfolio": p}
        for o, m, p in zip(output, measure, portfolio, strict=True)
    ]


def output_number(dataset: xr.Dataset, output: Any = None) -> int:
    """Return the position of an output by its label; it may be left out where there is only one.

    Raises
    ------
    InputError
        For an output the dataset does not hold.
    """
    names = [one["output"] for one in outputs_of(dataset)]
    if output is None and len(names) == 1:
        return 0
    if str(output) not in names:
        raise InputError(Problem("no such output", got=output, allowed=names, key="output"))
    return names.index(str(output))


def one_output(dataset: xr.Dataset, output: Any = None) -> xr.Dataset:
    """Return the indices of one output; raises as `output_number`."""
    number = output_number(dataset, output)
    return dataset.isel(output=number) if "output" in dataset.dims else dataset


@checked()
def driver_sentence(dataset: xr.Dataset, output: Any = None, *, top: int = 3) -> str:
    """Return what the indices of one output say, in words an analyst can quote.

    Parameters
    ----------
    dataset : Dataset
        What `sobol` returned.
    output : label, optional
        Which output; may be left out where there is only one.
    top : int
        Drivers named, by total-order index.

    Raises
    ------
    InputError
        For an output the dataset does not hold.
    """
    number = output_number(dataset, output)
    who = outputs_of(dataset)
    one = one_output(dataset, output)
    label = who[number]["measure"] if who[number]["measure"] != "output" else "the output"
    if who[number]["portfolio"]:
        label += f" of portfolio {who[number]['portfolio']}"
    attrs = dataset.attrs
    if int(one["status"]) == 1:
        return f"No driver explains {label}: it is the same in all {attrs['rows']:,} evaluations."
    if int(one["status"]) == 2:
        return (
            f"The drivers of {label} cannot be told: it hardly varies, and in a base sample of "
            f"{attrs['n']:,} draws not at all."
        )
    one_part = min(top, one.sizes["driver"]) == 1
    if attrs["grouped"]:
        noun = "group of drivers is" if one_part else "groups of drivers are"
    else:
        noun = "driver is" if one_part else "drivers are"
    ordered = one.sortby("ST", ascending=False)
    parts = []
    for j in range(min(top, ordered.sizes["driver"])):
        row = ordered.isel(driver=j)
        parts.append(
            f"{row['driver'].item()} {percent_span(row, 'ST')} with its interactions and "
            f"{percent_span(row, 'S1')} alone"
        )
    source = (
        f"{attrs['replicates']} scrambles of N = {attrs['n']:,}"
        if attrs["design"] == "qmc"
        else f"a random design of N = {attrs['n']:,}"
    )
    idle = [str(d) for d in one["driver"].values[(one["ST"] == 0.0).values]]
    ending = f"; {', '.join(idle)} {'has' if len(idle) == 1 else 'have'} no effect at all" if idle else ""
    return (
        f"By share of the variance of {label}, the leading {noun} "
        f"{'; '.join(parts)}{ending} ({attrs['interval_mass']:.0%} {attrs['interval_kind']} intervals, "
        f"{source}, {attrs['rows']:,} evaluations)."
    )


def percent_span(row: xr.Dataset, name: str) -> str:
    """Return an index of one driver with its interval, in per cent."""
    # Adding zero after rounding turns "-0" into "0".
    value, low, high = (round(100.0 * float(row[name + end])) + 0.0 for end in ("", "_low", "_high"))
    return f"{value:.0f} % ({low:.0f} to {high:.0f} %)"
