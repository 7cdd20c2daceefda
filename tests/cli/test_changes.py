"""`changes`: the change feed on the command line."""

import json


def test_changes_are_listed_with_their_tokens_and_from_a_token_on(service):
    job = service.run("ingest", "--category", "cs.AI", "--max-papers", "3", "--rewrite-duplicates")
    listed = service.run("changes", "--kind", "created")
    found = [json.loads(line) for line in service.run("changes", "--json").stdout.splitlines()]
    rest = service.run("changes", "--after", found[-2]["token"], "--json")
    none = service.run("changes", "--after", "latest")
    wrong = service.run("changes", "--after", "nonsense")

    assert job.returncode == 0, job.stderr
    _, kind, arxiv_id, version, _, token = listed.stdout.splitlines()[0].split("\t")
    assert (kind, arxiv_id, version) == ("created", *map(str, _first(found, "created")))
    assert token in {one["token"] for one in found}
    assert {"created", "pdf", "text", "document"} <= {one["kind"] for one in found}
    assert all(one["job_id"] for one in found)
    assert json.loads(rest.stdout) == found[-1]
    assert (none.returncode, none.stdout) == (0, "")
    assert wrong.returncode != 0
    assert "after" in wrong.stderr


def _first(found, kind):
    one = next(one for one in found if one["kind"] == kind)
    return one["arxiv_id"], one["version"]
