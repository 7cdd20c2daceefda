"""What LaTeXML's class names mean: the role of each element of a page.

Matched by class token, never by tag or substring: versions 0.8.0 to 0.8.8 and the
Rust port use different tags for one thing, and `ltx_authors_1line` is no author.
"""

from enum import Enum, auto

from lxml.etree import _Element


class Role(Enum):
    """What an element is to a reader."""

    DROP = auto()
    ERROR = auto()
    MATH = auto()
    NOTE = auto()
    TITLE = auto()
    SECTION = auto()
    ABSTRACT = auto()
    BIBLIOGRAPHY = auto()
    BIBITEM = auto()
    LABEL = auto()
    THEOREM = auto()
    PROOF = auto()
    LIST = auto()
    ITEM = auto()
    EQUATION = auto()
    EQUATION_ROW = auto()
    FIGURE = auto()
    CAPTION = auto()
    LISTING = auto()
    LISTING_LINE = auto()
    TABULAR = auto()
    ROW = auto()
    CELL = auto()
    RAISED = auto()
    BREAK = auto()
    BLOCK = auto()
    INLINE = auto()


SECTION_CLASSES = (
    "ltx_part",
    "ltx_chapter",
    "ltx_section",
    "ltx_appendix",
    "ltx_subsection",
    "ltx_subsubsection",
    "ltx_paragraph",
    "ltx_subparagraph",
    "ltx_acknowledgements",
    "ltx_index",
    "ltx_glossary",
)

# The first line that names a class of the element decides.
_BY_CLASS: tuple[tuple[Role, tuple[str, ...]], ...] = (
    (
        Role.DROP,
        (
            "ltx_TOC",
            "ltx_toclist",
            "ltx_pagination",
            "ltx_rdf",
            "ltx_page_footer",
            "ltx_page_logo",
            "ltx_page_navbar",
            "ltx_pubnotes",
            "ltx_listing_data",
            "ltx_bib_cited",
            "ltx_note_mark",
            "ltx_note_type",
            "ltx_role_footnotemark",
            "ltx_tag_listingline",
            "ltx_authors",
            "ltx_phantom",
            "ltx_date",
            "ltx_dates",
            "sr-only",
        ),
    ),
    (Role.ERROR, ("ltx_ERROR",)),
    (Role.NOTE, ("ltx_note",)),
    (Role.TITLE, ("ltx_title",)),
    (Role.LABEL, ("ltx_tag", "ltx_bibtag")),
    (Role.BIBLIOGRAPHY, ("ltx_bibliography",)),
    (Role.SECTION, SECTION_CLASSES),
    (Role.ABSTRACT, ("ltx_abstract",)),
    (Role.BIBITEM, ("ltx_bibitem",)),
    (Role.THEOREM, ("ltx_theorem",)),
    (Role.PROOF, ("ltx_proof",)),
    (Role.CAPTION, ("ltx_caption",)),
    (Role.ITEM, ("ltx_item",)),
    (Role.LIST, ("ltx_itemize", "ltx_enumerate", "ltx_description")),
    (Role.TABULAR, ("ltx_tabular",)),
    (Role.ROW, ("ltx_tr",)),
    (Role.LISTING_LINE, ("ltx_listingline",)),
    (Role.BLOCK, ("ltx_p", "ltx_para")),
)

_MAX_KNOWN = 10_000  # a hostile page may have a new class on every element

_FLOAT_CLASSES = frozenset({"ltx_figure", "ltx_table", "ltx_float", "ltx_algorithm"})
_CODE_CLASSES = frozenset({"ltx_lstlisting", "ltx_verbatim"})
_EQUATION_CLASSES = frozenset({"ltx_equation", "ltx_equationgroup", "ltx_eqn_table", "ltx_eqn_row"})

_BY_TAG = {
    **dict.fromkeys(
        ("script", "style", "svg", "nav", "button", "form", "object", "img", "head"), Role.DROP
    ),
    "math": Role.MATH,
    "br": Role.BREAK,
    "pre": Role.LISTING,
    **dict.fromkeys(("sup", "sub"), Role.RAISED),
    **dict.fromkeys(
        ("div", "p", "section", "article", "figure", "blockquote", "ul", "ol", "li", "dl", "dt"),
        Role.BLOCK,
    ),
    **dict.fromkeys(("dd", "table", "tbody", "thead", "tfoot", "tr", "td", "th"), Role.BLOCK),
    **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6", "hr", "header", "footer"), Role.BLOCK),
}

# LaTeXML 0.8.0 as XHTML names these by tag, with the classes of later versions on them.
_ALWAYS_BY_TAG = frozenset({Role.DROP, Role.MATH, Role.BREAK})


class Roles:
    """Remembers the role of each pair of tag and class, of which a page has few."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Role] = {}

    def of(self, element: _Element) -> Role:
        """The role of `element`."""
        key = (element.tag, element.get("class") or "")
        role = self._known.get(key)
        if role is None:
            role = _role(*key)
            if len(self._known) < _MAX_KNOWN and len(key[1]) < 500:
                self._known[key] = role
        return role


def class_tokens(element: _Element) -> frozenset[str]:
    """The class names of `element`."""
    return frozenset((element.get("class") or "").split())


def _role(tag: str, classes: str) -> Role:
    by_tag = _BY_TAG.get(tag, Role.INLINE)
    if by_tag in _ALWAYS_BY_TAG:
        return by_tag
    tokens = frozenset(classes.split())
    if not tokens:
        return by_tag
    for role, names in _BY_CLASS[:2]:
        if not tokens.isdisjoint(names):
            return role
    return _structural(tag, tokens) or _by_class(tokens) or by_tag


def _structural(tag: str, tokens: frozenset[str]) -> Role | None:
    """Roles whose classes stand on several elements, told apart by tag or company."""
    if tokens & _EQUATION_CLASSES:
        return Role.EQUATION_ROW if tag == "tr" else Role.EQUATION
    if tag in ("figure", "div", "span") and tokens & _FLOAT_CLASSES:
        return Role.FIGURE
    if "ltx_listing" in tokens and tag != "code":
        return Role.LISTING
    if tokens & _CODE_CLASSES and tag not in ("code", "span", "a"):
        return Role.LISTING  # within a line it is text like any other
    if "ltx_td" in tokens or "ltx_th" in tokens:
        return Role.CELL
    return None


def _by_class(tokens: frozenset[str]) -> Role | None:
    found = (role for role, names in _BY_CLASS if not tokens.isdisjoint(names))
    return next(found, None)
