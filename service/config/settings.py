"""Settings: environment variables as one frozen dataclass, validated at start.

Every variable of the service is declared once, as a field of `Settings`; see
`variables` for how. A wrong value is reported by name and rule, never by value: the
value may be a secret. Only `app` and the command line see `Settings`; what is
below receives plain values.
"""

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from marshmallow import (
    EXCLUDE,
    Schema,
    ValidationError,
    post_load,
    validate,
    validates_schema,
)

from service.auth import keys
from service.config import urls, webhook_rules
from service.config.urls import MAX_PORT
from service.config.variables import (
    Variable,
    as_is,
    declared,
    flag,
    integer,
    number,
    one_of,
    secret,
    text,
)
from service.domain.callback_targets import CallbackTargets
from service.domain.webhooks import WebhookSettings, parse_retry_seconds, parse_secrets

ARXIV_INTERVAL_SECONDS = 3.0  # info.arxiv.org/help/api/tou.html
ARXIV_PDFS_PER_SECOND = 4.0  # info.arxiv.org/help/bulk_data.html
ARXIV_HTML_SECONDS = 15.0  # between two pages: Crawl-delay in arxiv.org/robots.txt
OWN_PREFIXES = ("ARXIV_", "JWT_", "WEBHOOK_")
FILE_SUFFIX = "_FILE"  # NAME_FILE=/path: the value of NAME stands in that file
MAX_SECRET_BYTES = 65_536


class SettingsError(Exception):
    """One or more variables are wrong or missing: `problems` maps names to what is wrong."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {text}" for name, text in sorted(problems.items())))
        self.problems = dict(problems)


def _contact(text: str) -> None:
    validate.Email(error="must be an e-mail address")(text)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Settings:
    """Everything that the environment decides. Durations in seconds, sizes in bytes.

    It has secrets in it, so its `repr` tells no value; `masked` does.
    """

    database_url: Annotated[str | None, secret(rule=urls.postgres_url, shown=urls.shown_postgres)]
    data_dir: Annotated[Path, text("./var")]
    storage_url: Annotated[str | None, text(rule=urls.storage_url)]
    s3_endpoint_url: Annotated[str | None, text(rule=urls.http_url)]
    s3_checksum: Annotated[str, one_of("sha256", ("sha256", "none"))]
    host: Annotated[str, text("127.0.0.1")]
    port: Annotated[int, integer(8000, 0, MAX_PORT)]
    worker_port: Annotated[int | None, integer(None, 0, MAX_PORT)]
    root_path: Annotated[str, text("", rule=urls.root_path)]
    api_processes: Annotated[int, integer(1, 1, 64)]
    jwt_secret: Annotated[str | None, secret()]
    jwt_public_key: Annotated[str | None, secret(shown=as_is)]
    jwt_jwks_url: Annotated[str | None, text(rule=urls.jwks_url, shown=urls.shown_jwks)]
    jwt_other_secrets: Annotated[str | None, secret()]
    jwt_key_ids: Annotated[str | None, text()]
    jwt_algorithm: Annotated[str, one_of("HS256", keys.HMAC_ALGORITHMS + keys.KEY_ALGORITHMS)]
    jwt_issuer: Annotated[str | None, text()]
    jwt_audience: Annotated[str | None, text()]
    jwt_leeway_seconds: Annotated[int, integer(5, 0, 300)]
    jwt_max_lifetime_seconds: Annotated[int, integer(86_400, 1, 10 * 365 * 86_400)]
    jwt_write_scope: Annotated[str | None, text()]
    jwt_operator_scope: Annotated[str | None, text()]
    max_connections: Annotated[int, integer(10_000, 1, 1_000_000)]
    reads_per_minute: Annotated[int, integer(0, 0)]
    writes_per_minute: Annotated[int, integer(60_000, 0)]
    max_jobs_per_caller: Annotated[int, integer(10_000, 0, 1_000_000)]
    max_jobs: Annotated[int, integer(100_000, 0, 10_000_000)]
    arxiv_api_url: Annotated[str, text("https://export.arxiv.org/api/query", rule=urls.http_url)]
    arxiv_oai_url: Annotated[str, text("https://oaipmh.arxiv.org/oai", rule=urls.http_url)]
    arxiv_pdf_url: Annotated[str, text("https://export.arxiv.org/pdf", rule=urls.http_url)]
    arxiv_html_url: Annotated[str, text("https://arxiv.org/html", rule=urls.http_url)]
    arxiv_min_interval_seconds: Annotated[float, number(ARXIV_INTERVAL_SECONDS, 0, 3600)]
    arxiv_pdf_per_second: Annotated[float, number(ARXIV_PDFS_PER_SECOND, 0.01, 100_000)]
    arxiv_html_min_interval_seconds: Annotated[float, number(ARXIV_HTML_SECONDS, 0, 3600)]
    arxiv_contact: Annotated[str | None, text(rule=_contact)]
    arxiv_search_window: Annotated[int, integer(10_000, 1, 1_000_000)]
    snapshot_dir: Annotated[Path | None, text()]
    lease_seconds: Annotated[float, number(15.0, 1, 3600)]
    pdf_concurrency: Annotated[int, integer(8, 1, 256)]
    pdf_fleet_concurrency: Annotated[int | None, integer(None, 1, 100_000)]
    extract_processes: Annotated[int, integer(None, 1, 64)]  # not set: one for each CPU
    max_pdf_bytes: Annotated[int, integer(200_000_000, 1)]
    drain_seconds: Annotated[float, number(30.0, 0, 3600)]
    drain_delay_seconds: Annotated[float, number(5.0, 0, 600)]
    job_retention_days: Annotated[int, integer(0, 0, 36_500)]
    keep_versions: Annotated[bool, flag(default=False)]
    change_retention_days: Annotated[int, integer(0, 0, 36_500)]
    webhook_secret: Annotated[str | None, secret(rule=webhook_rules.secrets)]
    webhook_allowed_hosts: Annotated[str | None, text(rule=webhook_rules.hosts)]
    webhook_retry_seconds: Annotated[str, text(webhook_rules.RETRY, rule=webhook_rules.retries)]
    log_level: Annotated[str, one_of("INFO", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"))]
    log_format: Annotated[str, one_of("json", ("json", "console"))]
    otel_exporter_otlp_endpoint: Annotated[str | None, text(rule=urls.http_url)]

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read and check all variables; raises SettingsError naming every wrong one."""
        # An empty variable counts as unset, but an empty secret is a mistake worth stopping for.
        known = {name: value for name, value in environ.items() if value or name == "JWT_SECRET"}
        known |= secret_files(known)
        try:
            settings: Self = _SCHEMA().load(known)
        except ValidationError as err:
            raise SettingsError(_first_messages(err)) from None
        return settings

    @property
    def is_embedded(self) -> bool:
        """True when the service runs its own PostgreSQL under `data_dir`."""
        return self.database_url is None

    @property
    def storage_root(self) -> Path:
        """Folder of the PDFs; with S3, of those that are still on their way."""
        if self.storage_url is None:
            return self.data_dir / "files"
        if self.bucket is not None:
            return self.data_dir / "downloads"
        return Path(urlsplit(self.storage_url).path)

    @property
    def bucket(self) -> tuple[str, str] | None:
        """Name and prefix of the S3 bucket that PDFs are kept in; None: in a folder."""
        parts = urlsplit(self.storage_url or "")
        return (parts.netloc, parts.path.strip("/")) if parts.scheme == "s3" else None

    @property
    def webhooks(self) -> WebhookSettings | None:
        """How callers are called back; None: they are not."""
        if self.webhook_secret is None:
            return None
        return WebhookSettings(
            secrets=parse_secrets(self.webhook_secret),
            retry_seconds=parse_retry_seconds(self.webhook_retry_seconds),
            targets=CallbackTargets.parse(self.webhook_allowed_hosts),
        )

    @property
    def jwt_keys(self) -> tuple[str, ...]:
        """What tokens are verified with, the key that signs first; empty when none is given."""
        if self.jwt_secret is not None:
            return (self.jwt_secret, *keys.lines(self.jwt_other_secrets))
        return keys.pems(self.jwt_public_key)

    def masked(self) -> dict[str, str | int | float | None]:
        """Variable → value as in force, secrets replaced by `***`, in the order of the spec."""
        shown: dict[str, str | int | float | None] = {}
        for name, variable in VARIABLES.items():
            value, shown_as = getattr(self, name.lower()), variable.shown
            if shown_as is not None and value is not None:
                value = shown_as(value)
            shown[name] = str(value) if isinstance(value, Path) else value
        return shown


VARIABLES: Mapping[str, Variable] = declared(Settings)
SECRETS = [name for name, variable in VARIABLES.items() if variable.is_secret]


def _first_messages(err: ValidationError) -> dict[str, str]:
    messages: Mapping[str, Any] = err.normalized_messages()  # type: ignore[no-untyped-call]
    return {name: str(texts[0]) for name, texts in messages.items()}


def secret_files(environ: Mapping[str, str]) -> dict[str, str]:
    """The secrets that are given as files; raises SettingsError naming the variable."""
    found, problems = {}, {}
    for name in SECRETS:
        variable = f"{name}{FILE_SUFFIX}"
        if variable not in environ:
            continue
        if name in environ:
            problems[variable] = f"must not be set together with {name}"
            continue
        try:
            with Path(environ[variable]).open(encoding="utf-8") as file:
                found[name] = file.read(MAX_SECRET_BYTES).rstrip("\r\n")
        except (OSError, UnicodeDecodeError):
            problems[variable] = "is not a readable text file"
    if problems:
        raise SettingsError(problems)
    return found


def unknown_names(environ: Mapping[str, str] = os.environ) -> dict[str, str | None]:
    """Variables that look like ours and are not: name → the likely meant one, or None."""
    known = list(VARIABLES)
    known += [f"{name}{FILE_SUFFIX}" for name in SECRETS]
    strangers = [n for n in environ if n.startswith(OWN_PREFIXES) and n not in known]
    return {n: next(iter(difflib.get_close_matches(n, known, n=1)), None) for n in strangers}


class _Rules(Schema):
    """What the variables must be together. It gets its fields from `VARIABLES`."""

    class Meta:
        """The environment holds much that is not ours."""

        unknown = EXCLUDE

    @validates_schema
    def check_keys(self, data: dict[str, Any], **_: object) -> None:
        """Refuse keys that are too weak or of the wrong kind for the algorithm."""
        for name, message in keys.mistakes(data):
            raise ValidationError(message, name)

    @validates_schema
    def check_arxiv_rules(self, data: dict[str, Any], **_: object) -> None:
        """Keep arXiv's terms of use against arXiv itself; a stand-in may be asked faster."""
        host = urlsplit(data["ARXIV_API_URL"]).hostname or ""
        oai_host = urlsplit(data["ARXIV_OAI_URL"]).hostname or ""
        interval = data["ARXIV_MIN_INTERVAL_SECONDS"]
        if interval < ARXIV_INTERVAL_SECONDS and (is_arxiv(host) or is_arxiv(oai_host)):
            message = "must be at least 3 against arXiv (its API terms of use)"
            raise ValidationError(message, "ARXIV_MIN_INTERVAL_SECONDS")
        pdf_host = urlsplit(data["ARXIV_PDF_URL"]).hostname or ""
        if data["ARXIV_PDF_PER_SECOND"] > ARXIV_PDFS_PER_SECOND and is_arxiv(pdf_host):
            message = "must be at most 4 against arXiv (its bulk data rules)"
            raise ValidationError(message, "ARXIV_PDF_PER_SECOND")
        html_host = urlsplit(data["ARXIV_HTML_URL"]).hostname or ""
        if data["ARXIV_HTML_MIN_INTERVAL_SECONDS"] < ARXIV_HTML_SECONDS and is_arxiv(html_host):
            message = (
                "must be at least 15 against arXiv (its robots.txt); ARXIV_HTML_URL is arXiv's"
            )
            raise ValidationError(message, "ARXIV_HTML_MIN_INTERVAL_SECONDS")

    @post_load
    def make(self, data: dict[str, Any], **_: object) -> Settings:
        """Build the dataclass that the rest of the program sees."""
        values = {name.lower(): value for name, value in data.items()}
        values["data_dir"] = Path(values["data_dir"]).expanduser().absolute()
        if values["snapshot_dir"] is not None:
            values["snapshot_dir"] = Path(values["snapshot_dir"]).expanduser().absolute()
        values["extract_processes"] = values["extract_processes"] or os.cpu_count() or 1
        return Settings(**values)


_SCHEMA = _Rules.from_dict({name: variable.field for name, variable in VARIABLES.items()})


def is_arxiv(host: str) -> bool:
    """True for arXiv's own hosts, to whom its rules apply; others are stand-ins or mirrors."""
    host = host.removesuffix(".")  # the same host, fully qualified
    return host == "arxiv.org" or host.endswith(".arxiv.org")
