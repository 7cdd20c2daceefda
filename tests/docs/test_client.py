"""The example of the README for callers in Python is run, against a service as processes."""

import hashlib
import subprocess
import sys

import pytest

from tests.cli.conftest import service

__all__ = ["service"]


@pytest.fixture
def example(document):
    (text,) = document("README.md").fences("python")
    return text


def test_the_example_brings_papers_in_and_their_pdfs_home(example, service, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", example, service.url, service.token()],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
    )

    assert done.returncode == 0, done.stderr
    files = {hashlib.sha256(one.read_bytes()).hexdigest() for one in tmp_path.iterdir()}
    told = set(done.stdout.split("\n"))
    assert len(files) == 3
    assert files <= told
    assert "'status': 'completed'" in done.stdout


def test_the_example_is_ten_lines(example):
    assert len([line for line in example.splitlines() if line]) == 10
