"""What the fork server has imported before it forks."""

import subprocess
import sys

from tests import fork_server

LOADED = f"""
import sys, threading
from importlib import import_module
for name in {fork_server.LIBRARIES.split()}:
    import_module(name)
ours = {{"service", "prometheus_client", "tests"}}
print(sorted(ours & {{name.split(".")[0] for name in sys.modules}}), threading.active_count())
"""


def test_children_share_nothing_that_the_service_makes_at_import_and_no_thread():
    python = [sys.executable, "-c", LOADED]

    shown = subprocess.run(python, check=True, capture_output=True, text=True).stdout

    assert shown == "[] 1\n"
