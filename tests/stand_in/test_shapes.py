"""The stand-in's answers beside real ones: elements, namespaces, attributes, and their order.

An element is known by its path. Whatever an answer of ours has, a recording must
have in the same place, with the same attributes and in the same order among its
siblings, but for what the server of 2025 changed, which is named here.
"""

from collections import defaultdict
from itertools import pairwise

import pytest
from lxml import etree, html

from service.devtools.stand_in.html import Quality
from tests.stand_in.conftest import ATOM

pytestmark = pytest.mark.samples

# what the recordings of 2014 to 2018 cannot have: the server of 2025 brought it
NEW = {
    "metadata/arXivRaw/version/source_type",
    "metadata/arXivRaw/proxy",
    "metadata/arXiv/authors/author/suffix",
    "metadata/arXiv/acm-class",
    "metadata/arXiv/proxy",
}
# a title may hold math (LaTeXML), but no recorded one does
NEW_IN_HTML = {("h1.ltx_title", "math.ltx_Math")}
RECORD = "{http://www.openarchives.org/OAI/2.0/}record"


class Shape:
    """Paths with their attributes, and which siblings stood before which."""

    def __init__(self, roots):
        self.attributes = defaultdict(set)
        self.namespaces = {}
        self.before = defaultdict(set)
        for root in roots:
            self._add(root, "")

    def _add(self, element, path):
        self.attributes[path].add(tuple(sorted(element.attrib)))
        self.namespaces[path] = etree.QName(element).namespace
        names = [etree.QName(child).localname for child in element]
        for first, second in pairwise(names):
            if first != second:
                self.before[path].add((first, second))
        for child, name in zip(element, names, strict=True):
            self._add(child, f"{path}/{name}".lstrip("/"))

    def later(self, path):
        """All pairs (a, b) at `path` of which a stands somewhere before b."""
        pairs = set(self.before[path])
        while more := {(a, d) for a, b in pairs for c, d in pairs if b == c} - pairs:
            pairs |= more
        return pairs


def check(ours, theirs, *, new=frozenset()):
    """What `ours` has and `theirs` has not, or has otherwise, one line each."""
    wrong = [f"{path} is new" for path in ours.attributes.keys() - theirs.attributes.keys() - new]
    for path in ours.attributes.keys() & theirs.attributes.keys():
        if ours.namespaces[path] != theirs.namespaces[path]:
            wrong.append(f"{path} is in {ours.namespaces[path]}")
        if extra := ours.attributes[path] - theirs.attributes[path]:
            wrong.append(f"{path} has {extra}, not {theirs.attributes[path]}")
        known = theirs.later(path)
        wrong += [
            f"{path}: {a} before {b}"
            for a, b in ours.before[path]
            if (b, a) in known and (a, b) not in known
        ]
    return wrong


def recorded(samples, pattern):
    roots = [etree.parse(path).getroot() for path in sorted((samples / "oai").glob(pattern))]
    assert roots
    return roots


@pytest.mark.parametrize(
    ("verb", "pattern"),
    [
        ("Identify", "paperhive__identify*.xml"),
        ("ListSets", "paperhive__listsets*.xml"),
        ("ListMetadataFormats", "paperhive__listmetadataformats*.xml"),
        ("ListIdentifiers", "paperhive__listidentifiers*.xml"),
    ],
)
async def test_answers_of_oai_have_the_shape_of_recorded_ones(caller, samples, verb, pattern):
    asked = {"metadataPrefix": "arXiv", "from_": "2009-01-01", "until": "2026-01-02"}
    answer = await caller.oai(verb=verb, **(asked if verb == "ListIdentifiers" else {}))

    assert check(Shape([answer.root]), Shape(recorded(samples, pattern))) == []


@pytest.mark.parametrize(("prefix", "pattern"), [("arXivRaw", "scirate*"), ("arXiv", "hepcrawl*")])
async def test_records_have_the_shape_of_recorded_ones(calling, samples, prefix, pattern):
    async with calling(papers=1_500, oai_records=1_600) as one:
        answer = await one.oai(verb="ListRecords", metadataPrefix=prefix)
    theirs = recorded(samples, f"{pattern}.xml")
    if prefix == "arXiv":
        theirs += recorded(samples, "paperhive__*record*http200.xml")

    ours = Shape(answer.root.iter(RECORD))

    assert check(ours, Shape(one for root in theirs for one in root.iter(RECORD)), new=NEW) == []
    assert f"metadata/{prefix}/license" in ours.attributes


async def test_a_token_stands_where_the_recorded_one_stands(calling, samples):
    async with calling(oai_records=50) as one:
        answer = await one.oai(verb="ListRecords", metadataPrefix="arXivRaw")
    (theirs,) = recorded(samples, "scirate*.xml")

    assert [one.tag for one in answer.root] == [one.tag for one in theirs]
    assert answer.root[-1][-1].tag == theirs[-1][-1].tag
    assert {one.tag for one in answer.root[-1]} == {one.tag for one in theirs[-1]}


async def test_dublin_core_has_the_shape_of_recorded_records(calling, samples):
    async with calling() as one:
        answer = await one.oai(verb="ListRecords", metadataPrefix="oai_dc")
    theirs = recorded(samples, "adsabs*.xml")

    ours, wrong = Shape(answer.root.iter(RECORD)), []

    for one in check(ours, Shape(theirs)):
        # the recorded ones stand alone, and so outside the namespace of the protocol
        if not one.endswith(" is in http://www.openarchives.org/OAI/2.0/"):
            wrong.append(one)
    assert wrong == []
    assert "metadata/dc/creator" in ours.attributes


async def test_namespaces_of_the_root_are_those_of_a_recording(caller, samples):
    ours = (await caller.oai(verb="ListSets")).root
    theirs = recorded(samples, "paperhive__listsets*.xml")[0]

    assert ours.nsmap == theirs.nsmap
    assert list(ours.attrib.items()) == list(theirs.attrib.items())


async def test_feeds_have_the_shape_of_recorded_ones(calling, samples):
    paths = [*(samples / "atom").glob("arxivpy__q_*.xml"), *(samples / "atom").glob("arxivpy__id*")]
    theirs = Shape(etree.parse(path).getroot() for path in paths)
    async with calling() as one:
        found = await one.feed(search_query="cat:cs.* OR cat:hep-th", max_results=400)
        _, refused = await one.api(id_list="abc")

    assert len(paths) > 10
    assert check(Shape([found.root, etree.fromstring(refused)]), theirs) == []


async def test_the_attributes_of_an_entry_stand_in_recorded_order(caller, samples):
    path = next((samples / "atom").glob("arxivpy__q_testing_s0_m100*"))

    def orders(root):
        return {
            (etree.QName(one).localname, one.get("title"), tuple(one.attrib))
            for one in root.iterfind(f"{ATOM}entry/*")
            if one.attrib
        }

    found = await caller.feed(search_query="cat:cs.* OR cat:hep-th", max_results=400)

    assert orders(found.root) <= orders(etree.parse(path).getroot())


async def test_pages_of_html_are_built_as_recorded_ones(caller, samples):
    """Every class of ours, and what it stands in, occurs in pages of today's generation."""
    theirs = set()
    for path in (samples / "html").glob("*a*.html"):  # not those of stubs
        theirs |= nested(html.parse(path).getroot())
    pages, corpus = caller.replica.pages, caller.replica.corpus
    names = [
        corpus.calendar.id_of(n)
        for n in range(corpus.papers)
        if pages.quality(n, corpus.versions(n)) is Quality.GOOD
    ][:40]
    ours = set()
    for name in names:
        async with caller.session.get(f"{caller.replica.html_url}/{name}") as answer:
            ours |= nested(html.fromstring(await answer.read()))

    assert len(ours) > 40
    assert ours - theirs == NEW_IN_HTML


def nested(root):
    """(tag and first LaTeXML class of the parent, the same of the element) of the article."""
    pairs = set()
    for one in root.xpath("//article//*"):
        inner = kind(one)
        if inner:
            outer = next((k for a in one.iterancestors() if (k := kind(a))), None)
            pairs.add((outer, inner))
    return pairs


def kind(element):
    classes = [name for name in element.get("class", "").split() if name.startswith("ltx_")]
    return f"{element.tag}.{classes[0]}" if classes else None
