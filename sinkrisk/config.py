"""The spec of a run: one YAML file, checked whole before anything is computed.

`RunSpec` only composes the models that the rooms define for themselves. Every problem of a spec is
reported at once with its file, line and key; unknown keys are refused with the nearest known one.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from sinkrisk import files, shapes
from sinkrisk.budget.specification import BudgetSpec
from sinkrisk.errors import InputError, Problem
from sinkrisk.inputs.specification import InputsSpec
from sinkrisk.network.specification import NetworkSpec
from sinkrisk.portfolio.specification import (
    AdaptSpec,
    DecisionSpec,
    OutlookSpec,
    PortfolioSpec,
    RankSpec,
    SurveySpec,
    TargetSpec,
)
from sinkrisk.scenarios.specification import OptimizeSpec, ScenarioSpec
from sinkrisk.sensitivity.specification import SobolSpec


class RunSpec(BaseModel):
    """What `sinkrisk run` executes. A section left out skips its stages, and the run says so.

    Parameters
    ----------
    title, description : str
        Printed at the head of the report.
    seed : int
        Every stage derives its own stream from it.
    draws : int
        Joint draws of the input space, a power of two (scrambled Sobol' points keep their balance
        only there).
    level : float
        Mass of the equal-tailed intervals reported.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str = Field(min_length=1)
    description: str = ""
    seed: int = Field(ge=0, le=2**31 - 1)
    draws: int = Field(default=2048, ge=16, le=2**20)
    level: float = Field(default=0.9, gt=0.0, lt=1.0)
    budget: BudgetSpec | None = None
    network: NetworkSpec | None = None
    inputs: InputsSpec | None = None
    portfolios: PortfolioSpec | None = None
    survey: SurveySpec | None = None
    outlook: OutlookSpec | None = None
    target: TargetSpec | None = None
    decision: DecisionSpec | None = None
    adapt: AdaptSpec | None = None
    rank: RankSpec | None = None
    sobol: SobolSpec | None = None
    scenarios: ScenarioSpec | None = None
    optimize: OptimizeSpec | None = None

    @pydantic.field_validator("draws")
    @classmethod
    def _power_of_two(cls, value: int) -> int:
        if value & (value - 1):
            below = 1 << (value.bit_length() - 1)
            raise InputError(
                Problem(
                    "must be a power of two, because Sobol' points lose their balance elsewhere",
                    got=value,
                    allowed=f"for example {below} or {2 * below}",
                )
            )
        return value


class LoadedSpec(BaseModel):
    """A spec with the place it came from, so that relative paths in it resolve beside it."""

    model_config = ConfigDict(arbitrary_types_allowed=True, frozen=True)

    spec: RunSpec
    located: files.LocatedYaml
    dropped: frozenset[str] = frozenset()

    @property
    def folder(self) -> Path:
        """The folder of the spec file."""
        return self.located.path.parent

    def resolve(self, name: str) -> Path:
        """Return a path written in the spec, taken relative to the spec's folder."""
        path = Path(name).expanduser()
        return path if path.is_absolute() else self.folder / path

    def place(self, *keys: str | int) -> dict[str, Any]:
        """Return ``file``, ``row`` and ``key`` of a spec entry, to hand to a `Problem`."""
        return {
            "file": str(self.located.path),
            "row": self.located.line(*keys),
            "key": ".".join(map(str, keys)),
        }


def load_spec(path: str | os.PathLike[str], overrides: Mapping[str, Any] | None = None) -> LoadedSpec:
    """Read and check a spec.

    Parameters
    ----------
    path : path
        YAML file; a bare name such as ``global`` is looked up in the packaged ``analyses/``.
    overrides : mapping, optional
        Top-level values given on the command line (``draws``, ``seed``); None entries are ignored.

    Raises
    ------
    InputError
        Everything wrong with the file, at once, each with its line and key.
    """
    located = files.load_yaml(_find(path), purpose="spec")
    if not isinstance(located.data, dict):
        raise InputError(
            Problem(
                "spec: the file must hold keys and values",
                got=type(located.data).__name__ if located.data is not None else "nothing",
                allowed=list(RunSpec.model_fields),
                file=str(located.path),
            )
        )
    given = {k: v for k, v in (overrides or {}).items() if v is not None}
    # YAML reads a bare "survey:" as nothing, but who writes a section wants it: its defaults hold, and
    # where it has keys without a default these are missed by name.
    bare = {name for name, value in located.data.items() if value is None and name in sections()}
    data = {**located.data, **given, **{name: {} for name in bare}}
    spec, faults = shapes.read(RunSpec, data)
    if spec is None:
        placed = [replace(f.problem, file=str(located.path), row=located.line(*f.keys)) for f in faults]
        problems = [_of_option(_of_bare(p, bare), given) for p in placed]
        faulty = {str(f.keys[0]) for f in faults if f.keys}
        raise SpecError(problems, _sound_part(data, faulty, located))
    return LoadedSpec(spec=spec, located=located)


class SpecError(InputError):
    """A spec that is not well formed; `sound` is what remains of it without the faulty sections.

    The files and names that the sound sections give are still checked, so that a user who has made
    mistakes of both kinds hears of them in one go.
    """

    def __init__(self, problems: Sequence[Problem], sound: LoadedSpec | None) -> None:
        super().__init__(problems)
        self.sound = sound


def _sound_part(
    data: Mapping[Any, Any], faulty: Collection[str], located: files.LocatedYaml
) -> LoadedSpec | None:
    rest = {str(k): v for k, v in data.items() if str(k) not in faulty}
    try:
        spec = RunSpec.model_validate({"title": "-", "seed": 0, **rest})
    except pydantic.ValidationError:
        return None
    return LoadedSpec(spec=spec, located=located, dropped=frozenset(faulty))


def sections() -> dict[str, type[BaseModel]]:
    """Return the sections of a spec with their models, in the spec's order.

    Examples
    --------
    >>> list(sections())[:2]
    ['budget', 'network']
    """
    found = {}
    for name, field in RunSpec.model_fields.items():
        models = [o for o in get_args(field.annotation) if isinstance(o, type) and issubclass(o, BaseModel)]
        if models:
            found[name] = models[0]
    return found


def _of_bare(problem: Problem, bare: Collection[Any]) -> Problem:
    """Say of a section without content that it may also be left out."""
    name = (problem.key or "").split(".")[0]
    if name in bare:
        return replace(problem, hint=f"give it, or leave out the empty section '{name}'")
    return problem


def _of_option(problem: Problem, given: Mapping[str, Any]) -> Problem:
    """Blame the command line, not the file, for a value that came from there."""
    if problem.key in given:
        return replace(problem, file=None, row=None, key=f"--{problem.key}")
    return problem


def _find(path: str | os.PathLike[str]) -> Path:
    given = Path(path)
    if given.suffix == "" and given.name == str(path) and not given.exists():
        names = sorted(p.stem for p in files.data_path("analyses").glob("*.yaml"))
        if str(path) in names:
            return files.data_path("analyses", f"{path}.yaml")
        raise InputError(
            Problem(
                "no such spec",
                got=str(path),
                allowed=names,
                hint="give one of these or a path to a YAML file",
            )
        )
    return files.require_file(given, purpose="spec")
