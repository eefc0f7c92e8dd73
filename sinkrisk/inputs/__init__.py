"""One joint input space: every uncertain quantity of the chain is a function of one uniform vector.

`drivers` lists what is uncertain, one column of u each; `transform` turns rows of u into the labelled
inputs of a simulation; `sample` does so for scrambled Sobol' points. Data walk through the modules in
this order: `quantities` says which quantities the chain needs, `registry` makes a driver of each,
`blocks` computes, `mapping` labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sinkrisk import lazy

if TYPE_CHECKING:
    from sinkrisk.inputs.mapping import (
        network_states as network_states,
        sample as sample,
        transform as transform,
    )
    from sinkrisk.inputs.registry import Driver as Driver, Drivers as Drivers, drivers as drivers
    from sinkrisk.inputs.restricting import restrict as restrict
    from sinkrisk.inputs.specification import InputsSpec as InputsSpec

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    {
        "Driver": ".registry",
        "Drivers": ".registry",
        "InputsSpec": ".specification",
        "drivers": ".registry",
        "network_states": ".mapping",
        "restrict": ".restricting",
        "sample": ".mapping",
        "transform": ".mapping",
    },
)
