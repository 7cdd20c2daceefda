"""Metadata of papers in SQL, in bulk: what a source tells is written, the rest stays.

A version never goes back, and a record that arXiv listed earlier than the one held
changes nothing. With a newer version the file of the older one is forgotten. Rows
are taken in the order of their ids, so that two batches hardly wait for each other.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    and_,
    any_,
    case,
    false,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.base import ReadOnlyColumnCollection
from sqlalchemy.types import Text

from service.db.conditions import is_any_of
from service.db.paper_rows import (
    COLUMNS,
    DIGEST,
    METADATA,
    NO_FILE,
    by_told,
    given,
    paper_row,
    told_columns,
    version_rows,
)
from service.db.tables import paper_versions, papers
from service.domain.papers import Paper

Columns = ReadOnlyColumnCollection[str, Any]


@dataclass(slots=True)
class Merged:
    """What a batch of records changed, by arXiv id; the rest of it is held as it is told.

    `met` were stored by the same job before.
    """

    created: set[str] = field(default_factory=set)
    updated: set[str] = field(default_factory=set)
    met: set[str] = field(default_factory=set)


class MetadataStore:
    """Writes `papers` and `paper_versions`, on a connection whose transaction is the caller's."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def upsert(
        self, batch: Sequence[Paper], *, overwrite: bool, job_id: UUID | None = None
    ) -> dict[str, bool]:
        """Write papers that are new or of a newer version; of the same one if `overwrite`.

        Returns arXiv id → True for created, False for updated; ids left as they
        were are absent.
        """
        written: dict[str, bool] = {}
        for told, group in by_told(batch).items():
            rows = [paper_row(paper) for paper in group]
            new = insert(papers).excluded
            newer = new["version"] > papers.c.version
            same = new["version"] == papers.c.version
            where = or_(newer, same) if overwrite else newer
            written |= await self._insert(rows, told, where=where, job_id=job_id)
            await self._save_versions([one for one in group if one.arxiv_id.paper in written], told)
        return written

    async def merge(self, batch: Sequence[Paper], *, job_id: UUID | None = None) -> Merged:
        """Write papers that are new, or differ in anything that their source tells.

        The ids in `batch` are distinct. Nothing is written, or locked, of the others.
        """
        merged = Merged()
        for told, group in by_told(batch).items():
            held = await self._compare(group, told, job_id)
            merged.met |= {one for one, row in held.items() if row.is_met}
            changed = {one for one, row in held.items() if row.is_current and row.differs}
            told_more = await self._other_versions(
                [one for one in group if _same(held.get(one.arxiv_id.paper))], told
            )
            wanted = [
                one
                for one in group
                if (name := one.arxiv_id.paper) not in held or name in changed | told_more
            ]
            if not wanted:
                continue
            rows = [paper_row(paper) for paper in wanted]
            new = insert(papers).excluded
            is_other = or_(_differs(new, told), papers.c.arxiv_id == _any(told_more))
            where = and_(_is_current(new, told), is_other)
            written = await self._insert(rows, told, where=where, job_id=job_id)
            merged.created |= {one for one, is_new in written.items() if is_new}
            merged.updated |= {one for one, is_new in written.items() if not is_new}
            await self._save_history(wanted, told, written)
        return merged

    async def save_versions(self, batch: Sequence[Paper]) -> None:
        """Write the versions that these records tell of, of papers that are held.

        For records of older versions, which change nothing else.
        """
        ids = [paper.arxiv_id.paper for paper in batch]
        has_digest = and_(is_any_of(papers.c.arxiv_id, ids), papers.c[DIGEST].is_not(None))
        await self._conn.execute(update(papers).where(has_digest).values({DIGEST: None}))
        for told, group in by_told(batch).items():
            await self._save_versions(group, told)

    async def _compare(
        self, group: Sequence[Paper], told: frozenset[str], job_id: UUID | None
    ) -> dict[str, Any]:
        """Id → is_current, differs, is_met of those of `group` that are held."""
        ids = [paper.arxiv_id.paper for paper in group]
        found = await self._conn.execute(
            select(papers.c.arxiv_id).where(is_any_of(papers.c.arxiv_id, ids))
        )
        held = set(found.scalars())
        rows = [paper_row(paper) for paper in group if paper.arxiv_id.paper in held]
        if not rows:
            return {}
        new = given(papers, rows)
        is_met = literal(False) if job_id is None else papers.c.job_id.is_not_distinct_from(job_id)
        statement = select(
            papers.c.arxiv_id,
            _is_current(new.c, told).label("is_current"),
            _differs(new.c, told).label("differs"),
            is_met.label("is_met"),
        ).join_from(new, papers, papers.c.arxiv_id == new.c.arxiv_id)
        return {row.arxiv_id: row for row in await self._conn.execute(statement)}

    async def _other_versions(self, group: Sequence[Paper], told: frozenset[str]) -> set[str]:
        """Those of `group` whose history says more, or something else, than what is held."""
        if "versions" not in told or not group:
            return set()
        new = given(paper_versions, [row for paper in group for row in version_rows(paper)])
        is_this = and_(
            paper_versions.c.arxiv_id == new.c.arxiv_id, paper_versions.c.version == new.c.version
        )
        statement = (
            select(new.c.arxiv_id)
            .distinct()
            .select_from(new.outerjoin(paper_versions, is_this))
            .where(or_(paper_versions.c.arxiv_id.is_(None), _version_differs(new.c, told)))
        )
        return set((await self._conn.execute(statement)).scalars())

    async def _insert(
        self,
        rows: Sequence[Mapping[str, Any]],
        told: frozenset[str],
        *,
        where: ColumnElement[bool],
        job_id: UUID | None,
    ) -> dict[str, bool]:
        """Insert rows, and write those over that are held where `where` holds."""
        new = given(papers, rows)
        source = select(*(new.c[name] for name in COLUMNS), literal(job_id).label("job_id"))
        statement = insert(papers).from_select(
            [*COLUMNS, "job_id"], source.order_by(new.c.arxiv_id), include_defaults=False
        )
        changes = {**_changes(statement.excluded, told), "job_id": statement.excluded.job_id}
        written = await self._conn.execute(
            statement.on_conflict_do_update(
                index_elements=[papers.c.arxiv_id],
                set_={**changes, "stored_at": func.now()},
                where=where,
            ).returning(papers.c.arxiv_id, literal_column("xmax = 0").label("created"))
        )
        return {row.arxiv_id: row.created for row in written}

    async def _save_history(
        self, group: Sequence[Paper], told: frozenset[str], written: Mapping[str, bool]
    ) -> None:
        """The versions of what was written; for a source that tells none, the licence."""
        if "version" in told:
            kept = [one for one in group if one.arxiv_id.paper in written]
            await self._save_versions(kept, told)
            return
        await self._save_versions([one for one in group if written.get(one.arxiv_id.paper)], told)
        updated = [one for one, is_new in written.items() if not is_new]
        if updated and "license" in told:
            newest = and_(
                paper_versions.c.arxiv_id == papers.c.arxiv_id,
                paper_versions.c.version == papers.c.version,
                is_any_of(papers.c.arxiv_id, updated),
            )
            license_ = {"license": papers.c.license, "license_told": papers.c.license_told}
            await self._conn.execute(update(paper_versions).where(newest).values(license_))

    async def _save_versions(self, group: Sequence[Paper], told: frozenset[str]) -> None:
        rows = [row for paper in group for row in version_rows(paper)]
        if not rows:
            return
        new = given(paper_versions, rows)
        statement = insert(paper_versions).from_select(
            list(rows[0]),
            select(*(new.c[name] for name in rows[0])).order_by(new.c.arxiv_id, new.c.version),
            include_defaults=False,
        )
        await self._conn.execute(
            statement.on_conflict_do_update(
                index_elements=[paper_versions.c.arxiv_id, paper_versions.c.version],
                set_=_version_changes(statement.excluded, told),
                where=_version_differs(statement.excluded, told),
            )
        )


def _same(row: Any) -> bool:  # noqa: ANN401 - a row of `_compare`, or None
    return row is not None and row.is_current and not row.differs


def _any(ids: Collection[str]) -> ColumnElement[Any]:
    return any_(literal(sorted(ids), ARRAY(Text)))


def _is_current(new: Columns, told: frozenset[str]) -> ColumnElement[bool]:
    """Whether the record is at least as new as what is held."""
    conditions: list[ColumnElement[bool]] = [true()]
    if "datestamp" in told:
        is_first = papers.c.datestamp.is_(None)
        conditions.append(or_(is_first, new["datestamp"] >= papers.c.datestamp))
    if "version" in told:
        conditions.append(new["version"] >= papers.c.version)
    return and_(*conditions)


def _differs(new: Columns, told: frozenset[str]) -> ColumnElement[bool]:
    columns = sorted(told_columns(told))
    return or_(false(), *(papers.c[name].is_distinct_from(new[name]) for name in columns))


def _changes(new: Columns, told: frozenset[str]) -> dict[str, Any]:
    """The values by which a held row is written over."""
    changes = {name: new[name] for name in METADATA if name in told_columns(told)}
    changes[DIGEST] = new[DIGEST]
    if "version" in told:
        same = new["version"] == papers.c.version
        changes |= {n: case((same, papers.c[n]), else_=value) for n, value in NO_FILE.items()}
        if "withdrawn" not in told:  # said of the version before
            changes["withdrawn"] = case((same, papers.c.withdrawn), else_=new["withdrawn"])
    if "authors" in told and "affiliations" not in told:
        are_as_many = func.cardinality(new["authors"]) == func.cardinality(papers.c.authors)
        changes["affiliations"] = case(
            (are_as_many, papers.c.affiliations), else_=new["affiliations"]
        )
    return changes


def _version_differs(new: Columns, told: frozenset[str]) -> ColumnElement[bool]:
    held = paper_versions.c
    changes = _version_changes(new, told)
    return or_(*(held[name].is_distinct_from(value) for name, value in changes.items()))


def _version_changes(new: Columns, told: frozenset[str]) -> dict[str, Any]:
    """The values by which a held version is written over."""
    held = paper_versions.c
    has_license = new["license_told"]
    changes: dict[str, Any] = {
        "submitted_at": new["submitted_at"],
        "withdrawn": or_(held.withdrawn, new["withdrawn"]),
        "license": case((has_license, new["license"]), else_=held.license),
        "license_told": or_(held.license_told, has_license),
    }
    if "source_types" in told:
        changes |= {name: new[name] for name in ("size_kb", "source_type", "withdrawn")}
    return changes
