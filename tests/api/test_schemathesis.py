"""The description of the API, tried on a live service by schemathesis."""

import pytest

from tests.fuzz.run import fuzz
from tests.fuzz.served import served, token


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_schemathesis_finds_nothing(database, database_url, tmp_path):
    async with served(database_url, tmp_path / "files") as url:
        code, output = await fuzz(url, token(), examples=3, seed=1)

    assert code == 0, output
