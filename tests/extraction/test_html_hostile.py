"""Hostile pages end in a document or a refusal, within bounds of memory and work."""
# ruff: noqa: E501 (markup reads better unbroken)

import json
import re
import tracemalloc

import pytest
from lxml import etree

from service.extraction.document import Document
from service.extraction.html import limits
from service.extraction.html.builder import Builder
from service.extraction.html.roles import Roles
from service.extraction.html_document import document_from_html
from service.extraction.html_gate import PdfEvidence, Refusal
from service.extraction.markdown import to_markdown
from tests.extraction.latexml_page import FILLER, convert, document, p, page, section


def code(data: bytes) -> str | None:
    made = convert(data)
    return made.code if isinstance(made, Refusal) else None


def test_elements_nested_by_hundreds_are_read():
    depth = 800
    made = document(
        f'<section id="S1" class="ltx_section">{"<span>" * depth}deep{"</span>" * depth}</section>'
    )

    assert section(made) == [("p", "deep")]


@pytest.mark.parametrize(
    "opening",
    [
        "<span>",
        '<div class="ltx_para">',
        '<section class="ltx_section">',
        '<ul class="ltx_itemize"><li class="ltx_item">',
        '<span class="ltx_note ltx_role_footnote">',
        '<table class="ltx_tabular"><tr class="ltx_tr"><td class="ltx_td">',
        '<figure class="ltx_figure"><figcaption class="ltx_caption">',
        '<table class="ltx_equation"><tr class="ltx_equation"><td>',
    ],
)
def test_what_is_nested_too_deep_is_refused_and_not_cut(opening):
    assert code(page(p(FILLER) + opening * 3_000)) == "html_too_deep"


@pytest.mark.parametrize(
    "opening",
    [
        '<div class="ltx_theorem">',
        '<ul class="ltx_itemize"><li class="ltx_item">',
        '<span class="ltx_note ltx_role_footnote">',
        '<table class="ltx_tabular"><tr class="ltx_tr"><td class="ltx_td">',
        '<sup class="ltx_sup">',
    ],
)
def test_what_means_something_may_be_nested_as_deep_as_anything(opening):
    made = convert(page(p(FILLER) + opening * 200 + "text"))

    assert isinstance(made, Document)
    assert to_markdown(made)


def test_a_page_above_the_size_limit_is_refused():
    assert code(page(p("word " * (limits.MAX_BYTES // 5)))) == "html_too_large"


@pytest.mark.parametrize("tag", ["<b>", '<li class="ltx_bibitem">x', "<math alttext=x></math>"])
def test_more_tags_than_any_paper_has_are_refused_before_parsing(tag):
    tracemalloc.start()
    try:
        assert code(page(tag * limits.MAX_TAGS)) == "html_too_large"
        assert tracemalloc.get_traced_memory()[1] < 100 * 1024 * 1024
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("value", ["", "=1", '=">"', "='<b c>'", ' = "x"'])
def test_more_attributes_than_any_element_has_are_refused_before_parsing(value):
    def tag(count: int) -> str:
        return f"<span {' '.join(f'a{i}{value}' for i in range(count))}>x</span>"

    assert code(page(p(FILLER) + p(tag(limits.MAX_ATTRIBUTES)))) is None
    assert code(page(p(FILLER) + p(tag(limits.MAX_ATTRIBUTES + 1)))) == "html_too_large"
    assert code(page(p(FILLER) + p(tag(500_000)))) == "html_too_large"


def test_more_references_than_any_paper_has_are_refused(monkeypatch):
    monkeypatch.setattr("service.extraction.html.builder.MAX_REFERENCES", 50)
    item = '<li class="ltx_bibitem"><span class="ltx_bibblock">A., 1999.</span></li>'

    assert code(page(p(FILLER) + item * 50)) is None
    assert code(page(p(FILLER) + item * 51)) == "html_too_large"


def test_more_paragraphs_than_any_paper_has_are_refused(monkeypatch):
    monkeypatch.setattr("service.extraction.html.builder.MAX_PARAGRAPHS", 50)

    assert code(page(p(FILLER) + p("word") * 49)) is None
    assert code(page(p(FILLER) + p("word") * 50)) == "html_too_large"


def test_entities_are_not_expanded_and_files_are_not_read(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("TOPSECRET")
    laughs = "".join(f'<!ENTITY l{i + 1} "{f"&l{i};" * 10}">' for i in range(9))
    data = (
        f'<?xml version="1.0"?><!DOCTYPE html [<!ENTITY l0 "lol">{laughs}'
        f'<!ENTITY x SYSTEM "file://{secret}">]>'
        f'<html><body><article class="ltx_document">{p(FILLER)}{p("&l9; &x;")}</article></body></html>'
    ).encode()

    made = document_from_html(data, arxiv_id="2401.00001", version=1, pdf=None)

    text = str(made)
    assert isinstance(made, Document)
    assert len(text) < 10_000
    assert "TOPSECRET" not in text


def test_spans_of_cells_do_not_multiply():
    cell = '<td class="ltx_td" colspan="100000" rowspan="999999999999">x</td>'
    data = page(
        p(FILLER) + f'<table class="ltx_tabular">{f"<tr class=ltx_tr>{cell}</tr>" * 20_000}</table>'
    )
    tracemalloc.start()
    try:
        made = convert(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert isinstance(made, Document)
    assert len(str(made)) < 500_000
    assert peak < 60 * 1024 * 1024  # 20,000 rows of 1,000 cells would be 160 MB of pointers


class Counting(set):
    """A set that counts how often something is looked up in it."""

    lookups = 0

    def __contains__(self, item):
        self.lookups += 1
        return super().__contains__(item)


def test_one_id_many_times_costs_no_square():
    builder = Builder()
    builder._ids = Counting()

    made = [builder.equation("x", None, "E") for _ in range(3_000)]

    assert len({equation.id for equation in made}) == 3_000
    assert builder._ids.lookups < 60 * 3_000


def test_a_class_of_its_own_on_each_element_is_not_remembered_without_end():
    roles = Roles()

    for i in range(20_000):
        roles.of(etree.Element("span", {"class": f"c{i}"}))
        roles.of(etree.Element("span", {"class": f"{'c' * 10_000}{i % 10}"}))

    assert len(roles._known) <= 10_000
    assert sum(len(classes) for _, classes in roles._known) < 1_000_000


@pytest.mark.parametrize(
    "text",
    [
        "$" * 50_000,
        "\\" * 50_001,
        "[^1]" * 20_000,
        "1. " * 20_000,
        "`*_<>[]()" * 5_000,
        "|" * 9_999,
    ],
)
def test_text_that_looks_like_markup_costs_no_square(text):
    body = f"{p(FILLER)}{p(text.replace('<', '&lt;'))}"

    made = convert(page(body), PdfEvidence([(1, FILLER + text)]))

    assert isinstance(made, Document)
    assert to_markdown(made)


def test_a_list_of_references_in_one_long_paragraph_is_split_within_limits():
    items = "".join(f"{i}. Author, title. " for i in range(1, 5_000))
    heading = '<h2 class="ltx_title ltx_title_section">References</h2>'

    made = convert(page(p(FILLER) + f'<section class="ltx_section">{heading}{p(items)}</section>'))

    assert isinstance(made, Document)
    assert len(made.references) == 2_000


def test_a_pdf_without_text_gives_no_pages():
    made = convert(page(p(FILLER)), PdfEvidence([(1, ""), (2, "")]))

    assert isinstance(made, Document)
    assert all(q.page is None for s in made.sections for q in s.paragraphs)


def test_no_control_character_leaves_a_page():
    bad = "a&#1;b\x02c&#x7f;d&#xD800;e&#x85;f\x00g"
    formula = f'<math alttext="{bad}"></math>'
    data = page(
        f'<h1 class="ltx_title ltx_title_document">{bad}</h1>{p(FILLER)}'
        f'<section id="{bad}" class="ltx_section"><h2 class="ltx_title ltx_title_section">{bad}</h2>'
        f'{p(bad + formula)}<pre>{bad}</pre><table id="{bad}" class="ltx_equation">'
        f'<tr class="ltx_equation"><td>{formula}</td></tr></table></section>'
        f'<li class="ltx_bibitem">{bad}<a href="https://doi.org/10.1000/{bad}">x</a></li>',
        chrome=f'<div id="license-tr">{bad}</div>',
        head=f"<!--Generated by LaTeXML {bad}-->",
    )

    made = convert(data)

    assert isinstance(made, Document)
    shown = json.dumps(made.content(), ensure_ascii=False).encode().decode()
    assert re.findall(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]|\\u00[01]", shown) == []
    assert (
        Document.from_json({**made.content(), "source": "html", "converter": made.converter})
        == made
    )
