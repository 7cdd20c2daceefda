"""Versions of papers, affiliations and datestamps; what an audit found; ids without subject class."""

from collections.abc import Sequence

from service.db.migrate import run_script

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Add columns and tables; older versions of the service do not mind them."""
    run_script("0004_versions.sql")


def downgrade() -> None:
    """Take them away again; ids keep the form in which arXiv shows them."""
    run_script("0004_down.sql")
