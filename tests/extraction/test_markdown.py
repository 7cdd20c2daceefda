"""Markdown of documents: it parses, reads as the text does, and holds no markup of its own."""

import random
import re

import pytest
from markdown_it import MarkdownIt

from service.extraction.document import (
    Caption,
    Document,
    Equation,
    Paragraph,
    Reference,
    Section,
)
from service.extraction.document_views import with_section
from service.extraction.markdown import to_markdown
from tests.text_report.html import markdown_problems


def document(*paragraphs: Paragraph, source="html", **fields) -> Document:
    section = Section("S1", 1, "1", "Title", None, paragraphs)
    return Document(source, "test", sections=(section,), **fields)


def rendered(*paragraphs: Paragraph, source="html") -> str:
    """Markdown of the paragraphs of one section, without its heading."""
    return to_markdown(document(*paragraphs, source=source)).removeprefix("## 1 Title\n\n").strip()


def as_html(markdown: str) -> str:
    return MarkdownIt("commonmark").enable("table").render(markdown)


def test_the_whole_of_a_document():
    made = Document(
        "html",
        "test",
        title="On $x^2$",
        abstract="We show it.\n\nAnd more.",
        sections=(
            Section("front", 1, None, "", None, (Paragraph("A notice."),)),
            Section(
                "S1",
                1,
                "1",
                "One",
                None,
                (Paragraph("Text[^1]."), Paragraph("[^1]: Note.", kind="footnote")),
            ),
            Section(
                "S1.SS1", 2, "1.1", "Two", None, (Paragraph(r"$$a=b \tag{1}$$", kind="equation"),)
            ),
        ),
        equations=(Equation("E1", "1", "a=b", "S1.SS1"),),
        captions=(Caption("figure", "3", "A figure."), Caption("other", None, "Another.")),
        references=(
            Reference("1", "A. B., 1999.", "10.1000/x(1)", None),
            Reference(None, "C. D.", None, "hep-th/9901001"),
        ),
    )

    assert to_markdown(made) == (
        "# On $x^2$\n\n## Abstract\n\nWe show it.\n\nAnd more.\n\nA notice.\n\n"
        "## 1 One\n\nText[^1].\n\n[^1]: Note.\n\n### 1.1 Two\n\n$$a=b \\tag{1}$$\n\n"
        "## Figures and tables\n\n- **Figure 3.** A figure.\n- Another.\n\n"
        "## References\n\n"
        "- [1] A. B., 1999. [doi:10.1000/x(1)](https://doi.org/10.1000/x%281%29)\n"
        "- C. D. [arXiv:hep-th/9901001](https://arxiv.org/abs/hep-th/9901001)\n"
    )


def test_an_empty_document_is_empty():
    assert to_markdown(Document("pdf", "test")) == ""


@pytest.mark.parametrize(
    "text",
    [
        "# no heading",
        "- no list",
        "+ no list",
        "12. no list",
        "3) no list",
        "> no quote",
        "=== no underline",
        "--- no rule",
        "*no* _emphasis_ **here** __there__",
        "snake_case_name and _private",
        "a <b>tag</b> <!-- comment --> <https://example.org>",
        "`no code` and ``none``",
        "[no](link) ![no](image) [no][link] [no]: definition",
        "[no]: /definition",
        "[^9] is no note",
        "&amp; &#42; &copy; AT&T",
        r"back\slash \* \_ \\ \n",
        "~~no strike~~ ~~~ no fence",
        "| no | table |",
        "a | b",
        "price is 5\\$",
        "::: no container",
    ],
)
@pytest.mark.parametrize("source", ["html", "pdf"])
def test_text_reads_as_it_is(text, source):
    if source == "pdf":
        text = text.replace("\\$", "$")

    html = as_html(rendered(Paragraph(text), source=source))

    shown = re.sub(r"^<p>|</p>$", "", html.strip())
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&")):
        shown = shown.replace(entity, character)
    assert shown == text.replace("\\$", "$")


def test_formulas_stay_the_same_to_tex():
    text = r"Let $a<b>c$, $x^{*}_{i}*y_{j}$, $f[x](y)$, $\begin{align*}`z'\end{align*}$."

    markdown = rendered(Paragraph(text))

    assert markdown == (
        r"Let $a\lt b\gt c$, $x^{\ast }_ {i}\ast y_{j}$, $f[x] (y)$, "
        r"$\begin{align*}‘z'\end{align*}$."
    )
    assert markdown_problems(markdown) == []


def test_dollar_signs_of_a_pdf_are_no_formulas():
    assert rendered(Paragraph("from $5 to $10_a_"), source="pdf") == r"from \$5 to \$10_a\_"


def test_a_table_with_columns_is_piped():
    markdown = rendered(Paragraph("a | $\\vert x\\vert $\nb\\|c | 2\nd |", kind="table"))

    assert markdown == "| a | $\\vert x\\vert $ |\n| --- | --- |\n| b\\|c | 2 |\n| d |  |"
    html = as_html(markdown)
    assert html.count("<tr>") == 3
    assert "<td>b|c</td>" in html


def test_a_table_of_one_column_is_lines():
    assert rendered(Paragraph("a\n# b", kind="table")) == "a\\\n\\# b"


def test_short_rows_of_a_long_table_are_not_filled_up():
    text = "\n".join([" | ".join("abcdefgh"), *["x"] * 20_000])

    assert len(rendered(Paragraph(text, kind="table"))) < 4 * len(text)


def test_a_table_of_a_pdf_is_piped_where_its_rows_are_alike():
    alike = rendered(Paragraph("a b  $1\nc  2|3", kind="table"), source="pdf")
    not_alike = rendered(Paragraph("a  b\n- c", kind="table"), source="pdf")

    assert alike == "| a b | \\$1 |\n| --- | --- |\n| c | 2\\|3 |"
    assert not_alike == "a b\\\n\\- c"


def test_lists_are_lists_and_nest():
    html = as_html(
        rendered(
            Paragraph("- one", kind="list"),
            Paragraph("  goes on", kind="list"),
            Paragraph("  - inner", kind="list"),
            Paragraph("- two", kind="list"),
            Paragraph("Text."),
            Paragraph("3. three", kind="list"),
            Paragraph("  - below three", kind="list"),
            Paragraph("• as PDFs have it", kind="list"),
        )
    )

    assert html.count("<ul>") == 4
    assert '<ol start="3">' in html
    assert re.search(r"<li>\s*<p>one</p>\s*<p>goes on</p>\s*<ul>\s*<li>\s*(<p>)?inner", html)
    assert "as PDFs have it" in html
    assert "•" not in html


def test_code_is_fenced_whatever_is_in_it():
    html = as_html(rendered(Paragraph("a = b\n```\n````x\n  <i>", kind="code")))

    assert html == "<pre><code>a = b\n```\n````x\n  &lt;i&gt;\n</code></pre>\n"


def test_a_note_without_its_mark_is_a_paragraph():
    assert rendered(Paragraph("[^1]: From the title.", kind="footnote")) == "From the title."


def test_deep_headings_and_number_signs_at_their_end():
    deep = Section("S", 9, "C", "C#", None, ())

    assert to_markdown(Document("html", "test", sections=(deep,))) == "###### C C\\#\n"


ALPHABET = [
    *"ab1 \n*_`[]()<>#+-=.!|~&;\\{}^:'\"",
    "$",
    r"\$",
    "&lt;",
    "](",
    "- ",
    "1. ",
    "[^1]",
    "<b>",
]


@pytest.mark.parametrize("source", ["html", "pdf"])
@pytest.mark.parametrize("seed", range(40))
def test_no_text_makes_raw_html_or_unbalanced_dollars(source, seed):
    chosen = random.Random(seed)
    kinds = ["p", "list", "table", "theorem", "proof", "footnote"]
    paragraphs = [
        Paragraph("".join(chosen.choices(ALPHABET, k=60)), kind=chosen.choice(kinds))
        for _ in range(12)
    ]
    text = paragraphs[0].text
    made = document(
        *paragraphs,
        source=source,
        title=text,
        abstract=text,
        captions=(Caption("table", text, text),),
        references=(Reference(text, text, text, text),),
    )

    problems = markdown_problems(to_markdown(made))

    assert [problem for problem in problems if "html" in problem or "dollar" in problem] == []
    assert [problem for problem in problems if "code_block" in problem] == []


def nested() -> Document:
    return Document(
        "html",
        "test",
        title="T",
        abstract="A",
        sections=(
            Section("S1", 1, "1", "One", None, (Paragraph("a"),)),
            Section("S2", 1, "2", "Two", None, (Paragraph("b"),)),
            Section("S2.SS1", 2, "2.1", "Below", None, (Paragraph("c"),)),
            Section("S3", 1, "3", "Three", None, (Paragraph("d"),)),
        ),
        equations=(Equation("E1", None, "x", "S1"), Equation("E2", None, "y", "S2.SS1")),
        captions=(Caption("figure", "1", "C"),),
        references=(Reference("1", "R"),),
    )


@pytest.mark.parametrize(
    ("wanted", "ids"), [("2", ["S2", "S2.SS1"]), ("S2.SS1", ["S2.SS1"]), ("1", ["S1"])]
)
def test_a_section_comes_with_all_below_it(wanted, ids):
    part = with_section(nested(), wanted)

    assert part is not None
    assert [section.id for section in part.sections] == ids
    assert {equation.section for equation in part.equations} <= set(ids)
    assert (part.title, part.abstract, part.captions, part.references) == (None, None, (), ())


def test_of_an_unknown_section_there_is_no_part():
    assert with_section(nested(), "2.2") is None


def test_a_part_is_markdown_of_its_sections_only():
    part = with_section(nested(), "2")

    assert part is not None
    assert to_markdown(part) == "## 2 Two\n\nb\n\n### 2.1 Below\n\nc\n"
