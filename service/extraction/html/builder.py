"""Collects what the walk over a page finds: sections, equations, captions, references, notes."""

import re
from dataclasses import dataclass, field

from service.extraction.document import (
    Caption,
    CaptionKind,
    Equation,
    Paragraph,
    ParagraphKind,
    Reference,
    Section,
)
from service.extraction.html.characters import one_line
from service.extraction.html.labels import bare_number
from service.extraction.html.limits import MAX_PARAGRAPHS, MAX_REFERENCES, Unreadable

_NOTE_LABEL = re.compile(r"^[A-Za-z0-9]{1,8}$")
_ABSTRACT_TITLES = frozenset({"abstract", "summary"})
_REFERENCE_TITLES = frozenset(
    {"references", "bibliography", "literature cited", "references cited", "references and notes"}
)
_ITEM_KINDS = frozenset({"p", "list"})
_MAX_ITEMS = 2_000  # of a list in one paragraph
_ITEM_MARK = re.compile(r"^(?:- )?(?:\[(?P<key>[^\]]{1,40})\]|(?P<number>\d{1,4})[.)])\s*")


@dataclass(slots=True)
class Draft:
    """A section that is still being read. `rank`: the class that made it, "" for a lead."""

    id: str
    rank: str
    number: str | None = None
    title: str = ""
    paragraphs: list[Paragraph] = field(default_factory=list)

    @property
    def is_untitled(self) -> bool:
        """Whether this is a section whose heading has not been read."""
        return bool(self.rank) and not self.title


class Builder:
    """The document so far. `current` is where paragraphs go."""

    def __init__(self) -> None:
        self.title: str | None = None
        self.lead = Draft("front", "")
        self.abstract = Draft("abstract", "")
        self.bibliography = Draft("bibliography", "")
        self.sections: list[Draft] = []
        self.equations: list[Equation] = []
        self.captions: list[Caption] = []
        self.references: list[Reference] = []
        self.items: list[str] = []  # of a list of references that no class marks
        self.current = self.lead
        self._ids = {self.lead.id}
        self._pending_notes: list[Paragraph] = []
        self._note_labels: set[str] = set()
        self._paragraphs = 0

    def begin_section(self, wanted_id: str, rank: str) -> Draft:
        """A new section, at this place of the reading order."""
        section = Draft(self._unique(wanted_id), rank)
        self.sections.append(section)
        return section

    def paragraph(self, text: str, kind: ParagraphKind) -> None:
        """Add a paragraph, and behind it the notes that it called."""
        self._count_paragraph()
        self._place().paragraphs.append(Paragraph(text, kind=kind))
        self.end_notes()

    def end_notes(self) -> None:
        """Add the notes whose marks stand in a title, a caption or a table."""
        if self._pending_notes:
            self._place().paragraphs.extend(self._pending_notes)
            self._pending_notes.clear()

    def note(self, printed: str | None, text: str) -> str:
        """Keep a footnote for behind its paragraph; the mark to leave, "" for an empty note."""
        if not text:
            return ""
        label = (printed or "").strip(" .:()[]")
        if not _NOTE_LABEL.match(label) or label in self._note_labels:
            label = f"n{len(self._note_labels) + 1}"
        self._count_paragraph()
        self._note_labels.add(label)
        self._pending_notes.append(Paragraph(f"[^{label}]: {text}", kind="footnote"))
        return f"[^{label}]"

    def equation(self, tex: str, number: str | None, wanted_id: str | None) -> Equation:
        """Add a row of a display, in the section that is being read."""
        place = self._place()
        section = None if place is self.abstract or place is self.bibliography else place.id
        shown = bare_number(number)
        equation = Equation(self._unique(wanted_id or "equation"), shown, tex, section)
        self.equations.append(equation)
        return equation

    def caption(self, kind: CaptionKind, label: str | None, text: str) -> None:
        """Add a caption, unless it is empty and without a number."""
        number = bare_number(label)
        if text or number:
            self.captions.append(Caption(kind, number, text))

    def reference(self, reference: Reference) -> None:
        """Add an item of the list of references; raises Unreadable for too many."""
        if len(self.references) >= MAX_REFERENCES:
            raise Unreadable("html_too_large")
        self.references.append(reference)

    def _count_paragraph(self) -> None:
        self._paragraphs += 1
        if self._paragraphs > MAX_PARAGRAPHS:
            raise Unreadable("html_too_large")

    def _place(self) -> Draft:
        """Where text goes now: behind the sections, outside of all, in one without a title."""
        if self.current is not self.lead or not self.sections:
            return self.current
        if self.sections[-1].rank:
            self.begin_section("back", "")
        return self.sections[-1]

    def _unique(self, wanted: str) -> str:
        name = wanted = one_line(wanted)[:200] or "unnamed"
        count = 2
        while name in self._ids:  # an id that a page uses twice: S1, S1.2, S1.3
            name = f"{wanted}.{count}"
            count = count + 1 if count < 50 else len(self._ids) + count
        self._ids.add(name)
        return name


def finished_sections(builder: Builder) -> tuple[Section, ...]:
    """The sections, with levels; a hand-made abstract or list of references is none of them."""
    _take_abstract(builder)
    _take_references(builder)
    notes = [p for p in builder.abstract.paragraphs if p.kind == "footnote"]
    builder.lead.paragraphs.extend(notes)
    drafts = [d for d in (builder.lead, *builder.sections) if d.paragraphs or d.title]
    levels = _levels({draft.rank for draft in drafts})
    return tuple(
        Section(d.id, levels.get(d.rank, 1), d.number, d.title, None, tuple(d.paragraphs))
        for d in drafts
    )


def abstract_text(builder: Builder) -> str | None:
    """The abstract, paragraphs parted by a blank line."""
    texts = [p.text for p in builder.abstract.paragraphs if p.kind != "footnote"]
    return "\n\n".join(texts) or None


def _levels(ranks: set[str]) -> dict[str, int]:
    """Level by class: a section is 1, below chapters or parts 2 or 3."""
    above = [rank for rank in ("ltx_part", "ltx_chapter") if rank in ranks]
    levels: dict[str, int] = {rank: i + 1 for i, rank in enumerate(above)}
    section = len(above) + 1
    below = ("ltx_section", "ltx_subsection", "ltx_subsubsection")
    levels |= {rank: section + i for i, rank in enumerate(below)}
    levels |= {"ltx_paragraph": section + 3, "ltx_subparagraph": section + 4}
    top = levels.get("ltx_chapter", section)
    return levels | dict.fromkeys(
        ("ltx_appendix", "ltx_acknowledgements", "ltx_index", "ltx_glossary"), top
    )


def _take_abstract(builder: Builder) -> None:
    """Where no class says it, a first section called Abstract is the abstract."""
    if builder.abstract.paragraphs:
        return
    for section in builder.sections[:3]:
        if section.title.strip(" .:").lower() in _ABSTRACT_TITLES and section.paragraphs:
            builder.abstract.paragraphs.extend(section.paragraphs)
            builder.sections.remove(section)
            _move_equations(builder, section.id)
            return


def _take_references(builder: Builder) -> None:
    """Where no class says it, a section called References is the list of references.

    What stands beside the items, a note or a remark, becomes a section without a title.
    """
    beside = builder.bibliography.paragraphs
    if not builder.references:
        found = next((s for s in reversed(builder.sections) if _is_reference_list(s)), None)
        if found is not None:
            builder.sections.remove(found)
            _move_equations(builder, found.id)
            beside = [*beside, *found.paragraphs]
        texts = (p.text for p in beside if p.kind in _ITEM_KINDS)
        builder.items = [
            item for text in texts for item in _items(text) if _ITEM_MARK.sub("", item)
        ]
        beside = [p for p in beside if p.kind not in _ITEM_KINDS]
    if beside:
        builder.begin_section("bibliography", "").paragraphs.extend(beside)


def _is_reference_list(section: Draft) -> bool:
    return section.title.strip(" .:").lower() in _REFERENCE_TITLES and bool(section.paragraphs)


def _items(text: str) -> list[str]:
    """The items of a paragraph of a hand-made list: parted at `1.`, `2.`, … or `[1]`, `[2]`, …."""
    first = _ITEM_MARK.match(text)
    if first is None:
        return [text]
    start, number = 0, int(first.group("number") or _digits(first.group("key")) or 0)
    starts = [start]
    while number and len(starts) < _MAX_ITEMS:
        number += 1
        following = re.compile(_next_mark(first, number)).search(text, start + 1)
        if following is None:
            break
        start = following.start()
        starts.append(start)
    return [text[i:j].strip() for i, j in zip(starts, [*starts[1:], len(text)], strict=True)]


def _next_mark(first: re.Match[str], number: int) -> str:
    if first.group("number"):
        return rf"(?<=[\s.,;]){number}[.)](?=\s?[^\W\d])"
    return rf"\[{number}\]"


def _digits(key: str | None) -> str | None:
    return key if key and key.isascii() and key.isdigit() else None


def split_item(text: str) -> tuple[str | None, str]:
    """The key and the rest of an item of a hand-made list."""
    mark = _ITEM_MARK.match(text)
    if mark is None:
        return None, text.removeprefix("- ")
    return mark.group("key") or mark.group("number"), text[mark.end() :]


def _move_equations(builder: Builder, section: str) -> None:
    """Equations of a section that is none any more belong to no section."""
    builder.equations = [
        Equation(e.id, e.number, e.tex, None) if e.section == section else e
        for e in builder.equations
    ]
