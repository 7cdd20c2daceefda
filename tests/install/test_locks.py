"""What is locked is what is installed, whatever an index offers on the day.

The project's own Makefile and installer, on a project and an index of the test's own. The
index offers a newer release of everything that is pinned, and the older one asks for an
extra, which once made pip look at the newest and stop for want of its hash.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.install.local_index import LocalIndex

ROOT = Path(__file__).parents[2]
INSTALLER = "tools/install_locked.py"
OTHERS = {  # environments beside .venv, each with the folder of its lock
    ".venv-s3": "tests/files/s3_server",
    ".venv-bench": "benchmarks",
    ".venv-docs": "docs",
    ".venv-load": "tests/load",
    ".venv-generated": "tests/faults/generated_client",
}
BACKEND = """
import sys
sys.path.insert(0, {root!r})
from pathlib import Path
from tests.install.local_index import metadata, write_wheel

EXTRAS = {{"dev": ["plugin>=1"], "standalone": ["database>=1"], "editable": []}}


def build_editable(folder, config_settings=None, metadata_directory=None):
    name = "project-0.1-py3-none-any.whl"
    write_wheel(Path(folder) / name, metadata("project", "0.1", ["measure>=1"], EXTRAS))
    return name
"""
# Stands for Python, but copies an environment where it is asked to make one: that takes seconds.
COPYING_PYTHON = """#!/bin/sh
if [ "$2" = venv ]; then exec cp -Rp "{environment}" "$3"; fi
exec "{python}" "$@"
"""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


class Clone:
    """A clone whose project and locks are small: `project[dev]` needs plugin and measure."""

    def __init__(self, folder: Path, environment: Path) -> None:
        self.folder = folder / "it's a clone"
        self.python = folder / "python"
        self.python.write_text(
            COPYING_PYTHON.format(environment=environment, python=sys.executable)
        )
        self.python.chmod(0o755)
        self.index = LocalIndex(folder / "an index")
        (self.folder / "tools").mkdir(parents=True)
        shutil.copy(ROOT / "Makefile", self.folder)
        shutil.copy(ROOT / INSTALLER, self.folder / INSTALLER)
        self._make_project()
        self._make_locks()

    def make(self, *targets: str) -> subprocess.CompletedProcess[str]:
        """Run make as a fresh machine would, with an index that is the test's."""
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder.parent),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": self.index.url,
        }
        return subprocess.run(
            ["make", f"PYTHON={self.python}", *targets],
            cwd=self.folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=360,
            check=False,
        )

    def installed(self, environment: str) -> dict[str, str]:
        """Versions by name of what is in an environment, without pip's own."""
        listed = subprocess.run(
            [self.folder / environment / "bin/python", "-m", "pip", "list", "--format=json"],
            env={"PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
            capture_output=True,
            timeout=60,
            check=True,
        )
        found = {entry["name"]: entry["version"] for entry in json.loads(listed.stdout)}
        return {name: found[name] for name in found if name not in ("pip", "setuptools", "wheel")}

    def leave_out(self, lock: str, name: str) -> None:
        path = self.folder / lock
        kept = [line for line in path.read_text().splitlines(True) if not line.startswith(name)]
        path.write_text("".join(kept))

    def _make_project(self) -> None:
        (self.folder / "setup.cfg").touch()
        (self.folder / "backend.py").write_text(BACKEND.format(root=str(ROOT)))
        (self.folder / "pyproject.toml").write_text(
            "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n"
        )

    def _make_locks(self) -> None:
        needed = {"toml": ["tables>=1"]}
        tables = self.index.add("tables", "1.0")
        measure = self.index.add("measure", "1.0", extras=needed)
        plugin = self.index.add("plugin", "1.0", ["measure[toml]>=1"])
        self.index.add("tables", "2.0")
        self.index.add("measure", "2.0", extras=needed)
        self.index.add("plugin", "2.0", ["measure[toml]>=2"])
        database = self.index.add("database", "1.0")
        self.index.add("database", "2.0")
        (self.folder / "requirements-standalone.lock").write_text(measure + database)
        everything = measure + database + plugin + tables
        (self.folder / "requirements-dev.lock").write_text(everything)
        for folder in OTHERS.values():
            (self.folder / folder).mkdir(parents=True)
            (self.folder / folder / "requirements.in").write_text("plugin>=1\n")
            (self.folder / folder / "requirements.lock").write_text(measure + plugin + tables)


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """An environment with nothing but pip, to be copied: making one takes seconds."""
    folder = tmp_path_factory.mktemp("environment") / "env"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=300)
    return folder


@pytest.fixture
def clone(tmp_path, environment):
    return Clone(tmp_path, environment)


def test_every_lock_is_installed_as_it_is_beside_newer_releases_of_everything(clone):
    done = clone.make(".venv/.dev", *(f"{environment}/.done" for environment in OTHERS))

    assert done.returncode == 0, done.stdout + done.stderr
    locked = {"measure": "1.0", "plugin": "1.0", "tables": "1.0"}
    assert clone.installed(".venv") == locked | {"project": "0.1", "database": "1.0"}
    for environment in OTHERS:
        assert clone.installed(environment) == locked


@pytest.mark.parametrize(
    ("lock", "name", "target"),
    [
        ("requirements-standalone.lock", "measure", ".venv/.run"),  # the project asks for it
        ("requirements-standalone.lock", "database", ".venv/.run"),  # its extra asks for it
        ("requirements-dev.lock", "plugin", ".venv/.dev"),  # its extra asks for it
        ("requirements-dev.lock", "tables", ".venv/.dev"),  # an extra of what that asks for
    ],
)
def test_a_lock_that_is_not_complete_is_refused_though_the_index_has_the_rest(
    clone, lock, name, target
):
    clone.leave_out(lock, name)

    done = clone.make(target)

    assert done.returncode != 0
    assert name in done.stderr
    assert f"{lock}: this failed: " in done.stderr
    assert not (clone.folder / target).exists()


def test_a_wheel_that_is_not_the_one_that_was_locked_is_refused(clone):
    clone.index.add("measure", "1.0", ["tables"])

    done = clone.make(".venv/.run")

    assert done.returncode != 0
    assert "HASH" in done.stderr.upper()


def test_nothing_installs_a_lock_but_the_installer():
    """So that the tests above speak for every place that has a lock."""
    makefile = (ROOT / "Makefile").read_text()
    recipes = [line for line in makefile.splitlines() if line.startswith("\t") and "venv" in line]

    locks = re.findall(r"^\S+: (\S+\.lock) ", makefile, re.MULTILINE)
    of_the_image = {"requirements.lock", "requirements-extras.lock"}  # docs/test_containers.py
    assert {str(path.relative_to(ROOT)) for path in _locks()} - of_the_image == set(locks)
    assert [line for line in recipes if re.search(r"\bpip\b", line)] == []
    assert makefile.count("$(LOCKED) $<") == len(locks)


def _locks() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "*.lock"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name] or [
        path for path in ROOT.rglob("*.lock") if ".venv" not in path.parts[len(ROOT.parts)]
    ]
