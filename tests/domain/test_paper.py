from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain import papers as module
from service.domain.papers import PaperVersion, clean_text, single_spaced
from tests.conftest import make_paper

SUBMITTED = datetime(2024, 1, 2, tzinfo=UTC)


def test_a_paper_without_affiliations_has_an_empty_entry_for_each_author():
    assert make_paper(authors=("A", "B")).affiliations == ((), ())


def test_affiliations_that_do_not_match_the_authors_are_refused():
    with pytest.raises(ValueError, match="as many affiliations as authors"):
        make_paper(authors=("A", "B"), affiliations=(("MIT",),))


@pytest.mark.parametrize(
    ("letters", "withdrawn"), [(None, False), ("D", False), ("I", True), ("AI", True)]
)
def test_the_letter_i_marks_a_withdrawn_version(letters, withdrawn):
    version = PaperVersion(version=2, submitted_at=SUBMITTED, source_type=letters)

    assert version.is_withdrawn == withdrawn


def test_what_each_source_does_not_tell():
    everything = module.TOLD_BY_OAI_RAW

    assert everything - module.TOLD_BY_SNAPSHOT == {"withdrawn", "source_types"}
    assert "license" not in module.TOLD_BY_SEARCH
    assert not module.TOLD_BY_OAI_ARXIV & {"version", "versions", "published_at", "updated_at"}


def test_every_told_name_is_a_field_of_a_record():
    others = {"arxiv_id", "told", "snapshot_digest"}
    names = {*make_paper().__slots__, "version", "source_types"} - others

    assert names == module.TOLD_BY_OAI_RAW


ODD = st.text(st.sampled_from("a \n\t\r\u00a0\u2028\x00\x0b\x7f\ud800\u00ad"), max_size=20)


@given(st.text() | ODD)
def test_single_spaced_text_is_clean_and_keeps_every_word(text):
    assert single_spaced(text) == " ".join(clean_text(text).split())
