"""Structured document: a paper's sections, captions and references as one value.

Made from arXiv's HTML or from the PDF, stored as JSON and rendered as JSON or
Markdown. Nothing here knows how a document is made. Field for field the JSON
of the document routes, in the order of its keys; what depends on the place
where it is kept (id, version, checksum of the file) is an `Origin`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

Source = Literal["html", "pdf"]
ParagraphKind = Literal["p", "list", "table", "code", "theorem", "proof", "footnote", "equation"]
CaptionKind = Literal["figure", "table", "algorithm", "other"]
Quality = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One block of text of a section; `page` counts from 1, None without a PDF."""

    text: str
    page: int | None = None
    kind: ParagraphKind = "p"


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and the text below it, up to the next heading of any level.

    `id` is unique in its document. `level` counts from 1 (a section). `number` is
    bare (`3.2`, `II`, `A`), None if none is printed; `title` comes without it. Text before
    the first heading, if it is neither title nor abstract, stands in a section with an
    empty title.
    """

    id: str
    level: int
    number: str | None
    title: str
    page: int | None = None
    paragraphs: tuple[Paragraph, ...] = ()

    @property
    def characters(self) -> int:
        """Code points of its own text, that of its subsections not included."""
        return sum(len(paragraph.text) for paragraph in self.paragraphs)


@dataclass(frozen=True, slots=True)
class Equation:
    """One row of a display; `number` bare (`12`), `section` the id of the section it is in."""

    id: str
    number: str | None
    tex: str
    section: str | None = None


@dataclass(frozen=True, slots=True)
class Caption:
    """A caption without its label ("Figure 3:"), whose number is bare (`3`)."""

    kind: CaptionKind
    number: str | None
    text: str
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """One printed item of the list of references.

    `key` is its printed label without brackets, dots or colons (`12`, `Kni97`), None if
    items have none. `raw` is its text without that label. `doi` is in lower case,
    `arxiv_id` has no version; None where the item names none.
    """

    key: str | None
    raw: str
    doi: str | None = None
    arxiv_id: str | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """What a document was made of: version `version` of a paper, and the file's SHA-256 in hex."""

    arxiv_id: str
    version: int
    input_sha256: str


@dataclass(frozen=True, slots=True)
class Document:
    """One paper's structure. Sections are flat and in reading order.

    Title, abstract, table of contents and references are no sections. `title` and
    `abstract` are None where the source shows none. `converter` names the maker and its version.
    `quality` holds plain JSON values only.
    """

    source: Source
    converter: str
    title: str | None = None
    abstract: str | None = None
    sections: tuple[Section, ...] = ()
    equations: tuple[Equation, ...] = ()
    captions: tuple[Caption, ...] = ()
    references: tuple[Reference, ...] = ()
    quality: Quality = field(default_factory=dict)

    def to_json(self, origin: Origin) -> dict[str, Any]:
        """The JSON of the document routes, keys in their published order."""
        return {
            "arxiv_id": origin.arxiv_id,
            "version": origin.version,
            "source": self.source,
            "converter": self.converter,
            "input_sha256": origin.input_sha256,
            **self.content(),
        }

    def content(self) -> dict[str, Any]:
        """What does not depend on the origin: quality, title, …, references, as plain JSON."""
        return {
            "quality": dict(self.quality),
            "title": self.title,
            "abstract": self.abstract,
            "sections": [_plain(section) for section in self.sections],
            "equations": [_plain(equation) for equation in self.equations],
            "captions": [_plain(caption) for caption in self.captions],
            "references": [_plain(reference) for reference in self.references],
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """The value that `to_json` rendered; raises KeyError or TypeError for other shapes."""
        return cls(
            source=stored["source"],
            converter=stored["converter"],
            title=stored["title"],
            abstract=stored["abstract"],
            sections=tuple(_section(section) for section in stored["sections"]),
            equations=tuple(Equation(**equation) for equation in stored["equations"]),
            captions=tuple(Caption(**caption) for caption in stored["captions"]),
            references=tuple(Reference(**reference) for reference in stored["references"]),
            quality=stored["quality"],
        )

    def outline(self) -> dict[str, Any]:
        """The sections without their text: lengths (own text only) in its place."""
        return {
            "sections": [
                {
                    "id": section.id,
                    "level": section.level,
                    "number": section.number,
                    "title": section.title,
                    "page": section.page,
                    "characters": section.characters,
                    "paragraphs": len(section.paragraphs),
                }
                for section in self.sections
            ]
        }


def _plain(value: Section | Equation | Caption | Reference) -> dict[str, Any]:
    """A value as JSON; sections hold tuples, which JSON has not."""
    plain = asdict(value)
    if "paragraphs" in plain:
        plain["paragraphs"] = list(plain["paragraphs"])
    return plain


def _section(stored: Mapping[str, Any]) -> Section:
    paragraphs = tuple(Paragraph(**paragraph) for paragraph in stored["paragraphs"])
    return Section(**{**stored, "paragraphs": paragraphs})
