"""Handlers of the items of a list of references, with or without types."""

import re

from lxml.etree import _Element

from service.extraction.document import Reference
from service.extraction.html.builder import Builder, split_item
from service.extraction.html.labels import bare_key
from service.extraction.html.sinks import LineSink
from service.extraction.html.structure import block
from service.extraction.html.walk import Walk
from service.extraction.structure.identifiers import arxiv_id_in, doi_in

_LINKS_HEAD = re.compile(r"\bExternal Links?:\s*")  # LaTeXML's words, not the author's


def item(walk: Walk, element: _Element) -> bool:
    """One item; its links are read, for an id may stand only there."""
    if walk.links is not None:
        return block(walk, element)
    walk.sink.end_block()
    links = walk.links = []

    def keep(sink: LineSink) -> None:
        walk.links = None
        if sink.line or links:
            walk.builder.reference(reference(bare_key(sink.label), sink.line, links))

    walk.line(element, keep, takes_label=True)
    return True


def reference(key: str | None, text: str, links: list[str]) -> Reference:
    """An item with the ids that it names."""
    raw = _LINKS_HEAD.sub("", text).rstrip(" ,;")
    return Reference(key, raw, doi_in(text, links), arxiv_id_in(text, links))


def finished_references(builder: Builder) -> tuple[Reference, ...]:
    """The items found, or those of a list that only looks like one."""
    if builder.references:
        return tuple(builder.references)
    split = (split_item(item) for item in builder.items)
    return tuple(reference(key, raw, []) for key, raw in split)
