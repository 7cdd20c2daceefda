"""DATA_DIR: created, or refused with an error that names the variable."""

from collections.abc import Iterator
from contextlib import contextmanager

from service.config.settings import SettingsError


@contextmanager
def under_data_dir() -> Iterator[None]:
    """What goes wrong with files in the block is DATA_DIR's fault: SettingsError says so."""
    try:
        yield
    except OSError as err:
        why = (err.strerror or type(err).__name__).lower()
        raise SettingsError({"DATA_DIR": f"cannot be made or written ({why})"}) from None
