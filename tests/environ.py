"""Settings from an environment to order, or what is said to be wrong with it; keys to fill it."""

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from service.config.settings import Settings, SettingsError

SECRET = "a secret of more than thirty-two bytes"
ELSEWHERE = "http://127.0.0.1:9"
STAND_IN = {
    "ARXIV_API_URL": ELSEWHERE,
    "ARXIV_OAI_URL": ELSEWHERE,
    "ARXIV_PDF_URL": ELSEWHERE,
    "ARXIV_HTML_URL": ELSEWHERE,
}


def settings(**environ: str) -> Settings:
    return Settings.from_environ(environ)


def problems(**environ: str) -> dict[str, str]:
    """What is wrong, by variable; no value of more than a few letters is repeated."""
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
