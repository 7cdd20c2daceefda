import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.identifiers import ArxivId
from service.files.paths import id_of, path_for

VERSIONS = st.integers(1, 9999)
MONTHS = st.from_regex(r"[0-9]{2}(0[1-9]|1[0-2])", fullmatch=True)
NEW = st.builds("{}.{}".format, MONTHS, st.from_regex(r"[0-9]{4,5}", fullmatch=True))
ARCHIVES = st.sampled_from(
    ["hep-th", "math", "math.GT", "math.AG", "solv-int", "cs", "astro-ph.CO"]
)
OLD = st.builds("{}/{}{}".format, ARCHIVES, MONTHS, st.from_regex(r"[0-9]{3}", fullmatch=True))
IDS = st.builds("{}v{}".format, NEW | OLD, VERSIONS)
DIGESTS = st.binary(max_size=8).map(lambda content: hashlib.sha256(content).hexdigest())
ONES = "1" * 64


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("2301.00001v3", "2301/2301.00001v3-1111111111111111.pdf"),
        ("0704.0001v1", "0704/0704.0001v1-1111111111111111.pdf"),
        ("hep-th/9901001v1", "hep-th/9901/hep-th_9901001v1-1111111111111111.pdf"),
        ("math/0309136v2", "math/0309/math_0309136v2-1111111111111111.pdf"),
        ("math.GT/0309136v2", "math/0309/math_0309136v2-1111111111111111.pdf"),
    ],
)
def test_the_id_and_the_content_name_the_file(text, path):
    assert path_for(ArxivId.parse(text), ONES) == path


@given(st.tuples(IDS, DIGESTS), st.tuples(IDS, DIGESTS))
def test_two_files_share_a_name_only_when_they_are_one(one, other):
    paths = {path_for(ArxivId.parse(text), sha256).casefold() for text, sha256 in (one, other)}

    assert len(paths) == len({(text.casefold(), sha256) for text, sha256 in (one, other)})


@given(IDS, DIGESTS)
def test_a_name_tells_whose_file_it_is_also_an_old_one_without_a_digest(text, sha256):
    path = path_for(ArxivId.parse(text), sha256)

    assert id_of(path) == ArxivId.parse(text)
    assert id_of(path.replace(f"-{sha256[:16]}", "")) == ArxivId.parse(text)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "notes.txt",
        "2301.00001v3.pdf",
        "2302/2301.00001v3.pdf",
        "2301/2301.00001.pdf",
        "2301/2301.00001v3-111.pdf",
        "2301/2301.00001v3.pdf.bak",
        "2301/a/2301.00001v3.pdf",
        "hep-th/hep-th_9901001v1.pdf",
    ],
)
def test_what_is_no_name_of_ours_is_nobodys(path):
    assert id_of(path) is None


@given(IDS)
def test_a_name_stays_inside_the_root_and_short(text):
    path = path_for(ArxivId.parse(text), ONES)

    assert all(re.fullmatch(r"[A-Za-z0-9][\w.-]*", part) for part in path.split("/"))
    assert ".." not in path
    assert len(path) <= 255


@pytest.mark.parametrize(
    "arxiv_id",
    [ArxivId("2301.00001"), ArxivId("../../etc/passwd", 1), ArxivId("", 1), ArxivId("a/../b", 1)],
)
def test_what_names_no_version_of_a_paper_names_no_file(arxiv_id):
    with pytest.raises(ValueError, match=r"id|version"):
        path_for(arxiv_id, ONES)
