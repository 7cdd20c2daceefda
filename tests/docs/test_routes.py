"""Routes, the layers and the status are documented as they are."""

import configparser
import json
import re
from datetime import UTC, datetime

import pytest
from aiohttp import web

from service.api.job_status import status_document
from service.api.routes import add_routes
from service.db.jobs import JobStore
from service.db.tables import metadata
from service.domain.jobs import Criteria, IngestionRequest, Job


def test_every_route_is_in_the_readme_and_no_other(document):
    app = web.Application()
    add_routes(app)
    registered = {
        f"{route.method} {route.resource.canonical}"
        for route in app.router.routes()
        if route.method != "HEAD" and route.resource is not None
    }

    documented = document("docs/api.md").names("Routes")

    assert sorted(documented) == sorted(registered)


def test_the_layers_are_those_that_the_linter_knows(document, root):
    config = configparser.ConfigParser()
    config.read(root / "setup.cfg")
    layers = config["importlinter:contract:layers"]["layers"].split("\n")

    documented = [name.replace("\\|", "|") for name in document("ARCHITECTURE.md").names("Layers")]

    assert documented == [layer.strip() for layer in layers if layer.strip()]


def test_every_count_that_is_explained_is_a_column(document):
    columns = {
        f"{table.name}.{column.name}" for table in metadata.sorted_tables for column in table.c
    }

    explained = document("ARCHITECTURE.md").names("What is counted where")

    assert set(explained) - columns == set()
    kept_by_workers = {"attempts", "failures", "starts", "unfinished"}
    assert {name for name in columns if kept_by_workers & set(re.split(r"[._]", name))} <= {
        *explained,
        "pgqueuer.attempts",
    }


@pytest.fixture
async def job(database) -> Job:
    """A job as a worker has taken it up, with stats."""
    async with database.transaction() as conn:
        added = await JobStore(conn).add(
            IngestionRequest(criteria=Criteria(category="cs.AI")), caller="me"
        )
    assert added is not None
    return added._replace(taken_up_at=datetime.now(UTC))


async def test_the_status_shown_first_has_the_keys_that_are_answered(document, job):
    (shown,) = map(json.loads, document("README.md").fences("json"))

    answered = status_document(job)

    assert list(shown) == list(answered)
    assert list(shown["progress"]) == list(answered["progress"])
    assert list(shown["stats"]) == list(answered["stats"])
    assert sorted(shown["stats"]["request"]) == sorted(answered["stats"]["request"])
