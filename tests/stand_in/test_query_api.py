import pytest
from lxml import etree

from service.domain.identifiers import ArxivId

ATOM = "{http://www.w3.org/2005/Atom}"


async def test_pages_of_a_query_join_to_all_that_it_matches(caller):
    expected = caller.replica.search.expected("cat:cs.LG")

    pages = [
        await caller.feed(
            search_query="cat:cs.LG", start=start, max_results=7, sortBy="submittedDate"
        )
        for start in range(0, len(expected) + 7, 7)
    ]

    assert [paper for page in pages for paper in page.papers] == expected
    assert {page.total for page in pages} == {len(expected)}
    assert pages[-1].papers == []


async def test_an_entry_says_what_the_corpus_says(caller):
    corpus = caller.replica.corpus
    number = next(n for n in range(400) if corpus.paper(n).doi and corpus.paper(n).journal_ref)
    paper = corpus.paper(number)

    feed = await caller.feed(id_list=paper.arxiv_id.paper)

    entry = feed.root.find(f"{ATOM}entry")
    arxiv = "{http://arxiv.org/schemas/atom}"
    assert feed.ids == [str(paper.arxiv_id)]
    assert entry.findtext(f"{ATOM}title") == paper.title
    assert entry.findtext(f"{ATOM}summary").strip() == paper.abstract
    assert tuple(a.findtext(f"{ATOM}name") for a in entry.iterfind(f"{ATOM}author")) == (
        paper.authors
    )
    assert tuple(c.get("term") for c in entry.iterfind(f"{ATOM}category")) == paper.categories
    assert entry.findtext(f"{arxiv}doi") == paper.doi
    assert entry.findtext(f"{arxiv}journal_ref") == paper.journal_ref
    assert entry.findtext(f"{ATOM}published") == f"{paper.published_at:%Y-%m-%dT%H:%M:%SZ}"


@pytest.mark.samples
async def test_a_feed_has_the_shape_of_a_recorded_one(caller, samples):
    recorded = etree.parse(
        samples / "atom" / "arxivpy__q_testing_s0_m100_cfe7536492ca__http200.xml"
    ).getroot()

    answered = (await caller.feed(search_query="testing OR cat:cs.LG", max_results=200)).root

    assert answered.nsmap == recorded.nsmap
    assert [c.tag for c in answered][:7] == [c.tag for c in recorded][:7]
    assert shapes(answered) <= shapes(recorded) | without_comment(shapes(recorded))
    assert attributes(answered) == attributes(recorded)


def shapes(feed):
    return {
        tuple(dict.fromkeys((child.tag, child.get("title")) for child in entry))
        for entry in feed.iterfind(f"{ATOM}entry")
    }


def without_comment(all_shapes):
    return {tuple(c for c in shape if not c[0].endswith("comment")) for shape in all_shapes}


def attributes(feed):
    return {
        (child.tag, tuple(sorted(set(child.attrib) - {"xmlns"})), child.get("rel"))
        for entry in feed.iterfind(f"{ATOM}entry")
        for child in entry
        if child.attrib
    }


async def test_ids_come_in_the_order_asked_and_unknown_ones_are_dropped_silently(caller):
    corpus = caller.replica.corpus
    new, old = corpus.id_of(300).paper, corpus.id_of(3).paper

    feed = await caller.feed(id_list=f"{new},2301.99999,0000.0000,{old},{new}")

    assert feed.papers == [new, old]
    assert feed.total == 2


async def test_an_id_with_a_version_gives_that_version(caller):
    corpus = caller.replica.corpus
    number = next(n for n in range(400) if corpus.versions(n) == 3)
    paper = corpus.id_of(number).paper

    feed = await caller.feed(id_list=f"{paper}v2")
    beyond = await caller.feed(id_list=f"{paper}v9")

    assert feed.ids == [f"{paper}v2"]
    assert beyond.ids == []


async def test_ids_and_a_query_together_narrow_each_other(caller):
    corpus = caller.replica.corpus
    asked = [corpus.id_of(n).paper for n in range(200, 260)]
    matching = set(caller.replica.search.expected("cat:cs.AI"))

    feed = await caller.feed(search_query="cat:cs.AI", id_list=",".join(asked), max_results=100)

    assert feed.papers == [paper for paper in asked if paper in matching]


async def test_bare_words_are_spelled_out_in_the_title(caller):
    feed = await caller.feed(search_query="testing", max_results=3)

    assert feed.root.findtext(f"{ATOM}title") == (
        "arXiv Query: search_query=all:testing&id_list=&start=0&max_results=3"
    )


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({"id_list": "abc"}, "incorrect_id_format_for_abc"),
        ({"id_list": "2301.00001,../etc"}, "incorrect_id_format_for_../etc"),
        ({"search_query": "a", "start": "-1"}, "start_must_be_non-negative"),
        ({"search_query": "a", "start": "x"}, "start_must_be_an_integer"),
        ({"search_query": "a", "max_results": "-1"}, "max_results_must_be_non-negative"),
        ({"search_query": "a", "max_results": "2001"}, "max_results_must_not_exceed_2000"),
        (
            {"search_query": "a", "start": "29990", "max_results": "11"},
            "start_plus_max_results_must_not_exceed_30000",
        ),
        ({"search_query": "ti:grap*"}, "wildcards_are_not_supported"),
        ({"search_query": "(a"}, "parenthesis_not_closed_in_query"),
        ({}, "search_query_or_id_list_must_be_given"),
    ],
)
async def test_a_malformed_request_is_an_error_feed_with_status_400(caller, parameters, name):
    status, body = await caller.api(**parameters)

    root = etree.fromstring(body)
    assert status == 400
    assert root.findtext(f"{ATOM}entry/{ATOM}id") == f"https://arxiv.org/api/errors#{name}"
    assert root.findtext(f"{ATOM}entry/{ATOM}title") == "Error"


async def test_a_sort_order_that_does_not_exist_is_refused(caller):
    status, _ = await caller.api(search_query="a", sortBy="size")

    assert status == 400


async def test_the_largest_allowed_window_is_answered(caller):
    status, _ = await caller.api(search_query="a", start=28_000, max_results=2_000)

    assert status == 200


async def test_asking_for_no_results_is_a_server_error(caller):
    status, _ = await caller.api(search_query="a", max_results=0)

    assert status == 500


async def test_the_same_request_gets_the_same_bytes(calling):
    bodies, asked = [], {"search_query": "cat:cs.AI", "max_results": "50"}
    for _ in range(2):
        async with (
            calling() as one,
            one.session.get(
                one.replica.api_url, params=asked, headers={"Host": "stand-in.test"}
            ) as answer,
        ):
            bodies.append(await answer.read())

    assert bodies[0] == bodies[1]
    assert b"http://stand-in.test/pdf/" in bodies[0]


async def test_every_link_leads_to_the_stand_in(caller):
    feed = await caller.feed(search_query="cat:hep-th OR cat:cs.LG", max_results=100)

    links = [link.get("href") for link in feed.root.iter(f"{ATOM}link")]
    assert len(links) > 200
    assert all(link.startswith(f"{caller.replica.url}/") for link in links)


async def test_every_id_that_a_feed_gives_is_an_arxiv_id(caller):
    feed = await caller.feed(search_query="the OR cat:hep-th OR cat:cs.LG", max_results=400)

    assert len(feed.ids) > 50
    assert all(ArxivId.parse(text).version for text in feed.ids)
