"""Settings: every variable is checked at the start, named when wrong, and never shown."""

import dataclasses
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from service.secrets import signing_keys
from service.settings import Settings, SettingsError, SettingsSchema, is_arxiv, unknown_names

SECRET = "a secret of more than thirty-two bytes"
ELSEWHERE = "http://127.0.0.1:9"
STAND_IN = {
    "ARXIV_API_URL": ELSEWHERE,
    "ARXIV_OAI_URL": ELSEWHERE,
    "ARXIV_PDF_URL": ELSEWHERE,
}


def settings(**environ: str) -> Settings:
    return Settings.from_environ(environ)


def problems(**environ: str) -> dict[str, str]:
    with pytest.raises(SettingsError) as caught:
        settings(**environ)
    secret = [value for value in environ.values() if len(value) > 5 and value != "http://"]
    assert not any(value in str(caught.value) for value in secret)
    return caught.value.problems


def public_pem(key) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


RSA_PEM = public_pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))
EC_PEM = public_pem(ec.generate_private_key(ec.SECP256R1()))


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
    "ARXIV_CONTACT": "us@example.org",
    "LEASE_SECONDS": "3",
    "PDF_CONCURRENCY": "4",
    "PDF_FLEET_CONCURRENCY": "20",
    "EXTRACT_PROCESSES": "2",
    "MAX_PDF_BYTES": "1000",
    "DRAIN_SECONDS": "0",
    "DRAIN_DELAY_SECONDS": "0",
    "JOB_RETENTION_DAYS": "30",
    "LOG_LEVEL": "DEBUG",
    "LOG_FORMAT": "console",
}


@pytest.mark.parametrize("name", GOOD)
def test_every_variable_is_taken(name):
    known = settings(**GOOD)

    shown = getattr(known, name.lower())
    assert shown == GOOD[name] or str(shown).removesuffix(".0") == GOOD[name]


def test_every_variable_is_tested_here():
    untested = {"JWT_PUBLIC_KEY", "JWT_JWKS_URL"}

    assert set(SettingsSchema().fields) - untested == set(GOOD)
    assert {field.name.upper() for field in dataclasses.fields(Settings)} == set(
        SettingsSchema().fields
    )


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
    ("JOB_RETENTION_DAYS", "0.5"),
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
    ("environ", "name"),
    [
        ({"JWT_SECRET": SECRET, "JWT_PUBLIC_KEY": RSA_PEM}, "JWT_PUBLIC_KEY"),
        ({"JWT_SECRET": SECRET, "JWT_ALGORITHM": "RS256"}, "JWT_ALGORITHM"),
        ({"JWT_PUBLIC_KEY": RSA_PEM}, "JWT_ALGORITHM"),
        ({"JWT_PUBLIC_KEY": "no key at all", "JWT_ALGORITHM": "RS256"}, "JWT_PUBLIC_KEY"),
        (
            {
                "JWT_PUBLIC_KEY": "-----BEGIN PUBLIC KEY-----\nnonsense\n-----END PUBLIC KEY-----",
                "JWT_ALGORITHM": "RS256",
            },
            "JWT_PUBLIC_KEY",
        ),
        ({"JWT_PUBLIC_KEY": EC_PEM, "JWT_ALGORITHM": "RS256"}, "JWT_PUBLIC_KEY"),
        ({"JWT_PUBLIC_KEY": RSA_PEM, "JWT_ALGORITHM": "ES256"}, "JWT_PUBLIC_KEY"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_keys_must_fit_their_algorithm(environ, name):
    assert list(problems(**environ)) == [name]


@pytest.mark.parametrize(
    ("pem", "algorithm"), [(RSA_PEM, "RS256"), (RSA_PEM, "PS256"), (EC_PEM, "ES256")]
)
def test_a_public_key_that_fits_is_taken(pem, algorithm):
    known = settings(JWT_PUBLIC_KEY=pem, JWT_ALGORITHM=algorithm)

    assert known.jwt_keys == (pem.strip(),)


@pytest.mark.parametrize(
    "urls",
    [
        {},
        {"ARXIV_API_URL": ELSEWHERE, "ARXIV_PDF_URL": ELSEWHERE},
        {"ARXIV_OAI_URL": ELSEWHERE, "ARXIV_PDF_URL": ELSEWHERE},
        {**STAND_IN, "ARXIV_API_URL": "http://EXPORT.arXiv.org/api/query"},
        {**STAND_IN, "ARXIV_API_URL": "http://export.arxiv.org./api/query"},
        {**STAND_IN, "ARXIV_API_URL": "http://arxiv.org:80/api/query"},
    ],
    ids=str,
)
def test_arxivs_interval_cannot_be_shortened_against_arxiv(urls):
    assert list(problems(**urls, ARXIV_MIN_INTERVAL_SECONDS="2.9")) == [
        "ARXIV_MIN_INTERVAL_SECONDS"
    ]


@pytest.mark.parametrize("host", ["export.arxiv.org", "arxiv.org", "ARXIV.ORG", "arxiv.org."])
def test_arxivs_rate_of_pdfs_cannot_be_raised_against_arxiv(host):
    urls = {**STAND_IN, "ARXIV_PDF_URL": f"https://{host}/pdf"}

    assert list(problems(**urls, ARXIV_PDF_PER_SECOND="4.1")) == ["ARXIV_PDF_PER_SECOND"]


def test_a_stand_in_may_be_asked_faster():
    known = settings(**STAND_IN, ARXIV_MIN_INTERVAL_SECONDS="0", ARXIV_PDF_PER_SECOND="1000")

    assert known.arxiv_min_interval_seconds == 0


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


def test_being_slower_than_asked_is_always_allowed():
    known = settings(ARXIV_MIN_INTERVAL_SECONDS="10", ARXIV_PDF_PER_SECOND="1")

    assert known.arxiv_min_interval_seconds == 10


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("arxiv.org", True),
        ("export.arxiv.org", True),
        ("oaipmh.arxiv.org", True),
        ("notarxiv.org", False),
        ("arxiv.org.example.org", False),
        ("127.0.0.1", False),
        ("", False),
    ],
)
def test_arxivs_hosts_are_known(host, expected):
    assert is_arxiv(host) is expected


def test_an_empty_variable_counts_as_unset_but_for_the_secret():
    assert settings(PORT="", DATABASE_URL="", ARXIV_CONTACT="").port == 8000


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:hunter2@h/d",
        "postgresql://user@h/d?password=hunter2",
        "postgresql://user:hunter2@h/d?sslmode=require",
        "postgresql+asyncpg://user:hun%40ter2@h/d",
        "postgresql://user:hunter2@with@sign@h/d",
        "postgresql://h/d?sslpassword=hunter2",
    ],
)
def test_the_shown_configuration_hides_secrets(url):
    shown = settings(DATABASE_URL=url, JWT_SECRET=SECRET).masked()

    text = str(shown)
    assert SECRET not in text
    assert "hunter2" not in text
    assert "hun%40ter2" not in text
    assert shown["JWT_SECRET"] == "***"
    assert "h/d" in str(shown["DATABASE_URL"])


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


def test_the_secret_may_be_any_bytes_of_that_length():
    assert settings(JWT_SECRET="ü" * 16).jwt_keys == ("ü" * 16,)


# The development secret


def test_a_configured_key_is_used(tmp_path):
    known = settings(JWT_SECRET=SECRET, DATA_DIR=str(tmp_path))

    assert signing_keys(known) == ((SECRET,), None)
    assert list(tmp_path.iterdir()) == []


def test_a_development_secret_is_random_private_and_kept(tmp_path):
    (first,), path = signing_keys(settings(DATA_DIR=str(tmp_path / "a")))
    (again,), _ = signing_keys(settings(DATA_DIR=str(tmp_path / "a")))
    (other,), _ = signing_keys(settings(DATA_DIR=str(tmp_path / "b")))

    assert first == again
    assert first != other
    assert len(first) >= 48
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_replicas_that_share_a_database_must_be_given_a_key(tmp_path):
    known = settings(DATABASE_URL="postgresql://h/d", DATA_DIR=str(tmp_path))

    with pytest.raises(SettingsError) as caught:
        signing_keys(known)

    assert list(caught.value.problems) == ["JWT_SECRET"]
    assert list(tmp_path.iterdir()) == []


def test_a_secret_file_that_is_too_short_is_refused(tmp_path):
    (tmp_path / "jwt-secret").write_text("short")

    with pytest.raises(SettingsError):
        signing_keys(settings(DATA_DIR=str(tmp_path)))


def test_processes_that_start_at_once_agree_on_the_secret(tmp_path):
    for number in range(30):
        known = settings(DATA_DIR=str(tmp_path / str(number)))
        with ThreadPoolExecutor(8) as pool:
            keys = list(pool.map(lambda _, known=known: signing_keys(known)[0], range(8)))

        assert len(set(keys)) == 1


def test_the_environment_is_read_when_asked_and_not_at_import(monkeypatch):
    monkeypatch.setitem(os.environ, "PORT", "8123")

    assert Settings.from_environ().port == 8123
