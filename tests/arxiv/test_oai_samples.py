"""The recorded OAI-PMH answers, compared with a second reading that shares no code with ours."""

import json
import re
import xml.etree.ElementTree as ET
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime

import pytest

from service.arxiv import oai
from service.domain.categories import ACTIVE, ARCHIVES, SUBSUMED, canonical, check_set
from service.domain.errors import UpstreamFaulty
from service.domain.papers import PaperVersion

pytestmark = pytest.mark.samples

OAI = "{http://www.openarchives.org/OAI/2.0/}"
RAW = "{http://arxiv.org/OAI/arXivRaw/}"
PARTED = "{http://arxiv.org/OAI/arXiv/}"
FORMULA = re.compile(r"\$[^$]*\$")


def recording(samples, pattern):
    (path,) = (samples / "oai").glob(pattern)
    return path.read_bytes()


def spaced(text):
    return " ".join(text.split()) if text else None


def whole_records(body):
    root = ET.fromstring(body)
    return root.findall(f"{OAI}ListRecords/{OAI}record") + root.findall(
        f"{OAI}GetRecord/{OAI}record"
    )


def second_version(element):
    return PaperVersion(
        version=int(element.get("version")[1:]),
        submitted_at=parsedate_to_datetime(element.findtext(f"{RAW}date")).astimezone(UTC),
        size_kb=int(element.findtext(f"{RAW}size").removesuffix("kb")),
        source_type=element.findtext(f"{RAW}source_type"),
    )


def test_a_thousand_raw_records_are_read_field_by_field(samples):
    body = recording(samples, "scirate__*")

    page = oai.records(body)

    assert (len(page.papers), page.errors, page.deleted) == (1000, (), ())
    assert page.token == "496549|96001"
    days = set()
    for paper, entry in zip(page.papers, whole_records(body), strict=True):
        raw = entry.find(f"{OAI}metadata/{RAW}arXivRaw")
        versions = [second_version(one) for one in raw.findall(f"{RAW}version")]
        history = tuple(sorted(versions, key=lambda one: one.version))
        days.add(paper.datestamp)
        assert paper.arxiv_id.paper == raw.findtext(f"{RAW}id")
        assert paper.arxiv_id.version == history[-1].version
        assert paper.versions == history
        assert paper.published_at == history[0].submitted_at
        assert paper.updated_at == history[-1].submitted_at
        assert paper.datestamp.isoformat() == entry.findtext(f"{OAI}header/{OAI}datestamp")
        assert paper.categories == tuple(raw.findtext(f"{RAW}categories").split())
        assert paper.primary_category == paper.categories[0]
        assert paper.submitter == spaced(raw.findtext(f"{RAW}submitter"))
        assert paper.doi == spaced(raw.findtext(f"{RAW}doi"))
        assert paper.license == spaced(raw.findtext(f"{RAW}license"))
        assert len(paper.affiliations) == len(paper.authors)
    assert page.last_day == max(days)


def test_texts_without_macros_stay_byte_for_byte_and_formulas_always(samples):
    body = recording(samples, "scirate__*")
    fields = {"title": "title", "abstract": "abstract", "comments": "comments"}
    fields |= {"journal-ref": "journal_ref"}
    plain = 0

    for paper, entry in zip(oai.records(body).papers, whole_records(body), strict=True):
        raw = entry.find(f"{OAI}metadata/{RAW}arXivRaw")
        for tag, name in fields.items():
            typed, read = spaced(raw.findtext(f"{RAW}{tag}")), getattr(paper, name)
            if not typed or "\\" not in FORMULA.sub("", typed):
                assert read == typed
                plain += 1
            else:
                assert FORMULA.findall(read) == FORMULA.findall(typed)
    assert plain > 3500


def test_the_recorded_authors_lose_every_accent_macro(samples):
    papers = oai.records(recording(samples, "scirate__*")).papers
    by_id = {paper.arxiv_id.paper: paper for paper in papers}
    names = [name for paper in papers for name in paper.authors]

    # "H. H/\"akkinen" is a slip of its author's; all other macros are arXiv's
    assert [name for name in names if "\\" in name] == []
    assert "Ferenc Szöllősi" in names
    assert "S. Bae{ß}ler" not in names
    assert "S. Baeßler" in names
    assert all(names)
    assert max(map(len, names)) < 80
    assert by_id["0811.3649"].authors == ("Zeev Rudnick",)


@pytest.mark.parametrize("pattern", ["paperhive__*http200.xml", "hepcrawl__*"])
def test_recorded_parted_records_are_read_field_by_field(samples, pattern):
    papers = 0
    for path in sorted((samples / "oai").glob(pattern)):
        for entry in whole_records(path.read_bytes()):
            body = path.read_bytes()
            read = oai.record(body) if b"<GetRecord>" in body else None
            found = [read] if read else oai.records(body).papers
            element = entry.find(f"{OAI}metadata/{PARTED}arXiv")
            arxiv_id = element.findtext(f"{PARTED}id")
            (paper,) = [one for one in found if one.arxiv_id.paper == arxiv_id]
            names = [
                " ".join(
                    author.findtext(f"{PARTED}{part}", "") for part in ("forenames", "keyname")
                )
                for author in element.findall(f"{PARTED}authors/{PARTED}author")
            ]
            created = date.fromisoformat(element.findtext(f"{PARTED}created"))
            assert paper.title == spaced(element.findtext(f"{PARTED}title"))
            assert paper.abstract == spaced(element.findtext(f"{PARTED}abstract"))
            assert paper.comments == spaced(element.findtext(f"{PARTED}comments"))
            assert paper.doi == element.findtext(f"{PARTED}doi")
            assert paper.authors == tuple(name.strip() for name in names)
            assert paper.published_at == datetime.combine(created, datetime.min.time(), UTC)
            papers += 1
    assert papers >= 3


def test_case_127_recorded_affiliations_are_kept(samples):
    paper = oai.record(recording(samples, "paperhive__getrecord*"))

    assert paper.affiliations == (("Radboud Universiteit",),) * 2
    assert "affiliations" in paper.told


def test_recorded_identifiers_are_read(samples):
    body = recording(samples, "paperhive__listidentifiers*")
    page = oai.identifiers(body)

    assert len(page.headers) == body.count(b"<header>")
    assert (page.errors, page.token) == ((), None)
    assert page.headers[0].sets == ("physics:astro-ph",)


def test_the_recorded_503_page_is_no_answer(samples):
    with pytest.raises(UpstreamFaulty, match="web page"):
        oai.records(recording(samples, "*http503.html"))


def test_every_recorded_category_and_set_is_in_the_taxonomy(samples):
    lines = recording(samples, "*1041rows.jsonl").decode().splitlines()
    names = {name for line in lines for name in json.loads(line)["abs_categories"].split()}
    papers = oai.records(recording(samples, "scirate__*")).papers
    names |= {name for paper in papers for name in paper.categories}

    assert len(names) > 100
    assert {canonical(name) for name in names} <= {*ACTIVE, *SUBSUMED, *ARCHIVES}
    listed = recording(samples, "paperhive__listsets*").decode()
    specs = re.findall(r"<setSpec>([^<]+)</setSpec>", listed)
    assert len(specs) > 10
    for spec in specs:
        assert check_set(spec)
