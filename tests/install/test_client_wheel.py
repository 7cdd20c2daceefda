"""The client's own wheel in an environment that holds aiohttp and what that needs, no more."""

import re
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

CLIENT = Path(__file__).parents[2] / "client"
LOOK = """
import asyncio
from datetime import timedelta
from arxiv_ingestion_client import IngestionClient, ServiceUnreachable

async def main():
    async with IngestionClient("http://127.0.0.1:1", "t", patience=timedelta(0)) as client:
        try:
            await client.job("00000000-0000-4000-8000-000000000000")
        except ServiceUnreachable:
            print("unreachable")

asyncio.run(main())
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]


def needed_by(name: str, found: set[str]) -> set[str]:
    """Names of a distribution and of all that it requires, without extras."""
    if name not in found:
        found.add(name)
        for text in distribution(name).requires or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                needed_by(re.sub(r"[-_.]+", "-", requirement.name).lower(), found)
    return found


def test_the_client_needs_aiohttp_only(tmp_path):
    shutil.copytree(CLIENT, tmp_path / "client")
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-index"]
    pip += ["--no-build-isolation", "-w", str(tmp_path), "./client"]
    subprocess.run(pip, cwd=tmp_path, check=True, capture_output=True, timeout=200)
    (wheel,) = tmp_path.glob("*.whl")
    environment = tmp_path / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    (site,) = environment.glob("lib/python*/site-packages")
    for name in needed_by("aiohttp", set()):
        for file in distribution(name).files or []:
            top = file.parts[0]
            if top not in ("..", "__pycache__") and not (site / top).exists():
                (site / top).symlink_to(Path(str(distribution(name).locate_file(top))))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)

    ran = subprocess.run(
        [environment / "bin/python", "-c", LOOK],
        cwd=tmp_path,
        env={},
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
    )

    assert (ran.returncode, ran.stdout) == (0, "unreachable\n"), ran.stderr
