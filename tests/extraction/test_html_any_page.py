"""Any nesting of LaTeXML's elements: nothing fails, and no word is lost or doubled."""

import random
import re
from collections import Counter

import pytest

from service.extraction.document import Document
from service.extraction.document_views import with_section
from service.extraction.markdown import to_markdown
from tests.extraction.latexml_page import FILLER, convert, p, page
from tests.text_report.html import markdown_problems

ELEMENTS = [
    ("section", "ltx_section"),
    ("section", "ltx_subsection"),
    ("div", "ltx_para"),
    ("p", "ltx_p"),
    ("span", "ltx_p"),
    ("span", "ltx_text"),
    ("span", "ltx_inline-block"),
    ("ul", "ltx_itemize"),
    ("li", "ltx_item"),
    ("dl", "ltx_description"),
    ("dt", "ltx_item"),
    ("dd", "ltx_item"),
    ("div", "ltx_theorem ltx_theorem_thm"),
    ("div", "ltx_proof"),
    ("h6", "ltx_title ltx_title_theorem"),
    ("h2", "ltx_title ltx_title_section"),
    ("figure", "ltx_figure"),
    ("figcaption", "ltx_caption"),
    ("div", "ltx_listing"),
    ("div", "ltx_listingline"),
    ("span", "ltx_tabular"),
    ("span", "ltx_tr"),
    ("span", "ltx_td"),
    ("span", "ltx_note ltx_role_footnote"),
    ("sup", ""),
    ("cite", "ltx_cite"),
    ("a", "ltx_ref"),
    ("blockquote", "ltx_quote"),
    ("div", "ltx_equationgroup"),
    ("div", "ltx_equation ltx_eqn_div"),
    ("section", "ltx_bibliography"),
    ("li", "ltx_bibitem"),
    ("div", "ltx_abstract"),
    ("div", "ltx_acknowledgements"),
    ("span", "ltx_unknown_2030"),
]


def tree(chosen: random.Random, words: list[str], depth: int) -> str:
    """A random element, with a word of its own before, between and behind its children."""

    def word() -> str:
        words.append(f"w{chosen.choice('bcdfgh')}{len(words):04d}".translate(LETTERS))
        return f" {words[-1]} "

    tag, classes = chosen.choice(ELEMENTS)
    children = chosen.randint(0, 3) if depth else 0
    inner = word() + "".join(tree(chosen, words, depth - 1) + word() for _ in range(children))
    return f'<{tag} class="{classes}">{inner}</{tag}>'


LETTERS = str.maketrans("0123456789", "abcdefghij")


def words_of(made: Document) -> Counter[str]:
    texts = [made.title or "", made.abstract or ""]
    for section in made.sections:
        texts += [section.title, *(paragraph.text for paragraph in section.paragraphs)]
    texts += (caption.text for caption in made.captions)
    texts += (reference.raw for reference in made.references)
    return Counter(re.findall(r"w[a-z]{5}", " ".join(texts)))


@pytest.mark.parametrize("seed", range(150))
def test_no_word_is_lost_or_doubled(seed):
    chosen = random.Random(seed)
    words: list[str] = []
    body = "".join(tree(chosen, words, 5) for _ in range(4))

    made = convert(page(p(FILLER) + body))

    assert isinstance(made, Document), made
    found = words_of(made)
    assert [word for word in words if found[word] != 1] == []
    ids = [section.id for section in made.sections]
    assert len(set(ids)) == len(ids)
    markdown = to_markdown(made)
    assert markdown_problems(markdown) == []
    assert all(word in markdown for word in words)
    for wanted in ids:
        part = with_section(made, wanted)
        assert part is not None
        assert part.sections
