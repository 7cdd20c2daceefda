"""Settings: every variable is checked at the start, named when wrong, and never shown."""

import dataclasses
import os
from pathlib import Path
from typing import get_type_hints

import pytest

from service.config.settings import VARIABLES, Settings, SettingsError, unknown_names
from tests.environ import RSA_PEM, SECRET, STAND_IN, problems, settings

WEBHOOK_SECRET = "whsec_" + "A" * 32


def test_nothing_need_be_set():
    known = settings()

    assert known.is_embedded
    assert known.data_dir == Path("var").absolute()
    assert known.storage_root == Path("var/files").absolute()
    assert (known.port, known.lease_seconds, known.log_format) == (8000, 15.0, "json")
    assert (known.jwt_algorithm, known.jwt_leeway_seconds) == ("HS256", 5)
    assert known.jwt_max_lifetime_seconds == 86_400
    assert (known.arxiv_min_interval_seconds, known.arxiv_pdf_per_second) == (3.0, 4.0)
    assert known.extract_processes >= 1


GOOD = {
    "DATABASE_URL": "postgresql://u:p@h:5432/d",
    "DATA_DIR": "/tmp/x",
    "STORAGE_URL": "s3://pdfs/arxiv",
    "S3_ENDPOINT_URL": "http://127.0.0.1:9000",
    "HOST": "0.0.0.0",
    "PORT": "0",
    "API_PROCESSES": "2",
    "JWT_SECRET": SECRET,
    "JWT_OTHER_SECRETS": "another secret of more than thirty-two bytes",
    "JWT_KEY_IDS": "new old",
    "JWT_ALGORITHM": "HS512",
    "JWT_ISSUER": "us",
    "JWT_AUDIENCE": "ingestion",
    "JWT_LEEWAY_SECONDS": "0",
    "JWT_MAX_LIFETIME_SECONDS": "3600",
    "JWT_WRITE_SCOPE": "ingest",
    "JWT_OPERATOR_SCOPE": "operate",
    "MAX_CONNECTIONS": "500",
    "READS_PER_MINUTE": "6000",
    "WRITES_PER_MINUTE": "60",
    "MAX_JOBS_PER_CALLER": "10",
    "MAX_JOBS": "100",
    **STAND_IN,
    "ARXIV_MIN_INTERVAL_SECONDS": "0.1",
    "ARXIV_PDF_PER_SECOND": "50",
    "ARXIV_HTML_MIN_INTERVAL_SECONDS": "0.5",
    "ARXIV_CONTACT": "us@example.org",
    "LEASE_SECONDS": "3",
    "PDF_CONCURRENCY": "4",
    "PDF_FLEET_CONCURRENCY": "20",
    "EXTRACT_PROCESSES": "2",
    "MAX_PDF_BYTES": "1000",
    "DRAIN_SECONDS": "0",
    "DRAIN_DELAY_SECONDS": "0",
    "JOB_RETENTION_DAYS": "30",
    "CHANGE_RETENTION_DAYS": "90",
    "KEEP_VERSIONS": "True",
    "ARXIV_SEARCH_WINDOW": "500",
    "SNAPSHOT_DIR": "/srv/snapshots",
    "LOG_LEVEL": "DEBUG",
    "LOG_FORMAT": "console",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318",
    "ROOT_PATH": "/arxiv",
    "WORKER_PORT": "9102",
    "S3_CHECKSUM": "none",
    "WEBHOOK_SECRET": WEBHOOK_SECRET,
    "WEBHOOK_ALLOWED_HOSTS": "hooks.example.org 10.0.0.0/8 ::1",
    "WEBHOOK_RETRY_SECONDS": "1 2 2",
}


@pytest.mark.parametrize("name", GOOD)
def test_every_variable_is_taken(name):
    known = settings(**GOOD)

    shown = getattr(known, name.lower())
    assert shown == GOOD[name] or str(shown).removesuffix(".0") == GOOD[name]


def test_every_variable_is_tested_here():
    untested = {"JWT_PUBLIC_KEY", "JWT_JWKS_URL"}

    assert set(VARIABLES) - untested == set(GOOD)


@pytest.mark.parametrize("environ", [{}, GOOD], ids=["defaults", "values"])
def test_what_is_read_has_the_type_that_is_declared(environ):
    known = settings(**environ)

    for name, annotation in get_type_hints(Settings).items():
        assert isinstance(getattr(known, name), annotation), name


BAD = [
    ("DATABASE_URL", "mysql://u:hunter2@h/d"),
    ("DATABASE_URL", "sqlite:///hunter2"),
    ("DATABASE_URL", "hunter2"),
    ("DATABASE_URL", "postgresql://u:hunter2@[::1/d"),
    ("DATABASE_URL", "postgresql://u:hunter2@h:port/d"),
    ("DATABASE_URL", "postgresql://u:hunter2@h:99999/d"),
    ("STORAGE_URL", "s3://"),
    ("STORAGE_URL", "s3:///prefix"),
    ("STORAGE_URL", "s3://No_Bucket/prefix"),
    ("STORAGE_URL", "s3://bucket/prefix?query"),
    ("S3_ENDPOINT_URL", "localhost:9000"),
    ("S3_ENDPOINT_URL", "https://user:word@s3.example"),
    ("S3_ENDPOINT_URL", "https://user:12/hunter2@s3.example"),
    ("ARXIV_API_URL", "https://user:1#hunter2@arxiv.example"),
    ("STORAGE_URL", "/plain/path"),
    ("STORAGE_URL", "file://host/path"),
    ("PORT", "eight"),
    ("PORT", "-1"),
    ("PORT", "65536"),
    ("PORT", "80.5"),
    ("API_PROCESSES", "0"),
    ("JWT_SECRET", ""),
    ("JWT_SECRET", "short-secret"),
    ("JWT_SECRET", "x" * 31),
    ("JWT_SECRET", " " * 40),
    ("JWT_SECRET", RSA_PEM),
    ("JWT_JWKS_URL", "http://example.org/keys"),
    ("JWT_JWKS_URL", "https://user:hunter2@example.org/keys"),
    ("JWT_JWKS_URL", "https://example.org/keys#hunter2"),
    ("JWT_JWKS_URL", "https:///keys"),
    ("JWT_JWKS_URL", "file:///etc/keys"),
    ("JWT_OTHER_SECRETS", SECRET),
    ("JWT_KEY_IDS", "one two"),
    ("JWT_ALGORITHM", "none"),
    ("JWT_ALGORITHM", "hs256"),
    ("JWT_LEEWAY_SECONDS", "-1"),
    ("JWT_LEEWAY_SECONDS", "301"),
    ("JWT_MAX_LIFETIME_SECONDS", "0"),
    ("JWT_MAX_LIFETIME_SECONDS", "9" * 400),
    ("ARXIV_API_URL", "ftp://example.org/"),
    ("ARXIV_API_URL", "example.org"),
    ("ARXIV_API_URL", "http://"),
    ("ARXIV_API_URL", "http://h:99999/"),
    ("ARXIV_API_URL", "http://h:port/"),
    ("ARXIV_API_URL", "http://h/?search_query=x"),
    ("ARXIV_API_URL", "http://user:hunter2@h/"),
    ("ARXIV_OAI_URL", "javascript:alert(1)"),
    ("ARXIV_PDF_URL", "file:///etc/passwd"),
    ("ARXIV_MIN_INTERVAL_SECONDS", "-1"),
    ("ARXIV_MIN_INTERVAL_SECONDS", "nan"),
    ("ARXIV_MIN_INTERVAL_SECONDS", "inf"),
    ("ARXIV_PDF_PER_SECOND", "0"),
    ("ARXIV_PDF_PER_SECOND", "nan"),
    ("ARXIV_CONTACT", "nobody"),
    ("ARXIV_CONTACT", "a@example.org\r\nX: 1"),
    ("LEASE_SECONDS", "0"),
    ("LEASE_SECONDS", "nan"),
    ("PDF_CONCURRENCY", "0"),
    ("PDF_FLEET_CONCURRENCY", "0"),
    ("EXTRACT_PROCESSES", "0"),
    ("MAX_PDF_BYTES", "0"),
    ("MAX_PDF_BYTES", "1e9"),
    ("DRAIN_SECONDS", "-1"),
    ("DRAIN_SECONDS", "inf"),
    ("DRAIN_DELAY_SECONDS", "601"),
    ("JOB_RETENTION_DAYS", "-1"),
    ("CHANGE_RETENTION_DAYS", "-1"),
    ("KEEP_VERSIONS", "perhaps"),
    ("JOB_RETENTION_DAYS", "0.5"),
    ("WEBHOOK_SECRET", "hunter2"),
    ("WEBHOOK_SECRET", "whsec_hunter2"),
    ("WEBHOOK_SECRET", "whsec_" + "A" * 28),
    ("WEBHOOK_SECRET", WEBHOOK_SECRET + " hunter2"),
    ("WEBHOOK_ALLOWED_HOSTS", "https://hunter2"),
    ("WEBHOOK_ALLOWED_HOSTS", "10.0.0.0/33"),
    ("WEBHOOK_RETRY_SECONDS", "0"),
    ("WEBHOOK_RETRY_SECONDS", "5 4"),
    ("WEBHOOK_RETRY_SECONDS", "1.5"),
    ("WEBHOOK_RETRY_SECONDS", " "),
    ("LOG_LEVEL", "verbose"),
    ("LOG_FORMAT", "xml"),
]


@pytest.mark.parametrize(("name", "value"), BAD, ids=lambda text: text[:24])
def test_a_wrong_value_is_named_and_not_shown(name, value):
    assert list(problems(**{name: value})) == [name]


def test_all_wrong_variables_are_named_at_once():
    assert set(problems(PORT="x", LOG_LEVEL="y", LEASE_SECONDS="z")) == {
        "PORT",
        "LOG_LEVEL",
        "LEASE_SECONDS",
    }


@pytest.mark.parametrize(
    ("url", "bucket", "folder"),
    [
        ("file:///srv/pdfs", None, "/srv/pdfs"),
        ("s3://pdfs", ("pdfs", ""), "/data/downloads"),
        ("s3://pdfs/arxiv/2026/", ("pdfs", "arxiv/2026"), "/data/downloads"),
    ],
)
def test_pdfs_are_kept_in_a_folder_or_in_a_bucket(url, bucket, folder):
    known = Settings.from_environ({"STORAGE_URL": url, "DATA_DIR": "/data"})

    assert known.bucket == bucket
    assert known.storage_root == Path(folder)


def test_an_empty_variable_counts_as_unset_but_for_the_secret():
    assert settings(PORT="", DATABASE_URL="", ARXIV_CONTACT="").port == 8000


def test_the_shown_configuration_has_every_variable():
    assert list(settings().masked()) == [
        field.name.upper() for field in dataclasses.fields(Settings)
    ]
    assert settings().masked()["JWT_SECRET"] is None


def test_names_that_look_like_ours_are_pointed_out():
    environ = {"ARXIV_MIN_INTERVAL": "3", "JWT_SECRETS": "x", "PATH": "/bin", "JWT_SECRET": SECRET}

    assert unknown_names(environ) == {
        "ARXIV_MIN_INTERVAL": "ARXIV_MIN_INTERVAL_SECONDS",
        "JWT_SECRETS": "JWT_SECRET",
    }


def test_the_environment_is_read_when_asked_and_not_at_import(monkeypatch):
    monkeypatch.setitem(os.environ, "PORT", "8123")

    assert Settings.from_environ().port == 8123


def test_a_secret_may_come_from_a_file(tmp_path):
    file = tmp_path / "secret"
    file.write_text("s" * 40 + "\n")

    assert Settings.from_environ({"JWT_SECRET_FILE": str(file)}).jwt_secret == "s" * 40


@pytest.mark.parametrize("other", [{}, {"JWT_SECRET": "x" * 40}])
def test_a_file_that_is_none_or_one_too_many_is_named(tmp_path, other):
    file = tmp_path / "secret"
    if other:
        file.write_text("s" * 40)

    with pytest.raises(SettingsError) as caught:
        Settings.from_environ({"JWT_SECRET_FILE": str(file), **other})

    assert list(caught.value.problems) == ["JWT_SECRET_FILE"]
    assert str(file) not in str(caught.value)


@pytest.mark.parametrize("path", ["arx", "/", "/arx/", "/a b", "//a", "/a?b", "/ä"])
def test_a_path_prefix_that_is_none_is_refused(path):
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ({"ROOT_PATH": path})

    assert list(caught.value.problems) == ["ROOT_PATH"]
