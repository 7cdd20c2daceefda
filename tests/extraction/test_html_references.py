"""Lists of references of LaTeXML's pages, with and without classes and types."""
# ruff: noqa: E501 (markup reads better unbroken)

import pytest

from service.extraction.structure.identifiers import arxiv_id_in, doi_in
from tests.extraction.latexml_page import document, p


def bibliography(*items: str, tag: str = "section") -> str:
    return (
        f'<{tag} id="bib" class="ltx_bibliography"><h2 class="ltx_title ltx_title_bibliography">'
        f'References</h2><ul class="ltx_biblist">{"".join(items)}</ul></{tag}>'
    )


def references(body: str):
    return [(r.key, r.raw, r.doi, r.arxiv_id) for r in document(body).references]


def test_items_made_from_a_bbl_file():
    item = (
        '<li id="bib.bib1" class="ltx_bibitem"><span class="ltx_tag ltx_role_refnum '
        'ltx_tag_bibitem">[1]</span>\n<span class="ltx_bibblock">\nA. Author.\n\n</span>\n'
        '<span class="ltx_bibblock">Title.\n</span>\n<span class="ltx_bibblock">'
        "<em>arXiv preprint arXiv:1607.06450v2</em>, 2016.\n</span></li>"
    )

    assert references(bibliography(item)) == [
        ("1", "A. Author. Title. arXiv preprint arXiv:1607.06450v2, 2016.", None, "1607.06450")
    ]


def test_items_of_latexml_0_8_0():
    item = (
        '<li class="ltx_bibitem"><span class="ltx_bibtag ltx_role_refnum">BM07</span>'
        '<span class="ltx_bibblock">P. Balmer, <em>Spectra</em>, hep-th/9901001.</span></li>'
    )

    assert references(bibliography(item, tag="div")) == [
        ("BM07", "P. Balmer, Spectra, hep-th/9901001.", None, "hep-th/9901001")
    ]


def test_typed_items_have_their_ids_in_links_only():
    item = (
        '<li class="ltx_bibitem ltx_bib_article"><span class="ltx_tag ltx_bib_author-year '
        'ltx_role_refnum ltx_tag_bibitem">Bai <span class="ltx_bib_etal">et al.</span> (2023)</span>'
        '<span class="ltx_bibblock"><span class="ltx_text ltx_bib_author">J. Bai</span>\n</span>'
        '<span class="ltx_bibblock">External Links: <span class="ltx_text ltx_bib_links">'
        '<a href="https://dx.doi.org/10.1007/BF00116835" class="ltx_ref ltx_bib_external">Document</a>, '
        '<a href="https://arxiv.org/abs/2309.16609v1" class="ltx_ref ltx_bib_external">Link</a></span></span>'
        '<span class="ltx_bibblock ltx_bib_cited">Cited by: <a href="#S1">§1</a>.</span></li>'
    )

    assert references(bibliography(item)) == [
        ("Bai et al. (2023)", "J. Bai", "10.1007/bf00116835", "2309.16609")
    ]


def test_an_eprint_without_a_link_is_an_id():
    item = '<li class="ltx_bibitem"><span class="ltx_bibblock">A. External Links: 2106.09685</span></li>'

    assert references(bibliography(item)) == [(None, "A. 2106.09685", None, "2106.09685")]


def hand_made(*texts: str) -> str:
    return (
        '<section id="S9" class="ltx_section"><h2 class="ltx_title ltx_title_section">'
        f"References</h2>{''.join(map(p, texts))}</section>"
    )


def test_a_section_called_references_is_the_list():
    made = document(hand_made("[1] First one, 1999.", "[2] Second one, 2000."))

    assert [(r.key, r.raw) for r in made.references] == [
        ("1", "First one, 1999."),
        ("2", "Second one, 2000."),
    ]
    assert [s.id for s in made.sections] == ["Z"]


def test_a_list_in_one_paragraph_is_split_at_its_numbers():
    found = references(
        hand_made("1. First, Vol. 48, No. 1. (1993). 2.Second one, 2000. 3. Third 7.")
    )

    assert [(key, raw) for key, raw, *_ in found] == [
        ("1", "First, Vol. 48, No. 1. (1993)."),
        ("2", "Second one, 2000."),
        ("3", "Third 7."),
    ]


def test_items_without_numbers_are_one_a_paragraph():
    assert [raw for _, raw, *_ in references(hand_made("Abel, 1826.", "Bolza, 1909."))] == [
        "Abel, 1826.",
        "Bolza, 1909.",
    ]


def test_a_section_of_that_name_beside_a_true_list_stays_a_section():
    item = '<li class="ltx_bibitem"><span class="ltx_bibblock">A. B., 1999.</span></li>'

    made = document(hand_made("How to cite.") + bibliography(item))

    assert [s.id for s in made.sections] == ["S9", "Z"]
    assert len(made.references) == 1


@pytest.mark.parametrize(
    ("text", "arxiv_id"),
    [
        ("CoRR, abs/1409.0473, 2014", "1409.0473"),
        ("arXiv: 2101.06804", "2101.06804"),
        ("arXiv e-prints: 0704.0001v3", "0704.0001"),
        ("[1905.00506]", "1905.00506"),
        ("[arXiv:1905.00506 [hep-th]]", "1905.00506"),
        ("math.GT/0309136", "math/0309136"),
        ("J. Phys. 12 (1999), hep-ph/9905221.", "hep-ph/9905221"),
        ("https://doi.org/10.48550/arXiv.2302.13971", "2302.13971"),
        ("pages 1234.5678 of a sum", None),
        ("Phys. Rev. 1301.1234567", None),
        ("10.1103/PhysRevD.98.030001", None),
    ],
)
def test_arxiv_ids_in_text(text, arxiv_id):
    assert arxiv_id_in(text) == arxiv_id


@pytest.mark.parametrize(
    ("text", "doi"),
    [
        ("doi:10.1103/PhysRevD.98.030001.", "10.1103/physrevd.98.030001"),
        ("(https://doi.org/10.1016/S0020-7373(87)80053-6)", "10.1016/s0020-7373(87)80053-6"),
        ("10.48550/arXiv.2302.13971", None),
        ("10.48550/arXiv.2302.13971 and 10.1000/182", "10.1000/182"),
        ("version 10.12", None),
        ("10.1000/a\x00b", "10.1000/a"),
    ],
)
def test_dois_in_text(text, doi):
    assert doi_in(text) == doi


def test_links_go_before_text():
    assert (
        doi_in("10.1/x 10.1000/text", ["https://doi.org/10.1000/LINK%281%29"]) == "10.1000/link(1)"
    )
    assert (
        arxiv_id_in("arXiv:1409.0473", ["http://export.arxiv.org/pdf/2101.06804v2"]) == "2101.06804"
    )


def test_a_link_with_a_coded_zero_byte_ends_there():
    assert doi_in("", ["https://doi.org/10.1000/a%00b"]) == "10.1000/a"
