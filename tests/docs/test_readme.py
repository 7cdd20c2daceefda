"""The commands of README and tutorial run as they are written, against what `make run` starts.

`make run` is `python -m service demo --stay`; what is put in the commands' place is the
port, the interpreter, and a fresh folder for data.
"""

import re
import shlex
import shutil
import subprocess
import sys
from contextlib import contextmanager

import pytest

from tests.cli.conftest import clean_environ, free_port, started

PUBLISHED = "http://127.0.0.1:8000"
PYTHON = ".venv/bin/python"
RUN_WITHIN_SECONDS = 100


@contextmanager
def made_run(environ):
    """What `make run` starts, once it says that it is up."""
    with started("demo", "--stay", "--stand-in", environ=environ) as demo:
        if not any(line.startswith("Up on ") for line in demo.stdout):
            pytest.fail(f"it did not come up: {demo.stderr.read()}")
        yield


@pytest.fixture(scope="module")
def environ(tmp_path_factory):
    folder = tmp_path_factory.mktemp("readme")
    settings = clean_environ(DATA_DIR=folder / "var", PORT=free_port(), DRAIN_SECONDS=5)
    with made_run(settings):
        yield settings


def commands_of(page):
    """The commands of all console blocks, those over several lines as one; not `make …`."""
    for fence in page.fences("console"):
        for command in re.split(r"^\$ ", fence, flags=re.MULTILINE)[1:]:
            if not command.startswith("make "):
                yield command.rstrip("\n")


def as_here(command, environ):
    url = f"http://127.0.0.1:{environ['PORT']}"
    return command.replace(PUBLISHED, url).replace(PYTHON, shlex.quote(sys.executable))


def script(page, environ):
    """The commands one after the other, in one shell, each with a mark around its output."""
    lines = ["set -euo pipefail"]
    for number, command in enumerate(commands_of(page)):
        lines += [f"printf '\\n=={number}==\\n'", as_here(command, environ)]
    return "\n".join(lines)


def run(page, environ, root):
    """Output of each command; fails with the first that does."""
    done = subprocess.run(
        ["bash", "-c", script(page, environ)],
        cwd=root,
        env=environ,
        check=False,
        capture_output=True,
        text=True,
        timeout=RUN_WITHIN_SECONDS,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    return re.split(r"\n==\d+==\n", done.stdout)[1:]


@pytest.fixture(autouse=True)
def _curl():
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")


@pytest.mark.timeout(300)
def test_case_134_the_commands_of_the_readme_run_as_written(document, environ, root):
    token, submitted, listed = run(document("README.md"), environ, root)

    assert token == ""
    assert '"status":"pending"' in submitted
    assert listed.startswith('[{"job_id":"')
    assert '"status":"completed"' in listed


@pytest.mark.timeout(300)
def test_case_134_the_example_in_python_brings_pdfs_home(document, environ, root, tmp_path):
    (example,) = document("README.md").fences("python")
    url = f"http://127.0.0.1:{environ['PORT']}"
    token = subprocess.check_output(
        [sys.executable, "-m", "service", "token", "--sub", "me"], env=environ, cwd=root, text=True
    ).strip()

    done = subprocess.run(
        [sys.executable, "-c", example, url, token],
        cwd=tmp_path,
        env=environ,
        check=False,
        capture_output=True,
        text=True,
        timeout=RUN_WITHIN_SECONDS,
    )

    assert done.returncode == 0, done.stderr
    pdfs = list(tmp_path.glob("*.pdf"))
    assert len(pdfs) == 3
    assert all(pdf.read_bytes().startswith(b"%PDF-") for pdf in pdfs)


@pytest.mark.timeout(300)
def test_the_commands_of_the_tutorial_run_as_written(document, environ, root, tmp_path):
    page = document("docs/tutorial.md")
    outputs = run(page, environ, tmp_path)

    assert outputs[1].startswith("HTTP/1.1 202")
    assert "event:" in outputs[4]
    assert (tmp_path / "paper.pdf").read_bytes().startswith(b"%PDF-")
    assert (tmp_path / "paper.txt").read_text().strip()
    assert "papers_fetched" in outputs[-1]


def test_readme_and_tutorial_say_nothing_that_is_not_run(document):
    """Every console block begins with a command: no output, no prompt of root."""
    for path in ("README.md", "docs/tutorial.md"):
        for fence in document(path).fences("console"):
            assert fence.startswith("$ ")
            following = re.findall(r"^(?!\$ )(?!    )(.+)$", fence, flags=re.MULTILINE)
            assert following == [], path
