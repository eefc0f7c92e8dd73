"""Which doubt matters: variance-based (Sobol') sensitivity of any vectorised function.

`sobol` draws a Saltelli design, evaluates a function in blocks of rows and estimates first-order,
total-order and, on request, second-order indices with SALib's estimators and honest intervals;
`sobol_until` doubles the design until the ranking has settled. `screen_drivers` finds the few that matter
among hundreds; `given_data_indices`, `shapley_effects`, `state_shares` and `response_curves` read draws
that are there already, dependent ones too.
`action_table` and `value_of_observing` say what learning a driver or a node of the governance network is
worth to who chooses a portfolio.
"""

from typing import TYPE_CHECKING

from sinkrisk import lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    {
        "SobolSpec": ".specification",
        "action_table": ".acting",
        "convergence_table": ".converging",
        "driver_ranks": ".ordering",
        "driver_sentence": ".describing",
        "driver_sentences": ".quoting",
        "gaussian_shapley": ".shapley",
        "given_data_indices": ".given_data",
        "rank_text": ".quoting",
        "response_curves": ".responding",
        "screen_drivers": ".screening",
        "shapley_effects": ".shapley",
        "sobol": ".variance",
        "sobol_table": ".describing",
        "sobol_until": ".converging",
        "stack_outputs": ".stacking",
        "state_shares": ".node_states",
        "swing_text": ".quoting",
        "target_sensitivity": ".given_data",
        "tornado_table": ".responding",
        "value_of_observing": ".observing",
        "winners_by": ".acting",
        "worth_text": ".quoting",
    },
)

if TYPE_CHECKING:
    from sinkrisk.sensitivity.acting import action_table as action_table, winners_by as winners_by
    from sinkrisk.sensitivity.converging import (
        convergence_table as convergence_table,
        sobol_until as sobol_until,
    )
    from sinkrisk.sensitivity.describing import driver_sentence as driver_sentence, sobol_table as sobol_table
    from sinkrisk.sensitivity.given_data import (
        given_data_indices as given_data_indices,
        target_sensitivity as target_sensitivity,
    )
    from sinkrisk.sensitivity.node_states import state_shares as state_shares
    from sinkrisk.sensitivity.observing import value_of_observing as value_of_observing
    from sinkrisk.sensitivity.ordering import driver_ranks as driver_ranks
    from sinkrisk.sensitivity.quoting import (
        driver_sentences as driver_sentences,
        rank_text as rank_text,
        swing_text as swing_text,
        worth_text as worth_text,
    )
    from sinkrisk.sensitivity.responding import (
        response_curves as response_curves,
        tornado_table as tornado_table,
    )
    from sinkrisk.sensitivity.screening import screen_drivers as screen_drivers
    from sinkrisk.sensitivity.shapley import (
        gaussian_shapley as gaussian_shapley,
        shapley_effects as shapley_effects,
    )
    from sinkrisk.sensitivity.specification import SobolSpec as SobolSpec
    from sinkrisk.sensitivity.stacking import stack_outputs as stack_outputs
    from sinkrisk.sensitivity.variance import sobol as sobol
