"""Which processes of an annual model a direct sampler samples, and how they are centred."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sinkrisk.budget.annual import AnnualModel
from sinkrisk.budget.structure import FloatArray, IntArray, Structure, design
from sinkrisk.errors import InputError, Problem


@dataclass(frozen=True)
class WhiteGroup:
    """Observations that see one white (or endpoint) error, turned so that they become independent.

    With S the rounding sds and V, lambda the eigenvectors and eigenvalues of the process's covariance
    over S, the rotated residuals ``turn @ r`` are independent with variances 1 + c lambda.

    Parameters
    ----------
    process : int
    rows : ndarray of int
        Observations that see it.
    turn : ndarray, shape (row, row)
    eigenvalues : ndarray, shape (row,)
    """

    process: int
    rows: IntArray
    turn: FloatArray
    eigenvalues: FloatArray


@dataclass(frozen=True)
class Plan:
    """Which process is sampled, which is left to the observations' density, and how.

    Parameters
    ----------
    latent : tuple of int
        Processes that are sampled.
    whites : tuple of WhiteGroup
    exact : dict of int to ndarray
        AR(1) processes that are what is left of observations without rounding: process -> rows, in
        order of time.
    plain : ndarray of int
        Observations with rounding alone.
    anchors : dict of int to tuple of int
        Level or slope of a flux -> the processes seen beside it: what is sampled is the process plus
        their projection on its profile.
    """

    latent: tuple[int, ...]
    whites: tuple[WhiteGroup, ...]
    exact: dict[int, IntArray]
    plain: IntArray
    anchors: dict[int, tuple[int, ...]]


def plan_direct(annual: AnnualModel) -> Plan:
    """Decide which processes of a model are sampled, and how they are centred.

    Raises
    ------
    InputError
        When an observation without rounding has no AR(1) error of its own.
    """
    structure = annual.structure
    noise = structure.noise_variance
    taken = np.zeros(len(noise), dtype=bool)
    exact: dict[int, IntArray] = {}
    for index, process in enumerate(structure.processes):
        rows = np.flatnonzero(structure.loading[:, index])
        if process.kind == "ar" and process.role == "estimate" and (noise[rows] == 0.0).all():
            annual = (structure.start == structure.end)[rows].all()
            if annual and len(set(structure.start[rows])) == len(rows) and not taken[rows].any():
                exact[index] = rows[np.argsort(structure.start[rows])]
                taken[rows] = True
    if (noise[~taken] == 0.0).any():
        raise InputError(
            Problem(
                "direct sampling needs rounding, or an error of its own in every year",
                got=f"observation {int(np.flatnonzero(~taken & (noise == 0.0))[0])}",
                hint="sample on the marginal likelihood, the default",
            )
        )
    whites = []
    for index, process in enumerate(structure.processes):
        rows = np.flatnonzero(structure.loading[:, index])
        if process.role == "error" and process.kind in ("white", "endpoint") and not taken[rows].any():
            whites.append(_turned(structure, index, rows))
            taken[rows] = True
    left = {*exact, *(group.process for group in whites)}
    latent = tuple(i for i in range(len(structure.processes)) if i not in left)
    return Plan(latent, tuple(whites), exact, np.flatnonzero(~taken), _anchors(annual, latent))


def _anchors(annual: AnnualModel, latent: tuple[int, ...]) -> dict[int, tuple[int, ...]]:
    structure, out = annual.structure, {}
    for index, process in enumerate(structure.processes):
        if process.role != "flux" or process.kind != "constant":
            continue
        own = np.flatnonzero((annual.observations["component"] == process.component).to_numpy())
        own = own[structure.loading[own, index] == 1.0]
        beside = [
            i
            for i in latent
            if structure.processes[i].kind in ("walk", "ar", "constant")
            and (structure.processes[i].role != "flux" or structure.processes[i].kind == "walk")
            and (
                structure.loading[own[0], i] == 1.0
                if len(own)
                else structure.processes[i].component == process.component
            )
        ]
        out[index] = tuple(beside)
    return out


def projection_row(structure: Structure, index: int, other: int) -> FloatArray:
    """Return the row that takes a process's values to its least-squares coefficient on a profile."""
    profile, seen = structure.processes[index].profile, structure.processes[other]
    row = profile / (profile @ profile) * seen.profile
    return np.array([row.sum()]) if seen.kind == "constant" else row


def _turned(structure: Structure, index: int, rows: IntArray) -> WhiteGroup:
    scaled = design(structure, index)[rows] / np.sqrt(structure.noise_variance[rows])[:, None]
    values, vectors = np.linalg.eigh(scaled @ scaled.T)
    turn = vectors.T / np.sqrt(structure.noise_variance[rows])
    return WhiteGroup(index, rows, np.ascontiguousarray(turn), np.maximum(values, 0.0))
