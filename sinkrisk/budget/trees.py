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


def get_flux(tree: xr.DataTree) -> xr.DataArray:
    """Return the annual fluxes of a budget whose model has them.

    Parameters
    ----------
    tree : DataTree
        What `reconcile` returned.

    Returns
    -------
    DataArray
        flux (chain, draw, component, year), GtC/yr.

    Raises
    ------
    InputError
        For the closed model, which reconciles windows as wholes.

    Examples
    --------
    >>> import xarray as xr
    >>> flux = xr.DataArray([[[[2.9, 3.0]], [[3.1, 3.0]]]], dims=("chain", "draw", "component", "year"),
    ...     coords={"component": ["ocean"], "year": [2022, 2023]}, name="flux")
    >>> tree = xr.DataTree.from_dict({"posterior": flux.to_dataset()})
    >>> get_flux(tree).mean(("chain", "draw")).values
    array([[3., 3.]])
    """
    posterior = group(tree, "posterior")
    if "flux" in posterior:
        return posterior["flux"]
    raise InputError(
        Problem(
            f"the model '{tree.attrs.get('model', 'closed')}' has no annual flux",
            allowed="posterior['window_flux'], the mean over each window",
            hint="it reconciles every window as a whole and knows no years inside it; "
            "a decade's mean does not say how the decade's years differ",
        )
    )
