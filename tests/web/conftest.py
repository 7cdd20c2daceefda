"""The service as a browser sees it."""

import shutil

import pytest

from tests.api.conftest import api_database, serve, store

__all__ = ["api_database", "serve", "store"]


@pytest.fixture
def chromium() -> str:
    """The browser, where there is one."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no chromium here")
    return found
