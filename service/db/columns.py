"""Columns and rules that several tables have alike."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Boolean, Column, DateTime, ForeignKey, Integer, Text, Uuid, func


def one_of(column: str, values: type[StrEnum]) -> str:
    """SQL that holds for these values of a text column."""
    return f"{column} IN ({listed(values)})"


def listed(values: type[StrEnum]) -> str:
    """The values as SQL has them, separated by commas."""
    return ", ".join(repr(str(value)) for value in values)


def within_years(*names: str) -> str:
    """SQL that is false for a moment that no ISO 8601 date of four digits can name."""
    return " AND ".join(
        f"{name} >= '0001-01-01 00:00:00+00' AND {name} < '10000-01-01 00:00:00+00'"
        for name in names
    )


def moment(
    name: str, comment: str, *, now: bool = False, required: bool = False
) -> Column[datetime]:
    """A `timestamptz` column; with `now` it is required and set by the database clock."""
    return Column(
        name,
        DateTime(timezone=True),
        nullable=not (now or required),
        server_default=func.now() if now else None,
        comment=comment,
    )


def counter(name: str, comment: str) -> Column[int]:
    """A number that begins at 0."""
    return Column(name, Integer, nullable=False, server_default="0", comment=comment)


def job_key() -> Column[Any]:
    """The job that a row is part of, and goes with; in the primary key."""
    return Column(
        "job_id",
        Uuid,
        ForeignKey("jobs.id", ondelete="CASCADE"),
        primary_key=True,
        comment="The job.",
    )


def paper_key(of: str = "papers") -> Column[str]:
    """The paper that a row is part of, and goes with; in the primary key."""
    return Column(
        "arxiv_id",
        Text,
        ForeignKey(f"{of}.arxiv_id", ondelete="CASCADE"),
        primary_key=True,
        comment="The paper.",
    )


def version_key(comment: str) -> Column[int]:
    """A version of the paper, in the primary key."""
    return Column("version", Integer, primary_key=True, autoincrement=False, comment=comment)


def text_columns(*, text_state: str) -> list[Column[Any]]:
    """What a text consists of, but for whose it is; `text_state` is the comment of that column."""
    return [
        Column("content", Text, nullable=False, comment="Plain text of the PDF, cleaned."),
        Column(
            "truncated", Boolean, nullable=False, comment="True when a limit cut the text short."
        ),
        moment("extracted_at", "When the text was stored.", now=True),
        Column("text_state", Text, comment=text_state),
        Column(
            "pages",
            JSON,
            comment="Where each page stands in content: number, start, end (code points).",
        ),
        Column(
            "furniture",
            JSON,
            comment="Lines left out of content: page, kind (head, foot, page_number, stamp), text.",
        ),
        Column("extractor", Text, comment="What made the text, with its version."),
        Column(
            "quality",
            JSON,
            comment="Figures of the extraction: ms, unknown_characters, pages_without_text.",
        ),
    ]
