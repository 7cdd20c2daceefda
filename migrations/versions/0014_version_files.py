"""Files and texts of older versions; one row of a job for each version that it asked for."""

from collections.abc import Sequence

from service.db.migrate import run_script

revision: str = "0014"
down_revision: str | None = "0013"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Add columns, a table and triggers."""
    run_script("0014_version_files.sql")


def downgrade() -> None:
    """Forget the files of older versions; the comparison of files and rows removes them."""
    run_script("0014_down.sql")
