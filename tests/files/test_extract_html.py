"""HTML in the process that may die: its document with the PDF's evidence, or why there is none."""

import asyncio
import json
import os
import signal

import pytest

from service.domain.errors import BadPdf, StorageUnavailable
from service.domain.identifiers import ArxivId
from service.domain.papers import DocumentSource
from service.extraction.converters import HTML_CONVERTER
from service.extraction.html_question import HtmlQuestion, html_verdict
from service.extraction.pool import ChildDied
from tests.extraction.latexml_page import FILLER, PAPER, VERSION, p, page

ID = ArxivId(PAPER, VERSION)
LAUGHS = "".join(f'<!ENTITY l{i + 1} "{f"&l{i};" * 10}">' for i in range(9))


@pytest.fixture
def make_page(tmp_path):
    """Write a page with this body."""

    def make(body: str, name: str = "page.html", **more):
        path = tmp_path / name
        path.write_bytes(page(body, **more))
        return path

    return make


async def test_a_page_becomes_a_document(make_extractor, make_page):
    extractor = await make_extractor()

    verdict = await extractor.judge_html(make_page(p(FILLER)), HtmlQuestion(ID))

    assert verdict.refused is None
    assert verdict.document.source is DocumentSource.HTML
    assert verdict.document.converter == verdict.converter == HTML_CONVERTER
    assert verdict.document.quality["licence"] == "CC BY 4.0"
    (section,) = json.loads(verdict.document.content)["sections"]
    assert section["paragraphs"][0]["text"] == FILLER.strip()
    assert section["paragraphs"][0]["page"] is None


async def test_a_page_is_compared_with_the_pdf_and_gets_its_pages(
    make_extractor, make_page, make_pdf
):
    extractor = await make_extractor()
    text = await extractor.text_of(make_pdf("Something else stands on the first page", FILLER))
    path = make_page(p(FILLER))

    fits = await extractor.judge_html(path, HtmlQuestion(ID, text))
    more = await extractor.text_of(make_pdf(FILLER, FILLER, FILLER))
    lacks = await extractor.judge_html(path, HtmlQuestion(ID, more))

    (section,) = json.loads(fits.document.content)["sections"]
    assert section["paragraphs"][0]["page"] == 2
    assert (lacks.refused, lacks.document) == ("html_words_missing", None)
    assert lacks.quality["share_of_words"] < 0.8


async def test_another_papers_page_is_refused(make_extractor, make_page):
    extractor = await make_extractor()

    verdict = await extractor.judge_html(make_page(p(FILLER)), HtmlQuestion(ArxivId(PAPER, 1)))

    assert verdict.refused == "html_wrong_paper"


@pytest.mark.parametrize(
    ("data", "refused"),
    [
        (page(p(FILLER) + "<span>" * 100_000), "html_too_deep"),
        (page(p(FILLER) + "word " * 6_000_000), "html_too_large"),  # 30 MB
        (page(p(FILLER) + '<li class="ltx_bibitem">x' * 999_000), "html_too_large"),
        (page(p(FILLER) + '<li class="ltx_bibitem">x</li>' * 400_000), "html_too_large"),
        (b"<!DOCTYPE html [<!ENTITY l0 'lol'>" + LAUGHS.encode() + b"]>&l9;", "html_no_document"),
        (b"\x00\xff" * 1000, "html_no_document"),
    ],
)
async def test_a_hostile_page_ends_in_a_refusal_and_the_next_is_read(
    make_extractor, make_page, tmp_path, data, refused
):
    extractor = await make_extractor()
    hostile = tmp_path / "hostile.html"
    hostile.write_bytes(data)

    verdict = await extractor.judge_html(hostile, HtmlQuestion(ID))
    before = extractor.pids
    after = await extractor.judge_html(make_page(p(FILLER)), HtmlQuestion(ID))

    assert verdict.refused == refused
    assert after.refused is None
    assert extractor.pids == before


async def test_a_page_that_kills_its_process_is_known_by_that(make_extractor, make_page):
    extractor = await make_extractor()
    (pid,) = extractor.pids
    os.kill(pid, signal.SIGSTOP)  # so that it does not answer first
    verdict = asyncio.create_task(extractor.judge_html(make_page(p(FILLER)), HtmlQuestion(ID)))
    async with asyncio.timeout(30):
        while extractor._idle:  # noqa: ASYNC110 - until the child has its question
            await asyncio.sleep(0.01)
    os.kill(pid, signal.SIGKILL)

    with pytest.raises(ChildDied):
        await verdict


async def test_a_page_that_is_not_there_is_the_storages_fault(make_extractor, tmp_path):
    extractor = await make_extractor()

    with pytest.raises(StorageUnavailable):
        await extractor.judge_html(tmp_path / "none.html", HtmlQuestion(ID))


@pytest.mark.parametrize(
    "head", [{}, {"converter": "x"}, {"converter": "x", "quality": {"a": []}, "content": "{}"}]
)
def test_an_answer_that_is_none_is_refused(head):
    with pytest.raises(BadPdf):
        html_verdict(head)
