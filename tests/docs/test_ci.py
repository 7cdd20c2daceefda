"""`.ci/run`: where it runs what, what it prints last, and how it ends."""

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

TARGETS = ["demo", "lint", "types", "imports", "migrations", "docs", "test"]
CLOSING = "======================== 3 passed, 1 skipped in 0.12s ========================="
FAILED = "=================== 1 failed, 2 passed in 65.01s (0:01:05) ===================="
CUT_SHORT = "========================= 2 passed in 9.87s ========================="
GIT = ["git", "-c", "user.name=tests", "-c", "user.email=tests@example.org", "-c", "gc.auto=0"]


@dataclass
class Checkout:
    """A clone of the script alone, where `make` is a program that plays along."""

    folder: Path
    programs: Path

    def start(
        self, *, failing: str = "", closing: str = CLOSING, waits: str = "", **environ: str
    ) -> subprocess.Popen[str]:
        make = self.programs / "make"
        make.write_text(
            "#!/bin/sh\n"
            "for target; do :; done\n"
            'echo "in $target CI=$CI at $PWD with $(ls ../shared 2>&1)"\n'
            f'if [ "$target" = "{waits}" ]; then\n'
            "  sleep 60 & asleep=$!\n"
            f"  trap 'kill $asleep; echo \"{CUT_SHORT}\"; exit 2' INT\nfi\n"
            'echo "$target" >> "$TARGETS"\n'  # from here on it may be interrupted
            f'if [ "$target" = "{waits}" ]; then wait; fi\n'
            f'if [ "$target" = test ]; then echo "{closing}"; fi\n'
            f'if [ "$target" = "{failing}" ]; then echo "make: Error 1" >&2; exit 2; fi\n'
        )
        make.chmod(0o755)
        apt = self.programs / "apt-get"
        apt.write_text("#!/bin/sh\nexit 100\n")
        apt.chmod(0o755)
        return subprocess.Popen(
            ["bash", str(self.folder / ".ci/run")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={
                "PATH": f"{self.programs}:{os.environ['PATH']}",
                "TARGETS": str(self.folder.parent / "targets"),
                "TMPDIR": str(self.folder.parent / "temporary"),
                **environ,
            },
        )

    def run(self, **options: str) -> tuple[int, list[str]]:
        """Its exit code, and what it printed."""
        with self.start(**options) as process:
            printed, _ = process.communicate(timeout=60)
            return process.returncode, printed.splitlines()

    @property
    def targets(self) -> list[str]:
        path = self.folder.parent / "targets"
        return path.read_text().split() if path.exists() else []

    @property
    def left_behind(self) -> list[Path]:
        return list((self.folder.parent / "temporary").iterdir())


@pytest.fixture
def checkout(tmp_path, root):
    folder, programs = tmp_path / "clone", tmp_path / "bin"
    (folder / ".ci").mkdir(parents=True)
    programs.mkdir()
    (tmp_path / "temporary").mkdir()
    (folder / ".ci/run").write_text((root / ".ci/run").read_text())
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "All"]):
        subprocess.run([*GIT, *words], cwd=folder, check=True, capture_output=True)
    return Checkout(folder, programs)


def test_everything_is_run_once_and_the_exit_code_is_0(checkout):
    code, printed = checkout.run()

    assert (code, checkout.targets) == (0, TARGETS)
    assert "--- everything passed" in printed
    assert all("CI=true" in line for line in printed if line.startswith("in "))


def test_it_happens_in_a_clone_in_a_path_with_a_blank_and_a_quote(checkout):
    (checkout.folder.parent / "shared").mkdir()
    (checkout.folder.parent / "shared" / "samples").touch()

    _, printed = checkout.run()

    places = [line for line in printed if line.startswith("in ")]
    assert len(places) == len(TARGETS)
    for line in places:
        assert f" at {checkout.folder.parent}/temporary/" in line
        assert line.endswith("/it's a clone with samples")
    assert checkout.left_behind == []


def test_what_cannot_be_cloned_is_a_failure_and_the_checks_still_run(checkout):
    (checkout.folder / ".git" / "HEAD").unlink()

    code, printed = checkout.run()

    assert (code, checkout.targets) == (1, TARGETS)
    assert "--- failed: clone" in printed
    assert printed[-1] == CLOSING


def test_the_last_line_is_the_one_that_pytest_ends_with(checkout):
    assert checkout.run()[1][-1] == CLOSING


@pytest.mark.parametrize("target", TARGETS)
def test_one_failure_fails_it_and_the_others_still_run(checkout, target):
    code, printed = checkout.run(failing=target, closing=FAILED)

    assert (code, checkout.targets) == (1, TARGETS)
    assert printed[-1] == FAILED
    assert f"--- failed: {target}" in printed
    assert "make: Error 1" in printed


def test_a_run_without_a_closing_line_says_so_and_still_tells_the_truth(checkout):
    code, printed = checkout.run(failing="test", closing="killed")

    assert code == 1
    assert printed[-1] == "--- pytest printed no closing line"


def test_a_suite_that_takes_too_long_is_interrupted_and_closes_with_its_line(checkout):
    code, printed = checkout.run(waits="test", CI_LIMIT_SECONDS="6")

    assert (code, checkout.targets) == (1, TARGETS)
    assert any(line.startswith("--- make test FAILED after ") for line in printed)
    assert printed[-1] == CUT_SHORT


def test_a_run_that_is_stopped_stops_what_it_started(checkout):
    with checkout.start(waits="lint") as process:
        deadline = time.monotonic() + 90  # it clones first, on a busy machine
        while "lint" not in checkout.targets and time.monotonic() < deadline:
            time.sleep(0.05)  # a file of another process: nothing tells
        process.send_signal(signal.SIGTERM)
        printed, _ = process.communicate(timeout=60)

    assert process.returncode == 1
    assert CUT_SHORT in printed
    assert checkout.left_behind == []


def test_each_check_says_how_long_it_took(checkout):
    _, printed = checkout.run()

    for target in TARGETS:
        assert any(line.startswith(f"--- make {target} passed after ") for line in printed)


def test_every_target_exists(root):
    targets = {line.split(":")[0] for line in (root / "Makefile").read_text().splitlines()}

    assert set(TARGETS) <= targets


def test_the_script_can_be_started_by_its_name(root):
    assert os.access(Path(root) / ".ci/run", os.X_OK)
