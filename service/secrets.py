"""The development secret: made once, kept private, only where nobody else relies on it."""

import os
import secrets
from pathlib import Path

from service.settings import Settings, SettingsError

SECRET_FILE = "jwt-secret"  # noqa: S105 - a file's name
SECRET_BYTES = 48


def signing_key(settings: Settings) -> tuple[str, Path | None]:
    """The key that tokens are verified with, and its file if it is the development secret.

    Without a configured key a random one is made under DATA_DIR (mode 0600), but
    only beside an embedded database: replicas that share a database must be given
    one. Raises SettingsError then.
    """
    if settings.jwt_key is not None:
        return settings.jwt_key, None
    if not settings.is_embedded:
        raise SettingsError({"JWT_SECRET": "is required when DATABASE_URL is set"})
    path = settings.data_dir / SECRET_FILE
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read(path), path
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(SECRET_BYTES))
    return _read(path), path


def _read(path: Path) -> str:
    # Another process may have made the file this very moment and not filled it yet.
    text = path.read_text().strip()
    if len(text) < SECRET_BYTES:
        raise SettingsError({"JWT_SECRET": f"is not set, and {path.name} in DATA_DIR is too short"})
    return text
