"""What the model knows of a job, and what must be true of the documents that show it."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

FINAL = ("completed", "failed", "cancelled")
COUNTERS = ("papers_fetched", "papers_created", "papers_updated")
PDF_COUNTERS = ("pdfs_downloaded", "pdfs_processed")
STATS = ("pages_fetched", "papers_skipped", "pdfs_failed", "pdfs_unavailable", "errors_total")


@dataclass
class Known:
    """A job as the model has it: what is allowed next follows from `status`."""

    status: str = "pending"
    document: dict[str, Any] | None = None
    etag: str = ""
    tags: set[str] = field(default_factory=set)

    @property
    def is_final(self):
        return self.status in FINAL

    def demand_successor(self, found, etag):
        """What a document may be after the last one, and its tag."""
        before = self.document
        assert (found == before) == (etag == self.etag)
        assert etag == self.etag or etag not in self.tags
        if before["status"] in FINAL:
            assert found == before
        for place, names in (("progress", COUNTERS + PDF_COUNTERS), ("stats", STATS)):
            for name in names if before[place] else ():
                assert found[place][name] >= before[place][name], name


def demand_sums(found: dict[str, Any], papers: list[dict[str, Any]]) -> None:
    """The counters are those of the papers of the job, whichever way they got there."""
    progress, stats = found["progress"], found["stats"]
    if not stats:
        assert papers == []
        return
    states = Counter(paper["state"] for paper in papers)
    assert progress["papers_fetched"] == len(papers)
    kinds = progress["papers_created"], progress["papers_updated"], stats["papers_skipped"]
    assert sum(kinds) == len(papers)
    assert progress["pdfs_downloaded"] >= progress["pdfs_processed"] == states["processed"]
    assert (
        stats["pdfs_failed"]
        == states["failed"]
        == stats["errors_total"] - (found["status"] == "failed")
    )
    assert stats["pdfs_unavailable"] == states["unavailable"]
    assert stats["pdfs_pending"] == states["pending"] + states["downloaded"]
