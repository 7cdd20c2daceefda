"""True texts and structured documents: pages, furniture, states, and the table of documents."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

STATES = "text_state IN ('full', 'cut', 'empty', 'encrypted')"

PAPERS: "sa.Column[Any]" = sa.Column(
    "text_state",
    sa.Text(),
    comment="full, cut, empty or encrypted: the text of this version's PDF; null: none made yet.",
)
TEXTS: "list[sa.Column[Any]]" = [
    sa.Column(
        "text_state",
        sa.Text(),
        comment="full, cut or empty; null: stored before states were told apart.",
    ),
    sa.Column(
        "pages",
        sa.JSON(),
        comment="Where each page stands in content: number, start, end (code points).",
    ),
    sa.Column(
        "furniture",
        sa.JSON(),
        comment="Lines left out of content: page, kind (head, foot, page_number, stamp), text.",
    ),
    sa.Column("extractor", sa.Text(), comment="What made the text, with its version."),
    sa.Column(
        "quality",
        sa.JSON(),
        comment="Figures of the extraction: ms, unknown_characters, pages_without_text.",
    ),
]


def upgrade() -> None:
    """Add columns and a table; older versions of the service do not mind them."""
    op.add_column("papers", PAPERS)
    op.create_check_constraint(op.f("papers_text_state_known"), "papers", STATES)
    for column in TEXTS:
        op.add_column("paper_texts", column)
    op.create_check_constraint(op.f("paper_texts_text_state_known"), "paper_texts", STATES)
    _create_documents()


def _create_documents() -> None:
    op.create_table(
        "documents",
        sa.Column("arxiv_id", sa.Text(), nullable=False, comment="The paper."),
        sa.Column("version", sa.Integer(), nullable=False, comment="Version it was made of."),
        sa.Column("source", sa.Text(), nullable=False, comment="html or pdf: what it was made of."),
        sa.Column(
            "converter", sa.Text(), nullable=False, comment="What made it, with its version."
        ),
        sa.Column(
            "input_sha256",
            sa.Text(),
            nullable=False,
            comment="SHA-256 of the file that source names, hexadecimal.",
        ),
        sa.Column("quality", sa.JSON(), nullable=False, comment="Figures of the conversion."),
        sa.Column(
            "content",
            sa.JSON(),
            nullable=False,
            comment="Title, abstract, sections, equations, captions, references.",
        ),
        sa.Column(
            "made_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it was stored.",
        ),
        sa.CheckConstraint("source IN ('html', 'pdf')", name=op.f("documents_source_known")),
        sa.CheckConstraint(
            "input_sha256 ~ '^[0-9a-f]{64}$'", name=op.f("documents_input_sha256_hexadecimal")
        ),
        sa.ForeignKeyConstraint(
            ["arxiv_id"],
            ["papers.arxiv_id"],
            name=op.f("documents_arxiv_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("arxiv_id", "version", name=op.f("documents_pkey")),
        comment="Structured documents of papers: sections, captions, references.",
    )


def downgrade() -> None:
    """Take them away again."""
    op.drop_table("documents")
    for column in TEXTS:
        op.drop_column("paper_texts", column.name)
    op.drop_column("papers", "text_state")
