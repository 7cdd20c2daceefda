"""arXiv ids and DOIs are found as people write them, and nothing else is."""

import pytest

from service.extraction.structure.identifiers import arxiv_ids, dois, ids_of_uri


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("arXiv:1706.03762v7 [cs.CL]", "1706.03762"),
        ("arXiv preprint arXiv:1409.0473, 2014", "1409.0473"),
        ("arXiv e-prints, 1901.01234", "1901.01234"),
        ("CoRR, abs/1409.0473, 2014", "1409.0473"),
        ("Phys. Rev. D 68 [1803.01234]", "1803.01234"),
        ("https://arxiv.org/abs/1706.03762", "1706.03762"),
        ("https://arxiv.org/pdf/1706.03762v2.pdf", "1706.03762"),
        ("doi:10.48550/arXiv.2301.00001", "2301.00001"),
        ("hep-th/9901001", "hep-th/9901001"),
        ("arXiv:math.GT/0309136v2", "math/0309136"),
        ("[astro-ph/0601001]", "astro-ph/0601001"),
        ("HEP-PH/0503134", "hep-ph/0503134"),
        ("cond-mat.stat-mech/0101234 and cs.DS/0309136", "cs/0309136"),
    ],
)
def test_an_arxiv_id_is_found_without_its_version(text, found):
    assert arxiv_ids(text) == (found,)


@pytest.mark.parametrize(
    "text",
    [
        "pp. 1706.03762",
        "J. Phys. 1234.5678",
        "1713.01234 (arXiv)",
        "arXiv:1713.01234",
        "hep-th/9913001",
        "foohep-th/9901001",
        "hep-th/99010012",
        "arXiv:1706.037621",
    ],
)
def test_what_looks_like_one_is_none(text):
    assert arxiv_ids(text) == ()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("doi:10.1103/PhysRevD.68.037502.", "10.1103/physrevd.68.037502"),
        ("https://doi.org/10.1016/S0370-2693(03)00865-7", "10.1016/s0370-2693(03)00865-7"),
        ("(doi: 10.1000/182)", "10.1000/182"),
        ("10.1002/(SICI)1099;2-Q,", "10.1002/(sici)1099;2-q"),
        ("see 10.1000/a, 10.1000/b; 10.1000/a", "10.1000/a 10.1000/b"),
    ],
)
def test_a_doi_ends_where_the_sentence_goes_on(text, found):
    assert dois(text) == tuple(found.split())


def test_arxivs_own_doi_is_no_doi():
    assert dois("10.48550/arXiv.1706.03762") == ()


@pytest.mark.parametrize(
    ("uri", "found"),
    [
        ("https://doi.org/10.1103/PhysRevD.68.037502", ("10.1103/physrevd.68.037502", None)),
        ("http://dx.doi.org/10.1002%2F(SICI)1", ("10.1002/(sici)1", None)),
        ("10.18637/jss.v014.i06", ("10.18637/jss.v014.i06", None)),
        ("https://arxiv.org/abs/hep-ph/0305012v1", (None, "hep-ph/0305012")),
        ("http://arxiv.org/abs/arXiv:1011.4066", (None, "1011.4066")),
        ("https://doi.org/10.48550/arXiv.1011.4066", (None, "1011.4066")),
        ("https://example.org/abs/1011.4066", (None, None)),
        ("https://doi.org/10.1000/a%00b", ("10.1000/a", None)),
        ("mailto:someone@example.org", (None, None)),
    ],
)
def test_a_link_leads_to_one(uri, found):
    assert ids_of_uri(uri) == found


def test_endless_text_is_searched_in_time():
    text = "arxiv" * 100_000 + " " * 100_000 + "10." + "1/" * 100_000

    assert arxiv_ids(text) == ()
    assert dois(text) == ()
