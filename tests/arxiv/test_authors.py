import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.arxiv.authors import listed, split


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("Simeon Warner", ["Simeon Warner"]),
        ("", []),
        ("S.M. Warner", ["S. M. Warner"]),
        ("J.-L. Beuzit, A.-T Nguyen", ["J. -L. Beuzit", "A. -T Nguyen"]),
        ("A B, C D,  and\n  E F", ["A B", "C D", "E F"]),
        ("A B & C D and E F", ["A B", "C D", "E F"]),
        (",, A B,, C D,", ["A B", "C D"]),
        ("Fred Bloggs, Jr, et al", ["Fred Bloggs Jr"]),
        (
            "Quirino M. Sugon Jr., Carlo B. Fernandez",
            ["Quirino M. Sugon Jr.", "Carlo B. Fernandez"],
        ),
        ("John Smith, III, Bob Li", ["John Smith III", "Bob Li"]),
        ("Anatoly Zlotnik and Jr-Shin Li", ["Anatoly Zlotnik", "Jr-Shin Li"]),
        ("BELLE Collaboration: A Person", ["BELLE Collaboration", "A Person"]),
        (
            "H.E.S.S. Collaboration: F. Aharonian, et al",
            ["H. E. S. S. Collaboration", "F. Aharonian"],
        ),
        ("T. Bruch, for the CDMS Collaboration", ["T. Bruch", "for the CDMS Collaboration"]),
        (
            "The DELPHI Collaboration, J. Abdallah, et al.",
            ["The DELPHI Collaboration", "J. Abdallah"],
        ),
        (r"M. Fern\'andez, Rafa{\l} \'Swi\k{e}ty", ["M. Fernández", "Rafał Święty"]),
        (r"Matti J\"arvinen and Cai-Dian L\"u", ["Matti Järvinen", "Cai-Dian Lü"]),
        ("The Fermi-LAT Collaboration, Mario Grouper", ["LAT Collaboration", "Mario Grouper"]),
        ("Al Andover, Wei Wandel", ["Al Andover", "Wei Wandel"]),
    ],
)
def test_a_line_is_split_into_names(line, names):
    assert split(line) == (tuple(names), ((),) * len(names))


@pytest.mark.parametrize(
    ("line", "authors"),
    [
        ("sum won (lab a, lab b)", {"sum won": ["lab a, lab b"]}),
        ("sum won(1,2)((1)lab a,(2)lab b)", {"sum won": ["lab a", "lab b"]}),
        ("sum won (1, 2) ( (1) lab a, (2) lab b.)", {"sum won": ["lab a", "lab b"]}),
        ("sum won (1 and 2) ((1) U. A (2) U. B)", {"sum won": ["U. A", "U. B"]}),
        ("sum won (1 & 3) ((1) U. A)", {"sum won": ["U. A"]}),
        ("a.b.first, c.d.second (affil)", {"a. b. first": ["affil"], "c. d. second": ["affil"]}),
        (
            "a.b.first, c.d.second (1), e.f.third, g.h.forth (2,3) ((1) x, (2) y, (3) z)",
            {
                "a. b. first": ["x"],
                "c. d. second": ["x"],
                "e. f. third": ["y", "z"],
                "g. h. forth": ["y", "z"],
            },
        ),
        (
            "QUaD collaboration: S. Gupta (1), P. Ade ((1) Cardiff)",
            {"QUaD collaboration": [], "S. Gupta": ["Cardiff"], "P. Ade": []},
        ),
        (
            "Zhong-Bo Kang (Iowa State U.), and\n  Werner Vogelsang (BNL)",
            {"Zhong-Bo Kang": ["Iowa State U."], "Werner Vogelsang": ["BNL"]},
        ),
        ("F. Becattini (U. Florence and INFN)", {"F. Becattini": ["U. Florence and INFN"]}),
        ("A B (IRIF (UMR 8243)), C D", {"A B": ["IRIF"], "C D": []}),
        ("A B, (after a comma)", {"A B": []}),
        ("A B (1) ((1) Arcetri)), C D", {"A B": ["Arcetri"], "C D": []}),
        ("sum won ((lab a), (lab b))", {"sum won": []}),
        (r"A B (Universit\'e)", {"A B": ["Université"]}),
        ("A B (CNRS), Jr, C D", {"A B Jr": ["CNRS"], "C D": []}),
    ],
)
def test_affiliations_follow_their_authors(line, authors):
    names, affiliations = split(line)

    assert dict(zip(names, map(list, affiliations), strict=True)) == authors


def test_a_long_list_with_references():
    line = (
        "A. Baldi (1), W. Forman (1), L. David\n  (1), R. Kraft (1) and A. Simionescu (2)"
        " ((1) Harvard-Smithsonian Center for\n  Astrophysics, (2) Max Planck Institute)"
    )

    names, affiliations = split(line)

    assert names == ("A. Baldi", "W. Forman", "L. David", "R. Kraft", "A. Simionescu")
    cfa = "Harvard-Smithsonian Center for Astrophysics"
    assert affiliations == ((cfa,),) * 4 + (("Max Planck Institute",),)


def test_authors_given_one_by_one_have_the_same_form_as_split_ones():
    raw = r"Fred J.P. Bloggs, Jr, BELLE Collaboration, Rafa{\l} X (MPA), et al"

    one_by_one = [
        ("Fred J.P. Bloggs, Jr", ()),
        ("BELLE Collaboration", ()),
        (":", ()),
        (r"Rafa{\l}  X", (r"M\'A",)),
        ("et al", ()),
    ]

    assert listed(one_by_one)[0] == split(raw)[0]
    assert listed(one_by_one)[1] == ((), (), ("MÁ",))


LINES = st.text(st.sampled_from("aB.,:()1 &{}\\'and Jr"), max_size=80)


@given(LINES)
def test_any_line_gives_as_many_affiliations_as_names_and_no_empty_ones(line):
    names, affiliations = split(line)

    assert len(names) == len(affiliations)
    assert all(name and name == name.strip() for name in names)
    assert all(text for texts in affiliations for text in texts)


@given(LINES)
def test_splitting_is_stable_in_names_without_affiliations(line):
    names, _ = split(line.replace("(", "").replace(")", ""))

    again = listed((name, ()) for name in names)[0]
    assert listed((name, ()) for name in again)[0] == again


@pytest.mark.parametrize(
    "piece", ["A. B (1), ", "((", "))", "(1)", ", and ", "a.", "1 and ", "a b ", "é group "]
)
def test_hostile_lines_take_linear_time(piece):
    began = time.process_time()

    split(piece * 40_000)

    assert time.process_time() - began < 3
