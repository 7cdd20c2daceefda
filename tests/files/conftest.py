import os
import select
import zlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from fpdf import FPDF

from service.domain.identifiers import ArxivId
from service.domain.papers import StoredPdf
from service.extraction.pool import ExtractLimits, Extractor
from service.files.local import LocalStore
from tests import hostile
from tests.files.s3_fixtures import aws, s3_server

__all__ = ["aws", "s3_server"]

MIB = 1 << 20
SMALL_LIMITS = ExtractLimits(
    memory_bytes=512 * MIB,
    cpu=timedelta(seconds=5),
    wall=timedelta(seconds=15),
    reading=timedelta(seconds=5),
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "pdfs"
    folder.mkdir()
    return folder


@pytest.fixture
def store(root: Path) -> LocalStore:
    return LocalStore(root, max_bytes=4 * MIB)


@pytest.fixture
def arxiv_id() -> ArxivId:
    return ArxivId.parse("2301.00001v3")


@pytest.fixture
def keep(store: LocalStore) -> Callable[[ArxivId, bytes], Awaitable[StoredPdf]]:
    """Download `content` into the store and commit it."""

    async def run(arxiv_id: ArxivId, content: bytes) -> StoredPdf:
        async with store.partial(arxiv_id) as part:
            await part.write(content)
            return await store.commit(part, arxiv_id)

    return run


@pytest.fixture
def make_pdf(tmp_path: Path) -> Callable[..., Path]:
    """Write a PDF whose page n holds text number n."""

    def make(*pages: str, name: str = "made.pdf") -> Path:
        pdf = FPDF()
        for text in pages:
            pdf.add_page()
            pdf.set_font("helvetica", size=12)
            pdf.multi_cell(0, 6, text)
        path = tmp_path / name
        pdf.output(str(path))
        return path

    return make


@pytest.fixture
def make_raw_pdf(tmp_path: Path) -> Callable[[bytes], Path]:
    """Write a one-page PDF with this content stream, by hand and compressed."""

    def make(stream: bytes) -> Path:
        path = tmp_path / "raw.pdf"
        path.write_bytes(hostile.page(zlib.compress(stream, 9)))
        return path

    return make


@pytest.fixture
async def make_extractor():
    """Start an extractor; all are closed at the end of the test."""
    made: list[Extractor] = []

    async def make(limits: ExtractLimits = SMALL_LIMITS, *, processes: int = 1, **more):
        extractor = Extractor(processes, limits, **more)
        made.append(extractor)
        await extractor.start()
        return extractor

    yield make
    for extractor in made:
        await extractor.close()


@pytest.fixture
def ended() -> Callable[[int, float], bool]:
    """Wait for the end of any process, also one that is not our child."""

    def wait(pidfd: int, timeout: float = 10.0) -> bool:
        with os.fdopen(pidfd):
            return bool(select.select([pidfd], [], [], timeout)[0])

    return wait
