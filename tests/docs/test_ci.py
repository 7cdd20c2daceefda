"""`.ci/run`: what it runs, what it prints last, and how it ends."""

import os
import subprocess
from pathlib import Path

import pytest

CLOSING = "======================== 3 passed, 1 skipped in 0.12s ========================="
FAILED = "=================== 1 failed, 2 passed in 65.01s (0:01:05) ===================="


@pytest.fixture
def run(tmp_path, root):
    """Run the script in a folder of its own, where `make` is a program that plays along."""
    folder = tmp_path / "clone" / ".ci"
    folder.mkdir(parents=True)
    (folder / "run").write_text((root / ".ci/run").read_text())
    programs = tmp_path / "bin"
    programs.mkdir()
    make = programs / "make"

    def run(*, failing: str = "", closing: str = CLOSING) -> subprocess.CompletedProcess[str]:
        make.write_text(
            "#!/bin/sh\n"
            'for target; do :; done\necho "$target" >> "$PWD/targets"\necho "in $target CI=$CI"\n'
            f'if [ "$target" = test ]; then echo "{closing}"; fi\n'
            f'if [ "$target" = "{failing}" ]; then echo "make: Error 1" >&2; exit 2; fi\n'
        )
        make.chmod(0o755)
        return subprocess.run(
            ["bash", str(folder / "run")],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            env={"PATH": f"{programs}:{os.environ['PATH']}"},
        )

    return run


def test_everything_is_run_once_in_the_clone_and_the_exit_code_is_0(run, tmp_path):
    done = run()

    targets = (tmp_path / "clone" / "targets").read_text().split()
    assert targets == ["lint", "types", "imports", "migrations", "test"]
    assert done.returncode == 0
    assert "in lint CI=true" in done.stdout


def test_the_last_line_is_the_one_that_pytest_ends_with(run):
    assert run().stdout.splitlines()[-1] == CLOSING


@pytest.mark.parametrize("target", ["lint", "types", "imports", "migrations", "test"])
def test_one_failure_fails_it_and_the_others_still_run(run, tmp_path, target):
    done = run(failing=target, closing=FAILED)

    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == FAILED
    assert f"--- failed: {target}" in done.stdout
    assert "make: Error 1" in done.stdout
    assert len((tmp_path / "clone" / "targets").read_text().split()) == 5


def test_a_run_without_a_closing_line_says_so_and_still_tells_the_truth(run):
    done = run(failing="test", closing="killed")

    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "--- pytest printed no closing line"


def test_each_check_says_how_long_it_took(run):
    printed = run().stdout

    for target in ("lint", "types", "imports", "migrations", "test"):
        assert f"--- make {target} passed after " in printed


def test_every_target_exists(root):
    targets = {line.split(":")[0] for line in (root / "Makefile").read_text().splitlines()}

    assert {"lint", "types", "imports", "migrations", "test"} <= targets


def test_the_script_can_be_started_by_its_name(root):
    assert os.access(Path(root) / ".ci/run", os.X_OK)
