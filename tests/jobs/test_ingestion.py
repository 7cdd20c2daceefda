"""Whole jobs, from submission to the end, against the stand-in arXiv."""

from service.devtools.stand_in.log import pace_of
from service.domain.identifiers import ArxivId
from service.domain.jobs import Criteria, JobStatus


async def test_a_job_brings_papers_files_and_texts_in(rig):
    async with rig.worker():
        job = await rig.final(await rig.submit())

    assert job.status is JobStatus.COMPLETED
    assert (job.papers_fetched, job.papers_created, job.papers_updated) == (10, 10, 0)
    assert (job.pages_fetched, job.papers_total, job.pdfs_pending) == (2, 10, 0)
    assert job.pdfs_downloaded == job.pdfs_processed == 10 - job.pdfs_unavailable
    assert len(rig.files()) == job.pdfs_downloaded
    texts = await rig.rows(
        "SELECT content, page_count FROM paper_texts JOIN papers USING (arxiv_id)"
    )
    assert len(texts) == job.pdfs_processed
    assert all(len(row.content) > 200 and row.page_count >= 1 for row in texts)
    assert await rig.rows("SELECT 1 FROM pgqueuer") == []
    await rig.assert_sound()


async def test_a_job_stores_pages_and_a_document(rig):
    async with rig.worker():
        job = await rig.final(await rig.submit(max_papers=3))

    rows = await rig.rows(
        "SELECT t.content, t.pages, t.furniture, t.quality, t.text_state, t.extractor,"
        " p.text_state AS shown, p.page_count, p.pdf_sha256, p.version AS held"
        " FROM paper_texts t JOIN papers p USING (arxiv_id)"
    )
    documents = await rig.rows(
        "SELECT d.*, p.title FROM documents d JOIN papers p USING (arxiv_id)"
    )
    assert job.pdfs_processed == len(rows) == len(documents) > 0
    for row in rows:
        assert row.text_state == row.shown == "full"
        assert len(row.pages) == row.page_count
        pages = [row.content[page["start"] : page["end"]] for page in row.pages]
        assert "\f".join(pages) == row.content
        assert row.extractor
        assert "document_error" not in row.quality
    assert {row.pdf_sha256 for row in rows} == {row.input_sha256 for row in documents}
    for row in documents:
        assert (row.source, row.version) == ("pdf", 1)
        assert row.converter
        text = " ".join(
            paragraph["text"]
            for section in row.content["sections"]
            for paragraph in section["paragraphs"]
        )
        assert len(text) > 200
        assert row.quality["paragraphs"] > 0


async def test_the_text_is_that_of_the_paper(rig):
    async with rig.worker():
        await rig.final(await rig.submit(max_papers=3))

    rows = await rig.rows("SELECT title, content FROM papers JOIN paper_texts USING (arxiv_id)")
    assert rows
    for row in rows:
        assert "".join(row.title.split()) in "".join(row.content.split())


async def test_requests_keep_the_pace_and_one_connection(rig):
    async with rig.worker(ARXIV_MIN_INTERVAL_SECONDS="0.3", ARXIV_PDF_PER_SECOND="20"):
        await rig.final(await rig.submit())
        await rig.final(await rig.submit(criteria=Criteria(category="cs.LG", page_size=2)))

    pace = pace_of(rig.replica.log.records)
    assert pace.requests >= 3
    assert pace.smallest_gap >= 0.3
    assert pace.most_open == 1
    pdfs = pace_of(rig.replica.log.records, lanes=["pdf"])
    assert pdfs.requests >= 5


async def test_two_workers_share_one_pace(rig):
    async with (
        rig.worker(ARXIV_MIN_INTERVAL_SECONDS="0.25"),
        rig.worker(ARXIV_MIN_INTERVAL_SECONDS="0.25"),
    ):
        ids = [
            await rig.submit(criteria=Criteria(category=name, page_size=3), process_pdfs=False)
            for name in ("cs.AI", "cs.LG", "math.GT", "hep-th")
        ]
        for job_id in ids:
            await rig.final(job_id)

    pace = pace_of(rig.replica.log.records)
    assert pace.requests >= 6
    assert pace.smallest_gap >= 0.25
    assert pace.most_open == 1


async def test_papers_that_we_hold_are_neither_written_nor_fetched_again(rig):
    async with rig.worker():
        await rig.final(await rig.submit())
        before = await rig.result(await rig.submit())
        serial = max(record.serial for record in rig.replica.log.records)
        again = await rig.final(await rig.submit())

    held = {row.arxiv_id for row in before["papers"] if row.pdf_state == "processed"}
    asked = [r.path for r in rig.replica.log.since(serial, lane="pdf")]
    assert again.papers_fetched == again.papers_skipped == 10
    assert again.papers_created == again.papers_updated == 0
    assert not [path for path in asked for paper in held if paper in path]
    assert again.pdfs_downloaded == 0
    await rig.assert_sound()


async def test_without_skip_duplicates_papers_are_written_and_fetched_again(rig):
    async with rig.worker():
        first = await rig.final(await rig.submit())
        again = await rig.final(await rig.submit(skip_duplicates=False))

    assert (again.papers_created, again.papers_updated, again.papers_skipped) == (0, 10, 0)
    assert again.pdfs_downloaded == first.pdfs_downloaded
    assert again.pdfs_processed == first.pdfs_processed
    await rig.assert_sound()


async def test_a_job_may_ask_for_no_pdfs(rig):
    async with rig.worker():
        job = await rig.final(await rig.submit(process_pdfs=False))

    states = await rig.rows("SELECT DISTINCT state, reason FROM job_papers")
    assert job.status is JobStatus.COMPLETED
    assert [tuple(row) for row in states] == [("skipped", "pdf_not_wanted")]
    assert rig.replica.log.since(lane="pdf") == []


async def test_a_job_of_ids_says_which_arxiv_does_not_know(rig):
    known = [paper.arxiv_id for paper in (rig.replica.corpus.paper(n) for n in (3, 7, 11))]
    unknown = ArxivId("1501.99999")
    criteria = Criteria(ids=(*known, unknown), page_size=2)

    async with rig.worker():
        job = await rig.final(await rig.submit(criteria=criteria, max_papers=4))

    assert job.status is JobStatus.COMPLETED
    assert (job.papers_fetched, job.pages_fetched, job.papers_total) == (3, 2, 4)
    (error,) = [error for error in job.errors if error.code == "unknown_paper"]
    assert error.arxiv_id == "1501.99999"
    rows = await rig.rows("SELECT state, reason FROM job_papers WHERE arxiv_id = '1501.99999'")
    assert [tuple(row) for row in rows] == [("unavailable", "unknown_paper")]
    await rig.assert_sound()


async def test_a_small_batch_commits_a_page_in_steps(rig):
    async with rig.worker():
        job_id = await rig.submit(
            batch_size=2, criteria=Criteria(category="cs.AI", page_size=10), process_pdfs=False
        )
        job = await rig.final(job_id)

    assert job.status is JobStatus.COMPLETED
    assert (job.papers_fetched, job.pages_fetched) == (10, 1)
    assert len(rig.replica.log.since(lane="api")) == 1


async def test_jobs_of_equal_urgency_take_turns(rig):
    big = await rig.submit(max_papers=30, criteria=Criteria(query="the", page_size=30))
    small = await rig.submit(max_papers=1, criteria=Criteria(category="cs.AI", page_size=1))

    async with rig.worker(PDF_CONCURRENCY="1", ARXIV_PDF_PER_SECOND="20"):
        await rig.final(small)
        behind = await rig.job(big)

    assert behind.status is not JobStatus.COMPLETED
