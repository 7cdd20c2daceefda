"""Rules of requests that hang on how the service is set up: checked when one is submitted."""

from dataclasses import dataclass

from service.domain.errors import InvalidRequest
from service.domain.jobs import SEARCH, SEARCH_WINDOW, IngestionRequest

_BY_SUBMISSION = "submittedDate"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRules:
    """`search_window`: results arXiv shows of one search; `has_snapshots`: a directory is set."""

    search_window: int = SEARCH_WINDOW
    has_snapshots: bool = False

    def check(self, request: IngestionRequest, *, of: str = "") -> None:
        """Raise InvalidRequest for what cannot be done here; `of` is put before names of fields."""
        if request.source == "snapshot" and not self.has_snapshots:
            raise InvalidRequest(
                {f"{of}snapshot": ["SNAPSHOT_DIR is not set: this service has no snapshots."]}
            )
        criteria = request.criteria
        if request.source != SEARCH or criteria.ids or criteria.sort_by == _BY_SUBMISSION:
            return
        if criteria.start + request.bound > self.search_window:
            raise InvalidRequest(
                {
                    f"{of}max_papers": [
                        f"start + max_papers must not exceed {self.search_window} when sorted by"
                        f" {criteria.sort_by}: arXiv shows no more, and only dates of submission"
                        " can be asked for in parts."
                    ]
                }
            )
