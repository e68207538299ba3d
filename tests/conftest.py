"""Settings for all tests: properties are tried on the same examples at every run, so that a failure is no accident."""

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.load_profile("repeatable")
