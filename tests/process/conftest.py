"""Whole processes, as an operator runs them."""

from tests.cli.conftest import tools
from tests.jobs.conftest import replica, rig

__all__ = ["replica", "rig", "tools"]
