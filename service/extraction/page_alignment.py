"""Page numbers for a document made from HTML: its paragraphs found in the PDF's text by words.

Runs of three words of each paragraph are looked up in the words of the PDF; the place
where most of them agree is the paragraph's, and of several the one nearest behind the
paragraph before (floats and notes stand elsewhere in a PDF, so order only breaks ties).
What has no such runs, above all equations, lies between its neighbours. Cost grows
with the words of either side, not with their product.
"""

import re
import unicodedata
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain

from service.extraction.document import Caption, Document, Section
from service.extraction.inline_math import without_math

_RUN = 3  # words that are looked up together
_HEAD_RUNS = 60  # runs from a paragraph's start that say where it begins
_TAIL_RUNS = 20  # runs from its end that say where it ends
_MAX_PLACES = 12  # a run that stands in more places says nothing
_DRIFT = 48  # words that formulas may add to a paragraph within its first runs
_FAR = 2_000  # words from where a paragraph is expected that take more than one run to believe
_MAX_WORDS = 400_000  # of the PDF; about 800 pages
_MIN_STEADY_WORDS = 6  # shorter paragraphs may be labels within figures
_MAX_HEADING_PLACES = 50  # places of a heading's first word that are looked at
_FLOATING = frozenset({"table", "code", "footnote"})  # may stand before the heading in a PDF
_ACCENT = re.compile("[\u0300-\u036f]")
_WORD = re.compile(r"[^\W_]+")

Words = Sequence[str]


@dataclass(frozen=True, slots=True)
class _Span:
    """Where something stands in the words of the PDF: its first word, and the one behind."""

    start: int
    end: int


class _Pdf:
    """The words of a PDF in order, the page of each, and where the runs asked for stand."""

    def __init__(self, pages: Sequence[tuple[int, str]], wanted: set[int]) -> None:
        self.words: list[str] = []
        self._starts: list[int] = []
        self._numbers: list[int] = []
        for number, text in pages:
            self._starts.append(len(self.words))
            self._numbers.append(number)
            self.words.extend(words_of(text)[: _MAX_WORDS - len(self.words)])
        self.places: Mapping[int, list[int]] = _places(self.words, wanted)
        self.by_word: defaultdict[str, list[int]] = defaultdict(list)
        for place, word in enumerate(self.words):
            self.by_word[word].append(place)

    def page(self, place: int) -> int:
        """The number of the page that holds the word at `place`."""
        return self._numbers[max(0, bisect_right(self._starts, place) - 1)]

    def between(self, before: int, after: int) -> int:
        """The page of what stands between two places: where there is more room for it."""
        first = bisect_right(self._starts, before)
        if self.page(before) == self.page(after) or first >= len(self._starts):
            return self.page(before)
        last = bisect_right(self._starts, after) - 1
        is_on_first = self._starts[first] - before >= after - self._starts[last]
        return self.page(before) if is_on_first else self.page(after)


def with_pages(document: Document, pages: Sequence[tuple[int, str]]) -> tuple[Document, int]:
    """`document` with the page of each section, paragraph and caption, and how many were guessed.

    `pages`: number, from 1, and text of each page of the PDF. A page is where something
    begins. Guessed are the paragraphs that lie between their neighbours, equations included.
    """
    paragraphs = [words_of(p.text) for s in document.sections for p in s.paragraphs]
    captions = [words_of(f"{c.kind} {c.number or ''} {c.text}") for c in document.captions]
    pdf = _Pdf(pages, {run for words in chain(paragraphs, captions) for run in _asked(words)})
    if not pdf.words:
        return document, len(paragraphs)
    spans = _spans(paragraphs, pdf)
    found = _paragraph_pages(spans, pdf)
    sections = _paged_sections(document.sections, spans, found, pdf)
    return (
        replace(document, sections=sections, captions=_paged(document.captions, captions, pdf)),
        sum(span is None for span in spans),
    )


def words_of(text: str) -> list[str]:
    """The words of a text for comparison: in small letters, without accents and formulas."""
    plain = without_math(text)
    if not plain.isascii():
        plain = _ACCENT.sub("", unicodedata.normalize("NFKD", plain))
    return _WORD.findall(plain.casefold())


def _asked(words: Words) -> set[int]:
    """The runs of a paragraph that will be looked up."""
    return {run for _, run in _head(words)} | {run for _, run in _tail(words)}


def _head(words: Words) -> Iterable[tuple[int, int]]:
    return ((i, _run(words, i)) for i in range(min(len(words) - _RUN + 1, _HEAD_RUNS)))


def _tail(words: Words) -> Iterable[tuple[int, int]]:
    last = len(words) - _RUN
    return ((i, _run(words, i)) for i in range(last, max(-1, last - _TAIL_RUNS), -1))


def _run(words: Words, start: int) -> int:
    return hash(tuple(words[start : start + _RUN]))


def _places(words: Words, wanted: set[int]) -> Mapping[int, list[int]]:
    places: defaultdict[int, list[int]] = defaultdict(list)
    for i, run in enumerate(map(hash, zip(words, words[1:], words[2:], strict=False))):
        if run in wanted:
            places[run].append(i)
    return {run: found for run, found in places.items() if len(found) <= _MAX_PLACES}


def _spans(paragraphs: Sequence[Words], pdf: _Pdf) -> list[_Span | None]:
    spans: list[_Span | None] = []
    expected = 0
    for words in paragraphs:
        span = _find(words, expected, pdf)
        spans.append(span)
        expected = span.end if span else expected
    return spans


def _find(words: Words, expected: int | None, pdf: _Pdf) -> _Span | None:
    """Where a paragraph stands, or None: where most of its first runs agree on a start."""
    votes = sorted((place - i, i) for i, run in _head(words) for place in pdf.places.get(run, ()))
    if not votes:
        return None
    support, distance, first, last = _best(votes, expected or 0)
    if support == 1 and expected is not None and distance > _FAR:
        return None
    start = max(0, min(votes[first:last], key=lambda vote: vote[1])[0])
    return _Span(start, _end(words, start, pdf))


def _best(votes: Sequence[tuple[int, int]], expected: int) -> tuple[int, int, int, int]:
    """The votes for starts close to each other that most runs share, nearest to `expected`.

    (runs that agree, distance from `expected`, index of the first vote, index behind the last).
    """
    runs: Counter[int] = Counter()
    best = (0, 0, 0, 0)
    last = 0
    for first, (start, run) in enumerate(votes):
        while last < len(votes) and votes[last][0] < start + _DRIFT:
            runs[votes[last][1]] += 1
            last += 1
        found = (len(runs), abs(start - expected), first, last)
        best = max(best, found, key=lambda one: (one[0], -one[1]))
        runs[run] -= 1
        if not runs[run]:
            del runs[run]
    return best


def _end(words: Words, start: int, pdf: _Pdf) -> int:
    """Where a paragraph that starts at `start` ends: formulas make it longer in the PDF."""
    longest = start + 3 * len(words) + 4 * _DRIFT
    for i, run in _tail(words):
        places = [p for p in pdf.places.get(run, ()) if start + i // 2 <= p <= longest]
        if places:
            return min(places, key=lambda p: abs(p - start - i)) + len(words) - i
    return start + len(words)


def _paragraph_pages(spans: Sequence[_Span | None], pdf: _Pdf) -> list[int]:
    """The page of each paragraph; one that was not found lies between its neighbours."""
    following = _next_starts(spans, len(pdf.words) - 1)
    pages: list[int] = []
    before = 0
    for span, after in zip(spans, following, strict=True):
        if span is not None:
            pages.append(pdf.page(span.start))
            before = span.end
        else:
            pages.append(pdf.between(min(before, after), after))
    return pages


def _next_starts(spans: Sequence[_Span | None], last: int) -> list[int]:
    """For each paragraph the start of the first one, from it on, that was found."""
    starts: list[int] = []
    after = last
    for span in reversed(spans):
        after = span.start if span is not None else after
        starts.append(after)
    return starts[::-1]


def _paged_sections(
    sections: Sequence[Section], spans: Sequence[_Span | None], pages: Sequence[int], pdf: _Pdf
) -> tuple[Section, ...]:
    """The sections from the last to the first: a heading stands before what follows it."""
    own = _by_section(sections, spans)
    floors = _floors(sections, own)
    done: list[Section] = []
    end, limit = len(pages), len(pdf.words)
    for section, theirs, floor in reversed(list(zip(sections, own, floors, strict=True))):
        limit = min(limit, next((span.start for span in _steady(section, theirs)), limit))
        place = _heading(section, floor, limit, pdf)
        numbers = pages[end - len(theirs) : end]
        page = pdf.page(place) if place is not None else next(iter(numbers), _page_of(done))
        limit = limit if place is None else place
        paragraphs = zip(section.paragraphs, numbers, strict=True)
        shown = tuple(replace(paragraph, page=number) for paragraph, number in paragraphs)
        done.append(replace(section, page=page, paragraphs=shown))
        end -= len(theirs)
    return tuple(reversed(done))


def _by_section(
    sections: Sequence[Section], spans: Sequence[_Span | None]
) -> list[Sequence[_Span | None]]:
    ends = list(accumulate(len(section.paragraphs) for section in sections))
    return [spans[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def _floors(sections: Sequence[Section], spans: Sequence[Sequence[_Span | None]]) -> list[int]:
    """For each section where the text before it ends, less what formulas may blur."""
    floors: list[int] = []
    floor = 0
    for section, own in zip(sections, spans, strict=True):
        floors.append(max(0, floor - _DRIFT))
        floor = next((span.end for span in reversed(_steady(section, own))), floor)
    return floors


def _steady(section: Section, spans: Sequence[_Span | None]) -> list[_Span]:
    """The places of what stands in the PDF where it stands in the page: floats do not."""
    pairs = zip(section.paragraphs, spans, strict=True)
    return [
        span
        for paragraph, span in pairs
        if span is not None
        and paragraph.kind not in _FLOATING
        and span.end - span.start >= _MIN_STEADY_WORDS
    ]


def _heading(section: Section, floor: int, limit: int, pdf: _Pdf) -> int | None:
    """The place of a heading from `floor` on: the last before `limit` that reads like it."""
    title = words_of(section.title)
    if not title:
        return None
    numbered = [*words_of(section.number or ""), *title]
    for wanted in (numbered, title):
        places = pdf.by_word.get(wanted[0], [])
        behind = bisect_right(places, limit - len(wanted))
        for place in reversed(places[max(0, behind - _MAX_HEADING_PLACES) : behind]):
            if place < floor:
                break
            if pdf.words[place : place + len(wanted)] == wanted:
                return place
    return None


def _page_of(done: Sequence[Section]) -> int | None:
    return done[-1].page if done else None


def _paged(captions: Sequence[Caption], words: Sequence[Words], pdf: _Pdf) -> tuple[Caption, ...]:
    spans = (_find(words_of_one, None, pdf) for words_of_one in words)
    return tuple(
        replace(caption, page=pdf.page(span.start) if span else None)
        for caption, span in zip(captions, spans, strict=True)
    )
