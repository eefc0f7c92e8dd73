"""What public functions take: arguments compared with their annotations before anything is computed

`checked` reads a function's own signature, so that a kind is written once, and refuses everything that
does not fit in one `InputError`: what was given, what is taken, and what makes it.
"""

from __future__ import annotations

import functools
import inspect
import numbers
import os
import sys
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sinkrisk.errors import InputError, Problems

LABELLED = {
    "xr.Dataset": ("xarray", "Dataset"),
    "xr.DataArray": ("xarray", "DataArray"),
    "xr.DataTree": ("xarray", "DataTree"),
    "pd.DataFrame": ("pandas", "DataFrame"),
    "pd.Series": ("pandas", "Series"),
}
"""Annotation -> the module and class; a value can only be of it where the module is loaded already."""

WORDS = {
    "None": "None",
    "int": "a whole number",
    "float": "a number",
    "bool": "True or False",
    "str": "text",
    "os.PathLike[str]": "a path",
    "Sequence[str]": "a list of texts",
    "tuple[str, ...]": "a list of texts",
    "Collection[str]": "a list of texts",
    "tuple[str, str]": "a pair of texts",
    "Sequence[int]": "a list of whole numbers",
    "Sequence[xr.Dataset]": "a list of xarray Datasets",
    "ArrayLike": "an array of numbers",
    "labels": "an array of numbers or labels",
    "Mapping[str, Any]": "a mapping",
    "Mapping[str, float]": "a mapping of names to numbers",
    "Mapping[str, int]": "a mapping of names to whole numbers",
    "Mapping[str, ArrayLike]": "a mapping of names to arrays of numbers",
    "Mapping[str, str]": "a mapping of names to names",
    "Mapping[Any, ArrayLike]": "a mapping of names to arrays of numbers or labels",
    "Callable[[Floats], Any]": "a function",
    "Executor": "an executor",
}

ALIASES = {
    "RandomSource": "int | Generator | None",
    "random.RandomSource": "int | Generator | None",
    "Weights": "str | Mapping[str, float] | Sequence[str] | None",
    "Direction": "str",
    "Kind": "str",
    "Objective": "str",
    "Design": "str",
    "Workers": "int | Executor | None",
}
"""Names that rooms give to unions; which words a text may be is said by the function itself."""


@dataclass(frozen=True)
class Holding:
    """What a labelled argument must hold beyond being of its kind.

    Parameters
    ----------
    variables, dims, columns : tuple of str
        Names a Dataset must have as variables or coordinates; dims of a Dataset or DataArray; columns
        of a DataFrame, or entries of one row of it.
    never : tuple of str
        Dims it must not have.
    origin : str
        What makes such an argument; closes the message.
    kind : str
        In place of the annotation, where that says too little; one of `WORDS`.
    """

    variables: tuple[str, ...] = ()
    dims: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    origin: str = ""
    kind: str = ""


@dataclass(frozen=True)
class _Parameter:
    name: str
    kinds: tuple[str, ...]
    holding: Holding = field(default_factory=Holding)


@dataclass(frozen=True)
class Checker:
    """A `checked` that knows what arguments of certain names hold, in every function it decorates.

    Parameters
    ----------
    known : mapping of str to Holding
        Argument name -> what it must hold.
    """

    known: Mapping[str, Holding]

    def __call__[F: Callable[..., Any]](self, **own: Holding) -> Callable[[F], F]:
        """Return the decorator; `own` replaces what is known."""
        return checked(**{**self.known, **own})


def checked[F: Callable[..., Any]](**holdings: Holding) -> Callable[[F], F]:
    """Refuse arguments that do not fit the annotations of a function, before it is entered.

    Parameters
    ----------
    **holdings : Holding
        Argument name -> what it must hold; names the function lacks are ignored.

    Returns
    -------
    callable
        The decorator. An annotation it does not know is not checked.

    Examples
    --------
    >>> from collections.abc import Sequence
    >>> @checked()
    ... def double(count: int, names: Sequence[str] = ()) -> int:
    ...     return 2 * count
    >>> double(2)
    4
    >>> double(1.5, "ab")
    Traceback (most recent call last):
    sinkrisk.errors.InputError: 2 problems:
      - key 'count': double: argument of the wrong kind: got 1.5; allowed: a whole number
      - key 'names': double: argument of the wrong kind: got 'ab'; allowed: a list of texts; write ['ab']
    """

    def decorate(function: F) -> F:
        signature = inspect.signature(function)
        parameters = tuple(
            _Parameter(name, _kinds(holdings.get(name), p.annotation), holdings.get(name, Holding()))
            for name, p in signature.parameters.items()
        )
        positions = tuple(signature.parameters)

        @functools.wraps(function)
        def entered(*args: Any, **kwargs: Any) -> Any:
            given = dict(zip(positions, args, strict=False)) | kwargs
            found = Problems()
            for parameter in parameters:
                if parameter.name in given:
                    _check(found, function.__name__, parameter, given[parameter.name])
            if found:
                raise InputError(found.found)
            return function(*args, **kwargs)

        return entered  # type: ignore[return-value]

    return decorate


def _kinds(holding: Holding | None, annotation: Any) -> tuple[str, ...]:
    """Return the members of a union; empty where a member is not known, which checks nothing."""
    text = holding.kind if holding is not None and holding.kind else annotation
    if not isinstance(text, str):
        return ()
    kinds = tuple(k for part in _members(text) for k in _members(ALIASES.get(part, part)))
    return tuple("str" if k.startswith("Literal[") else k for k in kinds)


def _members(text: str) -> list[str]:
    members, depth, last = [], 0, 0
    for at, sign in enumerate(text):
        depth += (sign == "[") - (sign == "]")
        if sign == "|" and depth == 0:
            members.append(text[last:at].strip())
            last = at + 1
    return [*members, text[last:].strip()]


def _check(found: Problems, function: str, parameter: _Parameter, value: Any) -> None:
    if not parameter.kinds:
        return
    fits = [_fits(kind, value) for kind in parameter.kinds]
    key = parameter.name
    origin = parameter.holding.origin
    if not any(fits):
        if isinstance(value, str) and "str" not in parameter.kinds and "Sequence[str]" in parameter.kinds:
            origin = f"write ['{value}']"
        allowed = " or ".join(dict.fromkeys(_word(kind) for kind in parameter.kinds))
        what = f"{function}: argument of the wrong kind"
        found.add(what, got=_shown(value), allowed=allowed, hint=origin or None, key=key)
        return
    lacking = _lacking(parameter.holding, value)
    extra = [d for d in parameter.holding.never if d in getattr(value, "dims", ())]
    if extra:
        what = f"{function}: argument has the dim '{extra[0]}'"
        found.add(what, got=_shown(value), hint=origin or None, key=key)
    elif lacking:
        what = f"{function}: argument lacks {', '.join(lacking)}"
        found.add(what, got=_shown(value), hint=origin or None, key=key)


def _word(kind: str) -> str:
    if kind in LABELLED:
        return f"an {LABELLED[kind][0]} {kind[3:]}".replace("an pandas", "a pandas")
    return WORDS.get(kind, f"a {kind}")


def _shown(value: Any) -> Any:
    """Return a value short enough for a message: itself where it is a plain one, else its kind."""
    if value is None or isinstance(value, (str, numbers.Number)):
        return value if not isinstance(value, str) or len(value) <= 60 else value[:57] + "..."
    if isinstance(value, (list, tuple, dict)) and len(repr(value)) <= 60:
        return value
    if isinstance(value, np.ndarray):
        return _Told(f"a numpy array of {value.dtype}, shape {value.shape}")
    module = type(value).__module__.split(".")[0]
    named = f"a {type(value).__name__}" if module == "builtins" else f"{module} {type(value).__name__}"
    names = getattr(value, "columns", None) if module == "pandas" else getattr(value, "data_vars", None)
    if names is not None:
        listed = [str(n) for n in names]
        named += f" with {', '.join(listed[:6]) or 'nothing'}{', ...' if len(listed) > 6 else ''}"
    elif module == "xarray" and hasattr(value, "dims"):
        named += f" with dims ({', '.join(map(str, value.dims))})"
    return _Told(named)


class _Told(str):
    """Words for a value, shown without the quotes of a text that was given."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _lacking(holding: Holding, value: Any) -> list[str]:
    """Return which variables, dims or columns a labelled value lacks, in words."""
    module = type(value).__module__.split(".")[0]
    lacking = []
    if module == "pandas" and hasattr(value, "columns"):
        lacking = [f"the column '{n}'" for n in holding.columns if n not in value.columns]
    elif module == "xarray":
        lacking = [f"the dim '{n}'" for n in holding.dims if n not in value.dims]
        if hasattr(value, "data_vars"):
            lacking += [f"the variable '{n}'" for n in holding.variables if n not in value.variables]
        else:
            lacking += [f"the coordinate '{n}'" for n in holding.variables if n not in value.coords]
    elif module == "pandas" or isinstance(value, Mapping):
        lacking = [f"the entry '{n}'" for n in holding.columns if n not in value]
    return lacking


def _fits(kind: str, value: Any) -> bool:
    if kind in LABELLED:
        module = sys.modules.get(LABELLED[kind][0])
        return module is not None and isinstance(value, getattr(module, LABELLED[kind][1]))
    test = _TESTS.get(kind)
    if test is not None:
        return test(value)
    # A class of the house, such as TargetSpec or Generator, known by its name alone.
    return any(base.__name__ == kind.rpartition(".")[2] for base in type(value).__mro__) or not _is_name(kind)


def _is_name(kind: str) -> bool:
    return kind.replace(".", "").isidentifier() and kind.rpartition(".")[2] not in ("Any", "object")


def _whole(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, (bool, np.bool_))


def _number(value: Any) -> bool:
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    return isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool_))


def _items(value: Any) -> list[Any] | None:
    """Return the entries of anything that lists some, None for a text, a mapping or a labelled frame."""
    if isinstance(value, (str, bytes, Mapping, Set)) or hasattr(value, "columns"):
        return None
    if hasattr(value, "data_vars") or not hasattr(value, "__iter__") or not hasattr(value, "__len__"):
        return None
    if getattr(value, "ndim", 1) != 1:
        return None
    return list(getattr(value, "values", value))


def _listed(test: Callable[[Any], bool]) -> Callable[[Any], bool]:
    def fits(value: Any) -> bool:
        items = _items(value)
        return items is not None and all(test(item) for item in items)

    return fits


def _mapped(test: Callable[[Any], bool], keys: type = str) -> Callable[[Any], bool]:
    def fits(value: Any) -> bool:
        return (
            isinstance(value, Mapping)
            and not hasattr(value, "data_vars")
            and all(isinstance(k, keys) and test(v) for k, v in value.items())
        )

    return fits


def _array(kinds: str) -> Callable[[Any], bool]:
    def fits(value: Any) -> bool:
        if value is None or isinstance(value, (str, bytes, Mapping)) or hasattr(value, "data_vars"):
            return False
        try:
            return np.asarray(value).dtype.kind in kinds
        except (ValueError, TypeError):
            # Rows of different lengths.
            return False

    return fits


_TESTS: dict[str, Callable[[Any], bool]] = {
    "None": lambda value: value is None,
    "int": _whole,
    "float": _number,
    "bool": lambda value: isinstance(value, (bool, np.bool_)),
    "str": lambda value: isinstance(value, str),
    "os.PathLike[str]": lambda value: isinstance(value, os.PathLike),
    "Sequence[str]": _listed(lambda item: isinstance(item, str)),
    "tuple[str, ...]": _listed(lambda item: isinstance(item, str)),
    "Collection[str]": lambda value: _listed(lambda item: isinstance(item, str))(
        list(value) if isinstance(value, Set) else value
    ),
    "tuple[str, str]": lambda value: _listed(lambda item: isinstance(item, str))(value) and len(value) == 2,
    "Sequence[int]": _listed(_whole),
    "Sequence[xr.Dataset]": _listed(lambda item: _fits("xr.Dataset", item)),
    "ArrayLike": _array("biuf"),
    "labels": _array("biufUOS"),
    "Mapping[str, Any]": _mapped(lambda item: True),
    "Mapping[str, float]": _mapped(_number),
    "Mapping[str, int]": _mapped(_whole),
    "Mapping[str, ArrayLike]": _mapped(_array("biufUOS")),
    "Mapping[str, str]": _mapped(lambda item: isinstance(item, str)),
    "Mapping[Any, ArrayLike]": _mapped(_array("biufUOS"), object),
    "Callable[[Floats], Any]": callable,
}
