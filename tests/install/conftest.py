"""Environments of the tests' own, and a database that is empty."""

from tests.migrations.conftest import empty_url

__all__ = ["empty_url"]
