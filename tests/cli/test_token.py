"""`token`: signed with what is configured, or with a private key that is given."""

import json

import jwt
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import ec

from service.cli.main import cli
from tests.auth.test_keys import OTHER, SECRET, pem, private_pem

EC = ec.generate_private_key(ec.SECP256R1())
PUBLIC = {"JWT_PUBLIC_KEY": pem(EC), "JWT_ALGORITHM": "ES256"}
PUBLISHED = {"JWT_JWKS_URL": "https://example.org/keys", "JWT_ALGORITHM": "ES256"}


@pytest.fixture
def run(tmp_path):
    """`token --sub tests` with a private key at hand, and these settings."""
    (tmp_path / "key.pem").write_text(private_pem(EC))
    (tmp_path / "text.pem").write_text("no key")

    def run(*arguments: str, **environ: str):
        files = [str(tmp_path / a) if a.endswith(".pem") else a for a in arguments]
        # `None` takes a variable out of the environment
        unset = dict.fromkeys(("JWT_SECRET", "JWT_PUBLIC_KEY", "JWT_JWKS_URL", "JWT_ALGORITHM"))
        env = {**unset, "DATA_DIR": str(tmp_path / "var"), **environ}
        return CliRunner().invoke(cli, ["token", "--sub", "tests", *files], env=env)

    return run


def test_the_first_secret_signs_under_its_name(run):
    done = run("--json", JWT_SECRET=SECRET, JWT_OTHER_SECRETS=OTHER, JWT_KEY_IDS="new old")

    text = json.loads(done.stdout)["token"]
    assert jwt.decode(text, SECRET, algorithms=["HS256"])["sub"] == "tests"
    assert jwt.get_unverified_header(text)["kid"] == "new"


@pytest.mark.parametrize("environ", [PUBLIC, PUBLISHED], ids=["public key", "key set"])
def test_a_private_key_signs_where_public_ones_verify(run, environ):
    done = run("--private-key", "key.pem", "--kid", "new", **environ)

    text = done.stdout.strip()
    assert jwt.decode(text, EC.public_key(), algorithms=["ES256"])["sub"] == "tests"
    assert jwt.get_unverified_header(text)["kid"] == "new"


@pytest.mark.parametrize(
    ("arguments", "environ", "said"),
    [
        ([], PUBLIC, "JWT_PUBLIC_KEY is set"),
        ([], PUBLISHED, "JWT_JWKS_URL is set"),
        (["--private-key", "text.pem"], PUBLIC, "fits JWT_ALGORITHM"),
        (["--private-key", "key.pem"], {"JWT_SECRET": SECRET}, "JWT_ALGORITHM=HS256"),
        (["--private-key", "absent.pem"], PUBLIC, "does not exist"),
        (["--kid", "new"], {"JWT_SECRET": SECRET}, "JWT_KEY_IDS"),
        (["--ttl", "86401"], {"JWT_SECRET": SECRET}, "JWT_MAX_LIFETIME_SECONDS"),
    ],
)
def test_what_cannot_sign_is_told(run, arguments, environ, said):
    done = run(*arguments, **environ)

    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())
    assert SECRET not in done.output
