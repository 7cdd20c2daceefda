"""Error messages and exit codes of commands.

Imported only then: it knows the errors of all parts.
"""

from dataclasses import dataclass

from arxiv_ingestion_client import ClientError, ProblemError

from service.config.settings import SettingsError
from service.devtools.postgres_programs import EmbeddedPostgresError
from service.devtools.standalone import NotInstalled
from service.domain.errors import ServiceError

FAILURE = 1
USAGE_ERROR = 2  # a setting is wrong


@dataclass(frozen=True, slots=True)
class Failure:
    """What is said, one line each, and how the command ends."""

    lines: list[str]
    exit_code: int = FAILURE


def explained(error: Exception) -> Failure | None:
    """The failure that `error` is to whoever typed the command; None for a fault of our own."""
    match error:
        case SettingsError():
            problems = sorted(error.problems.items())
            told = [f"{n} {text}" if _is_sentence(text) else f"{n}: {text}" for n, text in problems]
            return Failure(told, USAGE_ERROR)
        case ProblemError():
            return Failure([explain_problem(error)])
        case ServiceError() | ClientError() | EmbeddedPostgresError() | NotInstalled():
            return Failure([str(error)])
        case _:
            return None


def explain_problem(problem: ProblemError) -> str:
    """What the service said, with what to do where that is known."""
    if problem.status == 401:
        return f"{problem} (the service does not accept this token)"
    fields = "; ".join(f"{name}: {' '.join(texts)}" for name, texts in problem.errors.items())
    return f"{problem} ({fields})" if fields else str(problem)


def _is_sentence(text: str) -> bool:
    return text.startswith(("must", "is "))
