import os
import shutil

import pytest

from service.devtools.stand_in.pdf import render
from service.devtools.stand_in.recordings import BadFolder, Recorded

pytestmark = pytest.mark.samples


@pytest.fixture
def atom(samples):
    return samples / "atom"


@pytest.fixture
async def recorded(calling, atom):
    async with calling(recordings=atom) as one:
        yield one


def body_of(atom, beginning):
    (path,) = atom.glob(f"{beginning}*.xml")
    return path.read_bytes()


@pytest.mark.parametrize("query", ["testing", "all:testing", 'all:"testing"'])
@pytest.mark.parametrize(("start", "most"), [(0, 10), (0, 100), (10, 10), (50, 10)])
async def test_a_recorded_query_comes_out_byte_for_byte(recorded, atom, query, start, most):
    status, body = await recorded.api(search_query=query, start=start, max_results=most)

    assert status == 200
    assert body == body_of(atom, f"arxivpy__q_testing_s{start}_m{most}_")


@pytest.mark.parametrize(
    ("ids", "beginning", "status"),
    [
        ("1707.08567", "arxivpy__id_1707.08567_s0", 200),
        ("0808.05394,1707.08567", "arxivpy__id_0808.05394_1707.08567", 200),
        ("1707.08567,0808.05394", "arxivpy__id_0808.05394_1707.08567", 200),
        ("0000.0000", "arxivpy__id_0000.0000", 200),
        ("astro-ph/0601001", "arxivpy__id_astro-ph_0601001", 200),
        ("quant-ph/0201082v1", "arxivpy__id_quant-ph_0201082v1", 200),
        ("abc", "arxivpy__id_abc", 400),
        ("1201.56789", "rsxiv__2025-08old__query_empty", 200),
        ("2201.13455,2201.13452,2201.13453,2201.13454", "rsxiv__2025-08-24old", 200),
    ],
)
async def test_recorded_ids_come_out_byte_for_byte_ghosts_included(
    recorded, atom, ids, beginning, status
):
    answer = await recorded.api(id_list=ids, max_results=100)

    assert answer == (status, body_of(atom, beginning))


async def test_a_query_of_an_old_server_is_found_by_its_own_link(recorded, atom):
    _, body = await recorded.api(search_query="all:electron AND all:proton")

    assert body == (atom / "rsxiv__2025-08old__query.xml").read_bytes()


async def test_the_page_size_that_fits_best_is_taken(recorded, atom):
    _, smaller = await recorded.api(search_query="testing", max_results=50)
    _, larger = await recorded.api(search_query="testing", max_results=5)

    assert smaller == body_of(atom, "arxivpy__q_testing_s0_m10_")
    assert larger == body_of(atom, "arxivpy__q_testing_s0_m10_")


async def test_a_recording_is_asked_for_by_its_name(recorded, atom):
    stem = "aioarxiv__sample"

    _, by_parameter = await recorded.api(recording=stem)
    _, by_query = await recorded.api(search_query=f'all:"{stem}"')

    assert by_parameter == by_query == (atom / f"{stem}.xml").read_bytes()


async def test_beyond_the_recorded_pages_the_total_stays_and_entries_end(recorded):
    feed = await recorded.feed(search_query="testing", start=60, max_results=10)

    assert (feed.total, feed.ids) == (214_881, [])


async def test_what_was_not_recorded_matches_nothing(recorded):
    feed = await recorded.feed(search_query="cat:never.recorded")

    assert (feed.total, feed.ids) == (0, [])


async def test_papers_of_several_recordings_make_one_feed(recorded):
    feed = await recorded.feed(id_list="1605.08386,2301.99999,cond-mat/0102536")

    assert feed.ids == ["1605.08386v1", "cond-mat/0102536v1"]


async def test_every_recorded_paper_has_a_pdf_that_stays_the_same(recorded):
    ids = recorded.replica.source.ids

    first = [await recorded.pdf(paper) for paper in ids]
    render.cache_clear()
    again = [await recorded.pdf(paper) for paper in ids]

    assert len(ids) > 100
    assert all(answer.status == 200 and body.startswith(b"%PDF-") for answer, body in first)
    assert [body for _, body in first] == [body for _, body in again]


async def test_a_pdf_in_the_folder_wins(calling, atom, samples, tmp_path):
    for name in ("arxivpy__id_1605.08386_s0_m100_199195aa31ad__http200.xml",):
        shutil.copy(atom / name, tmp_path / name)
    recording = next(tmp_path.glob("*.xml"))
    (tmp_path / "1605.08386v1.pdf").write_bytes(b"%PDF- by id")
    (tmp_path / "hep-th_9901001.pdf").write_bytes(b"%PDF- without recording")
    os.utime(tmp_path / "1605.08386v1.pdf", (0, 1_000_000_000))

    async with calling(recordings=tmp_path) as one:
        answer, by_id = await one.pdf("1605.08386")
        _, alone = await one.pdf("hep-th/9901001v3")
    (tmp_path / "1605.08386v1.pdf").rename(recording.with_suffix(".pdf"))
    async with calling(recordings=tmp_path) as one:
        _, by_stem = await one.pdf("1605.08386v1")
        missing, _ = await one.pdf("1605.08386v2")

    assert by_id == by_stem == b"%PDF- by id"
    assert answer.headers["Last-Modified"] == "Sun, 09 Sep 2001 01:46:40 GMT"
    assert alone == b"%PDF- without recording"
    assert missing.status == 404


def test_a_folder_without_recordings_is_refused(tmp_path):
    with pytest.raises(BadFolder):
        Recorded(tmp_path, 7)
