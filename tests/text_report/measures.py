"""The measures of the plain text, each against what the PDF itself or two others say."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise

from service.extraction.lexicon import is_common
from tests.text_report.figures import Measure
from tests.text_report.glyphs import Glyph, pages_of
from tests.text_report.samples import Sample

_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_BREAK = re.compile(r"([^\W\d_]+)-\n([^\W\d_]+)(?![^\W\d_]| ?[´`¨ˆ˜¸])")
_LETTERS = re.compile(r"[^\W\d_]{2,}")
_ACCENTS = "´¨ˆ˜¯˘˙˚ˇ˝¸˛"
_PAIR = re.compile(r"([^\W\d_]+)[ \n]+(?=([^\W\d_]+))")
_RANK = re.compile(r"\^\{([^}]*)\}|\^(?=\S)")
_NEAR_ACCENTS = re.compile(rf"\S*[{_ACCENTS}`^~]\S*(?:\s+\S{{1,3}}\b)?|\S+ [{_ACCENTS}]")
_TYPEWRITER = re.compile("tt|mono|NimbusMon|cour|consol", re.IGNORECASE)
_SYMBOLS = {  # by kind of font, what a character or code of it means
    r"CMB?SY|txsys": dict(zip("hi02'>k〈〉′∈≃⊤‖∥", "⟨⟩′∈≃⊤∥⟨⟩′∈≃⊤∥∥", strict=True)),
    r"CMMI": {"`": "ℓ", "ℓ": "ℓ"},
}


def hyphens(sample: Sample) -> tuple[float, float]:
    """Broken words spelt as elsewhere in the paper, where it spells them one way more often."""
    return _spelt_as(sample, _words_elsewhere(sample), Counter())


def hyphens_by_others(papers: Sequence[Sample]) -> Callable[[Sample], tuple[float, float]]:
    """The same for words that only other papers spell: in more of them one way than the other."""
    seen = [(paper, set(_words_elsewhere(paper))) for paper in papers]

    def count(sample: Sample) -> tuple[float, float]:
        others = Counter(word for paper, words in seen if paper is not sample for word in words)
        return _spelt_as(sample, others, _words_elsewhere(sample))

    return count


def _spelt_as(sample: Sample, known: Counter[str], excluded: Counter[str]) -> tuple[float, float]:
    """How many broken words are spelt as `known` has them, but for those that `excluded` has."""
    breaks = Counter(
        (head.lower(), tail.lower()) for head, tail in _BREAK.findall("\n".join(sample.raw_pages))
    )
    heads = " ".join(text for _, _, text in sample.head["furniture"])
    ours = Counter(map(str.lower, _WORD.findall(f"{sample.text} {heads}")))
    ours -= _words_elsewhere(sample)
    right = of = 0
    for (head, tail), count in breaks.items():
        closed, joint = head + tail, f"{head}-{tail}"
        if known[closed] != known[joint] and not (excluded[closed] or excluded[joint]):
            of += count
            right += min(count, ours[closed if known[closed] > known[joint] else joint])
    return right, of


def _words_elsewhere(sample: Sample) -> Counter[str]:
    """The words that the paper does not break."""
    raw = "\n".join(sample.raw_pages)
    return Counter(map(str.lower, _WORD.findall(_BREAK.sub(" ", raw))))


def accents(sample: Sample) -> tuple[float, float]:
    """Accents that stand apart in the PDF and are composed in the text; not those of programs."""
    apart = sum(
        glyph.character in _ACCENTS and not _TYPEWRITER.search(glyph.font)
        for page in pages_of(sample.path)
        for glyph in page
    )
    in_programs = sum(
        glyph.character in _ACCENTS and bool(_TYPEWRITER.search(glyph.font))
        for page in pages_of(sample.path)
        for glyph in page
    )
    left = sum(map(sample.text.count, _ACCENTS)) - in_programs
    furniture = "".join(text for _, _, text in sample.head["furniture"])
    gained = _marks(sample.text + furniture) - _marks("".join(sample.raw_pages))
    return max(0, min(gained, apart - max(0, left))), apart


def _marks(text: str) -> int:
    """How many accents stand on letters: none is counted as composed that got lost."""
    return sum(
        unicodedata.combining(character) > 0 for character in unicodedata.normalize("NFD", text)
    )


def symbols(sample: Sample) -> tuple[float, float]:
    """⟨ ⟩ ′ ∈ ≃ ⊤ ∥ ℓ of fonts that are known by name, and ≠."""
    expected: Counter[str] = Counter()
    for page in pages_of(sample.path):
        for glyph, following in pairwise([*page, page[-1]] if page else []):
            for fonts, meanings in _SYMBOLS.items():
                if re.search(fonts, glyph.font) and glyph.character in meanings:
                    expected[meanings[glyph.character]] += 1
            if re.search("CMB?SY", glyph.font) and glyph.character == "6":
                expected["≠"] += following.character == "="
    primes = {"′": 1, "″": 2, "‴": 3}
    ours = Counter(sample.text + "".join(text for _, _, text in sample.head["furniture"]))
    ours["′"] = sum(ours[prime] * count for prime, count in primes.items())
    ours["∈"] += ours["∉"]
    return sum(min(ours[sign], count) for sign, count in expected.items()), expected.total()


def superscripts(sample: Sample) -> tuple[float, float]:
    """Raised digits behind letters, digits and brackets that have their `^`."""
    squeezed = Counter[str]()
    text = "".join(sample.text.split())
    for page in pages_of(sample.path):
        for base, first, behind in zip(page, page[1:], page[2:], strict=False):
            if first.character.isdigit() and _is_raised(first, base):
                shown = base.character + first.character
                is_single = behind.y < first.y - 0.1 or behind.size > first.size * 1.1
                squeezed[
                    f"{shown[0]}^{shown[1:]}" if is_single else f"{shown[0]}^{{{shown[1:]}"
                ] += 1
    right = sum(min(count, text.count(shown)) for shown, count in squeezed.items())
    return right, squeezed.total()


def _is_raised(glyph: Glyph, base: Glyph) -> bool:
    rise = (glyph.y - base.y) / base.size if base.size else 0.0
    gap = (glyph.x - base.right) / base.size if base.size else 9.0
    is_text = (base.character.isalnum() and base.character.isascii()) or base.character in ")]"
    is_text = is_text and not re.search("sy", glyph.font, re.IGNORECASE)  # primes have codes, too
    return is_text and glyph.size < 0.85 * base.size and 0.2 < rise < 0.6 and -0.05 < gap < 0.2


def furniture(sample: Sample) -> tuple[float, float]:
    """Repeated heads, feet and page numbers, and the stamp, that are still in the text."""
    edges = [_edges(page) for page in sample.raw_pages]
    seen = Counter(shape for page in edges for shape in {_shape(line) for line in page})
    left = of = 0
    for number, (lines, page) in enumerate(zip(edges, sample.pages, strict=True), 1):
        kept = {_plain(line) for line in _edges(page)}
        for line in lines:
            is_stamp = number == 1 and line.startswith("arXiv:") and "[" in line
            if is_stamp or (seen[_shape(line)] > max(2, len(edges) * 0.3) and len(edges) > 2):
                of += 1
                left += _plain(line) in kept
    return left, of


def _edges(page: str) -> list[str]:
    lines = [line for line in page.split("\n") if line.strip()]
    return [*lines[:2], *lines[2:][-2:]]


def _shape(line: str) -> str:
    return re.sub(r"\b\d+\b", "#", line).strip().lower()


def _plain(line: str) -> str:
    return "".join(line.split())


def words(sample: Sample) -> tuple[float, float]:
    """Words that pdfminer.six and pypdf both have on a page, and the text has, too."""
    right = of = 0
    furniture: dict[int, str] = {}
    for number, _, text in sample.head["furniture"]:
        furniture[number] = f"{furniture.get(number, '')} {text}"
    for number, (page, (one, other)) in enumerate(
        zip(sample.pages, sample.others, strict=False), 1
    ):
        agreed = _words(one) & _words(other)
        plain = _RANK.sub(r"\1", page)
        ours = _words(f"{plain} {furniture.get(number, '')}")
        whole = Counter(word for word in agreed.elements() if len(word) > 3)
        of += whole.total()
        right += (whole & ours).total()
    return right, of


def _words(text: str) -> Counter[str]:
    """The words of a text, without those broken at line ends or near accents that stand apart."""
    text = unicodedata.normalize("NFKC", _NEAR_ACCENTS.sub(" ", text))
    text = re.sub(r"\S+[-\u2010\u00ad]\s*\n\s*\S+", " ", text)
    return Counter(map(str.lower, _LETTERS.findall(text)))


def glued(sample: Sample) -> tuple[float, float]:
    """Words of the text that are two words to both others."""
    of = found = 0
    for page, (one, other) in zip(sample.pages, sample.others, strict=False):
        pairs = _pairs(one) & _pairs(other)
        known = {*_LETTERS.findall(one.lower()), *_LETTERS.findall(other.lower())}
        for word in _LETTERS.findall(page.lower()):
            of += 1
            if word not in known and not is_common(word):
                found += any((word[:at], word[at:]) in pairs for at in range(2, len(word) - 1))
    return found, of


def _pairs(text: str) -> set[tuple[str, str]]:
    return set(_PAIR.findall(text.lower()))


def measures(papers: Sequence[Sample]) -> tuple[Measure, ...]:
    """The rows of the table for these papers."""
    by_others = Measure("hyphens right, attested in others only", hyphens_by_others(papers), 95.0)
    return (MEASURES[0], by_others, *MEASURES[1:])


MEASURES = (
    Measure("hyphens right, attested elsewhere", hyphens, 99.5),
    Measure("accents composed", accents, 98.0),
    Measure("symbols of named fonts", symbols, 99.0),
    Measure("superscripts kept", superscripts, 95.0),
    Measure("furniture left in", furniture, 2.0, is_ceiling=True),
    Measure("words two others agree on", words, 99.8),
    Measure("glued words in 10,000", glued, 1.0, is_ceiling=True, scale=10_000, unit=""),
)
