"""A page of a list of ids: which of them are told as missing."""

from service.domain.identifiers import ArxivId
from service.domain.jobs import Criteria
from tests.arxiv.asking import ask, query_of


async def test_ids_not_returned_are_missing(client, upstream, http):
    ids = tuple(map(ArxivId.parse, ("2401.00001", "2401.00002v1", "hep-th/9901001")))
    upstream.script(http.answer(http.feed(http.entry("2401.00002v1"))))

    page = await ask(client, Criteria(ids=ids))

    assert query_of(upstream.asked[0])["id_list"] == "2401.00001,2401.00002v1,hep-th/9901001"
    assert page.missing == (ids[0], ids[2])


async def test_only_ids_of_this_slice_can_be_missing(client, upstream, http):
    ids = tuple(ArxivId(f"2401.{n:05}") for n in range(10))
    upstream.script(http.answer(http.feed(http.entry("2401.00004v1"))))

    page = await ask(client, Criteria(ids=ids), offset=4, size=2)

    assert page.missing == (ids[5],)


async def test_an_old_id_asked_for_with_its_subject_class_is_found_without(client, upstream, http):
    upstream.script(http.answer(http.feed(http.entry("math/0309136v2"))))

    page = await ask(client, Criteria(ids=(ArxivId.parse("math.GT/0309136"),)))

    assert page.missing == ()


async def test_ghosts_of_a_list_of_ids_are_told_once_as_missing(client, upstream, http):
    ghost = '<entry><category term=""/></entry>'
    upstream.script(http.answer(http.feed(ghost, http.entry("2401.00002v1"))))
    ids = (ArxivId("2401.00001"), ArxivId("2401.00002"))

    page = await ask(client, Criteria(ids=ids))

    assert (page.missing, page.errors) == ((ids[0],), ())


async def test_an_unreadable_entry_of_a_list_of_ids_is_an_error_and_not_missing(
    client, upstream, http
):
    upstream.script(http.answer(http.feed(http.entry("2401.00001v1", title=""))))

    page = await ask(client, Criteria(ids=(ArxivId("2401.00001"),)))

    assert page.missing == ()
    assert [error.arxiv_id for error in page.errors] == ["2401.00001"]


async def test_ids_narrowed_by_terms_are_never_missing(client, upstream, http):
    upstream.script(http.answer(http.feed()))

    page = await ask(client, Criteria(ids=(ArxivId("2401.00001"),), title="x"))

    assert page.missing == ()
