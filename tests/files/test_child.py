import asyncio
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from service.extraction import process, sandbox
from service.extraction.pool import ExtractLimits, Extractor

LIMITS = ExtractLimits(memory_bytes=512 << 20, cpu=timedelta(seconds=5))
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

SITE_HOOKS = frozenset({"distutils-precedence", "sitecustomize", "usercustomize"})

PARENT = """
import asyncio, sys
from service.extraction.pool import ExtractLimits, Extractor

async def main():
    extractor = Extractor(2, ExtractLimits())
    await extractor.start()
    print(*extractor.pids, flush=True)
    sys.stdin.read()

asyncio.run(main())
"""


@pytest.fixture
async def idle_child(make_extractor) -> Path:
    """The /proc folder of a child that has taken on its limits."""
    extractor = await make_extractor(LIMITS)
    (pid,) = extractor.pids
    return Path("/proc") / str(pid)


def limits_of(proc: Path) -> dict[str, tuple[str, str]]:
    rows = (line.split("  ") for line in (proc / "limits").read_text().splitlines()[1:])
    cells = ([cell.strip() for cell in row if cell.strip()] for row in rows)
    return {name: (soft, hard) for name, soft, hard, *_ in cells}


@linux_only
def test_children_die_with_a_parent_that_is_killed(ended):
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        pidfds = [os.pidfd_open(pid) for pid in pids]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)  # so that they cannot see their input end
        parent.send_signal(signal.SIGKILL)
        parent.wait(10)

    assert len(pidfds) == 2
    assert all(ended(pidfd) for pidfd in pidfds)


def run_child(parent: int) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-I", str(process.PROGRAM)]
    arguments = [str(parent), json.dumps(LIMITS.for_child())]
    quiet = {"stdin": subprocess.DEVNULL, "capture_output": True, "timeout": 30}
    return subprocess.run([*command, *arguments], check=False, **quiet)


def test_the_end_of_its_input_ends_the_child():
    done = run_child(os.getpid())

    assert done.returncode == 0
    assert b"ready" in done.stdout


def test_a_child_whose_parent_is_gone_already_does_not_stay():
    done = run_child(parent=os.getppid())

    assert done.returncode == 1
    assert done.stdout == b""


@linux_only
async def test_a_child_knows_no_secret_and_holds_no_descriptor_of_ours(
    make_extractor, monkeypatch, tmp_path
):
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:secret@host/db")
    secret = os.open(tmp_path / "secret", os.O_CREAT | os.O_RDWR)
    os.set_inheritable(secret, True)
    extractor = await make_extractor(LIMITS)
    (pid,) = extractor.pids
    proc = Path("/proc") / str(pid)

    links = {str(link.readlink()) for link in (proc / "fd").iterdir()}
    os.close(secret)

    assert (proc / "environ").read_bytes() == b""
    assert b"secret" not in (proc / "cmdline").read_bytes()
    assert (proc / "cwd").readlink() == Path("/")
    assert {link.split(":")[0] for link in links} <= {"pipe", "socket", "/dev/null"}
    assert os.getsid(pid) == pid


@linux_only
async def test_a_child_has_its_limits(idle_child):
    limits = limits_of(idle_child)

    assert limits["Max address space"] == (str(512 << 20), str(512 << 20))
    assert limits["Max file size"] == ("0", "0")
    assert limits["Max core file size"] == ("0", "0")
    assert limits["Max open files"] == ("16", "16")
    assert limits["Max processes"] == ("0", "0")
    assert (idle_child / "oom_score_adj").read_text().strip() == "1000"
    assert "NoNewPrivs:\t1" in (idle_child / "status").read_text()


def may_unshare() -> bool:
    """Whether a process of ours gets a network of its own, tried without the sandbox."""
    command = ["unshare", "--net", "true"]
    if os.geteuid():
        command.insert(1, "--user")
    return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0


@linux_only
async def test_a_child_has_no_network_where_the_kernel_allows_that():
    started = await process.Child.start(LIMITS.for_child())
    proc = Path("/proc") / str(started.pid)
    try:
        interfaces = (proc / "net" / "dev").read_text().splitlines()[2:]
    finally:
        await started.end()

    if started.has_network and not may_unshare():
        pytest.skip("this kernel, or who we are, allows no network namespace")
    assert not started.has_network
    assert [line.split(":")[0].strip() for line in interfaces] in ([], ["lo"])


@linux_only
async def test_the_processor_limit_is_set_anew_for_each_pdf(make_extractor, make_pdf):
    extractor = await make_extractor(replace(LIMITS, cpu=timedelta(seconds=7)))
    (pid,) = extractor.pids
    before = limits_of(Path("/proc") / str(pid))["Max cpu time"]

    await extractor.text_of(make_pdf("page"))
    soft, hard = limits_of(Path("/proc") / str(pid))["Max cpu time"]

    assert before[0] == before[1]
    assert soft == "8"  # less than one second used, and seven
    assert hard == before[1]


async def test_a_terminal_or_a_drain_does_not_reach_the_child(make_extractor, make_pdf):
    extractor = await make_extractor(LIMITS)
    (pid,) = extractor.pids

    os.kill(pid, signal.SIGTERM)
    os.kill(pid, signal.SIGINT)

    assert (await extractor.text_of(make_pdf("page"))).text == "page"
    assert extractor.pids == {pid}


def test_the_child_imports_the_standard_library_and_pdfium_only():
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import sandbox;"
        "from service.extraction import lexicon; lexicon.english_words(); print(*sys.modules)"
    )
    command = [sys.executable, "-I", "-c", code, str(process.PROGRAM.parent)]

    output = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    loaded = {name for name in output.split() if not name.startswith("__")}

    ours = {name for name in loaded if name.startswith("service.")}
    foreign = {name.split(".")[0] for name in loaded} - sys.stdlib_module_names
    assert all(name.startswith("service.extraction") for name in ours)
    assert {name for name in foreign if not name.startswith("_")} <= {
        *("sandbox", "pypdfium2", "pypdfium2_cfg", "pypdfium2_raw", "service"),
        *SITE_HOOKS,
    }
    assert not loaded & {"socket", "ssl", "http", "http.client", "urllib.request", "asyncio"}


def test_the_parent_never_loads_pdfium():
    code = "import sys, service.extraction.pool, service.files.store; print(*sys.modules)"

    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout

    assert b"service.extraction.process" in modules
    assert b"pypdfium2" not in modules


@pytest.mark.parametrize(
    ("limits", "state", "pages", "text"),
    [
        ({}, "full", [(0, 3), (4, 7), (8, 13)], "one\ftwo\fthree"),
        ({"max_pages": 1}, "cut", [(0, 3)], "one"),
        ({"max_characters": 3}, "cut", [(0, 3)], "one"),
        ({"max_characters": 5}, "cut", [(0, 3), (4, 5)], "one\ft"),
    ],
)
def test_reading_ends_at_the_first_limit(make_pdf, limits, state, pages, text):
    path = make_pdf("one", "two", "three")

    head, read = sandbox.read(path, {**LIMITS.for_child(), **limits})

    assert read == text
    assert (head["state"], head["page_count"]) == ("text", 3)
    assert (head["text_state"], head["truncated"]) == (state, state == "cut")
    assert head["pages"] == pages


def test_what_cannot_be_read_has_a_state(tmp_path):
    (tmp_path / "html.pdf").write_text("<html>")

    assert sandbox.read(tmp_path / "html.pdf", LIMITS.for_child()) == ({"state": "corrupt"}, "")
    assert sandbox.read(tmp_path / "none.pdf", LIMITS.for_child()) == ({"state": "missing"}, "")


async def test_a_child_that_talks_nonsense_is_ended(monkeypatch, tmp_path):
    babbler = tmp_path / "babbler.py"
    babbler.write_text("import os, time; os.write(1, b'\\xff' * 100_000); time.sleep(60)")
    monkeypatch.setattr(process, "PROGRAM", babbler)
    extractor = Extractor(1, LIMITS)

    async with asyncio.timeout(10):
        with pytest.raises(process.ExtractorUnavailable):
            await extractor.start()

    assert extractor.pids == frozenset()


async def test_a_child_of_another_version_condemns_no_pdf(monkeypatch, tmp_path, make_pdf):
    source = process.PROGRAM.read_text()
    newer = tmp_path / "sandbox.py"
    newer.write_text(source.replace(f"PROTOCOL = {sandbox.PROTOCOL}", "PROTOCOL = 999"))
    monkeypatch.setattr(process, "PROGRAM", newer)
    extractor = Extractor(1, LIMITS)

    with pytest.raises(process.ExtractorUnavailable):
        await extractor.text_of(make_pdf("page"))

    assert extractor.pids == frozenset()


def test_both_sides_speak_one_protocol():
    assert sandbox.PROTOCOL == process.PROTOCOL


async def test_an_interpreter_that_cannot_be_started_is_trouble_of_today(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    extractor = Extractor(1, LIMITS)

    with pytest.raises(process.ExtractorUnavailable):
        await extractor.start()
