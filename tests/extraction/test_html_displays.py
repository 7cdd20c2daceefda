"""Formulas and display equations of LaTeXML's pages, by the generations that differ."""
# ruff: noqa: E501 (markup reads better unbroken)

import pytest

from service.extraction.inline_math import between_dollars, segments, without_math
from tests.extraction.latexml_page import document, in_section, math, p

EMPTY = '<td class="ltx_eqn_cell ltx_eqn_center_padleft"></td>'


def row(*tex: str, number: str = "", row_id: str = "") -> str:
    cells = "".join(f'<td class="ltx_td ltx_eqn_cell">{math(t, "block")}</td>' for t in tex)
    tag = f'<td class="ltx_eqn_cell ltx_eqn_eqno"><span class="ltx_tag ltx_tag_equation">{number}</span></td>'
    shown_id = f' id="{row_id}"' if row_id else ""
    return (
        f'<tr{shown_id} class="ltx_equation ltx_eqn_row">{EMPTY}{cells}{tag if number else ""}</tr>'
    )


def in_s1(body: str):
    return document(f'<section id="S1" class="ltx_section">{body}</section>')


def test_tex_is_the_alttext_and_never_the_text_of_the_element():
    assert in_section(p(f"Let {math('x^2')} be.")) == [("p", "Let $x^2$ be.")]


@pytest.mark.parametrize(
    ("alttext", "tex"),
    [
        (r"\displaystyle x", "x"),
        (r"\displaystyle{x}", "{x}"),
        (r"\displaystylex", r"\displaystylex"),
        ("a%\n+b", "a+b"),
        ("50\\%\n+b", r"50\% +b"),
        ("a &lt; b", "a < b"),
        (r"\text{if $x$ and $y$}", r"\text{if \(x\) and \(y\)}"),
        (r"5\$", r"5\$"),
    ],
)
def test_tex_is_cleaned(alttext, tex):
    assert in_section(p(math(alttext))) == [("p", f"${tex}$")]


def test_without_alttext_the_annotation_is_the_tex():
    formula = '<math><mi>x</mi><annotation encoding="application/x-tex">x_1</annotation></math>'

    assert in_section(p(formula)) == [("p", "$x_1$")]


def test_a_formula_without_tex_is_counted():
    made = in_s1(p("a <math><mi>x</mi></math> b"))

    assert made.quality["formulas_without_tex"] == 1


def test_an_equation_has_number_tex_section_and_id():
    made = in_s1(
        f'<table id="S1.E1" class="ltx_equation ltx_eqn_table">{row("a=b", number="(12)")}</table>'
    )

    assert [(e.id, e.number, e.tex, e.section) for e in made.equations] == [
        ("S1.E1", "12", "a=b", "S1")
    ]
    assert made.sections[0].paragraphs[0].text == r"$$a=b \tag{12}$$"
    assert made.sections[0].paragraphs[0].kind == "equation"


def test_each_row_of_a_group_is_an_equation_of_joined_cells():
    made = in_s1(
        '<table id="S1.EGx1" class="ltx_equationgroup ltx_eqn_align ltx_eqn_table">'
        f'<tbody id="S1.E1">{row(chr(92) + "displaystyle a", chr(92) + "displaystyle =b", number="(1)")}</tbody>'
        f'<tbody id="S1.Ex1">{row("", "=c")}</tbody></table>'
    )

    assert [(e.id, e.number, e.tex) for e in made.equations] == [
        ("S1.E1", "1", "a =b"),
        ("S1.Ex1", None, "=c"),
    ]


def test_rows_of_latexml_0_8_0_carry_their_id_themselves():
    made = in_s1(
        '<table class="ltx_equationgroup ltx_eqn_eqnarray">'
        + row("a", row_id="S1.Ex1")
        + row("b", row_id="S1.Ex2")
        + "</table>"
    )

    assert [(e.id, e.tex) for e in made.equations] == [("S1.Ex1", "a"), ("S1.Ex2", "b")]


def test_words_between_two_rows_are_a_paragraph():
    words = '<tr class="ltx_eqn_row"><td class="ltx_eqn_cell">and so</td></tr>'

    found = in_section(f'<table class="ltx_equationgroup">{row("a")}{words}{row("b")}</table>')

    assert found == [("equation", "$$a$$"), ("p", "and so"), ("equation", "$$b$$")]


def test_words_within_a_row_are_text_of_its_tex():
    mixed = f'<tr class="ltx_equation">{EMPTY}<td>{math("a")} for all {math("b")}</td></tr>'

    made = in_s1(f'<table class="ltx_equation">{mixed}</table>')

    assert made.equations[0].tex == r"a \text{for all} b"


def test_a_display_within_a_theorem_or_a_cell_is_an_equation_too():
    display = f'<table class="ltx_equation">{row("a")}</table>'
    made = in_s1(
        f'<div class="ltx_theorem">{p("It is")}{display}{p("so.")}</div>'
        '<table class="ltx_tabular"><tr class="ltx_tr"><td class="ltx_td">'
        f'<span class="ltx_p">cell {display.replace(math("a", "block"), math("z", "block"))}</span></td><td class="ltx_td">x</td></tr></table>'
    )

    kinds = [(q.kind, q.text) for q in made.sections[0].paragraphs]
    assert kinds[:3] == [("theorem", "It is"), ("equation", "$$a$$"), ("theorem", "so.")]
    assert len(made.equations) == 2


def test_a_display_without_a_table_is_an_equation():
    made = in_s1(p(f"Then {math('a=b', 'block')} holds."))

    assert [e.tex for e in made.equations] == ["a=b"]
    assert [q.text for q in made.sections[0].paragraphs] == ["Then", "$$a=b$$", "holds."]


@pytest.mark.parametrize("tex", ["$", "a$b", "$a$b$", "\\", "a\\\\", "\\$", "$$$$", "", "x\\$$y$"])
def test_no_tex_closes_its_dollar_signs_early(tex):
    inner = between_dollars(tex)

    if inner:
        assert [piece for is_math, piece in segments(f"a ${inner}$ b") if is_math] == [f"${inner}$"]


def test_segments_lose_nothing():
    text = r"costs \$5 or $x$ and $$y \text{\(z\)}$$ or $ alone"

    assert "".join(piece for _, piece in segments(text)) == text
    assert without_math(text) == r"costs \$5 or   and   or $ alone"


def test_displays_that_are_not_aligned_are_rows_too():
    number = '<span class="ltx_tag ltx_tag_equation ltx_eqn_eqno">(3)</span>'
    made = in_s1(
        '<div class="ltx_equationgroup ltx_eqn_div">'
        f'<div id="E1" class="ltx_equation ltx_eqn_div">{number}<span>{math("a")}</span></div>'
        f'<div id="E2" class="ltx_equation ltx_eqn_div"><span>{math("b")}</span></div></div>'
        f'<div id="E3" class="ltx_equation ltx_eqn_div"><span>{math("c")}</span></div>'
    )

    assert [(e.id, e.number, e.tex) for e in made.equations] == [
        ("E1", "3", "a"),
        ("E2", None, "b"),
        ("E3", None, "c"),
    ]
