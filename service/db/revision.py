"""Revision of the schema: the one the database has, and the one that this code is written for.

Asked at each start and by each readiness probe, so without Alembic: it takes long to
import, and most starts have nothing to migrate.
"""

import re
from functools import cache
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

_INSTALLED = Path(__file__).parents[1] / "_migrations"  # where a wheel puts them
SCRIPTS = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).parents[2] / "migrations"

_NAMED = re.compile(r"^(revision|down_revision)\b[^=\n]*=\s*[\"'](\w+)[\"']", re.MULTILINE)
_HAS_REVISION = "SELECT to_regclass('alembic_version') IS NOT NULL"
_REVISION = "SELECT version_num FROM alembic_version"


@cache
def head_revision() -> str:
    """The revision that no other stands on; found out once, by reading all migrations.

    Raises RuntimeError where that is not exactly one.
    """
    texts = [path.read_text(encoding="utf-8") for path in (SCRIPTS / "versions").glob("*.py")]
    named: list[dict[str, str]] = [dict(_NAMED.findall(text)) for text in texts]
    heads = {one["revision"] for one in named} - {one.get("down_revision") for one in named}
    if len(heads) != 1:
        raise RuntimeError(f"{len(heads)} of the migrations in {SCRIPTS} are the newest one")
    return heads.pop()


async def current_revision(conn: AsyncConnection) -> str | None:
    """The revision that the database has; None for an empty one."""
    if not (await conn.exec_driver_sql(_HAS_REVISION)).scalar_one():
        return None
    found: list[str] = list((await conn.exec_driver_sql(_REVISION)).scalars())
    return found[0] if len(found) == 1 else None


async def is_current(engine: AsyncEngine) -> bool:
    """True when the database has the revision that this code is written for."""
    async with engine.connect() as conn:
        return await current_revision(conn) == head_revision()
