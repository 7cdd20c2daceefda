"""A client that a generator makes from the description of the API uses every route."""

import json
import subprocess
import urllib.request
from pathlib import Path

import pytest

from service.domain.webhooks import new_secret
from tests.cli.conftest import fetch, running_service, wait_for

PYTHON = Path(__file__).parents[2] / ".venv-generated/bin/python"
DRIVE = Path(__file__).parent / "generated_client/drive.py"

pytestmark = pytest.mark.slow_faults


@pytest.fixture
def generated(tmp_path):
    """A service, and the folder of the package `generated` made from its description."""
    with running_service(tmp_path / "var", WEBHOOK_SECRET=new_secret()) as service:
        document = tmp_path / "openapi.json"
        with urllib.request.urlopen(f"{service.url}/openapi.json", timeout=20) as answer:
            document.write_bytes(answer.read())
        config = tmp_path / "config.yaml"
        # the page's icon is the one file of a type that the generator does not know
        config.write_text(
            "post_hooks: []\ncontent_type_overrides:\n  image/png: application/octet-stream\n"
        )
        command = [
            *(PYTHON, "-m", "openapi_python_client", "generate", "--fail-on-warning"),
            *("--path", document, "--config", config, "--meta", "none"),
            *("--output-path", tmp_path / "generated"),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        yield service, tmp_path


def test_case_132_a_generated_client_uses_every_route(generated):
    service, folder = generated
    job_id = service.submit()
    wait_for(lambda: service.job(job_id)["status"] == "completed", seconds=60, what="the job")
    papers = f"{service.url}/api/v1/ingestion/job/{job_id}/papers?state=processed"
    arxiv_id = fetch(papers, token=service.token())[1][0]["arxiv_id"]

    done = subprocess.run(
        [PYTHON, DRIVE, folder, service.url, service.token(), job_id, arxiv_id],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    document = json.loads((folder / "openapi.json").read_text())
    operations = [one for item in document["paths"].values() for one in item]
    assert told["uncalled"] == []
    assert len(told["answers"]) == len(operations)
    assert {name: one for name, one in told["answers"].items() if one[0] >= 400} == {}
    assert told["answers"]["get_pdf"] == [200, "File"]
    assert told["pdf"] == "b'%PDF-'"
