"""Case 126: stamps, running heads and page numbers stand apart from the text, nothing else does."""

from tests.extraction.made_pdf import Put, extracted, lines, pdf

WORDS = [b"alpha", b"beta", b"gamma", b"delta", b"epsilon", b"zeta", b"eta", b"theta"]


def body(page: int) -> list[Put]:
    word = WORDS[page % len(WORDS)]
    return lines(b"The %s begins" % word, b"and the %s ends in mid-" % word, b"sentence here.")


def furniture_of(content: bytes) -> tuple[list[tuple[int, str, str]], str]:
    head, text = extracted(content)
    return head["furniture"], text


def test_running_heads_that_alternate_and_page_numbers_are_left_out():
    pages = []
    for at in range(6):
        title = b"A. Author and B. Author" if at % 2 else b"On the nature of things"
        pages.append([Put(title, 200.0, 750.0), *body(at), Put(b"%d" % (at + 7), 300.0, 40.0)])

    furniture, text = furniture_of(pdf(*pages))

    assert "Author" not in text
    assert "nature" not in text
    assert not any(character.isdigit() for character in text)
    numbers = [entry[2] for entry in furniture if entry[1] == "page_number"]
    assert numbers == ["7", "8", "9", "10", "11", "12"]
    assert [entry[1] for entry in furniture].count("head") == 6
    assert text.count("begins") == text.count("mid-sentence") == 6


def test_heads_that_hold_the_page_number_and_change_with_the_section_are_left_out():
    heads = [b"%d INTRODUCTION", b"%d METHODS", b"%d RESULTS", b"%d PROOFS", b"%d OUTLOOK"]
    pages = [[Put(head % at, 72.0, 750.0), *body(at)] for at, head in enumerate(heads, start=11)]

    furniture, text = furniture_of(pdf(*pages))

    assert text.startswith("The delta begins")
    assert [entry[:2] for entry in furniture] == [(page, "head") for page in range(1, 6)]


def test_the_stamp_of_arxiv_is_left_out_and_a_citation_of_it_stays():
    stamp = b"arXiv:2401.00001v2  [cs.AI]  2 Jan 2024"
    made = pdf([*body(0), *lines(stamp, y=500.0)])
    turned = made.replace(b"1 0 0 1 72 500 Tm", b"0 1 -1 0 20 250 Tm", 1)
    padded = turned.replace(b"endstream", b"  endstream", 0)

    furniture, text = furniture_of(padded)
    _, plain = furniture_of(made)

    assert furniture == [(1, "stamp", "arXiv:2401.00001v2 [cs.AI] 2 Jan 2024")]
    assert "arXiv" not in text
    assert "arXiv:2401.00001v2" in plain


def test_what_stands_once_or_is_part_of_the_body_is_text():
    notice = [Put(b"Proceedings of a conference, 2024", 72.0, 40.0)]
    pages = [[*body(0), *notice], body(1), body(2), [*body(3), Put(b"1984", 300.0, 640.0)]]

    furniture, text = furniture_of(pdf(*pages))

    assert furniture == []
    assert "Proceedings" in text
    assert "1984" in text


def test_a_word_broken_over_a_page_is_whole_although_furniture_lies_between():
    pages = [
        [
            Put(b"On the nature of things", 200.0, 750.0),
            *lines(b"and this is the %s repre-" % WORDS[at], y=100.0),
            Put(b"%d" % (at + 1), 300.0, 40.0),
        ]
        for at in range(3)
    ]
    pages.append([Put(b"On the nature of things", 200.0, 750.0), *lines(b"sentation here.")])

    _, text = furniture_of(pdf(*pages))

    assert text.endswith("gamma representation\fhere.")


def test_what_is_repeated_in_the_middle_of_pages_is_text():
    pages = [[Put(b"A statement that is repeated", 72.0, 400.0)] for _ in range(4)]

    furniture, text = furniture_of(pdf(*pages))

    assert furniture == []
    assert text.count("A statement") == 4
