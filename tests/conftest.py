"""What holds for every test: examples of hypothesis are the same in every run, and are not timed."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("untimed", settings.default, deadline=None, derandomize=True, database=None)
settings.load_profile("untimed")
