"""Where the items of a list of references begin: by destinations, labels or indents."""

import re
from collections import Counter
from collections.abc import Sequence
from statistics import median_low

from service.extraction.structure.flow import Flow
from service.extraction.structure.heading_block import lead_of
from service.extraction.structure.navigation import Destination, Target
from service.extraction.structure.row import Row

MAX_ITEMS = 20_000  # of one list
_LABELS = {
    "bracket": re.compile(r"\s*\[(\d{1,4})\]"),
    "dot": re.compile(r"\s*(\d{1,4})\s?\.(?!\d)"),
    "paren": re.compile(r"\s*\(?(\d{1,4})\)"),
    "bare": re.compile(r"\s*(\d{1,4})(?=\s*[A-Z“\"])"),
}
_NAMED_LABEL = re.compile(r"\s*\[[A-Za-z][^\]\s]{0,15}(?:\s?[^\]\s]{1,8})?\]")
_CITE = re.compile(r"cite\.|(?:bib|ref|b|bibitem)[._-]?\d", re.IGNORECASE)
_MAX_CITED = 5_000  # destinations of citations that are looked at
_MAX_ROWS = 500  # of one page that they may point to
_MAX_TRIES = 30  # places from which a count may begin, from the front and from the back
_MIN_CHAIN = 3
_MIN_SHARE = 0.8
_INDENT = (4.0, 45.0)  # points from the first to the other rows of an item


def starts_of(
    flow: Flow, rows: Sequence[Row], places: Sequence[Destination]
) -> tuple[list[int], str]:
    """Which of `rows` begin an item (by their places in it), and what tells so.

    That is `destinations` (hyperref's `cite.*`, as far as they point into `rows`), `labels`,
    `indent` or `gap`; printed numbers win when they count more items than there are destinations.
    """
    if not rows:
        return [], ""
    labels = _labelled(rows)
    named = _at_destinations(rows, places)
    if labels and len(labels) >= len(named):
        return labels, "labels"
    if len(named) >= _MIN_CHAIN and _look_like_items(rows, named):
        return named, "destinations"
    if labels:
        return labels, "labels"
    rows = rows[: _end(flow, rows)]
    indented = _indented(rows)
    if indented:
        return indented[:MAX_ITEMS], "indent"
    return _by_gap(flow, rows), "gap"


def _end(flow: Flow, rows: Sequence[Row]) -> int:
    """How many rows belong to a list without labels: up to one that is set like a heading."""
    first = rows[0]
    for at, row in enumerate(rows[1:], 1):
        is_set_off = (row.is_bold and not first.is_bold) or row.size > first.size + 1.2
        if (
            is_set_off
            and flow.is_apart(row)
            and len(row.text) < 80
            and lead_of(row) == len(row.text)
        ):
            return at
    return len(rows)


def first_labelled(rows: Sequence[Row]) -> int | None:
    """Where in `rows` the longest run of at least ten labels `[1]`, `[2]`, … begins, or None."""
    found = _chain(rows, _LABELS["bracket"])
    return found[0] if len(found) >= 10 else None


def _labelled(rows: Sequence[Row]) -> list[int]:
    chains = {name: _chain(rows, label) for name, label in _LABELS.items()}
    best = max(chains.values(), key=len)
    if len(best) >= _MIN_CHAIN and best[0] < 8:
        return best
    named = [at for at, row in enumerate(rows) if _NAMED_LABEL.match(row.text)]
    return named if len(named) >= _MIN_CHAIN else []


def _chain(rows: Sequence[Row], label: re.Pattern[str]) -> list[int]:
    """Rows whose labels count up by one, or by two where one was not found, from 1 or so.

    A row that begins with the next number by chance (a year, a page) would end the count: of
    all that continue it the nearest is taken only if the one after it is found as well.
    """
    numbered = [(at, int(m[1])) for at, row in enumerate(rows) if (m := label.match(row.text))]
    best: list[int] = []
    firsts = [at for at, (_, value) in enumerate(numbered) if value <= 2]
    for at in (*firsts[:_MAX_TRIES], *firsts[-_MAX_TRIES:]):
        if len(numbered) - at > len(best):
            best = max(best, _counted(numbered[at:]), key=len)
    return best


def _counted(numbered: Sequence[tuple[int, int]]) -> list[int]:
    found = [numbered[0][0]]
    last = numbered[0][1]
    for index, value in numbered[1:]:
        if 1 <= value - last <= 2:
            found.append(index)
            last = value
            if len(found) >= MAX_ITEMS:
                break
    return found


def _at_destinations(rows: Sequence[Row], places: Sequence[Destination]) -> list[int]:
    """The rows at which destinations of citations point, each once, in order."""
    by_page: dict[int, list[Row]] = {}
    for row in rows:
        on_page = by_page.setdefault(row.page, [])
        if len(on_page) < _MAX_ROWS:
            on_page.append(row)
    place_of = {row.index: at for at, row in enumerate(rows)}
    cited = [p.target for p in places if _CITE.match(p.name) and p.target.page in by_page]
    found = (_row_at(by_page[target.page], target) for target in cited[:_MAX_CITED])
    return sorted({place_of[row.index] for row in found if row is not None})


def _row_at(rows: Sequence[Row], target: Target) -> Row | None:
    """The row next below a target: hyperref raises it by a line or less."""
    if target.y is None:
        return None
    x, y = target.x, target.y
    near = [
        (y - row.baseline, row.index)
        for row in rows
        if 2 < y - row.baseline < 1.9 * row.size and (x is None or -60 < x - row.x0 < 40)
    ]
    index = min(near)[1] if near else None
    return next((row for row in rows if row.index == index), None)


def _look_like_items(rows: Sequence[Row], found: Sequence[int]) -> bool:
    """Whether most begin with a capital or a label, and not in the middle of a sentence."""
    texts = [rows[at].text.lstrip("[( ") for at in found]
    good = sum(
        text[:1].isupper() or text[:1].isdigit() or _begins_with_name(text) for text in texts
    )
    return good >= _MIN_SHARE * len(texts)


def _begins_with_name(text: str) -> bool:
    return (
        re.match(r"(?:d[aeiu]|de[lr]|van|von|le|la|al|el|’t|ter|ten|dos|den)\b|d['’]", text)
        is not None
    )


def _indented(rows: Sequence[Row]) -> list[int]:
    """Rows at the left of two edges where items hang, at the right where they are indented."""
    edges = _edges(rows)
    if not edges:
        return []
    hanging = [at for at, row in enumerate(rows) if _is_at(row, edges, 0)]
    indented = [at for at, row in enumerate(rows) if _is_at(row, edges, 1)]
    if _fit(rows, indented) > _fit(rows, hanging) + 0.2:
        return indented
    return hanging


def _edges(rows: Sequence[Row]) -> list[tuple[float, float]]:
    """Pairs of left edges that many rows have, one pair for each column."""
    counts = Counter(round(row.x0) for row in rows)
    least = max(2, 0.04 * len(rows))
    common = sorted(x for x in counts if counts[x] + counts[x - 1] + counts[x + 1] >= least)
    pairs: list[tuple[float, float]] = []
    for x in common:
        is_new = not pairs or x > pairs[-1][0] + 60
        others = [o for o in common if _INDENT[0] < o - x < _INDENT[1]]
        if is_new and others:
            pairs.append((x, max(others, key=lambda o: counts[o])))
    return pairs


def _is_at(row: Row, edges: Sequence[tuple[float, float]], side: int) -> bool:
    return any(abs(row.x0 - pair[side]) < 2.6 for pair in edges)


def _fit(rows: Sequence[Row], starts: Sequence[int]) -> float:
    """The share of starts behind a row that ends like an item, and begin like one."""
    if not starts:
        return 0
    good = 0
    for at in starts:
        text = rows[at].text.lstrip("“\"'( ")
        ends = at == 0 or rows[at - 1].text.rstrip().endswith((".", ")", "]"))
        good += ends and (text[:1].isupper() or _begins_with_name(text))
    return good / len(starts)


def _by_gap(flow: Flow, rows: Sequence[Row]) -> list[int]:
    """Rows with more room above them than there mostly is, or at a new column behind an end."""
    gaps = [row.gap for row in rows if row.gap and row.gap < 3 * row.size]
    leading = median_low(gaps) if gaps else flow.leading
    low = min((gap for gap in gaps if gap > 0.7 * leading), default=leading)
    found = []
    for i, row in enumerate(rows):
        ends = i == 0 or rows[i - 1].text.rstrip().endswith((".", ")", "]"))
        is_apart = row.gap is None or row.gap > 1.18 * low
        if i == 0 or (ends and is_apart and row.text[:1].isupper()):
            found.append(i)
    return found[:MAX_ITEMS]
