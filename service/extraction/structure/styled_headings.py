"""Headings by size, weight and numbering, where neither outline nor destinations name them.

The numbers must follow each other: the longest chain 1, 2, 3, … (or I, II, … or A, B, …)
among rows that are set alike is that of the sections, and a number below it must
continue its section's. Unnumbered headings are rows set like those; in a paper
without numbers, like those titles that many papers have (Introduction, Conclusion).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from service.extraction.structure.flow import Flow
from service.extraction.structure.heading import Heading
from service.extraction.structure.heading_candidates import Candidate, candidates
from service.extraction.structure.numbering import Number
from service.extraction.structure.row import Style
from service.extraction.structure.titles import Role, words_of

_MAX_CHAIN = 400  # sections of one paper
_APPENDIX = "letter"

Counters = dict[int, tuple[str, tuple[int, ...]]]  # by level: kind and parts of the last number
Chosen = dict[int, tuple[Candidate, Number | None, int]]  # by row: with number and level


def from_style(flow: Flow) -> list[Heading]:
    """All headings found, the title's page cleared of what stands before the text begins."""
    found = _after_front(candidates(flow))
    sections = _sections(found)
    chosen = _with_subsections(found, sections)
    _add_unnumbered(flow, found, chosen)
    return [_heading(*chosen[index]) for index in sorted(chosen)]


def _after_front(found: Sequence[Candidate]) -> Sequence[Candidate]:
    """Without title and authors: those before the abstract or the first section."""
    for i, candidate in enumerate(found):
        if candidate.row.page > 4:
            break
        is_first = candidate.role is Role.ABSTRACT or candidate.title.lower() == "introduction"
        if is_first or (candidate.is_set_off and _first_number(candidate)):
            return found[i:]
    return [c for c in found if c.row.page > 1 or c.is_known]


def _first_number(candidate: Candidate) -> bool:
    return any(n.parts == (1,) and n.kind != _APPENDIX for n in candidate.numbers)


def _sections(found: Sequence[Candidate]) -> Chosen:
    """The chain of sections that is the most likely one, and that of the appendices behind it."""
    end = next((c.row.index for c in found if c.role is Role.REFERENCES), None)
    groups: dict[tuple[str, Style], list[tuple[Candidate, Number]]] = defaultdict(list)
    for candidate in found:
        for number in candidate.numbers:
            if number.level == 1:
                groups[number.kind, candidate.style].append((candidate, number))
    before = {
        key: [pair for pair in pairs if end is None or pair[0].row.index < end]
        for key, pairs in groups.items()
    }
    chains = {key: _chain(pairs) for key, pairs in before.items()}
    best = max(
        chains, key=lambda key: (_weight(chains[key]), key[1].is_bold, key[1].size), default=None
    )
    if best is None or not _weight(chains[best]):
        return {}
    chain = chains[best]
    if best[0] != _APPENDIX:
        chain = [*chain, *_appendices(groups[_APPENDIX, best[1]], chain[-1][0])]
    return {c.row.index: (c, number, 1) for c, number in chain}


def _appendices(
    letters: Sequence[tuple[Candidate, Number]], last: Candidate
) -> list[tuple[Candidate, Number]]:
    return _chain([pair for pair in letters if pair[0].row.index > last.row.index])


def _chain(pairs: Sequence[tuple[Candidate, Number]]) -> list[tuple[Candidate, Number]]:
    """The longest run of numbers that begins with 1 or 2 and leaves out one at most in a row."""
    pairs = pairs[:_MAX_CHAIN]
    lengths: list[int] = []
    before: list[int | None] = []
    for i, (_, number) in enumerate(pairs):
        value = number.parts[0]
        steps = [j for j in range(i) if lengths[j] and 1 <= value - pairs[j][1].parts[0] <= 2]
        j = max(steps, key=lambda j: (lengths[j], -j), default=None)
        lengths.append(lengths[j] + 1 if j is not None else int(value <= 2))
        before.append(j)
    at = max(range(len(pairs)), key=lambda i: lengths[i], default=None)
    chain = []
    while at is not None and lengths[at]:
        chain.append(pairs[at])
        at = before[at]
    return chain[::-1]


def _weight(chain: Sequence[tuple[Candidate, Number]]) -> int:
    """0 for what is no chain of sections: set as prose, and with no title that one knows."""
    known = sum(c.is_known for c, _ in chain)
    set_off = sum(c.is_set_off for c, _ in chain)
    if not chain or (not known and (not set_off or len(chain) < 2)):
        return 0
    return len(chain) + 2 * set_off + 3 * known


def _with_subsections(found: Sequence[Candidate], sections: Chosen) -> Chosen:
    """Sections and what continues their numbers below them, in styles that do so mostly."""
    fitting: dict[Style, list[tuple[Candidate, Number, int]]] = defaultdict(list)
    seen: Counter[Style] = Counter()
    last: Counters = {}
    for candidate in found:
        if candidate.row.index in sections:
            section = sections[candidate.row.index][1]
            last = {1: (section.kind, section.parts)} if section else {}
        elif candidate.numbers and last:
            seen[candidate.style] += 1
            match = _continuing(candidate, last)
            if match is not None:
                number, level, path = match
                last = {k: v for k, v in last.items() if k < level} | {level: (number.kind, path)}
                fitting[candidate.style].append((candidate, number, level))
    chosen = dict(sections)
    for style, group in fitting.items():
        if len(group) >= 0.6 * seen[style]:
            chosen.update((entry[0].row.index, entry) for entry in group)
    return chosen


def _continuing(candidate: Candidate, last: Counters) -> tuple[Number, int, tuple[int, ...]] | None:
    """Number, level and counters where a number follows those above: `3.2`, or REVTeX's `B.`."""
    for number in candidate.numbers:
        level = number.level
        if level > 1:
            if _is_next(number.parts, last, is_set_off=candidate.is_set_off):
                return number, level, number.parts
        elif number.is_marked and candidate.is_set_off:
            for level in (2, 3):
                if _counts_on(number, last, level):
                    return number, level, (*last[level - 1][1], number.parts[0])
    return None


def _is_next(parts: tuple[int, ...], last: Counters, *, is_set_off: bool) -> bool:
    """Whether `parts` come next, one left out at most, or a parent above those set off."""
    above = parts[:-1]
    before = last.get(len(parts), ("", (*above, 0)))[1]
    if len(parts) - 1 in last and last[len(parts) - 1][1] == above:
        return 1 <= parts[-1] - before[-1] <= 2
    is_within = 1 in last and last[1][1] == parts[:1] and parts > max(p for _, p in last.values())
    return is_set_off and is_within and parts[-1] == 1


def _counts_on(number: Number, last: Counters, level: int) -> bool:
    """Whether a number of one part follows on this level, whose numbers are of their own kind."""
    if level - 1 not in last or any(
        last[k][0] == number.kind for k in range(1, level) if k in last
    ):
        return False
    kind, before = last.get(level, (number.kind, (0,)))
    return kind == number.kind and number.parts[0] == before[-1] + 1


def _add_unnumbered(flow: Flow, found: Sequence[Candidate], chosen: Chosen) -> None:
    """Those set like the numbered ones or like known titles, and what is set off below them."""
    levels = {c.style: level for c, number, level in chosen.values() if number and c.is_set_off}
    rest = [
        c
        for c in found
        if c.row.index not in chosen and c.is_alone and not c.block.text.lstrip()[:1].islower()
    ]
    if len(chosen) < 2:
        styles = Counter(c.style for c in rest if c.is_known and c.is_set_off)
        levels |= {style: 1 for style, _ in styles.most_common(1)}
    first = min((*chosen, *(c.row.index for c in rest if c.style in levels)), default=0)
    for candidate in rest:
        is_alike = candidate.style in levels and not candidate.style.is_italic
        if is_alike and (candidate.is_known or _is_head(flow, candidate)):
            chosen[candidate.row.index] = (candidate, None, levels[candidate.style])
        elif candidate.is_known and _stands_alone(flow, candidate):
            chosen[candidate.row.index] = (candidate, None, 1)
    _add_minor(flow, [c for c in rest if c.row.index > first], levels, chosen)


def _add_minor(
    flow: Flow, rest: Iterable[Candidate], levels: dict[Style, int], chosen: Chosen
) -> None:
    """Unnumbered headings of lower levels: bold or larger, with prose below, several alike."""
    groups: dict[Style, list[Candidate]] = defaultdict(list)
    for candidate in rest:
        style = candidate.style
        if (
            candidate.row.index not in chosen
            and style not in levels
            and (style.is_bold or style.size > flow.size + 0.7)
        ):
            groups[style].append(candidate)
    largest = max((style.size for style in levels), default=100)
    deepest = max(levels.values(), default=0)
    for style, group in sorted(groups.items(), key=lambda item: -item[0].size):
        good = [c for c in group if _heads_prose(flow, c)]
        if style.size <= largest and len(good) >= max(2, 0.7 * len(group)):
            deepest = min(deepest + 1, 4)
            chosen.update((c.row.index, (c, None, deepest)) for c in good)


def _stands_alone(flow: Flow, candidate: Candidate) -> bool:
    end = candidate.block.end
    return end >= len(flow.rows) or flow.is_apart(flow.rows[end]) or candidate.is_set_off


def _is_head(flow: Flow, candidate: Candidate) -> bool:
    return candidate.style.size > flow.size + 0.7 or _heads_prose(flow, candidate)


def _heads_prose(flow: Flow, candidate: Candidate) -> bool:
    """Whether running text begins below it, in line with it or centred under it."""
    if candidate.block.end >= len(flow.rows):
        return False
    row, below = candidate.row, flow.rows[candidate.block.end]
    if below.page != row.page or not flow.is_prose(below) or len(words_of(below.text)) < 3:
        return False
    is_aligned = -3 < below.x0 - row.x0 < 30
    is_centred = abs((row.x0 + row.x1) - (below.x0 + below.x1)) < 24
    return below.gap is not None and below.gap < 3 * flow.leading and (is_aligned or is_centred)


def _heading(candidate: Candidate, number: Number | None, level: int) -> Heading:
    block = candidate.block
    label = number.label if number else None
    title = candidate.title
    if number is None and candidate.numbers:  # "A Proof" that continues no number
        title = block.text.strip()
    role = candidate.role if number is None or candidate.role is Role.REFERENCES else None
    return Heading(
        block.start, block.end, candidate.row.page, level, label, title, role, block.run_in
    )
