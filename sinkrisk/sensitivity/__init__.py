"""Which doubt matters: variance-based (Sobol') sensitivity of any vectorised function.

`sobol` draws a Saltelli design, evaluates a function in blocks of rows and estimates first-order,
total-order and, on request, second-order indices with SALib's estimators and honest intervals.
`value_of_observing` says what learning a node of the governance network is worth to who chooses a
portfolio.
"""

from typing import TYPE_CHECKING

from sinkrisk import lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    {
        "SobolSpec": ".specification",
        "driver_sentence": ".describing",
        "sobol": ".variance",
        "value_of_observing": ".observing",
        "sobol_table": ".describing",
    },
)

if TYPE_CHECKING:
    from sinkrisk.sensitivity.describing import driver_sentence as driver_sentence, sobol_table as sobol_table
    from sinkrisk.sensitivity.observing import value_of_observing as value_of_observing
    from sinkrisk.sensitivity.specification import SobolSpec as SobolSpec
    from sinkrisk.sensitivity.variance import sobol as sobol
