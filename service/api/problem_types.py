"""Problem types (RFC 9457 §3.1.1): every `code` with its status, and what a caller can do.

One row for each code; `/problems/{code}` shows it as a page, and docs/errors.md lists it.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProblemType:
    """Status of a kind of problem, what happened, and what to do about it."""

    status: int
    summary: str
    advice: str


_AGAIN = "Repeat the request after the seconds in Retry-After."
_MEND = "Correct the request; repeating it unchanged fails again."
_NOT_HELD = "Ask for it with a job (POST /api/v1/ingestion/arxiv), or check the id."

PROBLEM_TYPES: Mapping[str, ProblemType] = {
    "malformed_request": ProblemType(
        400,
        "The request is not valid HTTP, its body is not valid JSON, a header is not, or the request"
        " line or a header is longer than 8,190 bytes.",
        _MEND,
    ),
    "unauthenticated": ProblemType(
        401,
        "There is no bearer token, it is not accepted, or its caller is blocked.",
        "Send one `Authorization: Bearer <JWT>` that is signed with a known key, names `sub` and"
        " `exp`, and has not expired. The service's log names the reason by request_id.",
    ),
    "not_allowed": ProblemType(
        403,
        "The token lacks the required scope.",
        "Use a token with the scope, or ask the owner of the job.",
    ),
    "job_not_found": ProblemType(404, "There is no job of this id.", "Check the id."),
    "paper_not_found": ProblemType(404, "The paper is not held.", _NOT_HELD),
    "pdf_not_found": ProblemType(404, "The PDF of the paper is not held.", _NOT_HELD),
    "text_not_found": ProblemType(404, "The text of the paper is not held.", _NOT_HELD),
    "document_not_found": ProblemType(
        404, "The structured document of the paper, or that section, is not held.", _NOT_HELD
    ),
    "schedule_not_found": ProblemType(404, "There is no schedule of this id.", "Check the id."),
    "webhook_not_found": ProblemType(
        404,
        "There is no webhook of this id, or callbacks are switched off.",
        "Check the id; the operator switches callbacks on with WEBHOOK_SECRET.",
    ),
    "route_not_found": ProblemType(
        404, "There is no route at this path.", "See /docs for the routes."
    ),
    "text_encrypted": ProblemType(
        404,
        "The PDF is encrypted with a password, so its text cannot be read.",
        "Read the PDF itself.",
    ),
    "method_not_allowed": ProblemType(
        405, "The route does not have this method.", "Use one of those in Allow."
    ),
    "not_acceptable": ProblemType(
        406, "None of the media types in Accept is available.", "See /docs for those there are."
    ),
    "extra_missing": ProblemType(
        406,
        "The media type needs an optional library that is not installed.",
        "Ask the operator to install the extra that the detail names, or take another type.",
    ),
    "body_too_slow": ProblemType(
        408, "The body of the request did not arrive in time.", "Send it without pauses."
    ),
    "conflict": ProblemType(
        409,
        "The state of what is asked for forbids this.",
        "Read its state; the detail says what is in the way.",
    ),
    "token_expired": ProblemType(
        410,
        "The token of the change feed is older than what is kept.",
        "Start anew: take `?after=latest`, then export /papers.",
    ),
    "precondition_failed": ProblemType(
        412,
        "The current ETag is another than the one in If-Match.",
        "Read it again, and decide anew.",
    ),
    "too_large": ProblemType(413, "The body of the request is too large.", "Send at most 1 MiB."),
    "unsupported_media_type": ProblemType(
        415, "The body is not JSON by its Content-Type.", "Send `Content-Type: application/json`."
    ),
    "range_not_satisfiable": ProblemType(
        416, "The range is outside the file.", "Content-Range tells its size."
    ),
    "expectation_failed": ProblemType(
        417,
        "The Expect header names an unsupported expectation.",
        "Send `100-continue`, or nothing.",
    ),
    "invalid_request": ProblemType(
        422,
        "One or more fields are wrong, unknown or missing.",
        "`errors` maps each field to what is wrong with it.",
    ),
    "idempotency_key_reused": ProblemType(
        422,
        "This Idempotency-Key was used with another request.",
        "Use a new key for a new request.",
    ),
    "upstream_rejected": ProblemType(
        422, "arXiv refuses the query.", "Correct the query; the detail says what arXiv said."
    ),
    "rate_exceeded": ProblemType(429, "Too many requests in a minute.", _AGAIN),
    "quota_exceeded": ProblemType(
        429, "Too many of the caller's jobs are unfinished.", "Wait for some of them, or cancel."
    ),
    "internal_error": ProblemType(
        500,
        "The service failed unexpectedly.",
        "Repeat the request; if it fails again, give the operator its request_id.",
    ),
    "database_unavailable": ProblemType(
        503, "The database cannot be reached. Accepted jobs are not lost.", _AGAIN
    ),
    "storage_unavailable": ProblemType(503, "The storage of files cannot be used.", _AGAIN),
    "keys_unavailable": ProblemType(
        503, "The keys that tokens are verified with are not available.", _AGAIN
    ),
    "overloaded": ProblemType(503, "The service is overloaded.", _AGAIN),
    "not_ready": ProblemType(
        503, "The process should not get requests now; the detail says why.", _AGAIN
    ),
    "arxiv_busy": ProblemType(503, "arXiv's rate limit left no time for this request.", _AGAIN),
    "arxiv_cooldown": ProblemType(
        503, "arXiv asked the service to wait before it sends the next request.", _AGAIN
    ),
    "arxiv_unavailable": ProblemType(503, "arXiv does not answer.", _AGAIN),
}
