"""What docs/arxiv.md says of arXiv, as checks: each makes a few requests and says what it saw.

A check gives a `Finding`: whether what was seen is what the document says (None: it could
not be judged), and what it was. Where two things have been reported, both are as documented,
and the finding says which one it is today.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from urllib.parse import parse_qs, quote, unquote, urlencode

from lxml import etree

from tests.live.asking import Asker, Reply

ATOM = "{http://www.w3.org/2005/Atom}"
SEARCH = "{http://a9.com/-/spec/opensearch/1.1/}"
OAI = "{http://www.openarchives.org/OAI/2.0/}"
RAW = "{http://arxiv.org/OAI/arXivRaw/}"
CATEGORIES = ("cs.AI", "cs.LG", "math.CO")
UNKNOWN = "0704.9999"
CEILING = 10_000
OLD_CEILING = 30_000
MOST_RECORDS, MOST_IDENTIFIERS = 2_500, 20_000
FIRST_DAY = date(2005, 9, 16)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check saw; `holds`: whether that is as documented, None if it could not be judged."""

    holds: bool | None
    seen: str


@dataclass(slots=True)
class Seen:
    """What checks share: the asker, and answers that several of them look at."""

    ask: Asker
    replies: dict[str, Reply] = field(default_factory=dict)

    def once(self, name: str, fetch: Callable[[], Reply]) -> Reply:
        """The answer of that name, asked for once."""
        if name not in self.replies:
            self.replies[name] = fetch()
        return self.replies[name]

    def ids(self) -> list[str]:
        """Ids of twelve papers, without version."""
        reply = self.once(
            "ids", lambda: self.ask.query(search_query=f"cat:{CATEGORIES[0]}", max_results=12)
        )
        found = [entry.findtext(f"{ATOM}id") or "" for entry in entries(reply)]
        return [re.sub(r"v\d+$", "", one.partition("/abs/")[2]) for one in found]

    def total(self, query: str) -> int | None:
        """How many papers match; None where the answer does not say so."""
        return total(self.ask.query(search_query=query, max_results=1))

    def records(self) -> Reply:
        """A page of records in the format arXivRaw, from the first day on."""
        arguments = {"verb": "ListRecords", "metadataPrefix": "arXivRaw", "set": "math"}
        return self.once("records", lambda: self.ask.oai(**arguments))

    def token(self) -> str:
        """The resumption token of that page; empty where it has none."""
        root = xml(self.records())
        return "" if root is None else (root.findtext(f".//{OAI}resumptionToken") or "")

    def html(self) -> Reply:
        """The HTML page of a paper."""
        return self.once("html", lambda: self.ask.html(f"{self.ask.places.html}/{self.ids()[0]}"))


Check = Callable[[Seen], Finding]


def xml(reply: Reply) -> etree._Element | None:
    """The document of an answer; None where it is none."""
    try:
        return etree.fromstring(
            reply.body, etree.XMLParser(resolve_entities=False, huge_tree=True, no_network=True)
        )
    except etree.XMLSyntaxError:
        return None


def entries(reply: Reply) -> list[etree._Element]:
    root = xml(reply)
    return [] if root is None else root.findall(f"{ATOM}entry")


def total(reply: Reply) -> int | None:
    root = xml(reply)
    text = None if root is None else root.findtext(f"{SEARCH}totalResults")
    return int(text) if text and text.strip().isdecimal() else None


def oai_error(reply: Reply) -> str | None:
    """The code of an OAI-PMH error; None where there is none."""
    root = xml(reply)
    error = None if root is None else root.find(f"{OAI}error")
    return None if error is None else error.get("code")


def one_of(reply: Reply, *statuses: int) -> Finding:
    """Whether the status is one of those."""
    return Finding(reply.status in statuses, f"HTTP {reply.status}")


def same(found: int | None, other: int | None, *, what: str) -> Finding:
    """Whether two totals are equal and not nothing."""
    if found is None or other is None or not found:
        return Finding(None, f"{what}: {found} and {other}")
    return Finding(found == other, f"{what}: {found} and {other}")


def accept(seen: Seen) -> Finding:
    reply = seen.ask.query(accept=None, search_query=f"cat:{CATEGORIES[0]}", max_results=1)
    return one_of(reply, 200, 406)


def post(seen: Seen) -> Finding:
    return one_of(seen.ask.post(search_query=f"cat:{CATEGORIES[0]}", max_results=1), 200)


def or_by_default(seen: Seen) -> Finding:
    one, _, other = CATEGORIES
    bare = seen.total(f"cat:{one} cat:{other}")
    return same(bare, seen.total(f"cat:{one} OR cat:{other}"), what="totals of `a b`, `a OR b`")


def right_association(seen: Seen) -> Finding:
    one, two, three = (f"cat:{name}" for name in CATEGORIES)
    bare = seen.total(f"{one} AND {two} OR {three}")
    grouped = seen.total(f"{one} AND ({two} OR {three})")
    return same(bare, grouped, what="totals of `a AND b OR c`, `a AND (b OR c)`")


def last_updated(seen: Seen) -> Finding:
    days = "[202401010000 TO 202401312359]"
    updated = seen.total(f"cat:{CATEGORIES[0]} AND lastUpdatedDate:{days}")
    submitted = seen.total(f"cat:{CATEGORIES[0]} AND submittedDate:{days}")
    return same(updated, submitted, what="totals by lastUpdatedDate, by submittedDate")


def id_list_default(seen: Seen) -> Finding:
    ids = seen.ids()
    if len(ids) < 12:
        return Finding(None, f"only {len(ids)} ids to ask for")
    came = len(entries(seen.ask.query(id_list=",".join(ids))))
    return Finding(came == 10, f"{came} of 12 came")


def unknown_ids(seen: Seen) -> Finding:
    came = len(entries(seen.ask.query(id_list=f"{seen.ids()[0]},{UNKNOWN}", max_results=2)))
    return Finding(came == 1, f"{came} of 1 known and 1 unknown came")


def window(seen: Seen) -> Finding:
    reply = seen.ask.query(search_query=f"cat:{CATEGORIES[1]}", start=CEILING - 1, max_results=1)
    return one_of(reply, 200)


def ceiling(seen: Seen) -> Finding:
    reply = seen.ask.query(search_query=f"cat:{CATEGORIES[1]}", start=CEILING, max_results=1)
    return one_of(reply, 200, 500)


def old_ceiling(seen: Seen) -> Finding:
    reply = seen.ask.query(search_query=f"cat:{CATEGORIES[1]}", start=OLD_CEILING, max_results=1)
    return one_of(reply, 400, 500)


def no_results_asked(seen: Seen) -> Finding:
    return one_of(seen.ask.query(search_query=f"cat:{CATEGORIES[0]}", max_results=0), 500)


def leading_wildcard(seen: Seen) -> Finding:
    return one_of(seen.ask.query(search_query="ti:*tum", max_results=1), 400, 500)


def syntax_error(seen: Seen) -> Finding:
    reply = seen.ask.query(search_query='ti:"a AND (', max_results=1)
    ids = [entry.findtext(f"{ATOM}id") or "" for entry in entries(reply)]
    is_feed = len(ids) == 1 and "/api/errors" in ids[0]
    return Finding(
        reply.status in (200, 400) and is_feed, f"HTTP {reply.status}, error entry: {is_feed}"
    )


def links(seen: Seen) -> Finding:
    seen.ids()
    found = [link for entry in entries(seen.replies["ids"]) for link in entry.iter(f"{ATOM}link")]
    bare = [link for link in found if link.get("rel") is None]
    return Finding(True, f"{len(bare)} of {len(found)} links without `rel`")


def identify(seen: Seen) -> Finding:
    root = xml(seen.ask.oai(verb="Identify"))
    if root is None:
        return Finding(False, "no XML")
    names = ("earliestDatestamp", "deletedRecord", "granularity")
    told = {name: root.findtext(f".//{OAI}{name}") for name in names}
    wanted = dict(zip(names, (f"{FIRST_DAY}", "persistent", "YYYY-MM-DD"), strict=True))
    return Finding(told == wanted, ", ".join(f"{name} {text}" for name, text in told.items()))


def too_late(seen: Seen) -> Finding:
    late = datetime.now(UTC).date() + timedelta(days=3)
    reply = seen.ask.oai(verb="ListIdentifiers", metadataPrefix="oai_dc", until=late)
    code = oai_error(reply)
    return Finding(
        (reply.status, code) == (200, "badArgument"), f"HTTP {reply.status}, error {code}"
    )


def no_match(seen: Seen) -> Finding:
    """The first day but one has no records: those of before lie on the first."""
    day = FIRST_DAY + timedelta(days=1)
    arguments = {"verb": "ListIdentifiers", "metadataPrefix": "oai_dc", "set": "cs"}
    reply = seen.ask.oai(**arguments, from_=day, until=day)
    code = oai_error(reply)
    if reply.status == 200 and code is None:
        return Finding(None, "there are records on that day")
    return Finding(
        (reply.status, code) == (200, "noRecordsMatch"), f"HTTP {reply.status}, error {code}"
    )


def page_of_records(seen: Seen) -> Finding:
    root = xml(seen.records())
    count = 0 if root is None else len(root.findall(f".//{OAI}record"))
    is_cut = bool(seen.token())
    return Finding(0 < count <= MOST_RECORDS, f"{count} records, more to come: {is_cut}")


def page_of_identifiers(seen: Seen) -> Finding:
    root = xml(seen.ask.oai(verb="ListIdentifiers", metadataPrefix="oai_dc"))
    count = 0 if root is None else len(root.findall(f".//{OAI}header"))
    return Finding(0 < count <= MOST_IDENTIFIERS, f"{count} identifiers")


def acm_class(seen: Seen) -> Finding:
    root = xml(seen.records())
    metadata = [] if root is None else list(root.iter(f"{RAW}arXivRaw"))
    told = [(one.findtext(f"{RAW}acm-class"), one.findtext(f"{RAW}msc-class")) for one in metadata]
    given = [(acm, msc) for acm, msc in told if acm is not None]
    if not given:
        return Finding(None, f"none of {len(metadata)} records has an acm-class")
    wrong = sum(acm in (msc, "None") for acm, msc in given)
    return Finding(wrong > 0, f"{wrong} of {len(given)} repeat the MSC class or say None")


def token_form(seen: Seen) -> Finding:
    token = seen.token()
    if not token:
        return Finding(None, "the list was of one page")
    inside = {name: values[0] for name, values in parse_qs(unquote(token)).items()}
    has_all = {"verb", "metadataPrefix", "skip"} <= inside.keys()
    times = "twice" if unquote(token) != token and "=" not in token else "once"
    return Finding(has_all, f"encoded {times}: {', '.join(sorted(inside))}")


def token_expiry(seen: Seen) -> Finding:
    root = xml(seen.records())
    element = None if root is None else root.find(f".//{OAI}resumptionToken")
    text = None if element is None else element.get("expirationDate")
    if text is None:
        return Finding(None, "the list was of one page")
    return Finding(text.endswith("T00:00:00Z"), f"expirationDate {text}")


def old_token(seen: Seen) -> Finding:
    """A token as one of last year would be: it holds all that the server needs."""
    if not seen.token():
        return Finding(None, "the list was of one page")
    last_year = datetime.now(UTC).date() - timedelta(days=365)
    inside = {"verb": "ListRecords", "metadataPrefix": "arXivRaw", "set": "math"}
    token = quote(urlencode({**inside, "from": last_year, "skip": 1}))
    reply = seen.ask.oai(verb="ListRecords", resumptionToken=token)
    code = oai_error(reply)
    is_known = reply.status == 200 and code in (None, "noRecordsMatch", "badResumptionToken")
    return Finding(is_known, f"HTTP {reply.status}, {code or 'records'}")


def pdf_head(seen: Seen) -> Finding:
    reply = seen.ask.get(f"{seen.ask.places.pdf}/{seen.ids()[0]}", method="HEAD")
    told = [name for name in ("content-length", "etag", "accept-ranges") if name in reply.headers]
    return Finding(reply.status == 200 and "etag" in told, f"HTTP {reply.status}, {told}")


def pdf_range(seen: Seen) -> Finding:
    url = f"{seen.ask.places.pdf}/{seen.ids()[0]}"
    reply = seen.ask.get(url, headers={"Range": "bytes=0-1023"})
    is_part = reply.status == 206 and reply.body.startswith(b"%PDF")
    return Finding(is_part, f"HTTP {reply.status}, {len(reply.body)} bytes")


def pdf_suffix(seen: Seen) -> Finding:
    return one_of(seen.ask.get(f"{seen.ask.places.pdf}/{seen.ids()[0]}.pdf", method="HEAD"), 301)


def pdf_unknown(seen: Seen) -> Finding:
    reply = seen.ask.get(f"{seen.ask.places.pdf}/{UNKNOWN}")
    kind = reply.headers.get("content-type", "no type")
    return Finding(reply.status == 404 and "html" in kind, f"HTTP {reply.status}, {kind}")


def html_page(seen: Seen) -> Finding:
    reply = seen.html()
    is_latexml = b"ltx_" in reply.body
    return Finding(
        (reply.status == 200 and is_latexml) or reply.status == 404,
        f"HTTP {reply.status}, LaTeXML: {is_latexml}",
    )


def html_on_export(seen: Seen) -> Finding:
    reply = seen.ask.html(f"{seen.ask.places.html_on_export}/{seen.ids()[0]}")
    return one_of(reply, 200, 301, 302, 404)


# the names stand in docs/arxiv.md, in this order
FACTS: Mapping[str, Check] = {
    "accept": accept,
    "post": post,
    "or-by-default": or_by_default,
    "right-association": right_association,
    "last-updated": last_updated,
    "id-list-default": id_list_default,
    "unknown-ids": unknown_ids,
    "window": window,
    "ceiling": ceiling,
    "old-ceiling": old_ceiling,
    "no-results-asked": no_results_asked,
    "leading-wildcard": leading_wildcard,
    "syntax-error": syntax_error,
    "links": links,
    "oai-identify": identify,
    "oai-too-late": too_late,
    "oai-no-match": no_match,
    "oai-records": page_of_records,
    "oai-identifiers": page_of_identifiers,
    "oai-acm-class": acm_class,
    "oai-token": token_form,
    "oai-token-expiry": token_expiry,
    "oai-old-token": old_token,
    "pdf-head": pdf_head,
    "pdf-range": pdf_range,
    "pdf-suffix": pdf_suffix,
    "pdf-unknown": pdf_unknown,
    "html": html_page,
    "html-on-export": html_on_export,
}


def findings(seen: Seen) -> Iterator[tuple[str, Finding]]:
    """Each fact with what was seen of it, as it is seen."""
    for name, check in FACTS.items():
        yield name, check(seen)
