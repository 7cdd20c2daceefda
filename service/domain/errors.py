"""Exception tree of the service, sorted by who can fix it.

ServiceError
├── RequestError            the caller can         → 4xx problem
│   ├── InvalidRequest      a field is wrong       → 422, names the field
│   ├── MalformedRequest    not readable at all    → 400
│   ├── NotFound                                   → 404
│   ├── Conflict            the state forbids it   → 409
│   ├── TokenExpired        retention took it      → 410
│   ├── KeyReused           other body, same key   → 422
│   ├── QueryRefused        arXiv refuses it       → 422
│   ├── WrongMediaType                             → 415
│   ├── ExtraMissing        a library is not there → 406
│   ├── BodyTooSlow         it drips               → 408
│   ├── TooMany             come again later       → 429
│   │   ├── RateExceeded    requests in a minute
│   │   └── QuotaExceeded   jobs at once
│   ├── Unauthenticated                            → 401
│   └── NotAllowed          the token lacks a scope → 403
├── TransientError          time can               → retry with backoff
│   ├── ChannelClosed       arXiv may not be asked → snooze, costs no attempt
│   ├── SlotMissed          likewise
│   ├── UpstreamFaulty      an answer was broken or missing
│   ├── CorruptPdf          the PDF came cut or broken
│   ├── NotPdf              a page came in place of the PDF
│   ├── ExtractorCrashed    the process that read the file died
│   ├── CorruptHtml         the HTML came cut or broken
│   ├── NotHtml             another page came in its place
│   ├── JudgedOtherwise     HTML or PDF changed while the one was compared with the other
│   ├── DatabaseUnavailable PostgreSQL cannot be asked now
│   │   └── TransactionConflict  a deadlock or serialization failure
│   ├── Overloaded          we have enough to do   → 503, says when to come again
│   ├── ArxivNotAsked       no answer of arXiv's in time → 503, likewise
│   ├── StorageUnavailable  files cannot be written now
│   └── KeysUnavailable     tokens cannot be judged now
└── PermanentError          nobody can             → fails now
    ├── UpstreamRejected    arXiv refuses the query
    ├── UpstreamIncomplete  arXiv returned less than it had reported
    ├── UpstreamUnavailable arXiv was unavailable for a day
    ├── ForbiddenPdf        arXiv does not give this PDF to anybody
    ├── Unavailable         withdrawn or missing at arXiv
    ├── BadHtml             HTML that is no page of a paper, too large, over a limit
    ├── BadPdf              not a PDF, corrupt, encrypted, too large, over a limit
    └── Quarantined         killed its worker too often

A permanent error carries a `code`: a stable word for programs, stored with the
job's errors. Messages are written here or by the raiser from safe words; the
text of a foreign exception never becomes one.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Self

from service.domain.channels import WaitReason


class ServiceError(Exception):
    """Root of the tree; never raised itself. `upstream_status`: of arXiv's response, if known."""

    code = "internal"
    upstream_status: int | None = None

    def of_response(self, status: int) -> Self:
        """The same error, with the HTTP status that arXiv responded with."""
        self.upstream_status = status
        return self


class RequestError(ServiceError):
    """The caller can mend the request."""

    code = "malformed_request"


class InvalidRequest(RequestError):
    """One or more fields are wrong: `fields` maps dotted field names to what is wrong."""

    code = "invalid_request"

    def __init__(self, fields: Mapping[str, Sequence[str]]) -> None:
        super().__init__("The request is invalid: " + ", ".join(sorted(fields)))
        self.fields = {name: list(messages) for name, messages in fields.items()}


class MalformedRequest(RequestError):
    """The request cannot be read (bytes, encoding, JSON, a header's form)."""

    code = "malformed_request"


class NotFound(RequestError):
    """There is nothing of that name; `code` says of what kind, as in `job_not_found`."""

    code = "route_not_found"

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


class Conflict(RequestError):
    """The thing exists, but its state forbids what was asked."""

    code = "conflict"


class TokenExpired(RequestError):
    """The place in the change feed that a token stands for has been removed."""

    code = "token_expired"


class KeyReused(RequestError):
    """An idempotency key came again with another body."""

    code = "idempotency_key_reused"


class QueryRefused(RequestError):
    """arXiv refuses the query of a dry run."""

    code = "upstream_rejected"


class BodyTooSlow(RequestError):
    """The body did not arrive within its deadline."""

    code = "body_too_slow"


class TooMany(RequestError):
    """The caller has used up what it may; `retry_after` is seconds."""

    code = "too_many"

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RateExceeded(TooMany):
    """More requests in a while than one caller may make."""

    code = "rate_exceeded"


class QuotaExceeded(TooMany):
    """More unfinished jobs than one caller may have: `quota`."""

    code = "quota_exceeded"

    def __init__(self, message: str, *, quota: int, retry_after: int) -> None:
        super().__init__(message, retry_after=retry_after)
        self.quota = quota


class ExtraMissing(RequestError):
    """What is asked for needs the extra `name`, which is not installed."""

    code = "extra_missing"

    def __init__(self, name: str) -> None:
        super().__init__(f"The extra {name} is not installed")


class WrongMediaType(RequestError):
    """The body is not JSON by its Content-Type."""

    code = "unsupported_media_type"


class Unauthenticated(RequestError):
    """No token, or not one we accept, or of a caller who is not active.

    `reason` is for the log: `missing`, `malformed`, `expired`, `not_yet_valid`,
    `no_expiry`, `lifetime_too_long`, `no_subject`, `bad_signature`, `unknown_key`,
    `wrong_audience`, `wrong_issuer` or `blocked`.
    """

    code = "unauthenticated"

    def __init__(self, reason: str) -> None:
        super().__init__("Not authenticated")
        self.reason = reason


class NotAllowed(RequestError):
    """The caller is known, and its token does not cover what was asked."""

    code = "not_allowed"


class TransientError(ServiceError):
    """Time can mend it: worth another try. `limit`: attempts this kind is worth, if fewer."""

    code = "transient"
    limit: int | None = None


class ChannelClosed(TransientError):
    """Nobody may ask arXiv on this channel now: `reason` says why, `delay` when to come back.

    `is_block`: arXiv forbids us everything (403).
    """

    code = "channel_closed"

    def __init__(self, reason: WaitReason, delay: timedelta, *, is_block: bool = False) -> None:
        super().__init__(f"waiting for arXiv ({reason})")
        self.reason = reason
        self.delay = delay
        self.is_block = is_block


class UpstreamFaulty(TransientError):
    """An answer of arXiv was broken, cut short, late or missing."""

    code = "upstream_faulty"


class UpstreamUnreachable(UpstreamFaulty):
    """arXiv did not answer, or only to say that it is out of order: no fault of what was asked."""


class ServerError(UpstreamFaulty):
    """arXiv answered with a 500 or its like; whether to all or to this request is to be seen."""


class SlotMissed(TransientError):
    """The slot was lost, or did not come in a while: not counted. `delay`: come back then."""

    code = "slot_missed"

    def __init__(self, message: str, delay: timedelta = timedelta(seconds=1)) -> None:
        super().__init__(message)
        self.delay = delay


class CorruptPdf(TransientError):
    """The PDF came cut short, or is none that can be opened."""

    code = "corrupt"
    limit = 3


class NotPdf(TransientError):
    """Something else came with status 200, a captcha page for one."""

    code = "not_pdf"
    limit = 3


class ExtractorCrashed(TransientError):
    """The child process that was reading the PDF died, of no limit that we set."""

    code = "quarantined"
    limit = 3


class CorruptHtml(TransientError):
    """The HTML came cut short, or arXiv's answer was broken otherwise."""

    code = "html_corrupt"
    limit = 3


class NotHtml(TransientError):
    """Something else came with status 200, a captcha page for one."""

    code = "html_no_document"
    limit = 3


class JudgedOtherwise(TransientError):
    """Another task stored HTML or PDF of this version while ours were being compared."""

    code = "html_judged_otherwise"


class Suspected(TransientError):
    """The PDF may be what killed its workers; it is read when that can be told for certain."""

    code = "suspected"

    def __init__(self, delay: timedelta) -> None:
        super().__init__("the worker crashed twice while it read this PDF")
        self.delay = delay


class DatabaseUnavailable(TransientError):
    """PostgreSQL cannot be reached or does not answer in time."""

    code = "database_unavailable"


class TransactionConflict(DatabaseUnavailable):
    """A transaction lost against another one, and changed nothing: it may be run again."""


class Overloaded(TransientError):
    """We have more to do than we can; `retry_after` is seconds."""

    code = "overloaded"

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ArxivNotAsked(TransientError):
    """arXiv's answer could not be had while a caller waits; `retry_after` is seconds.

    `code`: `arxiv_busy`, `arxiv_cooldown` or `arxiv_unavailable`.
    """

    def __init__(self, message: str, *, code: str, retry_after: int) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after = retry_after


class StorageUnavailable(TransientError):
    """The PDF storage cannot be written now (full, read-only, missing)."""

    code = "storage_unavailable"


class KeysUnavailable(TransientError):
    """The keys that tokens are verified with were never published, or too long ago."""

    code = "keys_unavailable"


class PermanentError(ServiceError):
    """No later try would end differently."""

    code = "permanent"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code


class UpstreamRejected(PermanentError):
    """arXiv understood the query and refuses it."""

    code = "upstream_rejected_query"


class UpstreamIncomplete(PermanentError):
    """arXiv returned fewer papers than it had reported: `missing` of them."""

    code = "upstream_incomplete"

    def __init__(self, missing: int) -> None:
        super().__init__(f"arXiv returned {missing} papers fewer than it reported")
        self.missing = missing


class UpstreamUnavailable(PermanentError):
    """arXiv was unavailable for a day, or blocked us for as long: the job fails with it."""

    code = "upstream_unavailable"


class ForbiddenPdf(PermanentError):
    """arXiv does not give this PDF to anybody (403), while it gives others."""

    code = "forbidden"


class RedirectRefused(PermanentError):
    """arXiv's answer points at another host; we do not follow."""

    code = "redirect_refused"


class Unavailable(PermanentError):
    """arXiv has no such file: withdrawn, missing or never built (404, 410)."""

    code = "unavailable"


class BadPdf(PermanentError):
    """The file came and is of no use; `code` says why.

    Codes: `not_pdf`, `corrupt`, `too_large`, `encrypted`, `resource_limit`,
    `no_text_layer` is not one of them (a scan is a good PDF with an empty text).
    """

    code = "corrupt"


class BadHtml(PermanentError):
    """The HTML came, or lies here, and is of no use; `code` says why, as in docs/documents.md."""

    code = "html_unreadable"


class Quarantined(PermanentError):
    """The item was in work each time its worker died, too often to be chance."""

    code = "quarantined"


def status_of(error: BaseException | None) -> int | None:
    """The HTTP status of arXiv's response that `error` or one of its causes carries."""
    for _ in range(10):
        if error is None:
            break
        status = getattr(error, "upstream_status", None)
        if isinstance(status, int):
            return status
        error = error.__cause__
    return None
