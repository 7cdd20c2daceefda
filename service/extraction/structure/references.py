"""The list of references of a PDF: one item per printed one, with its DOI and arXiv id."""

import re
from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from service.extraction.document import Reference
from service.extraction.structure.flow import Flow
from service.extraction.structure.heading import Heading
from service.extraction.structure.identifiers import arxiv_ids, dois, ids_of_uri
from service.extraction.structure.navigation import Link, Navigation
from service.extraction.structure.reference_starts import first_labelled, starts_of
from service.extraction.structure.row import Row
from service.extraction.structure.titles import Role

MAX_ITEM_ROWS = 40  # a longer item is the last one, with what follows the list
MAX_LINKS = 20_000  # of one paper
MAX_RAW = 5_000  # characters of an item
_LABEL = re.compile(
    r"\s*(?:\[([^\]\s]{1,24}(?:\s[^\]\s]{1,8})?)\]|\(?(\d{1,4})\)|(\d{1,4})\s?\.(?!\d)|(\d{1,4})(?=\s*[A-Z“\"]))\s*"
)

_OPEN_ID = re.compile(  # what a row ends in when an identifier goes on in the next
    r"(?:10\.\d{4,9}/(?:\S*[./_()-])?|10\.(?:\d{4,9})?|arXiv:(?:\d{4}\.|[a-z.-]+/?)?|abs/)$",
    re.IGNORECASE,
)
_GOES_ON = re.compile(r"(?=\S*\d)[a-z0-9./_()<>;:-]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class References:
    """The items, how their starts were told (`labels`, …), and the rows that they take up."""

    items: tuple[Reference, ...]
    source: str | None
    rows: tuple[range, ...]


def references_of(
    flow: Flow, headings: Sequence[Heading], navigation: Navigation, skipped: Collection[int] = ()
) -> References:
    """The items of all lists of a paper in order; none where nothing looks like one.

    Rows in `skipped` (captions of figures among the references) belong to no item.
    """
    items: list[Reference] = []
    sources, taken = [], []
    links = _by_page(navigation.links)
    for region in _regions(flow, headings):
        rows = [row for row in flow.rows[region.start : region.stop] if row.index not in skipped]
        starts, source = starts_of(flow, rows, navigation.destinations)
        has_labels = source in ("labels", "destinations")
        for start, stop in pairwise([*starts, len(rows)]):
            items.append(_item(_item_rows(rows[start:stop]), links, has_labels=has_labels))
        if starts:
            taken.append(region)
            sources.append(source)
    return References(tuple(items), sources[0] if sources else None, tuple(taken))


def _regions(flow: Flow, headings: Sequence[Heading]) -> list[range]:
    """The rows of the lists: from a heading to the next; without heading, from a first label."""
    ends = sorted(heading.start for heading in headings)
    found = []
    for heading in headings:
        if heading.role is Role.REFERENCES and heading.end > heading.start:
            after = bisect_right(ends, heading.start)
            stop = ends[after] if after < len(ends) else len(flow.rows)
            if stop > heading.end:
                found.append(range(heading.end, stop))
    return found or _unheaded(flow, headings)


def _unheaded(flow: Flow, headings: Sequence[Heading]) -> list[range]:
    """A list that no heading announces, as in REVTeX: at the end, and it begins with `[1]`."""
    start = first_labelled(flow.rows)
    if start is None:
        return []
    stop = min((h.start for h in headings if h.start > start), default=len(flow.rows))
    return [range(start, stop)]


def _item_rows(rows: Sequence[Row]) -> Sequence[Row]:
    """Those of an item; the last one ends where the type changes or much room follows."""
    first = rows[0]
    for at, row in enumerate(rows[1:MAX_ITEM_ROWS], 1):
        is_far = row.gap is not None and row.gap > 3.2 * first.size
        if is_far or abs(row.size - first.size) > 1.6:
            return rows[:at]
    return rows[:MAX_ITEM_ROWS]


def _item(rows: Sequence[Row], links: dict[int, list[Link]], *, has_labels: bool) -> Reference:
    raw = _joined(rows)[:MAX_RAW]
    label = _LABEL.match(raw) if has_labels else None
    key = next((group for group in label.groups() if group), None) if label else None
    doi, arxiv_id = _linked(rows, links)
    searched = _unbroken(rows)
    doi = doi or next(iter(dois(searched)), None)
    arxiv_id = arxiv_id or next(iter(arxiv_ids(searched)), None)
    return Reference(key, raw[label.end() :] if label else raw, doi, arxiv_id)


def _joined(rows: Sequence[Row]) -> str:
    """Rows as one line; a hyphen that still ends a row belongs to a compound."""
    text = ""
    for row in rows:
        glue = "" if not text or (text[-1] == "-" and text[-2:-1].isalnum()) else " "
        text += glue + " ".join(row.text.split())
        if len(text) > MAX_RAW:
            break
    return text.strip()


def _unbroken(rows: Sequence[Row]) -> str:
    """The same for the search of identifiers: those broken at a row's end are whole again."""
    text = ""
    for row in rows:
        more = row.text.strip()
        tail = text.rsplit(None, 1)[-1] if text else ""
        is_broken = _OPEN_ID.search(tail) is not None and _GOES_ON.match(more) is not None
        text += more if not text or is_broken else f" {more}"
        if len(text) > MAX_RAW:
            break
    return text[:MAX_RAW]


def _by_page(links: Sequence[Link]) -> dict[int, list[Link]]:
    """Those that lead to a DOI or an arXiv id."""
    found: dict[int, list[Link]] = {}
    for link in links[:MAX_LINKS]:
        if any(ids_of_uri(link.uri)):
            found.setdefault(link.page, []).append(link)
    return found


def _linked(rows: Sequence[Row], links: dict[int, list[Link]]) -> tuple[str | None, str | None]:
    """The first DOI and the first arXiv id that links within these rows lead to."""
    doi = arxiv_id = None
    for row in rows:
        for link in _within(row, links.get(row.page, ())):
            found = ids_of_uri(link.uri)
            doi, arxiv_id = doi or found[0], arxiv_id or found[1]
    return doi, arxiv_id


def _within(row: Row, links: Sequence[Link]) -> Iterator[Link]:
    for link in links:
        x, y = (link.box[0] + link.box[2]) / 2, (link.box[1] + link.box[3]) / 2
        if row.x0 - 2 < x < row.x1 + 2 and row.main.y0 - 1 < y < row.main.y1 + 1:
            yield link
