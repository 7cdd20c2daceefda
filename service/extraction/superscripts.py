"""Superscripts keep their rank in plain text: `10^3`, `10^{-3}`, a footnote mark `^1`.

A superscript is a span that is smaller than its base, raised above the base's
baseline and close behind it (or before it, as a note's mark is). PDFium often
breaks the line at one; what goes on at the same height is one line again.
"""

import re
from collections.abc import Sequence
from functools import cache
from math import inf

from service.extraction.layout import Span
from service.extraction.pdfium_page import Box, Characters, LineSpans

MAX_SIZE = 0.88  # of the base's: TeX's scripts have 0.5 to 0.83
MIN_RISE, MAX_RISE = 0.12, 1.1  # of the base's size
MAX_RISE_OF_LARGE = 2.7  # the same behind a large bracket or operator
MAX_GAP = 0.5  # of the base's size, between base and script
MAX_SUBSCRIPT_DROP = 0.3  # of the base's size; a denominator stands lower

_SAME_HEIGHT = 0.05  # of the size: baselines that differ less are one
_JOIN_GAP = 0.12  # of the size: less is no blank
_WORD_GAP = 0.6  # of the size: the widest blank between words of one line
_BLANK_GAP = 1.0  # of the size: more is another column
_OVERLAP = 0.4  # of the size: a slanted base reaches under its script
_NO_GAP, _WIDE_GAP = -100.0, 250.0  # points; beyond them no size makes one line of two
_RAISED_BY_FORM = re.compile(r"[\s′″‴‵'’\"”“‘°´`¨ˆ˜¯.,;:_-]*")
_LARGE = re.compile("cmex|lmmathext|lmex|[tp]xb?ex", re.IGNORECASE)


@cache
def _is_large(font_name: str) -> bool:
    """True for TeX's fonts of large brackets and operators."""
    return bool(_LARGE.match(font_name))


def join_lines(page: Characters) -> None:
    """Join the lines that PDFium broke at a raised or lowered script."""
    joined: list[LineSpans] = []
    right = inf  # where the line before ends
    for line in page.lines:
        if not _NO_GAP < line.box[0] - right < _WIDE_GAP:  # as most: another line begins
            joined.append(line)
            right = line.box[2]
            continue
        base = _base_of(joined[-1])  # at whose height the line goes on behind its scripts
        if _goes_on(base, joined[-1], line):
            is_apart = line.box.x0 - joined[-1].box.x1 > _JOIN_GAP * base.size
            between = range(joined[-1].end, line.start)  # the line end
            for at in between:
                page.chars[at] = " " if is_apart and at == between[0] else ""
            joined[-1] = _one_line(joined[-1], line)
        else:
            joined.append(line)
        right = joined[-1].box[2]
    page.lines = joined


def _base_of(line: LineSpans) -> Span:
    """The last span of the line that is no script."""
    base = line.spans[0]
    for span in line.spans:
        if span.size > MAX_SIZE * base.size and not _is_large(span.font.name):
            base = span
    return base


def _goes_on(base: Span, before: LineSpans, line: LineSpans) -> bool:
    """True when `line` is a script behind `before`, or goes on behind one."""
    first, size = line.spans[0], base.size
    gap = line.box.x0 - before.box.x1
    if not -_OVERLAP * size < gap < _BLANK_GAP * size or not (first.is_upright and base.is_upright):
        return False
    if _is_raised(before.spans[-1], first, MAX_RISE) and len(before.spans) == 1:
        return gap < MAX_GAP * size  # a note's mark and its note
    rise = abs(first.baseline - base.baseline)
    if first.size < MAX_SIZE * size:
        return gap < MAX_GAP * size and MIN_RISE * size < rise < MAX_RISE * size
    return rise < _SAME_HEIGHT * size and (
        gap < _WORD_GAP * size or before.spans[-1].size < MAX_SIZE * size
    )


def _one_line(a: LineSpans, b: LineSpans) -> LineSpans:
    box = Box(
        min(a.box.x0, b.box.x0),
        min(a.box.y0, b.box.y0),
        max(a.box.x1, b.box.x1),
        max(a.box.y1, b.box.y1),
    )
    return LineSpans(a.start, b.end, box, [*a.spans, *b.spans])


def mark_superscripts(page: Characters) -> None:
    """Write `^` before superscripts, with braces around several characters."""
    for line in page.lines:
        spans = line.spans
        if len(spans) > 1:
            sizes = [span[2] for span in spans]
            if min(sizes) < MAX_SIZE * max(sizes):
                _mark(page, spans, line.end)


def _mark(page: Characters, spans: Sequence[Span], end: int) -> None:
    """Mark the superscripts among these spans, and those in them."""
    base, at, count = _first_base(spans), 0, len(spans)
    while at < count:
        span = spans[at]
        if span.size >= MAX_SIZE * base.size:  # as most are: no script
            if not _is_large(span.font.name):
                base = span
            at += 1
            continue
        stop = at
        rise = MAX_RISE_OF_LARGE if at and _is_large(spans[at - 1].font.name) else MAX_RISE
        while stop < count and _is_raised(spans[stop], base, rise):
            stop += 1
        if stop == at:
            if _is_base(span, base):
                base = span
            at += 1
            continue
        stops_at = spans[stop].start if stop < count else end
        if not _is_fraction(spans, at, stop, base) and _is_close(page, span, base):
            _mark(page, spans[at:stop], stops_at)
            _write(page, spans[at].start, stops_at)
        at = stop


def _first_base(spans: Sequence[Span]) -> Span:
    """The first span, or the one behind it when the first is its script."""
    first = spans[0]
    following = next((span for span in spans if span.size * MAX_SIZE > first.size), first)
    return following if _is_raised(first, following, MAX_RISE) else first


def _is_raised(span: Span, base: Span, max_rise: float) -> bool:
    rise = span.baseline - base.baseline
    if span.size >= MAX_SIZE * base.size or not span.is_upright:
        return False
    is_raised = MIN_RISE * base.size < rise < max_rise * base.size
    return is_raised and not _is_large(span.font.name)


def _is_base(span: Span, base: Span) -> bool:
    """True when scripts behind `span` are its own: it is no subscript, no large bracket."""
    is_subscript = span.size < MAX_SIZE * base.size and span.baseline < base.baseline
    return not is_subscript and not _is_large(span.font.name)


def _is_fraction(spans: Sequence[Span], at: int, stop: int, base: Span) -> bool:
    """True when what follows stands below: then this is a numerator."""
    if stop == len(spans):
        return False
    below = spans[stop]
    drop = base.baseline - below.baseline
    is_small = below.size < MAX_SIZE * base.size
    return (
        is_small
        and drop > MAX_SUBSCRIPT_DROP * base.size
        and abs(below.x0 - spans[at].x0) < base.size
    )


def _is_close(page: Characters, span: Span, base: Span) -> bool:
    """True unless a wide blank lies before the span."""
    before = span.start - 1
    if before < base.start or not page.text[before].isspace():
        return True
    while before > base.start and page.text[before].isspace():
        before -= 1
    gap = page.boxes(span.start, span.start + 1)[0].x0 - page.boxes(before, before + 1)[0].x1
    return gap < MAX_GAP * base.size


def _write(page: Characters, start: int, end: int) -> None:
    """Mark what stands from `start` to `end`, unless its form says already that it is raised."""
    inked = [at for at in range(start, end) if page.chars[at].strip()]
    text = "".join(page.chars[start:end]).strip()
    if not inked or _RAISED_BY_FORM.fullmatch(text):
        return
    if text == "A" and start and page.chars[start - 1] == "L":  # the logo of LaTeX
        return
    first, last = inked[0], inked[-1]
    is_single = len(text) == 1
    page.chars[first] = ("^" if is_single else "^{") + page.chars[first].lstrip()
    if not is_single:
        page.chars[last] += "}"
