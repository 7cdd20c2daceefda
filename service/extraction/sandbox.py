"""Sandboxed child process that reads PDFs and HTML, which may be hostile.

Run by file path under `python -I` with an empty environment; it imports only the
standard library, pypdfium2, lxml (when the first HTML comes) and the modules of
`service.extraction` that make texts and documents, which
import no more; nothing of the service imports it. Requests
come on standard input: what is wanted (1 byte: whether the file opens as a PDF, the
text of that PDF, the document of an HTML page), two lengths (4 bytes each, big-endian),
then an absolute path and JSON about the page.
Each is answered on standard output by two lengths, a JSON head of that many
bytes, and a UTF-8 text. The first answer comes unasked: "ready".

What holds for this process, on Linux: it dies with its parent; memory, CPU time
and open files are limited; it cannot write a file, nor leave a core; it is the
first that the kernel sacrifices when memory is short. It has no socket in its
hands and imports no network module; where the kernel lets it (as root, or with
user namespaces) it also has a network of its own with nothing in it, and says
so in "ready". PDFium as built here runs no JavaScript and fetches nothing. What
does *not* hold: it can read every file that the service's user can read.
"""

import ctypes
import gc
import json
import math
import os
import resource
import signal
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pypdfium2
from pypdfium2 import raw

sys.path.append(
    str(Path(__file__).resolve().parents[2])
)  # where the service lies, installed or not

from service.extraction.reading import read_document

PROTOCOL = 5  # to be raised with every change of requests or answers, here and in children.py
REQUEST = struct.Struct(">BII")
CHECK, TEXT, HTML = range(3)  # what may be wanted
ANSWER = struct.Struct(">II")
MAX_PATH_BYTES = 4096
MAX_ABOUT_BYTES = 64 << 20  # the text of the longest PDF, and its references
MAX_OPEN_FILES = 16

_CLONE_NEWUSER = 0x10000000  # linux/sched.h
_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_PR_SET_NO_NEW_PRIVS = 38

_REFUSALS = {
    raw.FPDF_ERR_FILE: "missing",
    raw.FPDF_ERR_PASSWORD: "encrypted",
    raw.FPDF_ERR_SECURITY: "encrypted",
}


def main(parent: int, limits: dict[str, Any]) -> None:
    """Answer requests until standard input ends. `limits` are those of `ExtractLimits`."""
    requests, answers = sys.stdin.buffer, _private_answers()
    has_network = not lock_down(parent, limits["memory_bytes"])
    _send(answers, {"state": "ready", "protocol": PROTOCOL, "has_network": has_network}, "")
    gc.disable()  # nothing here makes cycles worth a search; the process reads some hundred files
    while request := _next_request(requests):
        wanted, path, about = request
        _renew_cpu_limit(limits["cpu_seconds"])
        if wanted == HTML:
            _send(answers, judge(path, about), "")
            gc.collect()  # trees and builders hold each other
        else:
            _send(answers, *(read(path, limits) if wanted == TEXT else check(path)))


def read(path: Path, limits: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The head of the answer, and the text: empty unless the state is "text"."""
    return _opened(path, lambda document: read_document(document, limits))


def check(path: Path) -> tuple[dict[str, Any], str]:
    """The head of the answer to whether the file opens as a PDF with pages."""
    return _opened(path, _count_pages)


def judge(path: Path, about: bytes) -> dict[str, Any]:
    """The head of the answer about an HTML page: its document, or why it is refused."""
    from service.extraction.html_judging import judged  # noqa: PLC0415 - most read PDFs only

    try:
        return judged(path.read_bytes(), about)
    except OSError:
        return {"state": "missing"}
    except MemoryError:
        return {"state": "resource_limit"}


def _opened(
    path: Path, use: "Callable[[pypdfium2.PdfDocument], tuple[dict[str, Any], str]]"
) -> tuple[dict[str, Any], str]:
    """What `use` makes of the document, or the refusal to open it."""
    try:
        document = pypdfium2.PdfDocument(path)
        try:
            return use(document)
        finally:
            document.close()
    except pypdfium2.PdfiumError as err:
        return {"state": _REFUSALS.get(err.err_code, "corrupt")}, ""
    except OSError:
        return {"state": "missing"}, ""
    except MemoryError:
        return {"state": "resource_limit"}, ""


def _count_pages(document: "pypdfium2.PdfDocument") -> tuple[dict[str, Any], str]:
    count = len(document)
    state = "text" if count else "corrupt"
    return {"state": state, "page_count": count, "truncated": False}, ""


def lock_down(parent: int, memory_bytes: int) -> bool:
    """Give up what reading a PDF does not need; True when the network is gone too."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # a drain lets us finish; the parent ends us
    is_cut_off = False
    if sys.platform == "linux":
        Path("/proc/self/oom_score_adj").write_text("1000")
        libc = ctypes.CDLL(None, use_errno=True)
        is_cut_off = any(
            libc.unshare(flags) == 0 for flags in (_CLONE_NEWNET, _CLONE_NEWUSER | _CLONE_NEWNET)
        )
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the kernel knew that we want to follow
        raise SystemExit(1)
    _limit(resource.RLIMIT_AS, memory_bytes)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NPROC, 0)
    _limit(resource.RLIMIT_NOFILE, MAX_OPEN_FILES)
    return is_cut_off


def _limit(kind: int, value: int) -> None:
    """Set a limit for good, never above the one that is there."""
    hard = resource.getrlimit(kind)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    try:
        resource.setrlimit(kind, (value, value))
    except (OSError, ValueError):
        if sys.platform == "linux":  # elsewhere some limits do not exist
            raise


def _renew_cpu_limit(seconds: float) -> None:
    """Allow this many seconds from now on; the limit itself counts from the process's start."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = math.ceil(used.ru_utime + used.ru_stime + seconds)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    if hard != resource.RLIM_INFINITY:
        soft = min(soft, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def _private_answers() -> BinaryIO:
    """Standard output for answers alone; what a library prints goes nowhere."""
    private = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return private


def _next_request(requests: BinaryIO) -> tuple[int, Path, bytes] | None:
    """What is wanted of which file, and what is told about it.

    None at the end of input: the parent closed it, or is gone.
    """
    head = requests.read(REQUEST.size)
    if len(head) < REQUEST.size:
        return None
    wanted, length, about_length = REQUEST.unpack(head)
    path = Path(os.fsdecode(requests.read(min(length, MAX_PATH_BYTES))))
    return wanted, path, requests.read(min(about_length, MAX_ABOUT_BYTES))


def _send(answers: BinaryIO, head: dict[str, Any], text: str) -> None:
    head_bytes, text_bytes = json.dumps(head).encode(), text.encode(errors="replace")
    answers.write(ANSWER.pack(len(head_bytes), len(text_bytes)) + head_bytes)
    answers.write(text_bytes)
    answers.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]), json.loads(sys.argv[2]))
