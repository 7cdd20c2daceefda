"""Search over title, abstract and text: folded words, their table, and how far old rows have them.

Nothing is rewritten here: the workers do that afterwards, a few rows at a time.
"""

from collections.abc import Sequence

from service.db.migrate import run_script

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Add two tables, functions and a trigger; words of old rows stay as they are till later."""
    run_script("0010_search.sql")


def downgrade() -> None:
    """Take them away; words that were folded stay so until their papers are written."""
    run_script("0010_down.sql")
