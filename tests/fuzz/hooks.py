"""What schemathesis has to know to make requests of which the rules allow each.

The description of the API says what one value may be. How values go together, and
which texts of a form mean something, no schema can say; here it is said.
"""

import hashlib
import json
import re
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import schemathesis
from hypothesis import strategies as st

from service.api.schemas.fields import JOB_ID_EXAMPLE as JOB_ID
from service.api.schemas.fields import SCHEDULE_ID_EXAMPLE as SCHEDULE_ID
from service.api.schemas.job_list_query import JOBS, JobSort
from service.api.schemas.jobs import JOB_ERRORS, JOB_PAPERS
from service.api.schemas.jobs import RETRY_ID_EXAMPLE as RETRY_ID
from service.api.schemas.papers import CURSORS as PAPERS
from service.api.schemas.schedules import RUNS, SCHEDULES
from service.api.schemas.timeline import JOB_EVENTS
from service.api.schemas.webhooks import DELIVERIES, WEBHOOKS
from service.domain.jobs import DEFAULT_PAPERS, SEARCH, SEARCH_WINDOW
from service.jobs.cron import next_run

SEEDED_PAPERS = ("2301.00001", "hep-th/9901001")
A_DAY = "20230101"
KEY = "Idempotency-Key"

_moments = st.datetimes(datetime(1991, 8, 14), datetime(2100, 1, 1), timezones=st.just(UTC))
_days = st.dates(date(1000, 1, 1)).map(lambda day: day.strftime("%Y%m%d"))
_new_ids = st.from_regex(r"\A[0-9]{2}(0[1-9]|1[0-2])\.[0-9]{5}(v[1-9])?\Z")
_old_ids = st.from_regex(r"\A(hep-th|math\.GT)/[0-9]{2}(0[1-9]|1[0-2])[0-9]{3}(v[1-9])?\Z")
_papers = st.sampled_from(SEEDED_PAPERS)
_uuids = st.sampled_from((JOB_ID, RETRY_ID, SCHEDULE_ID)) | st.uuids().map(str)
_numbers = st.integers(1, 10**9)
_names = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=100)
_cron = st.tuples(
    st.sampled_from(("*", "0", "*/15", "0-30", "5,10,59")),
    st.sampled_from(("*", "3", "*/6", "9-17")),
    st.sampled_from(("*", "1", "L", "1-7")),
    st.sampled_from(("*", "JAN", "2,3", "*/3")),
    st.sampled_from(("*", "MON", "1-5", "FRI#1")),
).map(" ".join)
# path: the cursors of its list, keys of rows, one of those keys
_OF_JOBS = (
    *(JOBS, st.tuples(st.sampled_from(JobSort), _moments, _uuids.map(UUID))),
    (JobSort.NEWEST, datetime(2026, 11, 22, tzinfo=UTC), UUID(JOB_ID)),
)
JOB_LISTS = ("/api/v1/ingestion/jobs", "/api/v1/ingestion/jobs/events")
ENDLESS = ("/api/v1/ingestion/jobs/events", "/api/v1/fleet/events")
_LISTS = {
    **dict.fromkeys(JOB_LISTS, _OF_JOBS),
    "/api/v1/ingestion/job/{job_id}/errors": (JOB_ERRORS, st.tuples(_numbers), (1,)),
    "/api/v1/ingestion/job/{job_id}/timeline": (JOB_EVENTS, st.tuples(_numbers), (1,)),
    "/api/v1/webhooks": (WEBHOOKS, st.tuples(_uuids.map(UUID)), (UUID(JOB_ID),)),
    "/api/v1/webhooks/deliveries": (DELIVERIES, st.tuples(_uuids.map(UUID)), (UUID(JOB_ID),)),
    "/api/v1/ingestion/job/{job_id}/papers": (JOB_PAPERS, st.tuples(_papers), SEEDED_PAPERS[:1]),
    "/api/v1/papers": (
        *(PAPERS, st.tuples(_moments, _papers)),
        (datetime(2023, 1, 1, tzinfo=UTC), SEEDED_PAPERS[0]),
    ),
    "/api/v1/schedules": (SCHEDULES, st.tuples(_names), ("nightly",)),
    "/api/v1/schedules/{schedule_id}/jobs": (
        *(RUNS, st.tuples(_moments, _uuids.map(UUID))),
        (datetime(2026, 11, 22, tzinfo=UTC), UUID(JOB_ID)),
    ),
}

schemathesis.openapi.format("uuid", _uuids)
schemathesis.openapi.format("day", _days)
schemathesis.openapi.format("arxiv-category", st.sampled_from(("cs.AI", "hep-th", "astro-ph")))
schemathesis.openapi.format("oai-set", st.sampled_from(("cs", "cs:cs:AI", "physics:hep-th")))
schemathesis.openapi.format("arxiv-id", _papers | _new_ids | _old_ids)
schemathesis.openapi.format("cron", _cron)
schemathesis.openapi.format("moving-day", _days | st.sampled_from(("yesterday", "today-7d")))
schemathesis.openapi.format("iana-time-zone", st.sampled_from(("UTC", "Europe/Berlin")))
for _cursors, _keys, _ in _LISTS.values():
    schemathesis.openapi.format(
        f"cursor of {_cursors.of}", _keys.map(lambda key, cursors=_cursors: cursors.write(*key))
    )


@schemathesis.hook
def before_call(_: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Make a request that is meant to be good keep the rules that no schema has."""
    if case.query and case.query.get("dry_run") == "true":
        case.query["dry_run"] = "false"  # there is no arXiv here
    if case.path in ENDLESS and not _lacks_token(case):  # one that is changed would be sent it
        if case.headers is None:
            case.headers = {}
        case.headers["Prefer"] = "wait=0"
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if case.query:
        _mend_days(case.query)
        _mend_cursor(case.path, case.query)
        _mend_query(case.path, case.query)
    if isinstance(case.body, dict):
        case.body = _as_written(case.body)
        _mend_cron(case.body)
        is_submission = case.path == "/api/v1/ingestion/arxiv"
        _mend_request(case.body if is_submission else case.body.get("request"))
    headers = case.headers or {}
    if KEY in headers:
        headers[KEY] = _key_of(case)
    if "Prefer" in headers:  # nobody works on these jobs: a long wait is only long
        headers["Prefer"] = re.sub("[0-9]+", "1", headers["Prefer"])
    if len(headers.get("If-Match", "")) % 2:  # half of them, so that not all are refused
        headers["If-Match"] = "*"


def _lacks_token(case: Any) -> bool:
    phase = None if case.meta is None else case.meta.phase
    return getattr(getattr(phase, "data", None), "parameter", None) == "Authorization"


def _mend_days(given: dict[str, Any]) -> None:
    """Days that there are, in order; words of schedules stay where they are alone."""
    names = {"from_date", "to_date"} & given.keys()
    if len(names) == 1 and given[min(names)] in ("yesterday", "today-7d"):
        return
    for name in names:
        try:
            given[name] = datetime.strptime(given[name].replace("-", ""), "%Y%m%d").strftime(
                "%Y%m%d"
            )
        except ValueError:
            given[name] = A_DAY
    first, last = given.get("from_date"), given.get("to_date")
    if first and last and first > last:
        given["from_date"], given["to_date"] = last, first


def _mend_query(path: str, given: dict[str, Any]) -> None:
    """Parameters whose text has a form of its own, or that do not go together."""
    if path == "/api/v1/papers":
        _mend_search(given)
    if path == "/api/v1/papers/changes":
        if "after" in given:  # tokens are given out by the feed; this word always is one
            given["after"] = "latest"
        if "wait" in given:
            given["wait"] = "1"
    if path.endswith("/document") and "part" in given:
        given.pop("section", None)
    if path in JOB_LISTS and "cursor" in given:
        order = given.get("sort", JobSort.NEWEST)
        key = (order, datetime(2026, 11, 22, tzinfo=UTC), UUID(JOB_ID))
        given["cursor"] = JOBS.write(*key)


def _mend_search(given: dict[str, Any]) -> None:
    """Ids that are some, an order and a place to search that go with `q`, a cursor of the order."""
    if "ids" in given:
        given["ids"] = ",".join(SEEDED_PAPERS)
    if "q" not in given:
        given.pop("in", None)
        given.pop("sort", None)
    if "cursor" in given:
        by_relevance = given.get("sort") == "relevance"
        place = 0.5 if by_relevance else datetime(2023, 1, 1, tzinfo=UTC)
        given["cursor"] = PAPERS.write(place, SEEDED_PAPERS[0])


def _mend_cursor(path: str, given: dict[str, Any]) -> None:
    """A cursor of that list, in place of what has only the form of one."""
    if "cursor" in given:
        cursors, _, key = _LISTS[path]
        try:
            cursors.read(given["cursor"])
        except (ValueError, TypeError):
            given["cursor"] = cursors.write(*key)


def _as_written(body: Any) -> Any:
    """Whole numbers without a point: JSON Schema takes 1.0 for an integer, we do not."""
    return json.loads(json.dumps(body), parse_float=lambda text: _whole(float(text)))


def _whole(number: float) -> float | int:
    return int(number) if number.is_integer() else number


def _mend_cron(body: dict[str, Any]) -> None:
    """An expression that comes true some day, in place of what has only the form of one."""
    if "cron" in body:
        try:
            next_run(body["cron"].strip(), datetime.now(UTC))
        except ValueError:
            body["cron"] = "0 3 * * *"


def _mend_request(request: Any) -> None:
    """Days in order, and `start` + `max_papers` ≤ 10,000, which is arXiv's limit."""
    if not isinstance(request, dict):
        return
    _mend_source(request)
    criteria = request.get("search_query")
    if isinstance(criteria, dict):
        _mend_days(criteria)
        left = SEARCH_WINDOW - criteria.get("start", 0)
        if not criteria.get("ids") and request.get("max_papers", DEFAULT_PAPERS) > left:
            request["max_papers"] = left


def _mend_source(request: dict[str, Any]) -> None:
    """What does not go with the source, left out; windows of days that there have been."""
    source = request.get("source", SEARCH)
    if source == "snapshot":  # there is no folder of snapshots here
        source = request["source"] = "oai"
    request.pop("callback_url", None)  # callbacks are off here
    if isinstance(request.get("labels"), dict):
        request["labels"] = dict.fromkeys(request["labels"], "a label")
    own = "search_query" if source == SEARCH else source
    if source == "documents":  # nothing is downloaded for them
        request.pop("process_html", None)
        request.pop("process_pdfs", None)
    for name in {"search_query", "oai", "snapshot", "audit", "documents"} - {own}:
        request.pop(name, None)
    if not isinstance(request.get(own), dict):
        request[own] = {"category": "cs.AI"} if source == SEARCH else {}
    for name in ("oai", "audit"):
        if isinstance(request.get(name), dict):
            _mend_days(request[name])
            for day in {"from_date", "to_date"} & request[name].keys():
                if (request[name][day] or "")[:1].isdigit():  # else it is a word
                    request[name][day] = min(request[name][day], "20260101")
    if source == "audit":
        request.pop("max_papers", None)
    if source == SEARCH:
        for name, most in (("batch_size", 200), ("max_papers", 100_000)):
            if name in request:
                request[name] = min(request[name], most)


def _key_of(case: Any) -> str:
    """One key for one request: a key that comes with another one is refused."""
    said = json.dumps([case.path, case.path_parameters, case.body], sort_keys=True, default=str)
    return hashlib.sha256(said.encode()).hexdigest()
