import re
from collections import Counter

import pytest
from lxml import html

from service.devtools.stand_in.html import Quality


@pytest.fixture
def paper(caller):
    """Finds the id and version of a paper whose page is of some quality."""
    corpus, pages = caller.replica.corpus, caller.replica.pages

    def find(quality):
        return next(
            f"{corpus.calendar.id_of(number)}v{version}"
            for number in range(corpus.papers)
            for version in range(1, corpus.versions(number) + 1)
            if pages.quality(number, version) is quality
        )

    return find


@pytest.fixture
def page(caller):
    """Gets a page: the answer and, when it is HTML, its root."""

    async def get(name, **headers):
        url = f"{caller.replica.html_url}/{name}"
        async with caller.session.get(url, headers=headers) as answer:
            body = await answer.read()
            return answer, html.fromstring(body) if body else None

    return get


def classes(root, name):
    return root.xpath(f"//*[contains(concat(' ', @class, ' '), ' {name} ')]")


async def test_a_good_page_is_what_latexml_makes_of_a_paper(paper, page, caller):
    name = paper(Quality.GOOD)

    answer, root = await page(name)

    assert answer.status == 200
    assert answer.content_type == "text/html"
    assert b"LaTeXML oxide (version 0.7" in html.tostring(root)
    article = classes(root, "ltx_document")
    assert [one.tag for one in article] == ["article"]
    for one in ("section", "para", "p", "abstract", "bibitem", "equation", "Math", "note"):
        assert classes(article[0], f"ltx_{one}"), one
    assert all(math.get("alttext") for math in root.iter("math"))
    watermark = root.get_element_by_id("watermark-tr").text_content()
    assert f"arXiv:{name} [" in watermark
    assert root.get_element_by_id("license-tr").text_content().strip().startswith("License:")
    cited = {one.get("href") for one in root.xpath("//cite//a")}
    assert cited == {"#bib.bib1"}
    assert root.get_element_by_id("bib.bib1") is not None


async def test_a_page_has_the_words_of_the_pdf(caller, paper, page):
    number, version = next(
        (n, v)
        for n in range(caller.replica.corpus.papers)
        for v in range(1, caller.replica.corpus.versions(n) + 1)
        if caller.replica.pages.quality(n, v) is Quality.GOOD
        and caller.replica.corpus.pages(n) >= 3
    )
    name = f"{caller.replica.corpus.calendar.id_of(number)}v{version}"
    _, root = await page(name)
    _, pdf = await caller.pdf(name)

    shown = b" ".join(re.findall(rb"\(((?:[^()\\]|\\.)*)\) Tj", pdf)).decode("latin-1")
    words = Counter(re.findall(r"\w{4,}", shown.lower()))
    text = classes(root, "ltx_document")[0].text_content().lower()
    found = Counter(re.findall(r"\w{4,}", text))

    assert sum(words.values()) > 500
    assert (words & found).total() > 0.9 * words.total()


async def test_versions_have_pages_of_their_own(caller, page):
    corpus = caller.replica.corpus
    pages = caller.replica.pages
    number = next(
        n
        for n in range(corpus.papers)
        if corpus.versions(n) > 1 and {pages.quality(n, v) for v in (1, 2)} == {Quality.GOOD}
    )
    name = corpus.calendar.id_of(number)

    first, second, latest = [await page(f"{name}{v}") for v in ("v1", "v2", "")]

    assert first[0].headers["ETag"] != second[0].headers["ETag"]
    assert f"{name}v1 [" in first[1].text_content()
    assert f"{name}v{corpus.versions(number)} [" in latest[1].text_content()


async def test_a_page_that_has_not_changed_is_not_sent_again(paper, page):
    name = paper(Quality.GOOD)

    first, _ = await page(name)
    second, body = await page(name, **{"If-None-Match": first.headers["ETag"]})

    assert second.status == 304
    assert body is None


async def test_some_papers_have_no_page(caller, paper, page):
    corpus = caller.replica.corpus
    withdrawn = next(n for n in range(corpus.papers) if corpus.is_withdrawn(n))

    for name in (paper(Quality.MISSING), corpus.calendar.id_of(withdrawn), "9912.12345", "x"):
        answer, _ = await page(name)
        assert answer.status == 404
        assert answer.content_type == "text/html"


async def test_no_withdrawn_version_has_a_page_whatever_its_letters(calling):
    async with calling(papers=5_000) as one:
        corpus = one.replica.corpus
        withdrawn = [n for n in range(corpus.papers) if corpus.is_withdrawn(n)]
        last = [one.replica.records.record(number).versions[-1] for number in withdrawn]
        found = {
            one.replica.pages.quality(n, version.number)
            for n, version in zip(withdrawn, last, strict=True)
        }

    assert None in {version.source_type for version in last}
    assert found == {Quality.MISSING}


async def test_a_page_of_errors_is_full_of_them_and_its_log_says_so(paper, page, caller):
    name = paper(Quality.ERROR)

    _, root = await page(name)
    async with caller.session.get(f"{caller.replica.html_url}/{name}/__stdout.txt") as answer:
        log = await answer.text()

    assert len(classes(root, "ltx_ERROR")) == 60
    assert "60 errors" in log


async def test_a_stub_answers_200_without_a_paper(paper, page):
    answer, root = await page(paper(Quality.STUB))

    assert answer.status == 200
    assert len(classes(root, "ltx_p")) == 1
    assert not classes(root, "ltx_section")


async def test_most_papers_have_a_good_page(caller):
    pages, corpus = caller.replica.pages, caller.replica.corpus

    found = Counter(pages.quality(number, 1) for number in range(corpus.papers))

    assert set(found) == set(Quality)
    assert found[Quality.GOOD] > 0.7 * corpus.papers
    assert found[Quality.MISSING] < 0.25 * corpus.papers


@pytest.mark.parametrize("quality", [Quality.MISSING, Quality.STUB, Quality.ERROR])
async def test_a_trap_makes_every_page_so(caller, paper, page, quality):
    name = paper(Quality.GOOD)
    caller.replica.trap(f"html-{quality}")

    answer, root = await page(name)

    assert answer.status == (404 if quality is Quality.MISSING else 200)
    assert bool(classes(root, "ltx_ERROR")) == (quality is Quality.ERROR)
    assert bool(classes(root, "ltx_section")) == (quality is Quality.ERROR)


async def test_regenerated_pages_have_other_bytes(caller, paper, page):
    name = paper(Quality.GOOD)

    before, _ = await page(name)
    caller.replica.trap("html-regenerated")
    after, _ = await page(name)

    assert before.headers["ETag"] != after.headers["ETag"]


async def test_the_abstract_page_links_to_the_files(caller):
    name = caller.replica.corpus.id_of(300)
    url = f"{caller.replica.url}/abs/{name}"

    async with caller.session.get(url) as answer:
        root = html.fromstring(await answer.text())
    async with caller.session.get(f"{url}v99") as unknown:
        assert unknown.status == 404

    links = [one.get("href") for one in root.iter("a")]
    assert len(links) == 2
    assert all(link.startswith(("/pdf/", "/html/")) for link in links)
