"""The PDF and the text of a paper: ranges, conditions, what is missing, what is hostile."""

import hashlib
from datetime import datetime

import pytest

from service.db.papers import PaperStore
from service.domain.identifiers import ArxivId
from service.domain.papers import ExtractedText, PdfState, TextFurniture, TextPage, TextState
from tests.conftest import make_paper

URL = "/api/v1/papers/2301.00001"
CONTENT = b"%PDF-1.7\n" + bytes(range(256)) * 700  # more than two pieces of 64 KiB
TAG = hashlib.sha256(CONTENT).hexdigest()
SIZE = len(CONTENT)


@pytest.fixture
def keep(database, store):
    """Store a paper, its PDF and its text, as the workers do."""

    async def keep(
        arxiv_id: str = "2301.00001v1", text: str | ExtractedText | None = "Text, ∀."
    ) -> str:
        paper = make_paper(arxiv_id)
        async with store.partial(paper.arxiv_id) as part:
            await part.write(CONTENT)
            stored = await store.commit(part, paper.arxiv_id)
        async with database.transaction() as conn:
            papers = PaperStore(conn)
            await papers.upsert([paper], overwrite=True)
            await papers.save_file(paper.arxiv_id, stored)
            if text is not None:
                await papers.save_text(paper.arxiv_id, extracted(text))
        return stored.path

    return keep


def extracted(text: str | ExtractedText) -> ExtractedText:
    if isinstance(text, ExtractedText):
        return text
    return ExtractedText(text=text, page_count=3, truncated=True, text_state=TextState.CUT)


async def problem_of(response) -> tuple[int, str]:
    document = await response.json(content_type="application/problem+json")
    return response.status, document["detail"]


async def test_a_pdf_comes_whole(api, keep):
    await keep()

    response = await api.get(f"{URL}/pdf")

    assert response.status == 200
    assert await response.read() == CONTENT
    assert response.content_type == "application/pdf"
    assert response.headers["Content-Length"] == str(SIZE)
    assert response.headers["ETag"] == f'"{TAG}"'
    assert response.headers["Accept-Ranges"] == "bytes"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Disposition"] == 'attachment; filename="2301.00001v1.pdf"'


async def test_a_pdf_of_an_old_style_id_has_a_name_without_a_slash(api, keep):
    await keep("math.GT/0309136v2")

    response = await api.get("/api/v1/papers/math.GT/0309136v2/pdf")

    assert await response.read() == CONTENT
    assert response.content_disposition.filename == "math_0309136v2.pdf"


async def test_a_head_tells_of_a_pdf_and_sends_nothing(api, keep):
    await keep()

    response = await api.head(f"{URL}/pdf")

    assert (response.status, response.headers["Content-Length"]) == (200, str(SIZE))
    assert await response.read() == b""
    assert (await api.get("/healthz")).status == 200  # the connection is still in step


RANGES = [
    ("bytes=0-0", 0, 1),
    ("bytes=0-", 0, SIZE),
    ("bytes=100-199", 100, 200),
    ("bytes=65535-131073", 65535, 131074),
    (f"bytes=100-{SIZE + 5}", 100, SIZE),
    ("bytes=100-999999999999999999", 100, SIZE),
    ("bytes=-7", SIZE - 7, SIZE),
    (f"bytes=-{SIZE + 1}", 0, SIZE),
    ("BYTES=1-2", 1, 3),
]


async def test_a_range_is_sent_alone(api, keep):
    await keep()

    for wanted, start, stop in RANGES:
        response = await api.get(f"{URL}/pdf", headers={"Range": wanted})
        assert response.status == 206, wanted
        assert response.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{SIZE}"
        assert await response.read() == CONTENT[start:stop]


@pytest.mark.parametrize("wanted", [f"bytes={SIZE}-", "bytes=-0", "bytes=999999999999999999-"])
async def test_a_range_without_a_byte_cannot_be_had(api, keep, wanted):
    await keep()

    response = await api.get(f"{URL}/pdf", headers={"Range": wanted})

    assert await problem_of(response) == (416, "The range is outside the file")
    assert response.headers["Content-Range"] == f"bytes */{SIZE}"


NO_RANGES = ("5-2", "-", "0-1,5-6", "a-b", "9" * 5000, "", "0", "0-1-2")


async def test_a_range_that_is_not_understood_is_ignored(api, keep):
    await keep()

    for wanted in ("lines=0-1", *(f"bytes={text}" for text in NO_RANGES)):
        response = await api.get(f"{URL}/pdf", headers={"Range": wanted})
        assert (response.status, len(await response.read())) == (200, SIZE), wanted


CONDITIONS = [
    ({"If-None-Match": f'"{TAG}"'}, 304),
    ({"If-None-Match": f'W/"{TAG}", "x"'}, 304),
    ({"If-None-Match": "*"}, 304),
    ({"If-None-Match": '"x"'}, 200),
    ({"If-Match": f'"{TAG}"'}, 200),
    ({"If-Match": '"x"'}, 412),
    ({"If-Match": f'W/"{TAG}"'}, 412),
    ({"If-Range": f'"{TAG}"', "Range": "bytes=0-9"}, 206),
    ({"If-Range": '"x"', "Range": "bytes=0-9"}, 200),
    ({"If-Range": f'W/"{TAG}"', "Range": "bytes=0-9"}, 200),
    ({"If-Range": "Sun, 22 Nov 2026 00:00:00 GMT", "Range": "bytes=0-9"}, 200),
]


async def test_conditions_decide_what_is_sent(api, keep):
    await keep()
    sizes = {200: SIZE, 206: 10, 304: 0}

    for headers, status in CONDITIONS:
        response = await api.get(f"{URL}/pdf", headers=headers)
        size = len(await response.read())
        assert (response.status, sizes.get(status, size)) == (status, size), headers


MISSING = [
    (PdfState.NONE, "The PDF of this paper has not been fetched"),
    (PdfState.FAILED, "The PDF of this paper could not be fetched"),
    (PdfState.UNAVAILABLE, "arXiv has no PDF of this paper"),
]


@pytest.mark.parametrize(("state", "detail"), MISSING)
async def test_a_pdf_that_is_not_held_says_why(api, database, state, detail):
    async with database.transaction() as conn:
        await PaperStore(conn).upsert([make_paper()], overwrite=True)
        await PaperStore(conn).save_no_file(ArxivId("2301.00001", 1), state)

    assert await problem_of(await api.get(f"{URL}/pdf")) == (404, detail)
    assert await problem_of(await api.get(f"{URL}/text")) == (404, detail)


@pytest.fixture(params=["removed", "short", "link", "link above"])
def spoil(request, tmp_path):
    """Do something to a stored file behind the service's back."""

    def spoil(path: str) -> None:
        file = tmp_path / "files" / path
        elsewhere = tmp_path / "elsewhere"
        if request.param == "short":
            file.write_bytes(CONTENT[:-1])
        elif request.param == "removed":
            file.unlink()
        elif request.param == "link":
            file.rename(elsewhere)
            file.symlink_to(elsewhere)
        else:
            file.parent.rename(elsewhere)
            file.parent.symlink_to(elsewhere)

    return spoil


async def test_a_file_that_was_spoilt_is_not_sent(api, keep, spoil):
    spoil(await keep())

    assert await problem_of(await api.get(f"{URL}/pdf")) == (404, "PDF not found")


async def test_a_storage_that_is_away_is_503(api, keep, tmp_path):
    await keep()
    (tmp_path / "files").rename(tmp_path / "gone")

    response = await api.get(f"{URL}/pdf")

    assert (response.status, response.headers["Retry-After"]) == (503, "2")


async def test_a_row_that_points_out_of_the_root_shows_nothing(api, keep, sql, tmp_path):
    await keep()
    (tmp_path / "secret").write_bytes(CONTENT)
    for path in ("../secret", "/etc/passwd", f"{tmp_path}/secret", "2301/../../secret"):
        await sql("UPDATE papers SET pdf_path = :path", path=path)

        assert await problem_of(await api.get(f"{URL}/pdf")) == (404, "PDF not found")


async def test_a_text_comes_plain(api, keep):
    await keep()

    response = await api.get(f"{URL}/text")

    assert (response.status, await response.read()) == (200, "Text, ∀.".encode())
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert response.headers["X-Text-Truncated"] == "true"
    assert response.headers["X-Page-Count"] == "3"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


PAGED = ExtractedText(
    text="One.\f\fThree ∀.",
    page_count=3,
    pages=(TextPage(1, 0, 4), TextPage(2, 5, 5), TextPage(3, 6, 14)),
    furniture=(TextFurniture(3, "page_number", "3"),),
    text_state=TextState.FULL,
    extractor="it 1",
    quality={"ms": 1, "unknown_characters": 0, "pages_without_text": [2]},
)


async def test_a_text_in_json_has_its_pages_and_what_was_left_out(api, keep):
    await keep(text=PAGED)

    document = await (await api.get(f"{URL}/text", headers={"Accept": "application/json"})).json()

    assert datetime.fromisoformat(document.pop("extracted_at")).tzinfo is not None
    assert list(document.items()) == [
        ("arxiv_id", "2301.00001"),
        ("version", 1),
        ("text", PAGED.text),
        (
            "pages",
            [
                {"number": 1, "start": 0, "end": 4},
                {"number": 2, "start": 5, "end": 5},
                {"number": 3, "start": 6, "end": 14},
            ],
        ),
        ("furniture", [{"page": 3, "kind": "page_number", "text": "3"}]),
        ("text_state", "full"),
        ("text_source", "pdf"),
        ("extractor", "it 1"),
        ("quality", {"ms": 1, "unknown_characters": 0, "pages_without_text": [2]}),
        ("page_count", 3),
        ("truncated", False),
    ]
    assert list(document["pages"][0]) == ["number", "start", "end"]


async def test_the_text_of_a_scan_is_empty_and_found(api, keep):
    await keep(text=ExtractedText(text="", page_count=2, text_state=TextState.EMPTY))

    plain = await api.get(f"{URL}/text")
    paper = await (await api.get(URL)).json()

    assert (plain.status, await plain.text()) == (200, "")
    assert (paper["pdf_state"], paper["text_state"]) == ("processed", "empty")


async def test_the_text_of_an_encrypted_pdf_has_a_problem_of_its_own(api, keep, database):
    await keep(text=None)
    async with database.transaction() as conn:
        await PaperStore(conn).save_encrypted(ArxivId("2301.00001", 1))

    response = await api.get(f"{URL}/text")
    problem = await response.json(content_type="application/problem+json")

    assert (response.status, problem["code"]) == (404, "text_encrypted")
    assert problem["detail"] == "The PDF of this paper is encrypted"


@pytest.mark.parametrize(
    ("truncated", "content", "state"),
    [(True, "Text.", "cut"), (False, "Text.", "full"), (False, "12 34", "empty")],
)
async def test_a_text_stored_before_states_were_kept_is_shown(
    api, keep, sql, truncated, content, state
):
    await keep()
    await sql(
        "UPDATE paper_texts SET text_state = NULL, pages = NULL, furniture = NULL,"
        " extractor = NULL, quality = NULL, truncated = :truncated, content = :content",
        truncated=truncated,
        content=content,
    )

    document = await (await api.get(f"{URL}/text", headers={"Accept": "application/json"})).json()

    assert (document["text_state"], document["text"]) == (state, content)
    assert (document["pages"], document["furniture"]) == ([], [])
    assert (document["extractor"], document["quality"]) == (None, {})


async def test_a_text_comes_in_json_where_that_is_wanted(api, keep):
    await keep()

    response = await api.get(f"{URL}/text", headers={"Accept": "application/json"})
    document = await response.json()

    assert datetime.fromisoformat(document.pop("extracted_at")).tzinfo is not None
    assert document == {
        "arxiv_id": "2301.00001",
        "version": 1,
        "page_count": 3,
        "truncated": True,
        "text": "Text, ∀.",
        "pages": [],
        "furniture": [],
        "text_state": "cut",
        "text_source": "pdf",
        "extractor": None,
        "quality": {},
    }


async def test_a_text_that_was_seen_is_not_sent_again_until_it_changes(api, keep, sql):
    await keep()
    first = await api.get(f"{URL}/text")
    seen = {"If-None-Match": first.headers["ETag"]}

    again = await api.get(f"{URL}/text", headers=seen)
    other_form = await api.get(f"{URL}/text", headers={**seen, "Accept": "application/json"})
    await sql("UPDATE paper_texts SET content = 'other', extracted_at = clock_timestamp()")
    changed = await api.get(f"{URL}/text", headers=seen)

    assert (again.status, await again.read()) == (304, b"")
    assert other_form.status == 200
    assert (changed.status, await changed.text()) == (200, "other")


async def test_a_text_of_an_older_version_is_not_shown(api, keep, database):
    await keep("2301.00001v1")
    async with database.transaction() as conn:
        await PaperStore(conn).upsert([make_paper("2301.00001v2")], overwrite=False)

    detail = "The PDF of this paper has not been fetched"
    assert await problem_of(await api.get(f"{URL}/text")) == (404, detail)


async def test_a_text_that_is_still_to_come_is_not_found(api, keep):
    await keep(text=None)

    detail = "The text of this paper has not been extracted"
    assert await problem_of(await api.get(f"{URL}/text")) == (404, detail)


async def test_a_large_text_comes_whole(api, keep):
    await keep(text="∀ text\n" * 100_000)

    response = await api.get(f"{URL}/text")

    assert len(await response.text()) == 700_000


ACCEPTED = [
    ("text/plain", 200, "text/plain"),
    ("*/*", 200, "text/plain"),
    ("", 200, "text/plain"),
    ("application/*", 200, "application/json"),
    ("text/plain;q=0.5, application/json", 200, "application/json"),
    ("*/*;q=0.9, application/json;q=0.9", 200, "application/json"),
    ("text/plain;q=0, */*", 200, "application/json"),
    ("TEXT/PLAIN; charset=utf-8", 200, "text/plain"),
    ("text/html", 406, "application/problem+json"),
    ("application/json;q=0", 406, "application/problem+json"),
    ("nonsense", 406, "application/problem+json"),
]


async def test_the_form_is_the_one_that_the_caller_prefers(api, keep):
    await keep()
    answers = []
    for accept, _, _ in ACCEPTED:
        response = await api.get(f"{URL}/text", headers={"Accept": accept})
        answers.append((accept, response.status, response.content_type))

    assert answers == ACCEPTED


@pytest.mark.parametrize(
    ("told", "is_told", "link"),
    [
        ("https://creativecommons.org/licenses/by/4.0/", True, "creativecommons.org/licenses/by"),
        (None, True, "http://arxiv.org/licenses/assumed-1991-2003/"),
        (None, False, None),
        ('http://x/"> rel=y', True, None),
    ],
)
async def test_a_pdf_names_its_licence(api, keep, sql, told, is_told, link):
    await keep("2301.00001v1")
    await sql(
        "UPDATE paper_versions SET license = :told, license_told = :is",
        told=told,
        **{"is": is_told},
    )

    response = await api.get("/api/v1/papers/2301.00001/pdf")

    given = response.headers.get("Link")
    assert (given is None) is (link is None)
    assert link is None or (link in given and given.endswith('>; rel="license"'))
