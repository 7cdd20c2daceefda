"""Real pages beside the checkout: every figure of the judge reaches its bar."""

import pytest

from service.extraction.document import Document
from service.extraction.html_document import document_from_html
from tests.text_report import html as judge

pytestmark = [
    pytest.mark.samples,
    pytest.mark.skipif(not judge.SAMPLES.is_dir(), reason="no samples beside the checkout"),
]


@pytest.mark.parametrize("name", judge.PAPERS)
def test_pages_reach_the_bars(name):
    data = (judge.SAMPLES / "html" / name).read_bytes()

    rows = list(judge.judge_page(name, data, convert(name, data)))

    assert len(rows) == 5
    assert [row for row in rows if not row.passes] == []


@pytest.mark.parametrize("name", judge.REFUSED)
def test_pages_without_a_paper_are_refused(name):
    assert judge.judge_refusal(judge.SAMPLES, name).passes


def test_paragraphs_get_the_page_that_they_begin_on():
    rows = list(judge.judge_pair(judge.SAMPLES))

    assert [row for row in rows if not row.passes] == []
    assert len(rows) == 3


def test_two_converters_make_one_document_of_a_paper():
    oxide, perl = (
        convert(name, (judge.SAMPLES / "html" / name).read_bytes())
        for name in ("tamnd-1706.03762v7.html", "html_feedback-test.html")
    )

    assert [(s.level, s.number, s.title) for s in perl.sections] == [
        (s.level, s.number, s.title) for s in oxide.sections if s.title
    ]
    assert [r.raw for r in perl.references] == [r.raw for r in oxide.references]
    assert tex(perl) == tex(oxide)
    assert captions(perl) == captions(oxide)


def tex(made: Document) -> list[str]:
    return [equation.tex.replace("{}", "") for equation in made.equations]


def captions(made: Document) -> list[tuple[str, str | None]]:
    return [(caption.kind, caption.number) for caption in made.captions]


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("ttspapers-2508.08468.html", ["I", "II", "III", "IV", "V", "VI"]),
        ("llamapun-astro-ph9710163.html", ["1", "2", "3", "4"]),
        ("tamnd-2601.00086v3.html", ["1", "2", "3", "4", "5", "6", "7", "A"]),
    ],
)
def test_numbers_of_sections_are_bare(name, numbers):
    made = convert(name, (judge.SAMPLES / "html" / name).read_bytes())

    assert [s.number for s in made.sections if s.level == 1 and s.number] == numbers


def convert(name: str, data: bytes) -> Document:
    arxiv_id, version = judge.PAPERS[name]
    made = document_from_html(data, arxiv_id=arxiv_id, version=version, pdf=None)
    assert isinstance(made, Document)
    return made
