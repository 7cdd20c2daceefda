"""Case 121: a hyphen at a line's end stays or goes as the word is spelt."""

import pytest

from service.extraction.hyphenation import Vocabulary, keeps_hyphen
from tests.extraction.made_pdf import lines, pdf, text_of


def test_words_broken_at_line_ends_are_spelt_as_they_are():
    made = pdf(
        lines(
            b"We use multi-head self-",
            b"attention as in hep-",
            b"ph/0503134 and state-of-the-",
            b"art BERT-",
            b"base models for repre-",
            b"sentation of a word.",
        )
    )

    assert text_of(made).split("\n") == [
        "We use multi-head self-attention",
        "as in hep-ph/0503134",
        "and state-of-the-art",
        "BERT-base",
        "models for representation",
        "of a word.",
    ]


@pytest.mark.parametrize(
    ("elsewhere", "word"), [("A co-boundary here.", "co-boundary"), ("A coboundary.", "coboundary")]
)
def test_the_papers_own_spelling_decides(elsewhere, word):
    made = pdf(lines(elsewhere.encode(), b"and so this co-", b"boundary is it"))

    assert f"this {word}\nis it" in text_of(made)


def test_another_form_of_the_word_counts_too():
    vocabulary = Vocabulary()
    vocabulary.read(["many meta-algorithms"])

    assert keeps_hyphen("a meta", "algorithm", vocabulary)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("the self", "attention of"),
        ("see hep", "ph/0503134"),
        ("in cond", "mat/9901001"),
        ("a Navier", "Stokes flow"),
        ("the COVID", "19 years"),
        ("of GPT", "style models"),
        ("the x", "axis and"),
        ("a three", "dimensional"),
        ("a state-of-the", "art method"),
        ("at https://example.org/some", "page.html"),
        ("a user", "defined one"),
        ("pages 12", "15 of"),
    ],
)
def test_signs_of_a_hyphen_that_belongs_to_the_word(before, after):
    assert keeps_hyphen(before, after, Vocabulary())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("the repre", "sentation"),
        ("a mani", "fold of"),
        ("the hyper", "parameters"),
        ("Addison-Wes", "ley"),
        ("REPRE", "SENTATION THEORY"),
        ("of embed", "dings and"),
        ("the Po", "litik"),
        ("some token", "izers"),
    ],
)
def test_signs_of_a_hyphen_that_only_breaks_the_word(before, after):
    assert not keeps_hyphen(before, after, Vocabulary())


def test_an_authors_habit_decides_for_prefixes_that_go_both_ways():
    hyphens, closed = Vocabulary(), Vocabulary()
    hyphens.read(["a non-linear and a non-zero one"])
    closed.read(["a nonlinear and a nonzero one"])

    assert keeps_hyphen("is non", "negative", hyphens)
    assert not keeps_hyphen("is non", "negative", closed)


def test_a_word_broken_over_a_page_stands_whole_on_the_first():
    made = pdf(lines(b"Here the repre-", y=80.0), lines(b"sentation goes on", b"and on", y=700.0))

    assert text_of(made) == "Here the representation\fgoes on\nand on"


def test_notes_between_the_parts_of_a_word_are_passed_over():
    first = [*lines(b"Here the repre-", y=120.0), *lines(b"1 A note.", y=80.0, size=7.0)]
    made = pdf(first, lines(b"sentation goes on", b"and on"))

    assert text_of(made) == "Here the representation\n1 A note.\fgoes on\nand on"


def test_what_makes_no_word_is_not_joined_over_a_note():
    first = [*lines(b"Here the repre-", y=120.0), *lines(b"1 A note.", y=80.0, size=7.0)]
    made = pdf(first, lines(b"The next page", b"and on"))

    assert text_of(made) == "Here the repre-\n1 A note.\fThe next page\nand on"


def test_a_dash_that_ends_a_line_is_no_broken_word():
    made = pdf(lines(b"one -", b"two", b"(three)-", b"- four"))

    assert text_of(made) == "one -\ntwo\n(three)-\n- four"


def test_the_soft_hyphen_goes_and_u2010_is_a_hyphen():
    fonts = {
        "F3": b"<</Type/Font/Subtype/Type1/BaseFont/Times-Roman/FirstChar 0/LastChar 255"
        b"/Widths[%s]/Encoding<</Differences[1/uni00AD/uni2010]>>>>" % b" ".join([b"500"] * 256)
    }
    made = pdf(lines(b"Wert\\001papier and well\\002known", font="F3"), fonts=fonts)

    assert text_of(made) == "Wertpapier and well-known"


@pytest.mark.parametrize("label", [b"Table 5", b"Figure 2: A", b"Fig. 3", b"TABLE IV"])
def test_no_word_goes_on_with_a_caption(label):
    made = pdf(lines(b"Here we con-", label, b"sider it and more"))

    assert text_of(made) == f"Here we consider\n{label.decode()}\nit and more"


def test_a_sentence_about_a_figure_is_no_caption():
    made = pdf(lines(b"Here we con-", b"figure it and"))

    assert text_of(made) == "Here we configure\nit and"
