"""Migrations: up, down and up again; as the models are."""

from pathlib import Path

import pytest
from alembic.script import Script, ScriptDirectory

from service.db import migrate
from service.db.revision import SCRIPTS, head_revision, is_current
from service.db.tables import metadata
from tests.migrations.conftest import rows

ROOT = Path(__file__).parents[2]
THINGS = (
    "SELECT 'relation ' || relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    " AND relname NOT LIKE 'alembic_version%'"
    " UNION ALL SELECT 'function ' || proname FROM pg_proc"
    " WHERE pronamespace = 'public'::regnamespace"
    " UNION ALL SELECT 'type ' || typname FROM pg_type"
    " WHERE typnamespace = 'public'::regnamespace AND typtype = 'e' ORDER BY 1"
)


def revisions() -> list[Script]:
    """All revisions, the first one first."""
    return list(ScriptDirectory(str(SCRIPTS)).walk_revisions())[::-1]


@pytest.mark.parametrize("revision", revisions(), ids=lambda script: script.revision)
async def test_every_revision_goes_up_down_and_up_again(empty, revision):
    below = revision.down_revision or "base"
    await migrate.upgrade(empty, revision.revision)
    first = await rows(empty, THINGS)

    await migrate.downgrade(empty, below)
    await migrate.upgrade(empty, revision.revision)

    assert await rows(empty, THINGS) == first


async def test_the_way_down_leaves_nothing_behind(empty):
    await migrate.upgrade(empty)

    await migrate.downgrade(empty, "base")

    assert await rows(empty, THINGS) == []


async def test_models_and_migrations_agree(empty):
    await migrate.upgrade(empty)

    await migrate.check(empty)


async def test_checks_and_indexes_are_those_of_the_models(empty):
    """Alembic does not compare them: names and texts of the rules, as PostgreSQL prints them."""
    statement = (
        "SELECT conname || ': ' || pg_get_constraintdef(c.oid) FROM pg_constraint c"
        " JOIN pg_class t ON t.oid = conrelid WHERE t.relnamespace = 'public'::regnamespace"
        " AND relname NOT LIKE 'pgqueuer%' AND contype = 'c' ORDER BY 1"
    )
    indexes = (
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'"
        " AND tablename NOT LIKE 'pgqueuer%' AND tablename <> 'alembic_version' ORDER BY 1"
    )
    await migrate.upgrade(empty)
    migrated = await rows(empty, statement), await rows(empty, indexes)

    async with empty.begin() as conn:
        await conn.exec_driver_sql(
            "DROP TABLE upstream_pace, schedules, callers, job_errors, job_papers, paper_texts,"
            " documents, html_pages,"
            " paper_versions, coverage, papers, jobs CASCADE"
        )
        await conn.run_sync(metadata.create_all)

    assert (await rows(empty, statement), await rows(empty, indexes)) == migrated


async def test_upgrading_twice_changes_nothing(empty):
    await migrate.upgrade(empty)
    first = await rows(empty, THINGS)

    await migrate.upgrade(empty)

    assert await rows(empty, THINGS) == first
    assert await is_current(empty)


def test_the_newest_revision_is_the_one_that_alembic_finds():
    assert head_revision() == ScriptDirectory(str(SCRIPTS)).get_current_head()


@pytest.mark.parametrize("texts", [[], ["revision = '1'", "revision: str = '2'"]])
def test_migrations_without_one_newest_are_refused(tmp_path, monkeypatch, texts):
    (tmp_path / "versions").mkdir()
    for number, text in enumerate(texts):
        (tmp_path / "versions" / f"{number}.py").write_text(text)
    monkeypatch.setattr("service.db.revision.SCRIPTS", tmp_path)

    with pytest.raises(RuntimeError, match=f"{len(texts)} of the migrations"):
        head_revision.__wrapped__()


async def test_an_empty_database_is_not_current(empty):
    assert not await is_current(empty)


async def test_data_of_the_lanes_is_there_from_the_start(empty):
    await migrate.upgrade(empty)

    assert await rows(empty, "SELECT lane FROM upstream_pace ORDER BY 1") == ["api", "html", "pdf"]
