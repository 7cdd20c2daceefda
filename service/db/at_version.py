"""A paper at one of its versions: where each column is read from."""

from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Integer, and_, case, literal, or_

from service.db.paper_rows import FILE
from service.db.tables import paper_versions, papers
from service.domain.identifiers import ArxivId

# What a version has of its own, by column of `papers`; the rest is the newest version's.
_OWN = {
    **{name: name for name in (*FILE, "withdrawn", "license")},
    "updated_at": "submitted_at",
}


class AtVersion:
    """The version of `arxiv_id`, or the newest where that names none.

    Select from `source`; a row is of a version that is known where `is_known` holds.
    """

    def __init__(self, arxiv_id: ArxivId) -> None:
        self.arxiv_id = arxiv_id

    @cached_property
    def version(self) -> ColumnElement[int]:
        """Its number."""
        number = self.arxiv_id.version
        return papers.c.version if number is None else literal(number, Integer)

    @cached_property
    def source(self) -> FromClause:
        """`papers`, and its row of `paper_versions` if there is one."""
        is_this = and_(
            paper_versions.c.arxiv_id == papers.c.arxiv_id,
            paper_versions.c.version == self.version,
        )
        return papers.outerjoin(paper_versions, is_this)

    @cached_property
    def is_known(self) -> ColumnElement[bool]:
        """Whether there is such a version."""
        return or_(papers.c.version == self.version, paper_versions.c.version.is_not(None))

    def column(self, name: str) -> ColumnElement[Any]:
        """The column `name` of `papers`, as it is for this version."""
        if name == "version":
            return self.version
        if self.arxiv_id.version is None or name not in _OWN:
            return papers.c[name]
        is_newest = papers.c.version == self.version
        return case((is_newest, papers.c[name]), else_=paper_versions.c[_OWN[name]])
