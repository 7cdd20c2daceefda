"""Secrets: configured keys fit their algorithm, one for development is made once, none is shown."""

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from service.config.settings import SettingsError
from service.devtools.development_secret import signing_keys
from tests.environ import EC_PEM, RSA_PEM, SECRET, problems, settings


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
    "url",
    [
        "postgresql://user:hunter2@h/d",
        "postgresql://user@h/d?password=hunter2",
        "postgresql://user:hunter2@h/d?sslmode=require",
        "postgresql+asyncpg://user:hun%40ter2@h/d",
        "postgresql://h/d?sslpassword=hunter2",
        "postgresql://h/d?PassWord=hunter2",
        "postgresql://user:12/hunter2@h/d",
        "postgresql://user:1?hunter2@h/d",
        "postgresql://user:1#hunter2@h/d",
        "postgresql://:hunter2@h/d",
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


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:hunter2@with@sign@h/d",
        "postgresql://user:p@hunter2@h/d",
        "postgresql://a/b:hunter2@h/d",
        "postgresql://h/d?options=user:hunter2@h",
    ],
)
def test_where_a_secret_may_be_anywhere_nothing_is_shown(url):
    assert settings(DATABASE_URL=url, JWT_SECRET=SECRET).masked()["DATABASE_URL"] == "***"


@pytest.mark.parametrize(
    "url", ["postgresql://user@h:5432/d?sslmode=require", "postgresql:///d", "postgresql://h/d"]
)
def test_a_url_without_secrets_is_shown_as_it_is(url):
    assert settings(DATABASE_URL=url, JWT_SECRET=SECRET).masked()["DATABASE_URL"] == url


def test_a_query_to_the_issuer_is_not_shown():
    url = "https://issuer.example/keys"

    shown = [
        settings(JWT_JWKS_URL=address, JWT_ALGORITHM="ES256").masked()["JWT_JWKS_URL"]
        for address in (url, f"{url}?code=hunter2")
    ]

    assert shown == [url, f"{url}?***"]


def test_settings_tell_no_value_by_accident():
    assert SECRET not in repr(settings(JWT_SECRET=SECRET))


def test_the_secret_may_be_any_bytes_of_that_length():
    assert settings(JWT_SECRET="ü" * 16).jwt_keys == ("ü" * 16,)


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
