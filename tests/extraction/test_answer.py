"""The parent takes nothing that the reading process says on trust."""

import pytest

from service.domain.errors import BadPdf
from service.domain.papers import TextFurniture, TextPage, TextState
from service.extraction.answer import extracted_text

HEAD = {
    "page_count": 2,
    "truncated": False,
    "text_state": "full",
    "pages": [[0, 3], [4, 7]],
    "furniture": [[1, "page_number", "1"]],
    "extractor": "pdfium",
    "quality": {"ms": 3, "unknown_characters": 0, "pages_without_text": []},
}


def test_an_answer_that_fits_together_is_the_result():
    result = extracted_text(HEAD, b"one\ftwo")

    assert (result.text, result.page_count, result.text_state) == ("one\ftwo", 2, TextState.FULL)
    assert result.pages == (TextPage(1, 0, 3), TextPage(2, 4, 7))
    assert result.furniture == (TextFurniture(1, "page_number", "1"),)
    assert (result.extractor, result.quality["ms"]) == ("pdfium", 3)


def test_what_cannot_be_stored_is_replaced_so_that_offsets_stay():
    assert extracted_text(HEAD, b"o\x00e\ft\x1bo").text == "o\ufffde\ft\ufffdo"


@pytest.mark.parametrize(
    "lie",
    [
        {"pages": [[0, 99]]},
        {"pages": [[4, 7], [0, 3]]},
        {"pages": [[3, 0]]},
        {"pages": [["0", 3]]},
        {"pages": 5},
        {"page_count": -1},
        {"text_state": "fine"},
        {"furniture": [[1, "wall", "1"]]},
        {"furniture": [[1, "head"]]},
        {"quality": {"ms": 3}},
        {"quality": {"ms": "3", "unknown_characters": 0, "pages_without_text": []}},
    ],
)
def test_an_answer_that_does_not_fit_together_is_refused(lie):
    with pytest.raises(BadPdf) as caught:
        extracted_text({**HEAD, **lie}, b"one\ftwo")

    assert caught.value.code == "corrupt"
