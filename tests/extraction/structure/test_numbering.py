"""Numbers of headings are told from words, and counted."""

import pytest

from service.extraction.structure.numbering import split_number, to_roman


@pytest.mark.parametrize(
    ("text", "label", "title"),
    [
        ("3.2 Results", "3.2", "Results"),
        ("3.2. Results", "3.2", "Results"),
        ("II. METHODS", "II", "METHODS"),
        ("Appendix A: Proofs", "A", "Proofs"),
        ("A.1 Proofs", "A.1", "Proofs"),
        ("A1. Proofs", "A1", "Proofs"),
        ("Section 4 – Data", "4", "Data"),
        ("§5 Data", "5", "Data"),
        ("10 Conclusion", "10", "Conclusion"),
    ],
)
def test_a_number_is_bare_and_the_title_without_it(text, label, title):
    numbers, rest = split_number(text)

    assert numbers[0].label == label
    assert rest == title


@pytest.mark.parametrize("text", ["Introduction", "10.1145 is a registrant", "IMPORTANT things"])
def test_a_word_is_no_number(text):
    assert split_number(text) == ((), text)


def test_a_lone_letter_is_a_number_that_nothing_marks():
    assert [n.is_marked for n in split_number("A lemma")[0]] == [False]
    assert [n.is_marked for n in split_number("A. Lemma")[0]] == [True]


def test_c_may_be_a_letter_or_a_hundred_but_not_here_and_i_is_both():
    assert [n.kind for n in split_number("C. Data")[0]] == ["letter"]
    assert [(n.kind, n.parts) for n in split_number("I. Data")[0]] == [
        ("roman", (1,)),
        ("letter", (9,)),
    ]


def test_roman_numbers_count():
    assert [to_roman(n) for n in (1, 4, 9, 14, 40, 89, 0, 90)] == [
        *("I", "IV", "IX", "XIV", "XL", "LXXXIX"),
        "",
        "",
    ]
    assert split_number("XIV. Data")[0][0].parts == (14,)
    assert all(n.kind != "roman" for n in split_number("IIII. Data")[0])
