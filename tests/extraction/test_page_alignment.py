"""Pages of the paragraphs of a document made from HTML, by the words of the PDF."""

import random

import pytest

from service.extraction.document import Caption, Document, Paragraph, Section
from service.extraction.page_alignment import with_pages

WORDS = [f"{a}{b}{c}" for a in "bcdfgl" for b in "aeiou" for c in ("n", "r", "st", "mp")]


def prose(seed: int, count: int = 40) -> str:
    chosen = random.Random(seed)
    return " ".join(chosen.choice(WORDS) for _ in range(count))


def document(
    *sections: tuple[str, list[Paragraph]], captions: tuple[Caption, ...] = ()
) -> Document:
    made = tuple(
        Section(f"S{i}", 1, None, title, None, tuple(paragraphs))
        for i, (title, paragraphs) in enumerate(sections)
    )
    return Document("html", "test", sections=made, captions=captions)


def pages_of(made: Document) -> list[list[int | None]]:
    return [[p.page for p in section.paragraphs] for section in made.sections]


def test_a_paragraph_is_on_the_page_where_it_begins():
    one, two, three = prose(1), prose(2), prose(3)
    pages = [(1, f"{one}\n{two[:90]}"), (2, f"17\n{two[90:]}\n{three}")]

    made, guessed = with_pages(
        document(("", [Paragraph(one), Paragraph(two), Paragraph(three)])), pages
    )

    assert pages_of(made) == [[1, 1, 2]]
    assert guessed == 0


def test_numbers_of_pages_are_those_given():
    made, _ = with_pages(document(("", [Paragraph(prose(1))])), [(4, prose(9)), (7, prose(1))])

    assert pages_of(made) == [[7]]


def test_equations_lie_between_their_neighbours():
    equation = Paragraph("$$x=y$$", kind="equation")
    one, two = prose(1), prose(2)
    made, guessed = with_pages(
        document(("", [Paragraph(one), equation, Paragraph(two), equation])),
        [(1, one), (2, f"x = y (1) and more of a long formula here\n{two}"), (3, "x = y")],
    )

    assert pages_of(made) == [[1, 2, 2, 3]]
    assert guessed == 2


def test_of_two_places_the_one_behind_the_paragraph_before_is_meant():
    again = "the same few words stand in the text more than once indeed"
    one, two = prose(1), prose(2)

    made, _ = with_pages(
        document(("", [Paragraph(one), Paragraph(again), Paragraph(two), Paragraph(again)])),
        [(1, f"{one} {again}"), (2, two), (3, again)],
    )

    assert pages_of(made) == [[1, 1, 2, 3]]


def test_one_run_far_away_is_no_place():
    far = "as shown above"
    texts = [prose(seed, 100) for seed in range(60)]
    paragraphs = [Paragraph(text) for text in texts]
    paragraphs.insert(2, Paragraph(f"$x$ {far}"))
    pages = [(i + 1, text) for i, text in enumerate(texts)]
    pages.append((61, far))

    made, guessed = with_pages(document(("", paragraphs)), pages)

    assert pages_of(made)[0][:4] == [1, 2, 3, 3]
    assert guessed == 1


def test_notes_and_floats_may_stand_out_of_order():
    table = Paragraph("a | 1 | first entry\nb | 2 | second entry", kind="table")
    one, two = prose(1), prose(2)

    made, _ = with_pages(
        document(("", [Paragraph(one), table, Paragraph(two)])),
        [(1, one), (2, two), (3, "a 1 first entry b 2 second entry")],
    )

    assert pages_of(made) == [[1, 3, 2]]


def test_accents_case_formulas_and_hyphens_do_not_matter():
    text = "Über die $x^2$ Lösung self-attention of Gödel’s “problem” is naïve."
    pdf = "U\u0308BER DIE x2 L\u00d6SUNG self-\nattention of Go\u0308del's problem is na\u00efve"

    made, guessed = with_pages(document(("", [Paragraph(text)])), [(1, prose(5)), (2, pdf)])

    assert pages_of(made) == [[2]]
    assert guessed == 0


def test_headings_are_found_before_the_text_that_they_head():
    one, two = prose(1), prose(2)
    pages = [(1, f"Contents\nMethod\nResults\n{one}"), (2, "Method"), (3, f"{two} Results")]

    made, _ = with_pages(
        document(("Intro", [Paragraph(one)]), ("Method", [Paragraph(two)]), ("Results", [])), pages
    )

    assert [section.page for section in made.sections] == [1, 2, 3]


def test_captions_are_found_anywhere():
    captions = (Caption("figure", "2", prose(7, 12)), Caption("table", None, "Unseen words only."))

    made, _ = with_pages(
        document(("", [Paragraph(prose(1))]), captions=captions),
        [(1, prose(1)), (2, prose(2)), (3, f"Figure 2: {prose(7, 12)}")],
    )

    assert [caption.page for caption in made.captions] == [3, None]


def test_without_text_in_the_pdf_there_are_no_pages():
    made, guessed = with_pages(document(("A", [Paragraph(prose(1))])), [])

    assert pages_of(made) == [[None]]
    assert made.sections[0].page is None
    assert guessed == 1


@pytest.mark.parametrize("lost", [0.0, 0.1, 0.2])
def test_almost_all_paragraphs_of_a_long_paper_are_placed(lost):
    chosen = random.Random(7)
    texts = [prose(seed, chosen.randint(15, 120)) for seed in range(400)]
    words = [word for text in texts for word in text.split()]
    starts = [sum(len(t.split()) for t in texts[:i]) for i in range(len(texts))]
    pages = [(i // 450 + 1, " ".join(words[i : i + 450])) for i in range(0, len(words), 450)]
    seen = [" ".join(w for w in text.split() if chosen.random() >= lost) for text in texts]

    made, _ = with_pages(document(("", [Paragraph(text) for text in seen])), pages)

    right = [
        page == start // 450 + 1 for page, start in zip(pages_of(made)[0], starts, strict=True)
    ]
    assert sum(right) / len(right) >= 0.97


def test_the_same_words_over_and_over_cost_no_square():
    paragraphs = [Paragraph("word " * 200)] * 2_000
    sections = [("word that is not there", [])] * 2_000

    made, _ = with_pages(
        document(("", paragraphs), *sections), [(i, "word " * 500) for i in range(1, 800)]
    )

    assert len(made.sections) == 2_001
