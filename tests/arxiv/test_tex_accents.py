import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.arxiv.tex_accents import converted


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        (r"Czerwi\'nski", "Czerwiński"),
        (r"M\"ossbauer", "Mössbauer"),
        (r"M\"{o}ssbauer", "Mössbauer"),
        (r"M\"{{o}}ssbauer", "Mössbauer"),
        (r"{\'E}cole", "{É}cole"),
        (r"Erd\H{o}s", "Erdős"),
        (r"Fran\c{c}ois", "François"),
        (r"\c{S}erban", "Şerban"),
        (r"Ho\v{r}ava", "Hořava"),
        (r"\v{Z}ivkovi\'c", "Živković"),
        (r"\u{A} \k{i} \r{u} \v{g} \c{g}", "Ă į ů ǧ ģ"),
        (r"Mar\'{\i}a", "María"),
        (r"Mar\'{\i }a", "María"),
        (r"Mar\'\i a", "María"),
        (r"Mar\'\i{}a", "María"),
        (r"\^{\j}", "ĵ"),
        (r"\'{\j}", "j"),
        (r"\i", "ı"),
        (r"{\j} \j x", "j jx"),
        (r"{\L}ukasz, \L ukasz, \L{}ukasz", "Łukasz, Łukasz, Łukasz"),
        (r"{\O}rsted and \O\ x", "Ørsted and Ø x"),
        (r"Gro{\ss} Gro\ss", "Groß Groß"),
        (r"\AA ngstr\"om \aa \ae \oe \DJ \th", "Ångström åæœĐþ"),
        (r"{\o x}", "{øx}"),
        (r"\ss_7", "ß_7"),
        (r"\=a \.z \~n \`e \^w", "ā ż ñ è ŵ"),
        (r"\'q \"{w}", "q w"),
        (r"\t{o}", "o"),
        (r"Fr\\'ed", "Fr\\éd"),
    ],
)
def test_a_macro_becomes_the_character_that_arxiv_has_for_it(typed, text):
    assert converted(typed) == text
    assert unicodedata.is_normalized("NFC", converted(typed))


@pytest.mark.parametrize(
    "text",
    [
        r"$\'e\o$ stays",
        r"$$\"o$$ and $\sum_\i$",
        r"\$5 and $x\$\'e$",
        r"100 % of A & B -- all",
        r"200 {\deg}C, \S 3, \copyright\ 2020, \dag",
        r"\alpha-decay, \phi, \Gamma",
        r"{\it word} and {{braces}}",
        r"\v{b} \c{i}",
        r"\oint \oe1 \section \iota \thing \Large \Omega",
        r"\c c \v c",
        r"\' e \'{} \'",
        "",
        "\\",
    ],
)
def test_everything_else_stays_byte_for_byte(text):
    assert converted(text) == text


def test_a_dollar_without_a_partner_begins_no_formula():
    assert converted(r"US$ 5 of Erd\H{o}s") == "US$ 5 of Erdős"


def test_text_between_formulas_is_converted():
    assert converted(r"$a$ \'e $\'e$ \'e") == r"$a$ é $\'e$ é"


@given(st.text().filter(lambda text: "\\" not in text))
def test_text_without_a_backslash_is_returned_as_it_is(text):
    assert converted(text) is text


@given(st.text(st.sampled_from("\\'\"^~{}$ijoeHvct \n_l"), max_size=60))
def test_the_rest_of_a_text_survives_whatever_macros_are_in_it(text):
    kept = "".join(c for c in converted(text) if c in "\n_$")

    assert kept.replace("\n", "") == "".join(c for c in text if c in "_$")


@pytest.mark.parametrize("piece", ["$\\", "{{", "\\'{{", "\\$", "$", "\\i{", "{\\o", "$$x", "\\"])
def test_hostile_texts_take_linear_time(piece):
    text = piece * 100_000
    began = time.process_time()

    converted(text + "\\'")

    assert time.process_time() - began < 2
