"""`db psql`: the way in, for operators."""

import pytest
from sqlalchemy import make_url

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
