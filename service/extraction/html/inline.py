"""Handlers of what stands within text: formulas, notes, labels, links, raised text."""

from lxml.etree import _Element

from service.extraction.html.roles import class_tokens
from service.extraction.html.sinks import CodeSink, LineSink, RowSink
from service.extraction.html.tex import tex_of
from service.extraction.html.walk import Walk

_MISSING = frozenset({"ltx_missing_citation", "ltx_missing_label"})
# What LaTeXML shows for a link of a BibTeX entry; the link itself says all.
_LINK_WORDS = frozenset(
    {"link", "document", "mathreview", "math review", "zblmath", "external link"}
)


def inline(walk: Walk, element: _Element) -> bool:
    """Text like that around it; links of references are kept, unresolved ones counted."""
    if element.tag == "a" and walk.links is not None:
        href = element.get("href")
        if href:
            walk.links.append(href)
        return (element.text or "").strip().lower() not in _LINK_WORDS
    if "missing" in (element.get("class") or ""):
        walk.counts.update(class_tokens(element) & _MISSING)
    elif element.tag == "cite":
        walk.counts["citations"] += 1
    return True


def error(walk: Walk, _: _Element) -> bool:
    """The name of a macro that LaTeXML did not know: no text of the paper."""
    walk.counts["undefined_macros"] += 1
    return False


def drop(_: Walk, __: _Element) -> bool:
    """Not text of the paper."""
    return False


def line_break(walk: Walk, _: _Element) -> bool:
    """A forced end of a line."""
    walk.sink.line_break()
    return True


def formula(walk: Walk, element: _Element) -> bool:
    """The TeX of a formula; its element tree, which repeats it in other notations, is left."""
    tex = tex_of(element)
    if tex is None:
        walk.counts["formulas_without_tex"] += 1
    else:
        walk.sink.tex(tex)
    return False


def note(walk: Walk, element: _Element) -> bool:
    """A footnote within a paragraph: lifted out, its mark left in the text."""
    outer = walk.sink

    def keep(sink: LineSink) -> None:
        outer.mark(walk.builder.note(sink.label, sink.line))

    walk.line(element, keep, takes_label=True)
    return True


def raised(walk: Walk, element: _Element) -> bool:
    """Superscripts and subscripts keep their rank: `10^3`, `10^{-3}`, `x_1`."""
    if isinstance(walk.sink, CodeSink | RowSink):
        return True
    outer, mark = walk.sink, "^" if element.tag == "sup" else "_"

    def keep(sink: LineSink) -> None:
        text = sink.line
        if len(text) == 1:
            outer.mark(mark + text)
        elif text:
            outer.mark(text if "$" in text else f"{mark}{{{text}}}")

    walk.line(element, keep)
    return True
