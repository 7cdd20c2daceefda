import json

import pytest

from service.arxiv.withdrawals import is_withdrawn


@pytest.mark.parametrize(
    "comment",
    [
        "Withdrawn",
        "withdrawn.",
        "This paper has been withdrawn",
        "This paper has been withdrawn by the author(s), due to an error in eq. (3)",
        "The paper has been withdrawn by the author due to the crucial error",
        "5 pages, 1 figures. This paper has been withdrawn by the author",
        "Withdrawn by the authors",
        "This submission has been withdrawn by arXiv administrators",
        "This article was temporarily withdrawn, a gap was found",
        "Under revision: withdrawn after persistent problems with Lemma 2.20",
        "This paper has been withdrawn from arXiv",
    ],
)
def test_a_clause_about_this_paper_means_withdrawn(comment):
    assert is_withdrawn(comment)


@pytest.mark.parametrize(
    "comment",
    [
        None,
        "",
        "20 pages, 3 figures",
        "This paper is currently under revision",
        "Supersedes arXiv:0704.0001, which has been withdrawn by the authors",
        "Replaces a withdrawn paper",
        "Withdrawn paper 0704.0001 is part of this one",
        "Withdrawn from Physical Review Letters, submitted elsewhere",
        "This paper was withdrawn from the conference for lack of a visa",
        "The first version of this paper was withdrawn",
        "On money withdrawn by the customer",
        "This paper has not been withdrawn",
    ],
)
def test_anything_else_does_not(comment):
    assert not is_withdrawn(comment)


@pytest.mark.samples
def test_recorded_comments_are_judged_as_arxiv_judges_the_papers(samples):
    lines = (samples / "oai" / "arXiv-oaipmh__metadata_sample_1041rows.jsonl").read_text()
    rows = [json.loads(line) for line in lines.splitlines()]

    wrong = [
        row["comments"] for row in rows if is_withdrawn(row["comments"]) != row["is_withdrawn"]
    ]

    assert len(rows) == 1041
    assert wrong == ["This paper is currently under revision"]  # nobody could tell
