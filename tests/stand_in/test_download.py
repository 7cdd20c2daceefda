import re

import pypdfium2
import pytest

from service.devtools.stand_in.corpus import MAX_PAGES, Corpus
from service.devtools.stand_in.pdf import render


def text_of(body):
    document = pypdfium2.PdfDocument(body)
    try:
        return "\n".join(page.get_textpage().get_text_range() for page in document)
    finally:
        document.close()


def page_count(body):
    document = pypdfium2.PdfDocument(body)
    try:
        return len(document)
    finally:
        document.close()


def withdrawn(corpus):
    return next(n for n in range(corpus.papers) if corpus.is_withdrawn(n))


def whole(corpus):
    return next(n for n in range(380, 400) if not corpus.is_withdrawn(n))


@pytest.mark.parametrize("number", [3, 390])
async def test_a_pdf_is_chunked_and_holds_the_papers_text(caller, number):
    corpus = caller.replica.corpus
    paper = corpus.paper(number)

    answer, body = await caller.pdf(paper.arxiv_id)

    words = re.sub(r"\s+", " ", text_of(body))
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert "Content-Length" not in answer.headers
    assert body.startswith(b"%PDF-")
    assert body.rstrip().endswith(b"%%EOF")
    assert page_count(body) == corpus.pages(number)
    assert paper.title in words
    assert paper.abstract in words
    assert str(paper.arxiv_id) in words


async def test_head_tells_the_length_and_sends_no_body(caller):
    arxiv_id = caller.replica.corpus.id_of(whole(caller.replica.corpus))

    _, body = await caller.pdf(arxiv_id)
    answer, nothing = await caller.pdf(arxiv_id, "HEAD")

    assert int(answer.headers["Content-Length"]) == len(body)
    assert nothing == b""
    assert caller.replica.log.records[-1].bytes_sent == 0


async def test_the_same_paper_has_the_same_bytes_in_every_process(calling):
    bodies = []
    for _ in range(2):
        render.cache_clear()
        async with calling() as one:
            bodies.append((await one.pdf(one.replica.corpus.id_of(390)))[1])

    assert bodies[0] == bodies[1]


async def test_versions_differ_and_the_bare_id_is_the_latest(caller):
    corpus = caller.replica.corpus
    number = next(n for n in range(400) if corpus.versions(n) == 3 and not corpus.is_withdrawn(n))
    paper = corpus.id_of(number)

    bodies = [(await caller.pdf(f"{paper}{version}"))[1] for version in ("v1", "v2", "v3", "")]

    assert len(set(bodies)) == 3
    assert bodies[3] == bodies[2]


async def test_a_download_is_resumed_with_a_range(caller):
    arxiv_id = caller.replica.corpus.id_of(whole(caller.replica.corpus))
    answer, body = await caller.pdf(arxiv_id)

    tag = answer.headers["ETag"]
    rest, tail = await caller.pdf(arxiv_id, **{"Range": "bytes=1000-", "If-Range": tag})
    last, end = await caller.pdf(arxiv_id, Range="bytes=-10")

    assert (rest.status, tail) == (206, body[1000:])
    assert rest.headers["Content-Range"] == f"bytes 1000-{len(body) - 1}/{len(body)}"
    assert (last.status, end) == (206, body[-10:])


async def test_a_range_of_another_file_gets_the_whole_file(caller):
    arxiv_id = caller.replica.corpus.id_of(whole(caller.replica.corpus))

    answer, body = await caller.pdf(arxiv_id, **{"Range": "bytes=1000-", "If-Range": '"old"'})

    assert answer.status == 200
    assert body.startswith(b"%PDF-")


async def test_a_range_beyond_the_end_is_416(caller):
    arxiv_id = caller.replica.corpus.id_of(whole(caller.replica.corpus))
    _, body = await caller.pdf(arxiv_id)

    answer, _ = await caller.pdf(arxiv_id, Range=f"bytes={len(body)}-")

    assert answer.status == 416
    assert answer.headers["Content-Range"] == f"bytes */{len(body)}"


async def test_an_unchanged_file_is_not_sent_again(caller):
    arxiv_id = caller.replica.corpus.id_of(whole(caller.replica.corpus))
    first, _ = await caller.pdf(arxiv_id)

    answer, body = await caller.pdf(arxiv_id, **{"If-None-Match": first.headers["ETag"]})

    assert (answer.status, body) == (304, b"")


async def test_a_suffix_is_redirected_away(caller):
    paper = caller.replica.corpus.id_of(3).paper

    answer, _ = await caller.pdf(f"{paper}.pdf")

    assert "/" in paper
    assert answer.status == 301
    assert answer.headers["Location"] == f"/pdf/{paper}"


async def test_a_withdrawn_version_is_an_html_404_and_the_one_before_is_not(caller):
    corpus = caller.replica.corpus
    number = withdrawn(corpus)
    paper, latest = corpus.id_of(number).paper, corpus.versions(number)

    gone = [await caller.pdf(name) for name in (paper, f"{paper}v{latest}")]
    kept, _ = await caller.pdf(f"{paper}v{latest - 1}")

    assert [answer.status for answer, _ in gone] == [404, 404]
    assert all(answer.headers["Content-Type"].startswith("text/html") for answer, _ in gone)
    assert kept.status == 200


@pytest.mark.parametrize("text", ["2301.99999", "abc", "hep-th/9999999", "2512.00001v9"])
async def test_an_unknown_paper_is_an_html_404(caller, text):
    answer, body = await caller.pdf(text)

    assert answer.status == 404
    assert b"<html" in body


def test_lengths_vary_from_one_to_eight_pages():
    corpus = Corpus(400, 7)

    lengths = {page_count(render(corpus.paper(n), corpus.pages(n), 7)) for n in range(100)}

    assert lengths == set(range(1, MAX_PAGES + 1))
