"""Moments that no caller could be shown are refused: before the year 1, after 9999, infinite.

Those that an operator has written before are moved to the nearest one that can be shown.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

FIRST, LAST, END = (
    "'0001-01-01 00:00:00+00'",
    "'9999-12-31 00:00:00+00'",
    "'10000-01-01 00:00:00+00'",
)
MOMENTS = {
    "jobs": (
        *("created_at", "taken_up_at", "started_at"),
        *("completed_at", "updated_at", "waiting_since"),
    ),
    "papers": ("published_at", "updated_at"),
    "job_errors": ("occurred_at",),
}


def upgrade() -> None:
    """Mend what is there, and add the rules."""
    for table, names in MOMENTS.items():
        for name in names:
            op.execute(
                f"UPDATE {table} SET {name} = least(greatest({name}, {FIRST}), {LAST})"  # noqa: S608
                f" WHERE {name} < {FIRST} OR {name} >= {END}"
            )
        rule = " AND ".join(f"{name} >= {FIRST} AND {name} < {END}" for name in names)
        op.create_check_constraint(op.f(f"{table}_moments_in_range"), table, rule)


def downgrade() -> None:
    """Take them away."""
    for table in MOMENTS:
        op.drop_constraint(op.f(f"{table}_moments_in_range"), table)
