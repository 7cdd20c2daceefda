"""The recorded answers, compared with a second reading of them that shares no code with ours."""

import xml.etree.ElementTree as ET
from datetime import UTC, datetime

import pytest

from service.arxiv.atom import parse
from service.domain.errors import UpstreamRejected
from service.domain.identifiers import ArxivId

pytestmark = pytest.mark.samples

NAMES = {
    "a": "http://www.w3.org/2005/Atom",
    "x": "http://arxiv.org/schemas/atom",
    "o": "http://a9.com/-/spec/opensearch/1.1/",
}


def recordings(samples):
    found = sorted((samples / "atom").glob("*.xml"))
    assert len(found) >= 20
    return [path for path in found if "http400" not in path.name]


def spaced(text):
    return " ".join(text.split()) if text else None


def second_reading(entry):
    """One entry as a dict, by ElementTree and literal slicing."""
    url = entry.findtext("a:id", namespaces=NAMES)
    paper, _, version = url.partition("/abs/")[2].rpartition("v")
    primary = entry.find("x:primary_category", NAMES).get("term")
    others = [one.get("term") for one in entry.findall("a:category", NAMES)]
    return {
        "arxiv_id": ArxivId(paper, int(version)),
        "title": spaced(entry.findtext("a:title", namespaces=NAMES)),
        "abstract": spaced(entry.findtext("a:summary", namespaces=NAMES)),
        "authors": tuple(spaced(one.text) for one in entry.findall("a:author/a:name", NAMES)),
        "categories": (primary, *[term for term in others if term != primary]),
        "primary_category": primary,
        "published_at": moment(entry.findtext("a:published", namespaces=NAMES)),
        "updated_at": moment(entry.findtext("a:updated", namespaces=NAMES)),
        "doi": spaced(entry.findtext("x:doi", namespaces=NAMES)),
        "journal_ref": spaced(entry.findtext("x:journal_ref", namespaces=NAMES)),
        "comments": spaced(entry.findtext("x:comment", namespaces=NAMES)),
        "license": None,
        "withdrawn": False,  # no recorded paper is
        "affiliations": tuple(affiliations(one) for one in entry.findall("a:author", NAMES)),
        "submitter": None,
        "versions": (),
        "datestamp": None,
    }


def affiliations(author):
    return tuple(spaced(one.text) for one in author.findall("x:affiliation", NAMES))


def moment(text):
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def as_dict(paper):
    other = ("told", "snapshot_digest")
    return {name: getattr(paper, name) for name in paper.__slots__ if name not in other}


def test_every_recorded_entry_is_read_as_a_second_reader_reads_it(samples):
    papers = 0
    for path in recordings(samples):
        root = ET.fromstring(path.read_bytes())
        entries = root.findall("a:entry", NAMES)
        expected = [second_reading(one) for one in entries if one.find("a:id", NAMES) is not None]

        page = parse(path.read_bytes())

        assert [as_dict(paper) for paper in page.papers] == expected, path.name
        assert page.total == int(root.findtext("o:totalResults", namespaces=NAMES)), path.name
        assert page.entries == len(entries), path.name
        papers += len(page.papers)
    assert papers == 178


def test_a_recorded_entry_has_its_known_values(samples):
    page = parse((samples / "atom" / "aioarxiv__sample.xml").read_bytes())

    (paper,) = page.papers
    assert str(paper.arxiv_id) == "cond-mat/0102536v1"
    assert paper.title == "Impact of Electron-Electron Cusp on Configuration Interaction Energies"
    assert paper.authors == (
        "David Prendergast",
        "M. Nolan",
        "Claudia Filippi",
        "Stephen Fahy",
        "J. C. Greer",
    )
    assert paper.affiliations[:2] == (
        ("Department of Physics",),
        ("NMRC, University College, Cork, Ireland",),
    )
    assert "affiliations" in paper.told
    assert paper.categories == ("cond-mat.str-el",)
    assert paper.published_at == datetime(2001, 2, 28, 20, 12, 9, tzinfo=UTC)
    assert paper.doi == "10.1063/1.1383585"
    assert paper.journal_ref == "J. Chem. Phys. 115, 1626 (2001)"
    assert paper.comments == (
        "11 pages, 6 figures, 3 tables, LaTeX209, submitted to The Journal of Chemical Physics"
    )
    assert page.total == 218712


def test_ghosts_are_errors_and_the_paper_among_them_stands(samples):
    page = parse((samples / "atom" / "rsxiv__2025-08-24old__query_missing_id.xml").read_bytes())

    assert [str(paper.arxiv_id) for paper in page.papers] == ["2201.13452v1"]
    assert [error.message for error in page.errors] == ["the entry has no id"] * 3


def test_feeds_without_entries_are_empty_pages(samples):
    found = [parse(path.read_bytes()) for path in recordings(samples)]

    assert sorted(page.total for page in found if not page.entries) == [0, 0, 1]


def test_the_recorded_refusal_is_a_refusal(samples):
    (path,) = (samples / "atom").glob("*http400.xml")

    with pytest.raises(UpstreamRejected, match="incorrect id format for abc"):
        parse(path.read_bytes())
