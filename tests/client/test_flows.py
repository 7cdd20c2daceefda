"""Answers that are read as they come, cut off in the middle: streams, exports, files."""

import hashlib
import json
from datetime import timedelta

import pytest
from aiohttp import web
from arxiv_ingestion_client import BrokenOff, DamagedFile, ServiceUnreachable, answers

from tests.client.conftest import document, misbehaving

SOON = timedelta(seconds=20)
CONTENT = bytes(range(256)) * 2000
TAG = f'"{hashlib.sha256(CONTENT).hexdigest()}"'


async def piecewise(request, body, *, cut, **options):
    """Send `body`; then break the connection, or end in order."""
    response = web.StreamResponse(**options)
    await response.prepare(request)
    await response.write(body)
    if cut:
        request.transport.close()
    return response


def event(number, status="running"):
    return f"id: {number}\nevent: status\ndata: {json.dumps(document(status))}\n\n".encode()


@pytest.mark.parametrize("cut", [True, False], ids=["cut", "ended"])
async def test_a_stream_that_ends_early_is_taken_up_where_it_was(cut):
    came = []

    async def handler(request):
        came.append(request.headers.get("Last-Event-ID"))
        if len(came) == 1:
            unfinished = b"id: 9\ndata: {"
            return await piecewise(request, b": hello\n\n" + event(7) + unfinished, cut=cut)
        return await piecewise(request, event(8, "completed"), cut=False)

    async with misbehaving(handler) as client:
        seen = [one async for one in client.stream("1", timeout=SOON)]

    assert came == [None, "7"]
    assert [(one.status, one.etag) for one in seen] == [("running", '"7"'), ("completed", '"8"')]


async def test_a_stream_without_an_end_ends_at_its_deadline():
    async def handler(request):
        return await piecewise(request, event(1), cut=True)

    async with misbehaving(handler) as client:
        with pytest.raises(TimeoutError):
            async for _ in client.stream("1", timeout=timedelta(seconds=0.5)):
                pass


async def test_a_line_without_an_end_is_not_read_to_its_end(monkeypatch):
    monkeypatch.setattr(answers, "MAX_LINE_BYTES", 1 << 17)

    async def endless(request):
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * (1 << 16))

    async with misbehaving(endless) as client:
        with pytest.raises(BrokenOff):
            await anext(client.export())


async def test_an_export_that_is_cut_is_not_taken_for_whole():
    async def handler(request):
        assert request.headers["Accept"] == "application/x-ndjson"
        return await piecewise(request, b'{"arxiv_id":"1"}\n{"arx', cut=True)

    async with misbehaving(handler) as client:
        papers = client.export(category="cs.AI")
        first = await anext(papers)
        with pytest.raises(ServiceUnreachable):
            await anext(papers)

    assert first == {"arxiv_id": "1"}


async def test_a_list_whose_link_leads_nowhere_ends():
    async def handler(request):
        assert request.host.startswith("127.0.0.1")
        link = '<http://elsewhere.invalid/api?cursor=1>; rel="next"'
        return web.json_response([{"arxiv_id": "1"}], headers={"Link": link})

    async with misbehaving(handler) as client:
        with pytest.raises(ServiceUnreachable):
            async for _ in client.papers():
                pass


class Pdf:
    """A server of one PDF: each answer breaks off after so many bytes (None: it does not)."""

    def __init__(self, *cuts, content=CONTENT, tag=TAG):
        self.cuts, self.content, self.tag = list(cuts), content, tag
        self.asked = []

    async def answer(self, request):
        asked = request.headers.get("Range"), request.headers.get("If-Range")
        self.asked.append(asked)
        first = int(asked[0][6:-1]) if asked[0] and asked[1] == self.tag else 0
        cut, size = self.cuts.pop(0), len(self.content)
        headers = {"ETag": self.tag, "Content-Length": str(size - first)}
        if first:
            headers["Content-Range"] = f"bytes {first}-{size - 1}/{size}"
        end = size if cut is None else first + cut
        return await piecewise(
            request,
            self.content[first:end],
            cut=cut is not None,
            headers=headers,
            status=206 if first else 200,
        )


async def test_a_download_goes_on_where_the_connection_broke(tmp_path):
    content = CONTENT * 32  # more than the buffers on the way hold, so some has arrived
    tag = f'"{hashlib.sha256(content).hexdigest()}"'
    pdf, path = Pdf(12 << 20, 1000, None, content=content, tag=tag), tmp_path / "paper.pdf"
    async with misbehaving(pdf.answer) as client:
        digest = await client.download_pdf("hep-th/9901001", path)

    assert path.read_bytes() == content
    assert f'"{digest}"' == tag
    assert pdf.asked[0] == (None, None)
    assert [one[1] for one in pdf.asked[1:]] == [tag, tag]
    offsets = [int(one[0][6:-1]) for one in pdf.asked[1:]]
    assert 0 < offsets[0] <= offsets[1] <= (12 << 20) + 1000
    assert list(tmp_path.iterdir()) == [path]


async def test_a_file_that_changed_meanwhile_is_begun_again(tmp_path):
    new = b"%PDF-1.7 another"
    new_tag = f'"{hashlib.sha256(new).hexdigest()}"'
    old = Pdf(200_000)
    now = Pdf(None, content=new, tag=new_tag)

    async def handler(request):
        return await (old if old.cuts else now).answer(request)

    path = tmp_path / "paper.pdf"
    async with misbehaving(handler) as client:
        await client.download_pdf("2301.00001", path)

    assert path.read_bytes() == new


@pytest.mark.parametrize(
    ("pdf", "options", "error"),
    [
        (Pdf(None, tag='"0123"'), {}, DamagedFile),
        (Pdf(None), {"max_bytes": 1000}, DamagedFile),
        (Pdf(*[10] * 10), {}, BrokenOff),
    ],
    ids=["another file", "too large", "cut again and again"],
)
async def test_what_is_not_whole_replaces_nothing(tmp_path, pdf, options, error):
    path = tmp_path / "paper.pdf"
    path.write_bytes(b"before")
    async with misbehaving(pdf.answer) as client:
        with pytest.raises(error):
            await client.download_pdf("2301.00001", path, **options)

    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]
