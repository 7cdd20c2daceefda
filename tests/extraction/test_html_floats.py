"""Tables, listings, figures and captions of LaTeXML's pages."""
# ruff: noqa: E501 (markup reads better unbroken)

import pytest

from tests.extraction.latexml_page import document, in_section, math, note, p


def table(*rows: str, tag: str = "table") -> str:
    return f'<{tag} class="ltx_tabular ltx_centering">{"".join(rows)}</{tag}>'


def row(*cells: str, tag: str = "tr") -> str:
    return f'<{tag} class="ltx_tr">{"".join(cells)}</{tag}>'


def cell(text: str, attributes: str = "", tag: str = "td") -> str:
    return f'<{tag} class="ltx_td ltx_border_t" {attributes}>{text}</{tag}>'


def test_a_table_is_one_paragraph_with_a_line_for_each_row():
    found = in_section(table(row(cell("a"), cell(math("x"))), row(cell("b"), cell("2 <br>3"))))

    assert found == [("table", "a | $x$\nb | 2 3")]


def test_a_table_of_spans_is_a_table():
    found = in_section(
        '<p class="ltx_p"><span class="ltx_transformed_outer"><span class="ltx_transformed_inner">'
        + table(row(cell("a", tag="span"), cell("b", tag="span"), tag="span"), tag="span")
        + "</span></span></p>"
    )

    assert found == [("table", "a | b")]


def test_spanning_cells_keep_columns_in_line():
    found = in_section(
        table(
            row(cell("head", 'rowspan="2"'), cell("wide", 'colspan="2"')),
            row(cell("x"), cell("y")),
            row(cell("1"), cell("2"), cell("3")),
        )
    )

    assert found == [("table", "head | wide |\n | x | y\n1 | 2 | 3")]


def test_a_table_within_a_cell_is_one_cell():
    inner = table(
        row(cell("upper", tag="span"), tag="span"),
        row(cell("lower", tag="span"), tag="span"),
        tag="span",
    )
    block = f'<span class="ltx_inline-block"><span class="ltx_p">{inner}</span></span>'

    assert in_section(table(row(cell(block), cell("b")))) == [("table", "upper lower | b")]


def test_bars_in_cells_do_not_part_cells():
    assert in_section(table(row(cell("a|b"), cell(math("|x|"))))) == [
        ("table", r"a\|b | $\vert x\vert $")
    ]


def test_notes_in_a_table_stand_behind_it():
    found = in_section(table(row(cell("a" + note("a", "The note.")), cell("b"))))

    assert found == [("table", "a[^a] | b"), ("footnote", "[^a]: The note.")]


def test_empty_rows_and_columns_of_a_table_are_left_out():
    found = in_section(
        table(row(cell("a"), cell(""), cell("b")), row(cell(""), cell(""), cell("")))
    )

    assert found == [("table", "a | b")]


def line(text: str, number: str = "") -> str:
    tag = f'\n   <span class="ltx_tag ltx_tag_listingline">{number}</span>\n\n   ' if number else ""
    return f'<div class="ltx_listingline">{tag}{text}\n</div>'


def test_an_algorithm_keeps_lines_and_indentation():
    found = in_section(
        '<figure class="ltx_float ltx_float_algorithm"><figcaption class="ltx_caption">'
        '<span class="ltx_tag ltx_tag_float"><span class="ltx_text">Algorithm 1</span> </span> Sorting'
        f'</figcaption><div class="ltx_listing">{line("<b>for</b> " + math("i") + " do", "1:")}'
        f"{line(chr(0x2003) + chr(0x2002) + 'swap', '2:')}</div></figure>"
    )

    assert found == [("code", "for $i$ do\n   swap")]


def test_a_listing_keeps_blanks_and_drops_its_base64_copy():
    blanks = '<span class="ltx_text ltx_lst_space">    </span>'

    found = in_section(
        '<div class="ltx_listing ltx_lstlisting"><div class="ltx_listing_data">'
        '<a href="data:text/plain;base64,AAAA" download="">⬇</a></div>'
        f"{line('def f():')}{line(blanks + 'return&nbsp;$x')}</div>"
    )

    assert found == [("code", "def f():\n    return $x")]


@pytest.mark.parametrize(
    "html",
    ['<pre class="ltx_verbatim ltx_font_typewriter">a\n  b</pre>', "<pre>a\n  b</pre>"],
)
def test_verbatim_text_stays_as_it_is(html):
    assert in_section(html) == [("code", "a\n  b")]


def test_code_within_a_line_is_text():
    assert in_section(p('call <code class="ltx_verbatim">f(x)</code> now')) == [
        ("p", "call f(x) now")
    ]


def figure(
    classes: str, label: str, text: str, tag: str = "figcaption", outer: str = "figure"
) -> str:
    return (
        f'<{outer} class="{classes}"><img class="ltx_graphics" alt="Refer to caption">'
        f'<{tag} class="ltx_caption">{label}{text}</{tag}></{outer}>'
    )


def label(text: str, kind: str = "figure") -> str:
    return f'<span class="ltx_tag ltx_tag_{kind}">{text}</span>'


@pytest.mark.parametrize(
    ("html", "caption"),
    [
        (figure("ltx_figure", label("Figure 3: "), "Text."), ("figure", "3", "Text.")),
        (
            figure("ltx_figure", label("Figure 3: "), "Text.", "div", "div"),
            ("figure", "3", "Text."),
        ),
        (figure("ltx_table", label("Table IV", "table"), "Text."), ("table", "IV", "Text.")),
        (
            figure("ltx_float ltx_algorithm", label("Algorithm 2", "float"), "Text."),
            ("algorithm", "2", "Text."),
        ),
        (
            figure("ltx_float ltx_lstlisting", label("Listing 1: ", "float"), "Text."),
            ("other", "1", "Text."),
        ),
        (figure("ltx_figure", "", "No label."), ("figure", None, "No label.")),
        (figure("ltx_figure ltx_figure_panel", label("(a) "), "Part."), ("figure", "a", "Part.")),
    ],
)
def test_captions_have_kind_and_bare_number(html, caption):
    made = document(html)

    assert [(c.kind, c.number, c.text) for c in made.captions] == [caption]


def test_captions_of_panels_are_their_own():
    panel = figure("ltx_figure ltx_figure_panel", label("(a) "), "Left.")
    made = document(
        f'<figure class="ltx_figure"><div class="ltx_flex_figure"><div class="ltx_flex_cell">{panel}'
        f'</div></div><figcaption class="ltx_caption">{label("Figure 1: ")}Both.</figcaption></figure>'
    )

    assert [(c.number, c.text) for c in made.captions] == [("a", "Left."), ("1", "Both.")]


def test_a_figure_within_a_paragraph_takes_nothing_away():
    found = in_section(
        f"<div class='ltx_para'><p class='ltx_p'>One.</p>{figure('ltx_figure', '', 'C')}</div>{p('Two.')}"
    )

    assert found == [("p", "One."), ("p", "Two.")]


def test_a_listing_of_spans_is_a_listing():
    lines = line("a").replace("div", "span") + line("  b").replace("div", "span")

    assert in_section(f'<span class="ltx_listing ltx_lstlisting">{lines}</span>') == [
        ("code", "a\n  b")
    ]


def test_code_of_the_listings_package_within_a_line_is_text():
    code = '<span class="ltx_text ltx_lstlisting ltx_font_typewriter">f</span>'

    assert in_section(p(f"call {code} now")) == [("p", "call f now")]
