"""Settings: environment variables as one frozen dataclass, validated at start.

Every variable of the service is one field of `SettingsSchema`; its name there is
the variable's. A wrong value is reported by name and rule, never by value: the
value may be a secret. Only `app` and the command line see `Settings`; what is
below receives plain values.
"""

import difflib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import fields as dataclass_fields
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from marshmallow import (
    EXCLUDE,
    Schema,
    ValidationError,
    fields,
    post_load,
    validate,
    validates_schema,
)

from service.auth import keys
from service.config import urls, webhook_rules
from service.domain.callback_targets import CallbackTargets
from service.domain.webhooks import WebhookSettings, parse_retry_seconds, parse_secrets

ARXIV_INTERVAL_SECONDS = 3.0  # info.arxiv.org/help/api/tou.html
ARXIV_PDFS_PER_SECOND = 4.0  # info.arxiv.org/help/bulk_data.html
SHOWN_AS: Mapping[str, Callable[[str], str]] = {  # what hides secrets
    "JWT_SECRET": lambda _: urls.MASK,
    "JWT_OTHER_SECRETS": lambda _: urls.MASK,
    "JWT_JWKS_URL": urls.shown_jwks,
    "WEBHOOK_SECRET": lambda _: urls.MASK,
    "DATABASE_URL": urls.shown_postgres,
}
OWN_PREFIXES = ("ARXIV_", "JWT_", "WEBHOOK_")
FILE_SUFFIX = "_FILE"  # NAME_FILE=/path: the value of NAME stands in that file
MAX_SECRET_BYTES = 65_536
SECRETS = (
    *("DATABASE_URL", "JWT_SECRET", "JWT_OTHER_SECRETS", "JWT_PUBLIC_KEY"),
    "WEBHOOK_SECRET",
)


class SettingsError(Exception):
    """One or more variables are wrong or missing: `problems` maps names to what is wrong."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {text}" for name, text in sorted(problems.items())))
        self.problems = dict(problems)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Settings:
    """Everything that the environment decides. Durations in seconds, sizes in bytes.

    It has secrets in it, so its `repr` tells no value; `masked` does.
    """

    database_url: str | None
    data_dir: Path
    storage_url: str | None
    s3_endpoint_url: str | None
    s3_checksum: str
    host: str
    port: int
    worker_port: int | None
    root_path: str
    api_processes: int
    jwt_secret: str | None
    jwt_public_key: str | None
    jwt_jwks_url: str | None
    jwt_other_secrets: str | None
    jwt_key_ids: str | None
    jwt_algorithm: str
    jwt_issuer: str | None
    jwt_audience: str | None
    jwt_leeway_seconds: int
    jwt_max_lifetime_seconds: int
    jwt_write_scope: str | None
    jwt_operator_scope: str | None
    max_connections: int
    reads_per_minute: int
    writes_per_minute: int
    max_jobs_per_caller: int
    max_jobs: int
    arxiv_api_url: str
    arxiv_oai_url: str
    arxiv_pdf_url: str
    arxiv_min_interval_seconds: float
    arxiv_pdf_per_second: float
    arxiv_contact: str | None
    arxiv_search_window: int
    snapshot_dir: Path | None
    lease_seconds: float
    pdf_concurrency: int
    pdf_fleet_concurrency: int | None
    extract_processes: int
    max_pdf_bytes: int
    drain_seconds: float
    drain_delay_seconds: float
    job_retention_days: int
    webhook_secret: str | None
    webhook_allowed_hosts: str | None
    webhook_retry_seconds: str
    log_level: str
    log_format: str

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read and check all variables; raises SettingsError naming every wrong one."""
        # An empty variable counts as unset, but an empty secret is a mistake worth stopping for.
        known = {name: value for name, value in environ.items() if value or name == "JWT_SECRET"}
        known |= secret_files(known)
        try:
            settings: Self = SettingsSchema().load(known)
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
        for field in dataclass_fields(self):
            name, value = field.name.upper(), getattr(self, field.name)
            if name in SHOWN_AS and value is not None:
                value = SHOWN_AS[name](value)
            shown[name] = str(value) if isinstance(value, Path) else value
        return shown


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
    known = list(SettingsSchema().fields)
    known += [f"{name}{FILE_SUFFIX}" for name in SECRETS]
    strangers = [n for n in environ if n.startswith(OWN_PREFIXES) and n not in known]
    return {n: next(iter(difflib.get_close_matches(n, known, n=1)), None) for n in strangers}


def _contact(text: str) -> None:
    validate.Email(error="must be an e-mail address")(text)


def _at_least(number: float, most: float | None = None) -> validate.Range:
    return validate.Range(min=number, max=most)


class SettingsSchema(Schema):
    """The variables of the service, one field each, named as in the environment."""

    class Meta:
        """The environment holds much that is not ours."""

        unknown = EXCLUDE

    DATABASE_URL = fields.String(load_default=None, validate=urls.postgres_url)
    DATA_DIR = fields.String(load_default="./var")
    STORAGE_URL = fields.String(load_default=None, validate=urls.storage_url)
    S3_ENDPOINT_URL = fields.String(load_default=None, validate=urls.http_url)
    S3_CHECKSUM = fields.String(load_default="sha256", validate=validate.OneOf(("sha256", "none")))
    HOST = fields.String(load_default="127.0.0.1")
    PORT = fields.Integer(load_default=8000, validate=_at_least(0, 65535))
    WORKER_PORT = fields.Integer(load_default=None, validate=_at_least(0, 65535))
    ROOT_PATH = fields.String(load_default="", validate=urls.root_path)
    API_PROCESSES = fields.Integer(load_default=1, validate=_at_least(1, 64))
    JWT_SECRET = fields.String(load_default=None)
    JWT_PUBLIC_KEY = fields.String(load_default=None)
    JWT_JWKS_URL = fields.String(load_default=None, validate=urls.jwks_url)
    JWT_OTHER_SECRETS = fields.String(load_default=None)
    JWT_KEY_IDS = fields.String(load_default=None)
    JWT_ALGORITHM = fields.String(
        load_default="HS256", validate=validate.OneOf(keys.HMAC_ALGORITHMS + keys.KEY_ALGORITHMS)
    )
    JWT_ISSUER = fields.String(load_default=None)
    JWT_AUDIENCE = fields.String(load_default=None)
    JWT_LEEWAY_SECONDS = fields.Integer(load_default=5, validate=_at_least(0, 300))
    JWT_MAX_LIFETIME_SECONDS = fields.Integer(
        load_default=86_400, validate=_at_least(1, 10 * 365 * 86_400)
    )
    JWT_WRITE_SCOPE = fields.String(load_default=None)
    JWT_OPERATOR_SCOPE = fields.String(load_default=None)
    MAX_CONNECTIONS = fields.Integer(load_default=10_000, validate=_at_least(1, 1_000_000))
    READS_PER_MINUTE = fields.Integer(load_default=0, validate=_at_least(0))
    WRITES_PER_MINUTE = fields.Integer(load_default=60_000, validate=_at_least(0))
    MAX_JOBS_PER_CALLER = fields.Integer(load_default=10_000, validate=_at_least(0, 1_000_000))
    MAX_JOBS = fields.Integer(load_default=100_000, validate=_at_least(0, 10_000_000))
    ARXIV_API_URL = fields.String(
        load_default="https://export.arxiv.org/api/query", validate=urls.http_url
    )
    ARXIV_OAI_URL = fields.String(
        load_default="https://oaipmh.arxiv.org/oai", validate=urls.http_url
    )
    ARXIV_PDF_URL = fields.String(
        load_default="https://export.arxiv.org/pdf", validate=urls.http_url
    )
    ARXIV_MIN_INTERVAL_SECONDS = fields.Float(
        load_default=ARXIV_INTERVAL_SECONDS, validate=_at_least(0, 3600)
    )
    ARXIV_PDF_PER_SECOND = fields.Float(
        load_default=ARXIV_PDFS_PER_SECOND, validate=_at_least(0.01, 100_000)
    )
    ARXIV_CONTACT = fields.String(load_default=None, validate=_contact)
    ARXIV_SEARCH_WINDOW = fields.Integer(load_default=10_000, validate=_at_least(1, 1_000_000))
    SNAPSHOT_DIR = fields.String(load_default=None)
    LEASE_SECONDS = fields.Float(load_default=15.0, validate=_at_least(1, 3600))
    PDF_CONCURRENCY = fields.Integer(load_default=8, validate=_at_least(1, 256))
    PDF_FLEET_CONCURRENCY = fields.Integer(load_default=None, validate=_at_least(1, 100_000))
    EXTRACT_PROCESSES = fields.Integer(load_default=None, validate=_at_least(1, 64))
    MAX_PDF_BYTES = fields.Integer(load_default=200_000_000, validate=_at_least(1))
    DRAIN_SECONDS = fields.Float(load_default=30.0, validate=_at_least(0, 3600))
    DRAIN_DELAY_SECONDS = fields.Float(load_default=5.0, validate=_at_least(0, 600))
    JOB_RETENTION_DAYS = fields.Integer(load_default=0, validate=_at_least(0, 36_500))
    WEBHOOK_SECRET = fields.String(load_default=None, validate=webhook_rules.secrets)
    WEBHOOK_ALLOWED_HOSTS = fields.String(load_default=None, validate=webhook_rules.hosts)
    WEBHOOK_RETRY_SECONDS = fields.String(
        load_default=webhook_rules.RETRY, validate=webhook_rules.retries
    )
    LOG_LEVEL = fields.String(
        load_default="INFO",
        validate=validate.OneOf(("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")),
    )
    LOG_FORMAT = fields.String(load_default="json", validate=validate.OneOf(("json", "console")))

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

    @post_load
    def make(self, data: dict[str, Any], **_: object) -> Settings:
        """Build the dataclass that the rest of the program sees."""
        values = {name.lower(): value for name, value in data.items()}
        values["data_dir"] = Path(values["data_dir"]).expanduser().absolute()
        if values["snapshot_dir"] is not None:
            values["snapshot_dir"] = Path(values["snapshot_dir"]).expanduser().absolute()
        values["extract_processes"] = values["extract_processes"] or os.cpu_count() or 1
        return Settings(**values)


def is_arxiv(host: str) -> bool:
    """True for arXiv's own hosts, to whom its rules apply; others are stand-ins or mirrors."""
    host = host.removesuffix(".")  # the same host, fully qualified
    return host == "arxiv.org" or host.endswith(".arxiv.org")
