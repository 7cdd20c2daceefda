import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.identifiers import MAX_LENGTH, ArxivId

_YYMM = st.from_regex(r"[0-9]{2}(?:0[1-9]|1[0-2])", fullmatch=True)
_NEW = st.builds("{}.{}".format, _YYMM, st.from_regex(r"[0-9]{4,5}", fullmatch=True))
_ARCHIVE = st.from_regex(r"[a-z]{2,8}(?:-[a-z]{2,4})?", fullmatch=True)
_OLD = st.builds("{}/{}{}".format, _ARCHIVE, _YYMM, st.from_regex(r"[0-9]{3}", fullmatch=True))
IDS = st.builds(ArxivId, _NEW | _OLD, st.none() | st.integers(1, 9999))


@given(IDS)
def test_an_id_reads_back_as_itself(arxiv_id):
    assert ArxivId.parse(str(arxiv_id)) == arxiv_id


@pytest.mark.parametrize(
    ("text", "paper", "version"),
    [
        ("2301.00001", "2301.00001", None),
        ("2301.00001v3", "2301.00001", 3),
        ("0704.0001", "0704.0001", None),
        ("hep-th/9901001", "hep-th/9901001", None),
        ("math.GT/0309136v2", "math/0309136", 2),
        ("solv-int/9901001v12", "solv-int/9901001", 12),
        ("cond-mat/0102536v1", "cond-mat/0102536", 1),
    ],
)
def test_both_schemes_are_read(text, paper, version):
    arxiv_id = ArxivId.parse(text)

    assert (arxiv_id.paper, arxiv_id.version) == (paper, version)
    assert arxiv_id.is_old_style == ("/" in text)


HOSTILE = [
    "",
    " ",
    "../../etc/passwd",
    "/etc/passwd",
    "hep-th/../../x",
    "hep-th/9901001/../../x",
    "..%2f..%2f",
    "2301.00001\x00",
    "2301.00001\n",
    " 2301.00001",
    "2301.00001.pdf",
    "２３０１.００００１",
    "٢٣٠١.٠٠٠٠١",
    "2301.00001v0",
    "2301.00001v01",
    "2301.00001v",
    "2301.00001v10000",
    "2301.00001V1",
    "2313.00001",
    "2300.00001",
    "2301.001",
    "2301.000001",
    "hep-th/990100",
    "hep-th/9913001",
    "HEP-TH/9901001",
    "hep-th\\9901001",
    "math.gt/0309136",
    "http://arxiv.org/abs/2301.00001",
    "arXiv:2301.00001",
    "2301.00001?x=y",
    "2301.00001#x",
    "a" * 300,
    "2" * 300,
    "a" * MAX_LENGTH + "/9901001",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_any_other_text_is_refused(text):
    with pytest.raises(ValueError, match="not an arXiv id"):
        ArxivId.parse(text)


@given(st.text(max_size=60))
def test_what_is_read_is_safe_in_a_url_and_a_path(text):
    try:
        arxiv_id = ArxivId.parse(text)
    except ValueError:
        return

    assert str(arxiv_id) in (text, re.sub(r"\.[A-Z]{2}/", "/", text))
    assert text.isascii()
    assert ".." not in text
    assert not text.startswith(("/", "."))
    assert set(text) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789./-")


@given(IDS, st.sampled_from(["\x00", "\n", "/", "..", "%2f", " ", ".pdf", "\\", "é"]), st.data())
def test_an_id_with_anything_put_into_it_is_refused_or_harmless(arxiv_id, dirt, data):
    text = str(arxiv_id)
    at = data.draw(st.integers(0, len(text)))

    with pytest.raises(ValueError, match="not an arXiv id"):
        ArxivId.parse(text[:at] + dirt + text[at:])


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2401.00001", "2401.00001"),
        ("  2401.00001v2\n", "2401.00001v2"),
        ("2401.00001V2", "2401.00001v2"),
        ("arXiv:2401.00001", "2401.00001"),
        ("ARXIV: 2401.00001v3", "2401.00001v3"),
        ("arXiv:hep-th/9901001V1", "hep-th/9901001v1"),
        ("math.GT/0309136", "math/0309136"),
        ("arXiv:math.GT/0309136v2", "math/0309136v2"),
        ("10.48550/arXiv.2401.00001", "2401.00001"),
        ("10.48550/ARXIV.2401.00001v2", "2401.00001v2"),
        ("doi:10.48550/arXiv.hep-th/9901001", "hep-th/9901001"),
        ("10.48550/arxiv.math.gt/0309136", "math/0309136"),
        ("https://doi.org/10.48550/arXiv.2401.00001", "2401.00001"),
        ("http://dx.doi.org/10.48550/arXiv.2401.00001", "2401.00001"),
        ("https://arxiv.org/abs/2401.00001", "2401.00001"),
        ("http://arxiv.org/abs/2401.00001v2", "2401.00001v2"),
        ("https://www.arxiv.org/pdf/2401.00001v2", "2401.00001v2"),
        ("https://export.arxiv.org/pdf/2401.00001.pdf", "2401.00001"),
        ("https://arxiv.org/pdf/hep-th/9901001v1.pdf?download=1#page=3", "hep-th/9901001v1"),
        ("https://arxiv.org/html/2401.00001v1#S3.SS2", "2401.00001v1"),
        ("https://arxiv.org/abs/math.GT/0309136?context=math", "math/0309136"),
        ("https://arxiv.org/abs/hep-th%2F9901001", "hep-th/9901001"),
        ("HTTPS://ARXIV.ORG/abs/2401.00001/", "2401.00001"),
        ("arxiv.org/abs/2401.00001", "2401.00001"),
        ("//arxiv.org/abs/2401.00001", "2401.00001"),
        ("doi.org/10.48550/arXiv.2401.00001", "2401.00001"),
    ],
)
def test_an_id_is_read_as_people_paste_it(text, meant):
    assert str(ArxivId.pasted(text)) == meant


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("2401.00001.pdf", "2401.00001.pdf"),
        ("hep-th/9901001.pdf", "hep-th/9901001.pdf"),
        ("2401.00001?x=1", "2401.00001"),
        ("https://example.org/abs/2401.00001", "example.org"),
        ("https://arxiv.org.example.org/abs/2401.00001", "arxiv.org.example.org"),
        ("example.org/abs/2401.00001", "example.org"),
        ("https://user@arxiv.org/abs/2401.00001", "user@arxiv.org"),
        ("https://arxiv.org:8443/abs/2401.00001", "arxiv.org:8443"),
        ("https://arxiv.org/list/cs.AI/new", "list/cs.AI/new"),
        ("https://arxiv.org/abs/", "abs"),
        ("https://arxiv.org/abs/../2401.00001", "2401.00001"),
        ("https://doi.org/10.1103/PhysRevD.76.013009", "10.1103"),
        ("https://[x/abs/2401.00001", "[x"),
        ("ftp://arxiv.org/abs/2401.00001", "ftp"),
        ("arXiv:arXiv:2401.00001", "arXiv:arXiv"),
        ("attention is all you need", "attention"),
        ("2401.00001\x00\n", "2401.00001"),
        ("", ""),
        ("x" * 100, "xxx…"),
        ("x" * 10_000, "too long"),
    ],
)
def test_what_is_no_id_is_refused_by_name(text, named):
    with pytest.raises(ValueError, match="not a") as caught:
        ArxivId.pasted(text)

    assert named in str(caught.value)
    assert len(str(caught.value)) < 100
    assert str(caught.value).isprintable()


@given(IDS, st.sampled_from(["{}", "arXiv:{}", "https://arxiv.org/abs/{}", "10.48550/arXiv.{}"]))
def test_every_id_may_be_pasted_in_every_dress(arxiv_id, apply):
    assert ArxivId.pasted(apply.format(arxiv_id)) == arxiv_id


@given(st.text(max_size=250) | st.text(max_size=60).map("https://arxiv.org/abs/{}".format))
def test_any_pasted_text_gives_an_id_or_is_refused(text):
    try:
        arxiv_id = ArxivId.pasted(text)
    except ValueError:
        return

    assert ArxivId.parse(str(arxiv_id)) == arxiv_id
