"""Access to the groups of a reconciled budget, with an error for anything else."""

from __future__ import annotations

import xarray as xr

from sinkrisk.errors import InputError, Problem


def group(tree: object, name: str) -> xr.Dataset:
    """Return a group of a budget tree as a Dataset.

    Raises
    ------
    InputError
        When `tree` is not what `reconcile` returned.
    """
    if not isinstance(tree, xr.DataTree):
        raise InputError(
            Problem(
                "not a reconciled budget",
                got=type(tree).__name__,
                allowed="the DataTree that sinkrisk.reconcile returned",
            )
        )
    if name not in tree.children:
        raise InputError(
            Problem("the budget has no such group", got=name, allowed=sorted(map(str, tree.children)))
        )
    return tree.children[name].to_dataset()


def has_group(tree: xr.DataTree, name: str) -> bool:
    """Return whether the tree has a group, for example ``exact``, which only exact models have."""
    return name in tree.children
