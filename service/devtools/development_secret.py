"""Development secret: generated once, private to DATA_DIR, only with an embedded database."""

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

from service.config.settings import Settings, SettingsError

SECRET_FILE = "jwt-secret"  # noqa: S105 - a file's name
SECRET_BYTES = 48


def signing_keys(settings: Settings) -> tuple[tuple[str, ...], Path | None]:
    """The keys that tokens are verified with, and the file of the development secret if it is one.

    The first is the one that signs; none where they are published at JWT_JWKS_URL.
    Without a configured key a random one is made under DATA_DIR (mode 0600), but
    only beside an embedded database: replicas that share a database must be given
    one. Raises SettingsError then.
    """
    if settings.jwt_keys or settings.jwt_jwks_url is not None:
        return settings.jwt_keys, None
    if not settings.is_embedded:
        raise SettingsError({"JWT_SECRET": "is required when DATABASE_URL is set"})
    path = settings.data_dir / SECRET_FILE
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        _make(path)
    return (_read(path),), path


def _make(path: Path) -> None:
    """Write a new secret to `path`, whole at once; another process may be quicker."""
    descriptor, name = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(SECRET_BYTES))
        with suppress(FileExistsError):
            os.link(name, path)
    finally:
        Path(name).unlink()


def _read(path: Path) -> str:
    text = path.read_text().strip()
    if len(text) < SECRET_BYTES:
        raise SettingsError({"JWT_SECRET": f"is not set, and {path.name} in DATA_DIR is too short"})
    return text
