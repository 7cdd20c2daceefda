"""Settings of keys: exactly one kind, each key good enough, names that fit."""

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from service.auth.keys import Key, lines, pems
from service.config.settings import Settings, SettingsError
from service.devtools.development_secret import signing_keys
from service.process.token_rules import token_rules

SECRET, OTHER, THIRD = (f"the {word} secret of thirty-two bytes" for word in ("1st", "2nd", "3rd"))
URL = "https://login.example.org/keys?policy=ours"


def pem(key) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def private_pem(key) -> str:
    kinds = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, *kinds).decode()


EC, EC2 = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
ED = ed25519.Ed25519PrivateKey.generate()
SMALL = rsa.generate_private_key(public_exponent=65537, key_size=1024)


def rules(**environ: str):
    settings = Settings.from_environ(environ)
    return token_rules(settings, signing_keys(settings)[0])


def wrong(**environ: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ(environ)
    assert not any(value in str(caught.value) for value in environ.values() if len(value) > 8)
    return list(caught.value.problems)


def test_several_secrets_are_accepted_and_the_first_signs():
    known = rules(JWT_SECRET=SECRET, JWT_OTHER_SECRETS=f"{OTHER}\n\n  {THIRD}\n")

    assert known.keys == (Key(SECRET), Key(OTHER), Key(THIRD))


def test_names_are_given_in_order():
    known = rules(JWT_SECRET=SECRET, JWT_OTHER_SECRETS=OTHER, JWT_KEY_IDS="new old")

    assert known.keys == (Key(SECRET, "new"), Key(OTHER, "old"))


def test_several_public_keys_may_follow_one_another():
    both = pem(EC) + "\n" + pem(EC2)

    known = rules(JWT_PUBLIC_KEY=both, JWT_ALGORITHM="ES256", JWT_KEY_IDS="a b")

    assert known.keys == (Key(pem(EC).strip(), "a"), Key(pem(EC2).strip(), "b"))


def test_an_edwards_key_is_taken():
    assert rules(JWT_PUBLIC_KEY=pem(ED), JWT_ALGORITHM="EdDSA").keys


@pytest.mark.parametrize(
    "url", [URL, "http://127.0.0.1:9/k", "http://[::1]/k", "http://localhost/k"]
)
def test_a_key_set_is_the_only_source(url):
    known = rules(JWT_JWKS_URL=url, JWT_ALGORITHM="RS256", DATABASE_URL="postgresql://h/d")

    assert (known.keys, known.jwks_url) == ((), url)


def test_keys_are_not_shown():
    assert SECRET not in repr(Key(SECRET, "new"))
    shown = Settings.from_environ({"JWT_SECRET": SECRET, "JWT_OTHER_SECRETS": OTHER}).masked()
    assert (shown["JWT_SECRET"], shown["JWT_OTHER_SECRETS"]) == ("***", "***")


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({"JWT_SECRET": SECRET, "JWT_JWKS_URL": URL}, "JWT_JWKS_URL"),
        ({"JWT_PUBLIC_KEY": pem(EC), "JWT_JWKS_URL": URL}, "JWT_JWKS_URL"),
        ({"JWT_JWKS_URL": URL}, "JWT_ALGORITHM"),
        ({"JWT_JWKS_URL": URL, "JWT_ALGORITHM": "HS512"}, "JWT_ALGORITHM"),
        ({"JWT_SECRET": SECRET, "JWT_OTHER_SECRETS": f"{OTHER}\nshort"}, "JWT_OTHER_SECRETS"),
        ({"JWT_SECRET": SECRET, "JWT_OTHER_SECRETS": pem(EC)}, "JWT_OTHER_SECRETS"),
        ({"JWT_OTHER_SECRETS": OTHER}, "JWT_OTHER_SECRETS"),
        ({"JWT_SECRET": SECRET, "JWT_KEY_IDS": "new old"}, "JWT_KEY_IDS"),
        (
            {"JWT_SECRET": SECRET, "JWT_OTHER_SECRETS": OTHER, "JWT_KEY_IDS": "same same"},
            "JWT_KEY_IDS",
        ),
        ({"JWT_SECRET": SECRET, "JWT_KEY_IDS": "n" * 256}, "JWT_KEY_IDS"),
        (
            {"JWT_JWKS_URL": URL, "JWT_ALGORITHM": "ES256", "JWT_KEY_IDS": "new"},
            "JWT_KEY_IDS",
        ),
        (
            {"JWT_PUBLIC_KEY": pem(EC) + "and more", "JWT_ALGORITHM": "ES256"},
            "JWT_PUBLIC_KEY",
        ),
        ({"JWT_PUBLIC_KEY": pem(EC) + pem(ED), "JWT_ALGORITHM": "ES256"}, "JWT_PUBLIC_KEY"),
        ({"JWT_PUBLIC_KEY": private_pem(EC), "JWT_ALGORITHM": "ES256"}, "JWT_PUBLIC_KEY"),
        ({"JWT_PUBLIC_KEY": pem(SMALL), "JWT_ALGORITHM": "RS256"}, "JWT_PUBLIC_KEY"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else value,
)
def test_what_does_not_fit_is_named(environ, name):
    assert wrong(**environ) == [name]


def test_what_is_no_key_is_none():
    assert (lines(None), lines(" \n"), pems(None), pems("PEM")) == ((), (), (), ())
