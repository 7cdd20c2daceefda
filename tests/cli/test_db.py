"""`db`: the schema up, down and checked, and psql, the way in for operators."""

import pytest
from sqlalchemy import make_url

from tests.migrations.conftest import empty, empty_url, rows

__all__ = ["empty", "empty_url"]

ARGUMENTS = r"\! tr '\0' ' ' < /proc/$PPID/cmdline; echo"
PASSWORD = r"\! printenv PGPASSWORD"


@pytest.mark.parametrize("place", ["user", "query"])
def test_psql_gets_the_password_where_others_cannot_see_it(tools, tmp_path, database_url, place):
    url = make_url(database_url)
    if place == "user":
        url = url.set(password="hunter2/of?tests")
    else:
        url = url.update_query_dict({"password": "hunter2/of?tests"})
    given = url.render_as_string(hide_password=False)
    environ = tools.clean_environ(DATA_DIR=tmp_path, DATABASE_URL=given)

    psql = ("db", "psql", "-XAt", "-c", ARGUMENTS, "-c", PASSWORD, "-c", "SELECT 6 * 7")
    done = tools.run_command(*psql, environ=environ)

    arguments, password, answer = done.stdout.strip().rsplit("\n", 2)
    assert "hunter2" not in arguments
    assert "postgresql://" in arguments
    assert (password, answer) == ("hunter2/of?tests", "42")


@pytest.fixture
def database_command(tools, tmp_path, empty_url):
    """Run a `db` command on a database of its own."""

    def run(*arguments, stdin=None):
        environ = tools.clean_environ(DATA_DIR=tmp_path, DATABASE_URL=empty_url)
        return tools.run_command("db", *arguments, environ=environ, stdin=stdin)

    return run


async def test_the_schema_goes_up_and_down_and_check_tells_where_it_is(database_command, empty):
    before = database_command("check")
    up = database_command("upgrade")
    there = database_command("check")
    refused = database_command("downgrade", "base", stdin="n\n")
    still_there = await rows(empty, "SELECT version_num FROM alembic_version")
    down = database_command("downgrade", "0001", "--yes")
    older = database_command("check")
    at = await rows(empty, "SELECT version_num FROM alembic_version")

    assert (before.returncode, up.returncode, there.returncode) == (1, 0, 0)
    assert "run `db upgrade`" in before.stderr
    assert up.stdout == "The schema is at head.\n"
    assert there.stdout.endswith("The schema is the one that this code is written for.\n")
    assert refused.returncode == 1
    assert "may be dropped" in refused.stdout
    assert still_there != ["0001"]
    assert (down.returncode, at, older.returncode) == (0, ["0001"], 1)
    assert "Traceback" not in before.stderr + refused.stderr + older.stderr


async def test_a_schema_that_was_changed_by_hand_is_told_from_the_right_one(
    database_command, empty
):
    assert database_command("upgrade").returncode == 0
    async with empty.begin() as conn:
        await conn.exec_driver_sql("ALTER TABLE papers DROP COLUMN doi")

    checked = database_command("check")

    assert checked.returncode == 1
    assert "doi" in checked.stderr
    assert "Traceback" not in checked.stderr


@pytest.mark.parametrize("command", [["upgrade", "nowhere"], ["downgrade", "nowhere", "--yes"]])
def test_a_revision_that_there_is_not_is_an_error_in_a_line(database_command, command):
    done = database_command(*command)

    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "nowhere" in done.stderr
    assert "Traceback" not in done.stderr


def test_commands_of_the_schema_say_that_the_database_is_away(tools, tmp_path):
    environ = tools.clean_environ(
        DATA_DIR=tmp_path, DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing"
    )

    done = tools.run_command("db", "check", environ=environ)

    assert done.returncode == 1
    assert done.stderr.startswith("error: The database cannot be reached (DATABASE_URL)")
