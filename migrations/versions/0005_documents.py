"""True texts and structured documents: pages, furniture, states, and the table of documents."""

from collections.abc import Sequence

from service.db.migrate import run_script

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Add columns and a table; older versions of the service do not mind them."""
    run_script("0005_documents.sql")


def downgrade() -> None:
    """Take them away again."""
    run_script("0005_down.sql")
