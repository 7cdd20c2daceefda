"""What reads HTML can run in the process that may die: it needs lxml and nothing else."""

import subprocess
import sys

CODE = """
import sys
before = set(sys.modules)
import service.extraction.html_document
names = {name.partition(".")[0] for name in set(sys.modules) - before}
print(*sorted(name for name in names if name not in sys.stdlib_module_names))
"""


def test_only_lxml_and_the_standard_library_are_imported():
    found = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True, timeout=60
    )

    names = {name for name in found.stdout.split() if "cython" not in name}  # lxml's own
    assert names <= {"lxml", "service"}


def test_no_module_that_opens_connections_is_imported():
    code = CODE.replace(
        "print(*sorted(name for name in names if name not in sys.stdlib_module_names))",
        "print(*({'socket', 'ssl', 'urllib.request', 'http.client'} & set(sys.modules)))",
    )
    found = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    assert found.stdout.split() == []
