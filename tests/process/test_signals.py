"""What tests start begins with the default signals, however the tests themselves were started."""

import subprocess
import sys

CHILD = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
IGNORING = """
import signal, subprocess, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
from tests.conftest import begin_with_default_signals
subprocess.run([sys.executable, "-c", sys.argv[1]], check=True)
begin_with_default_signals()
subprocess.run([sys.executable, "-c", sys.argv[1]], check=True)
"""


def test_sigint_is_not_ignored_by_what_tests_start_where_a_shell_ignores_it():
    """As for a run in the background, by nohup or by some CI systems."""
    command = [sys.executable, "-c", IGNORING, CHILD]

    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=100)

    assert done.stdout.split() == ["False", "True"]
