"""The report: a run directory read back and told as one HTML page that needs nothing else.

`report` writes it into the run directory; `compose` writes it anywhere. Only files that the
manifest records are read, so a page never mixes two runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sinkrisk import lazy

if TYPE_CHECKING:
    from sinkrisk.reporting.writing import compose as compose, report as report

__getattr__, __dir__, __all__ = lazy.attach(__name__, {"compose": ".writing", "report": ".writing"})
