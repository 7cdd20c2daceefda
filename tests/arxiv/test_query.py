import re
from dataclasses import replace
from datetime import UTC, date, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.arxiv.query import MAX_URL_BYTES, api_request, id_params, search_params, search_query
from service.arxiv.search_windows import Window
from service.domain.errors import UpstreamRejected
from service.domain.identifiers import ArxivId
from service.domain.jobs import Criteria

API = "https://export.arxiv.org/api/query"
PREFIXES = {"category": "cat", "author": "au", "title": "ti", "abstract": "abs"}
TERM = r'(?:cat|au|ti|abs|all):(?:"[^"\\]+"|\w[\w.-]*)'
CHAIN = re.compile(rf"{TERM}(?: AND {TERM})*")


def criteria(**fields):
    return Criteria(**fields)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ""),
        ({"category": "cs.AI"}, "cat:cs.AI"),
        ({"category": "hep-th"}, "cat:hep-th"),
        ({"category": "cs"}, "cat:cs.*"),
        ({"category": "cs.*"}, "cat:cs.*"),
        ({"category": "astro-ph"}, "(cat:astro-ph OR cat:astro-ph.*)"),
        ({"category": "math.MP"}, "cat:math-ph"),
        ({"category": "cmp-lg"}, "cat:cmp-lg"),
        ({"category": "x.Y*"}, 'cat:"x.Y*"'),
        ({"author": "del_maestro"}, 'au:"del maestro"'),
        ({"author": "_smith_"}, "au:smith"),
        ({"title": "foo_bar"}, 'ti:"foo bar"'),
        ({"author": "Lovelace"}, "au:Lovelace"),
        ({"author": "Ada Lovelace"}, 'au:"Ada Lovelace"'),
        ({"author": "O'Brien"}, 'au:"O\'Brien"'),
        ({"title": "AND"}, 'ti:"AND"'),
        ({"title": "  heat \n bath\x00 "}, 'ti:"heat bath"'),
        ({"title": 'x" OR all:y'}, 'ti:"x OR all:y"'),
        ({"title": 'trailing\\"'}, "ti:trailing"),
        ({"abstract": "größer als"}, 'abs:"größer als"'),
        ({"query": "electron"}, "all:electron"),
        ({"query": "electron proton"}, "all:electron AND all:proton"),
        ({"query": "C++ & graphs"}, 'all:"C++" AND all:graphs'),
        ({"query": "this AND"}, 'all:this AND all:"AND"'),
        ({"query": "'; DROP TABLE papers;--"}, 'all:DROP AND all:TABLE AND all:"papers;--"'),
        ({"query": "time: a history"}, 'all:"time:" AND all:a AND all:history'),
        ({"query": "ti:electron"}, "ti:electron"),
        ({"query": "title:electron"}, "ti:electron"),
        ({"query": "electron AND proton"}, "(all:electron AND all:proton)"),
        ({"query": "a ANDNOT b"}, "(all:a ANDNOT all:b)"),
        ({"query": '"heat bath"'}, 'all:"heat bath"'),
        ({"query": "(a OR b) AND c"}, "((all:a OR all:b) AND all:c)"),
        ({"query": "a AND b OR c"}, "((all:a AND all:b) OR all:c)"),
        ({"query": "a ANDNOT b OR c"}, "((all:a ANDNOT all:b) OR all:c)"),
        ({"query": "a ANDNOT b ANDNOT c"}, "((all:a ANDNOT all:b) ANDNOT all:c)"),
        ({"query": 'ti:"a b" abs:c'}, '(ti:"a b" AND abs:c)'),
        ({"query": "ti:a b OR c d"}, "((ti:a AND all:b) OR (all:c AND all:d))"),
        ({"query": "cat:cs.AI OR cs.LG"}, "(cat:cs.AI OR all:cs.LG)"),
        ({"query": "cat:cs.* AND x"}, "(cat:cs.* AND all:x)"),
        ({"query": "cat:cond-mat"}, "(cat:cond-mat OR cat:cond-mat.*)"),
        ({"query": "ti:foo_bar AND au:smith_j"}, '(ti:"foo bar" AND au:"smith j")'),
        ({"query": "au:del_mae*"}, "(au:del AND au:mae*)"),
        ({"query": "au:mae* x"}, "(au:mae* AND all:x)"),
        ({"query": "ti:(a OR b)"}, "(ti:a OR ti:b)"),
        ({"query": "ti:(a b) AND ((c))"}, "((ti:a AND ti:b) AND all:c)"),
        ({"query": "a AND x:y"}, '(all:a AND all:"x:y")'),
        (
            {"query": "a AND submittedDate:[2023  TO 20240102]"},
            "(all:a AND submittedDate:[2023 TO 20240102])",
        ),
        ({"query": "a AND b", "title": "t"}, "(all:a AND all:b) AND ti:t"),
        ({"query": "ti:a AND"}, 'all:"ti:a" AND all:"AND"'),
        ({"query": "an (open"}, 'all:an AND all:"(open"'),
        ({"query": "x) OR (y"}, 'all:"x)" AND all:"OR" AND all:"(y"'),
        ({"query": 'an "open'}, "all:an AND all:open"),
        ({"query": '("a\\")'}, "all:a"),
        (
            {"from_date": date(2024, 1, 2), "to_date": date(2024, 2, 3)},
            "submittedDate:[202401020000 TO 202402032359]",
        ),
        ({"from_date": date(2024, 1, 2)}, "submittedDate:[202401020000 TO 209912312359]"),
        ({"to_date": date(2024, 1, 2)}, "submittedDate:[199101010000 TO 202401022359]"),
        (
            {"query": "a b", "category": "cs.AI", "author": "X Y", "title": "T", "abstract": "S"},
            'all:a AND all:b AND cat:cs.AI AND au:"X Y" AND ti:T AND abs:S',
        ),
    ],
)
def test_criteria_become_one_query(fields, expected):
    query = search_query(criteria(**fields))

    assert query == expected


@pytest.mark.parametrize("field", ["query", *PREFIXES])
@pytest.mark.parametrize("text", ["   ", '"""', "\\", "?!", "\x00"])
def test_a_field_that_searches_for_nothing_is_refused_rather_than_left_out(field, text):
    with pytest.raises(UpstreamRejected):
        search_query(criteria(**({"category": "cs.AI"} | {field: text})))


@pytest.mark.parametrize(
    "query",
    [
        'all:":-)" AND x',
        "ti:*foo",
        "au:a*b",
        "a AND *",
        "x AND submittedDate:[2023-01-01 TO 20240102]",
        "x AND submittedDate:[2023* TO 2024]",
        "x AND submittedDate:[20230 TO 2024]",
    ],
)
def test_what_arxiv_cannot_search_for_is_refused(query):
    with pytest.raises(UpstreamRejected):
        search_query(criteria(query=query))


def test_a_window_stands_in_place_of_the_days():
    window = Window(datetime(2024, 1, 2, 3, 4, tzinfo=UTC), datetime(2024, 1, 2, 5, 6, tzinfo=UTC))
    what = criteria(category="cs.AI", from_date=date(2024, 1, 1), to_date=date(2024, 2, 1))

    params = search_params(what, offset=9_900, size=100, window=window, limit=10_000)

    assert params["search_query"] == "cat:cs.AI AND submittedDate:[202401020304 TO 202401020506]"
    with pytest.raises(ValueError, match="window of 10000"):
        search_params(what, offset=9_901, size=100, window=window, limit=10_000)


@given(st.sampled_from([name for name in PREFIXES if name != "category"]), st.text(max_size=200))
def test_no_text_gets_out_of_its_phrase(field, text):
    try:
        query = search_query(criteria(**{field: text or "x"}))
    except UpstreamRejected:
        return

    assert re.fullmatch(TERM, query)
    assert query.startswith(f"{PREFIXES[field]}:")


HOSTILE = st.text(st.sampled_from('ab "\\():[]AND OR\n\x00 '), max_size=40)


@given(HOSTILE, HOSTILE)
def test_a_query_never_swallows_the_term_beside_it(query, title):
    try:
        text = search_query(criteria(query=query or "x", title=title or "x"))
    except UpstreamRejected:
        return

    own, _, beside = text.rpartition(" AND ti:")
    assert re.fullmatch(TERM, f"ti:{beside}")
    assert CHAIN.fullmatch(own) or is_closed(own)


def is_closed(text):
    """True when `text` is one pair of parentheses around balanced text (read char by char)."""
    depth, quoted, closed_at = 0, False, None
    for index, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif not quoted and character in "()":
            depth += 1 if character == "(" else -1
            if depth == 0 and closed_at is None:
                closed_at = index
    return text[0] == "(" and depth == 0 and not quoted and closed_at == len(text) - 1


def test_a_search_asks_for_a_slice_in_the_order_wished():
    params = search_params(
        criteria(category="cs.AI", sort_by="lastUpdatedDate", sort_order="ascending"),
        offset=200,
        size=100,
    )

    assert params == {
        "search_query": "cat:cs.AI",
        "start": "200",
        "max_results": "100",
        "sortBy": "lastUpdatedDate",
        "sortOrder": "ascending",
    }


def test_ids_are_asked_for_with_as_many_results():
    ids = tuple(ArxivId.parse(text) for text in ("hep-th/9901001", "2401.00003v2"))

    params = id_params(criteria(ids=ids), ids)

    assert params["id_list"] == "hep-th/9901001,2401.00003v2"
    assert (params["start"], params["max_results"]) == ("0", "2")
    assert "search_query" not in params


def test_terms_narrow_a_list_of_ids():
    params = id_params(criteria(title="x"), [ArxivId("2401.00001")])

    assert (params["id_list"], params["search_query"]) == ("2401.00001", "ti:x")


SEARCH = Criteria(category="cs.AI")
IDS = [ArxivId(f"2401.{n:05}") for n in range(101)]


@pytest.mark.parametrize(
    ("what", "offset", "size"),
    [
        (SEARCH, 0, 0),
        (SEARCH, 0, 2001),
        (SEARCH, -1, 10),
        (SEARCH, 9_901, 100),
        (Criteria(), 0, 10),
        (replace(SEARCH, from_date=date(2024, 1, 2), to_date=date(2024, 1, 1)), 0, 10),
    ],
)
def test_what_must_never_be_asked_is_a_programming_error(what, offset, size):
    with pytest.raises(ValueError, match=r"."):
        search_params(what, offset=offset, size=size)


@pytest.mark.parametrize("ids", [[], IDS])
def test_no_ids_and_too_many_are_a_programming_error(ids):
    with pytest.raises(ValueError, match="ids in one request"):
        id_params(Criteria(), ids)


def test_the_last_slices_that_may_be_asked_are():
    assert search_params(SEARCH, offset=8_000, size=2000)["start"] == "8000"
    assert id_params(SEARCH, IDS[:100])["max_results"] == "100"


LONGEST_ID = ArxivId.parse("a" * 15 + "-" + "b" * 8 + ".CO/9901001v9999")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


@given(st.text(max_size=1000), TEXT, TEXT, TEXT, st.integers(0, 100))
def test_no_valid_request_has_a_url_of_8_kb(query, author, title, abstract, ids):
    what = criteria(query=query, author=author, title=title, abstract=abstract)
    try:
        request = api_request(API, id_params(what, [LONGEST_ID] * ids))
    except (UpstreamRejected, ValueError):
        return

    assert len(request.url.encode()) < MAX_URL_BYTES


@pytest.mark.parametrize("letter", ["a", "a ", "é", "漢", "𝔸", '"a" ', "é "])
def test_the_longest_request_of_any_script_keeps_all_that_was_asked(letter):
    what = criteria(
        query=(letter * 1000)[:1000],
        author=(letter * 200)[:200],
        title=(letter * 200)[:200],
        abstract=(letter * 200)[:200],
    )
    expected = id_params(what, [LONGEST_ID] * 100)

    request = api_request(API, expected)

    sent = request.form.decode() if request.form else urlsplit(request.url).query
    assert len(request.url.encode()) < MAX_URL_BYTES
    assert {name: values[0] for name, values in parse_qs(sent).items()} == expected


def test_an_ordinary_request_is_a_get():
    request = api_request(API, id_params(Criteria(), IDS[:100]))

    assert request.form is None
    assert request.url.startswith(f"{API}?id_list=2401.00000,2401.00001,")
