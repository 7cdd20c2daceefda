"""Installer of a lock file: what is pinned, by its hash, and nothing else.

    python tools/install_locked.py LOCK [REQUIREMENT ...]

installs into the environment of the Python that runs it. `make` and the Dockerfile come
here, so that there is one way to install a lock. Nothing is resolved: an index may offer
newer releases of everything, and a release that asks for more than the lock holds (an
extra, say) is not looked at. Only wheels are taken, because building anything else would
fetch what it is built with, in whatever version is the newest.

Whether the lock is complete is checked afterwards: the REQUIREMENTs, in pip's own words
(`-e .[dev]`, `-r requirements.in`), are installed without any index, so all that they
and their extras ask for must have come out of the lock; and `pip check` wants the
requirements of each installed distribution met. Exit code 0, or that of the pip command
that failed. Standard library only; any pip since 23.2.
"""

import os
import subprocess
import sys

PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
LOCKED = ["--no-deps", "--require-hashes", "--only-binary", ":all:"]
FROM_WHAT_IS_THERE = ["--no-index", "--no-build-isolation"]


def main(lock: str, *requirements: str) -> int:
    """Install `lock`, then see that it holds all that `requirements` ask for."""
    # links and indexes of the machine's own could fill what the lock leaves out
    alone = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    alone["PIP_CONFIG_FILE"] = os.devnull
    steps = [([*PIP, "install", "-q", *LOCKED, "-r", lock], dict(os.environ))]
    if requirements:
        steps.append(([*PIP, "install", "-q", *FROM_WHAT_IS_THERE, *requirements], alone))
    steps.append(([*PIP, "check"], alone))
    for step, environ in steps:
        # held back: what pip says of a step that went well is no news
        done = subprocess.run(
            step, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        if done.returncode:
            sys.stderr.write(done.stdout.decode(errors="replace"))
            sys.stderr.write(f"{lock}: this failed: {' '.join(step[1:])}\n")
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
