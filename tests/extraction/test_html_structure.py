"""Headings, sections, front matter, notes, theorems and lists of LaTeXML's pages."""
# ruff: noqa: E501 (markup reads better unbroken)

import pytest

from tests.extraction.latexml_page import document, in_section, math, note, p, section


def heading(kind: str, number: str, title: str, tag: str = "h2") -> str:
    shown = f'<span class="ltx_tag ltx_tag_{kind}">{number} </span>' if number else ""
    return f'<{tag} class="ltx_title ltx_title_{kind}">{shown}{title}</{tag}>'


@pytest.mark.parametrize("tag", ["section", "div"], ids=["0.8.1 and later", "0.8.0 as XHTML"])
def test_nested_sections_are_flat_in_reading_order(tag):
    made = document(
        f'<{tag} id="S1" class="ltx_section">{heading("section", "1", "One")}{p("first")}'
        f'<{tag} id="S1.SS1" class="ltx_subsection">{heading("subsection", "1.1", "Below", "h3")}'
        f"{p('second')}</{tag}></{tag}>"
        f'<{tag} id="A1" class="ltx_appendix">{heading("appendix", "Appendix A", "More")}</{tag}>',
        root=tag,
    )

    shown = [(s.id, s.level, s.number, s.title) for s in made.sections]
    assert shown[:3] == [
        ("S1", 1, "1", "One"),
        ("S1.SS1", 2, "1.1", "Below"),
        ("A1", 1, "A", "More"),
    ]
    assert section(made, "S1.SS1") == [("p", "second")]


def test_levels_come_from_the_class_and_not_from_the_tag():
    made = document(
        f'<section id="C1" class="ltx_chapter">{heading("chapter", "Chapter 1", "C", "h2")}'
        f'<section id="S1" class="ltx_section">{heading("section", "1.1", "S", "h2")}'
        f'<section id="P1" class="ltx_paragraph">{heading("paragraph", "", "P", "h2")}'
        "</section></section></section>"
    )

    assert [(s.id, s.level, s.number) for s in made.sections[:3]] == [
        ("C1", 1, "1"),
        ("S1", 2, "1.1"),
        ("P1", 5, None),
    ]


def test_a_heading_may_hold_a_formula_and_small_capitals():
    made = document(
        '<section id="S1" class="ltx_section"><h2 class="ltx_title ltx_title_section">'
        '<span class="ltx_tag ltx_tag_section"><span class="ltx_text">II</span> </span>'
        f'<span class="ltx_text ltx_font_smallcaps">Choice of {math(chr(92) + "alpha")}</span>'
        f"</h2>{p('text')}</section>"
    )

    assert (made.sections[0].number, made.sections[0].title) == ("II", r"Choice of $\alpha$")


def test_text_behind_a_subsection_belongs_to_the_section_around_it():
    made = document(
        f'<section id="S1" class="ltx_section">{p("one")}<section id="S2" class="ltx_subsection">'
        f"{p('two')}</section>{p('three')}</section>"
    )

    assert section(made) == [("p", "one"), ("p", "three")]


def test_title_and_abstract_are_no_sections():
    made = document(
        f'{p("A notice.")}<h1 class="ltx_title ltx_title_document">Two<br class="ltx_break">'
        f"lines{note('1', 'Funded by us.', 'thanks')}</h1>"
        '<div class="ltx_authors"><span class="ltx_creator"><span class="ltx_personname">A. B.'
        f"{note('2', 'An address', 'affiliation')}</span></span></div>"
        '<div class="ltx_abstract"><h6 class="ltx_title ltx_title_abstract">Abstract</h6>'
        '<p class="ltx_p">We show it.</p><p class="ltx_p">And more.</p></div>'
        '<div class="ltx_keywords"><h6 class="ltx_title ltx_title_keywords">Keywords:</h6>'
        "one, two</div>"
    )

    assert made.title == "Two lines"
    assert made.abstract == "We show it.\n\nAnd more."
    assert made.sections[0].title == ""
    assert section(made, "front") == [
        ("p", "A notice."),
        ("p", "Keywords: one, two"),
        ("footnote", "[^1]: Funded by us."),
    ]


def test_a_first_section_called_abstract_is_the_abstract():
    made = document(
        '<section id="Sx1" class="ltx_section"><h2 class="ltx_title ltx_title_section">Abstract'
        f"</h2>{p('We show it.')}</section>"
    )

    assert made.abstract == "We show it."
    assert [s.id for s in made.sections] == ["Z"]


def test_footnotes_are_lifted_out_of_their_paragraph():
    found = in_section(p(f"Before{note('3', 'The note, with ' + math('x^2'))} after."))

    assert found == [("p", "Before[^3] after."), ("footnote", "[^3]: The note, with $x^2$")]


def test_footnotes_with_one_mark_get_labels_of_their_own():
    found = in_section(
        p(f"A{note('1', 'one')}") + p(f"B{note('1', 'two')}") + p(f"C{note('∗', 'three')}")
    )

    assert [text for kind, text in found if kind == "footnote"] == [
        "[^1]: one",
        "[^n2]: two",
        "[^n3]: three",
    ]


def test_a_mark_without_a_note_leaves_nothing():
    assert in_section(p(f"Text{note('1', '', 'footnotemark')}.")) == [("p", "Text.")]


def test_a_note_within_a_note_is_a_note():
    found = in_section(p(f"A{note('1', 'outer' + note('2', 'inner'))}"))

    assert ("footnote", "[^1]: outer[^2]") in found
    assert ("footnote", "[^2]: inner") in found


@pytest.mark.parametrize("tag", ["div", "span"])
def test_theorems_and_proofs_have_their_kind_and_their_head(tag):
    found = in_section(
        f'<{tag} class="ltx_theorem ltx_theorem_mydef"><h6 class="ltx_title ltx_runin '
        'ltx_title_theorem"><span class="ltx_tag ltx_tag_theorem">Definition 2.6</span> (Kac).</h6>'
        f"{p('It is so.')}{p('And so.')}</{tag}>"
        f'<{tag} class="ltx_proof"><h6 class="ltx_title ltx_title_proof">Proof.</h6>'
        f"{p('Clear.')}{p('∎')}</{tag}>{p('Then.')}"
    )

    assert found == [
        ("theorem", "Definition 2.6 (Kac). It is so."),
        ("theorem", "And so."),
        ("proof", "Proof. Clear."),
        ("p", "Then."),
    ]


def item(mark: str, text: str, tag: str = "ltx_tag_item") -> str:
    label = f'<span class="ltx_tag {tag}">{mark}</span> ' if mark else ""
    return f'<li class="ltx_item" style="list-style-type:none;">{label}{text}</li>'


def test_items_of_lists_are_paragraphs_with_their_mark():
    found = in_section(
        f'<ul class="ltx_itemize">{item("•", p("dot"))}{item("•", p("old"), "ltx_tag_itemize")}</ul>'
        f'<ol class="ltx_enumerate">{item("1.", p("number"))}{item("(ii)", p("roman"))}</ol>'
    )

    assert found == [
        ("list", "- dot"),
        ("list", "- old"),
        ("list", "1. number"),
        ("list", "- (ii) roman"),
    ]


def test_lists_within_lists_and_second_paragraphs_are_indented():
    inner = f'<ul class="ltx_itemize">{item("–", p("inner"))}</ul>'

    found = in_section(f'<ul class="ltx_itemize">{item("•", p("one") + p("more") + inner)}</ul>')

    assert found == [("list", "- one"), ("list", "  more"), ("list", "  - inner")]


def test_a_term_stands_before_what_describes_it():
    found = in_section(
        '<dl class="ltx_description"><dt class="ltx_item"><span class="ltx_tag ltx_tag_item">'
        f'Term</span></dt><dd class="ltx_item">{p("What it is.")}</dd></dl>'
    )

    assert found == [("list", "- Term What it is.")]


def test_text_between_known_elements_is_not_lost():
    found = in_section('<div class="new_in_2027">loose <b>text</b>{}</div>tail'.format(p("inner")))

    assert found == [("p", "loose text"), ("p", "inner"), ("p", "tail")]


def test_what_is_no_text_of_the_paper_is_left_out():
    found = in_section(
        "<nav class='ltx_TOC'>contents</nav><script>code()</script><style>css</style>"
        "<svg><foreignObject>drawn</foreignObject></svg><button>B</button>"
        '<div class="ltx_pagination">9</div><span class="ltx_ERROR undefined">\\foo</span>'
        '<span class="sr-only">hidden</span>' + p("text")
    )

    assert found == [("p", "text")]


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("10<sup>3</sup>", "10^3"),
        ("10<sup>-3</sup> m<sub>e</sub>", "10^{-3} m_e"),
        ("cost&nbsp;is $5", r"cost is \$5"),
        ("ﬁne co\u00adop \u2010 n\u0303", "fine coop - ñ"),
        ("a\u0007b&#8;c\u0000", "abc\ufffd"),
        (
            "see <a class='ltx_ref' href='#S2'>Section <span class='ltx_ref_tag'>2</span></a>",
            "see Section 2",
        ),
    ],
)
def test_characters(html, text):
    assert in_section(p(html)) == [("p", text)]


def test_one_id_twice_makes_two_sections_apart():
    made = document('<section id="S1" class="ltx_section">{}</section>'.format(p("a")) * 2)

    assert [s.id for s in made.sections] == ["S1", "S1.2", "Z"]


def test_text_behind_all_sections_stands_behind_them():
    made = document(f'<section id="S1" class="ltx_section">{p("one")}</section>{p("loose")}')

    assert [s.id for s in made.sections] == ["S1", "back", "Z"]
    assert section(made, "back") == [("p", "loose")]


def test_a_box_within_a_sentence_does_not_break_it():
    box = '<span class="ltx_text ltx_inline-block" style="width:20pt;">box</span>'

    assert in_section(p(f"A {box} here.")) == [("p", "A box here.")]


def test_paragraphs_within_minipages_are_paragraphs():
    pages = (
        '<span class="ltx_inline-para ltx_minipage"><span class="ltx_para"><span class="ltx_p">{}'
        "</span></span></span>"
    )

    assert in_section(pages.format("left") + pages.format("right")) == [
        ("p", "left"),
        ("p", "right"),
    ]


def test_hidden_text_is_left_out():
    hidden = '<span class="ltx_text ltx_phantom"><span style="visibility:hidden">00</span></span>'

    assert in_section(p(f"5{hidden}")) == [("p", "5")]


def test_acknowledgements_are_a_section():
    made = document(
        '<div id="ack" class="ltx_acknowledgements"><h6 class="ltx_title ltx_title_acknowledgements">'
        "Acknowledgements.</h6>We thank all.</div>"
    )

    assert (made.sections[0].title, made.sections[0].level) == ("Acknowledgements", 1)
    assert section(made, "ack") == [("p", "We thank all.")]


def test_a_note_that_stands_by_itself_leaves_no_paragraph_of_its_mark():
    found = in_section(p("Text.") + p(note("4", "By itself.", "footnotetext")) + p("More."))

    assert [text for _, text in found if text.startswith("[^4]")] == ["[^4]: By itself."]
    assert ("p", "[^4]") not in found
