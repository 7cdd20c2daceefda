import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.categories import (
    ACTIVE,
    ALIASES,
    ARCHIVES,
    SUBSUMED,
    UnknownCategory,
    canonical,
    check_set,
    is_archive,
    members,
    oai_set,
)


def test_the_taxonomy_has_arxivs_numbers():
    assert len(ACTIVE) == 155
    assert (len(ARCHIVES), len(set(ARCHIVES.values()))) == (20, 8)
    assert (len(ALIASES), len(SUBSUMED)) == (6, 18)
    assert set(ALIASES) | set(ALIASES.values()) | set(SUBSUMED.values()) <= ACTIVE


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("cs.AI", "cs.AI"),
        ("hep-th", "hep-th"),
        ("cs", "cs"),
        ("cs.*", "cs"),
        ("astro-ph", "astro-ph"),
        ("math.MP", "math-ph"),
        ("stat.TH", "math.ST"),
        ("math.IT", "cs.IT"),
        ("q-fin.EC", "econ.GN"),
        ("cs.SY", "eess.SY"),
        ("cs.NA", "math.NA"),
        ("cmp-lg", "cmp-lg"),
        ("cond-mat.mtrl-sci", "cond-mat.mtrl-sci"),
    ],
)
def test_a_name_that_arxiv_has_becomes_its_canonical_one(name, meant):
    assert canonical(name) == meant


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("cs.ai", "cs.AI"),
        ("CS", "cs"),
        ("Hep-Th", "hep-th"),
        ("cs.MP ", None),
        ("math.mp", "math.MP"),
        ("csAI", "cs.AI"),
        ("hepth", "hep-th"),
        ("astro-ph.C0", "astro-ph.CO"),
        ("", None),
        ("x" * 10_000, None),
        ("cs.AI OR cs.LG", None),
        ("*", None),
        (".*", None),
        ("hep-th.AI", None),
    ],
)
def test_any_other_name_is_refused_with_the_likely_one(name, suggestion):
    with pytest.raises(UnknownCategory) as caught:
        canonical(name)

    if suggestion:
        assert caught.value.suggestion == suggestion
        assert f"did you mean {suggestion}?" in str(caught.value)
    assert caught.value.suggestion is None or caught.value.suggestion != name


def test_an_archive_covers_all_of_its_categories_and_old_bare_names():
    assert members("astro-ph") == (
        "astro-ph",
        *(f"astro-ph.{name}" for name in ("CO", "EP", "GA", "HE", "IM", "SR")),
    )
    assert len(members("cs")) == 41
    assert "math-ph" not in members("math")
    assert [is_archive(name) for name in ("cs", "hep-th", "cs.AI", "cmp-lg")] == [
        *(True, False, False, False)
    ]


def test_a_category_covers_itself_and_its_alias():
    assert members("cs.AI") == ("cs.AI",)
    assert members("math-ph") == ("math-ph", "math.MP")
    assert members("cmp-lg") == ("cmp-lg",)


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("cs", "cs:cs"),
        ("cs.AI", "cs:cs:AI"),
        ("hep-th", "physics:hep-th"),
        ("physics.optics", "physics:physics:optics"),
        ("cond-mat.soft", "physics:cond-mat:soft"),
        ("cmp-lg", "cs:cs:CL"),
    ],
)
def test_every_name_has_its_set(name, spec):
    assert oai_set(name) == spec
    assert check_set(spec) == spec


@pytest.mark.parametrize("spec", ["cs", "physics", "q-bio:q-bio", "math:math:MP"])
def test_groups_archives_and_categories_are_sets(spec):
    assert check_set(spec) == spec


@pytest.mark.parametrize(
    ("spec", "suggestion"),
    [
        ("cs.AI", "cs:cs:AI"),
        ("hep-th", "physics:hep-th"),
        ("cs:cs:ai", "cs:cs:AI"),
        ("cs:AI", None),
    ],
)
def test_another_set_is_refused_with_the_likely_one(spec, suggestion):
    with pytest.raises(UnknownCategory, match="not an arXiv set") as caught:
        check_set(spec)

    assert suggestion is None or caught.value.suggestion == suggestion


@given(st.text(max_size=50))
def test_any_text_is_a_name_or_refused(text):
    try:
        name = canonical(text)
    except UnknownCategory as err:
        name = canonical(err.suggestion or "cs")

    assert members(name)
