"""Scenario files: NetCDF for labelled arrays, Parquet for one wide table.

The Parquet table has one row for each (sample, pathway, region, period). Its columns are those
four, the coordinates (``draw``, ``flow_class``, ``classes``, ``domain``, ``period_start``,
``period_length``) and every variable of `sinkrisk.scenarios.tree.VARIABLES`; a variable with
fewer dimensions repeats its value, so ``probability`` is the same in all rows of a sample and
weights the sample once: ``table.groupby("sample")["probability"].first()`` sums to 1. Units and
dimensions of each column are in the file's metadata under ``sinkrisk``, as JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from sinkrisk import files as ground
from sinkrisk.errors import InputError, Problem
from sinkrisk.scenarios.tree import FULL, canonical, check

if TYPE_CHECKING:
    import pandas as pd

METADATA_KEY = b"sinkrisk"
FORMAT = 1
SUFFIXES = (".nc", ".parquet")


def save(scenarios: xr.Dataset, path: str | os.PathLike[str]) -> Path:
    """Write scenarios to ``.nc`` or ``.parquet``; the file appears whole or not at all.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        For another suffix, or scenarios that `sinkrisk.scenarios.check` refuses.
    """
    path = Path(path)
    writer = {".nc": _write_netcdf, ".parquet": _write_parquet}[_suffix(path)]
    scenarios = canonical(check(scenarios))
    _atomically(path, lambda temporary: writer(scenarios, temporary))
    return path


def read(path: str | os.PathLike[str]) -> xr.Dataset:
    """Read scenarios written by `save`; values, types, units and attributes come back as they were.

    Raises
    ------
    InputError
        For a missing file, another suffix, a file that is not a scenario set, or a faulty one.
    """
    path = ground.require_file(path, purpose="scenarios")
    suffix = _suffix(path)
    raw = _read_netcdf(path) if suffix == ".nc" else _read_parquet(path)
    return canonical(check(raw, file=str(path)))


def _suffix(path: Path) -> str:
    if path.suffix not in SUFFIXES:
        raise InputError(Problem("scenarios: unknown file type", got=path.name, allowed=SUFFIXES))
    return path.suffix


def _atomically(path: Path, write: Callable[[Path], None]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    number, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
    os.close(number)
    try:
        write(Path(name))
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise


def _write_netcdf(scenarios: xr.Dataset, path: Path) -> None:
    plain = {name: {"_FillValue": None} for name in scenarios.data_vars}
    scenarios.to_netcdf(path, engine="netcdf4", encoding=plain)


def _read_netcdf(path: Path) -> xr.Dataset:
    try:
        with xr.open_dataset(path, engine="netcdf4") as opened:
            raw = opened.load()
    except (OSError, ValueError) as error:
        raise InputError(Problem(f"scenarios: not a NetCDF file: {error}", file=str(path))) from error
    raw.attrs = _plain(raw.attrs)
    for variable in raw.variables.values():
        variable.attrs = _plain(variable.attrs)
    return raw


def _plain(attrs: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return attributes with numpy scalars as Python numbers, as they were before writing."""
    return {key: value.item() if isinstance(value, np.generic) else value for key, value in attrs.items()}


def _write_parquet(scenarios: xr.Dataset, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    shape = tuple(scenarios.sizes[dim] for dim in FULL)
    columns: dict[str, Any] = {}
    described: dict[str, Any] = {}
    names = [*FULL, *(n for n in scenarios.coords if n not in FULL), *scenarios.data_vars]
    for name in names:
        variable = scenarios[name].variable
        described[str(name)] = {
            "dims": list(variable.dims),
            "dtype": "str" if variable.dtype.kind == "O" else str(variable.dtype),
            "coordinate": name in scenarios.coords,
            "attrs": dict(variable.attrs),
        }
        if set(variable.dims) - set(FULL):
            raise InputError(Problem("scenarios: a dimension has no place in the table", got=variable.dims))
        ordered = variable.transpose(*(dim for dim in FULL if dim in variable.dims))
        spread = ordered.values.reshape([scenarios.sizes[d] if d in ordered.dims else 1 for d in FULL])
        flat = np.broadcast_to(spread, shape).ravel()
        if described[str(name)]["dtype"] == "str":
            columns[str(name)] = pa.array(flat.tolist(), pa.string()).dictionary_encode()
        else:
            columns[str(name)] = pa.array(flat)
    about = {
        "format": FORMAT,
        "labels": {dim: scenarios[dim].values.tolist() for dim in FULL},
        "columns": described,
        "attrs": scenarios.attrs,
    }
    table = pa.table(columns).replace_schema_metadata({METADATA_KEY: json.dumps(about).encode()})
    pq.write_table(table, path, compression="zstd")


def _read_parquet(path: Path) -> xr.Dataset:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
        about = json.loads((table.schema.metadata or {})[METADATA_KEY])
        if about["format"] != FORMAT:
            raise KeyError("format")
    except (pa.ArrowInvalid, KeyError, ValueError) as error:
        raise InputError(
            Problem("not a scenario table written by sinkrisk", file=str(path), hint="write it with save()")
        ) from error
    frame = table.to_pandas()
    missing = [name for name in about["columns"] if name not in frame]
    if missing:
        raise InputError(Problem("scenarios: columns missing", got=missing, file=str(path)))
    labels, order = about["labels"], _positions(frame, about["labels"], path)
    shape = [len(labels[dim]) for dim in FULL]
    data: dict[str, Any] = {}
    coords: dict[str, Any] = {}
    for name, one in about["columns"].items():
        values = frame[name].to_numpy(dtype=object if one["dtype"] == "str" else one["dtype"])
        full = np.empty_like(values)
        full[order] = values
        full = full.reshape(shape)
        pick = tuple(slice(None) if dim in one["dims"] else slice(0, 1) for dim in FULL)
        if not _equal(full, full[pick]):
            raise InputError(
                Problem("scenarios: varies within its dimensions", got=one["dims"], key=name, file=str(path))
            )
        kept = [dim for dim in FULL if dim in one["dims"]]
        reduced = full[pick].reshape([len(labels[dim]) for dim in kept])
        target = coords if one["coordinate"] else data
        target[name] = xr.Variable(kept, reduced, one["attrs"]).transpose(*one["dims"])
    return xr.Dataset(data, coords=coords, attrs=about["attrs"])


def _equal(a: Any, b: Any) -> bool:
    same = a == b
    if a.dtype.kind == "f":
        same |= np.isnan(a) & np.isnan(b)
    return bool(np.all(same))


def _positions(frame: pd.DataFrame, labels: dict[str, list[Any]], path: Path) -> Any:
    """Return the place of every row in the full product, whatever order the rows stand in."""
    import pandas as pd

    codes = [pd.Index(labels[dim]).get_indexer(pd.Index(frame[dim].tolist())) for dim in FULL]
    shape = [len(labels[dim]) for dim in FULL]
    size = int(np.prod(shape))
    known = all(bool((code >= 0).all()) for code in codes)
    flat = np.ravel_multi_index(codes, shape) if known else np.array([], dtype=int)
    if not known or flat.size != size or np.unique(flat).size != size:
        raise InputError(
            Problem(
                "scenarios: rows are not the full product of sample, pathway, region and period",
                got=f"{len(frame)} rows",
                allowed=f"{size} different rows",
                file=str(path),
            )
        )
    return flat
