"""Atom as the server of November 2025 and later writes it (shape: recordings of 2026).

Order of elements, attributes and link forms follow the recordings, down to the
`link` of a DOI whose attributes stand in another order. Summaries of old papers
begin with two blanks, as they do there. The feed's `updated` is fixed, so that
the same request gets the same bytes. Ids name arXiv, as names do; every link leads
to this server, so that nobody who follows one asks arXiv.
"""

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

from service.devtools.stand_in.answers import ATOM, Answer
from service.devtools.stand_in.parameters import Parameters
from service.domain.papers import Paper

FEED_UPDATED = "2026-07-01T00:00:00Z"  # after the last revision of any made-up paper
_HEAD = """<?xml version='1.0' encoding='UTF-8'?>
<feed xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/" \
xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns="http://www.w3.org/2005/Atom">
"""
_COUNTS = """  <opensearch:itemsPerPage>{per_page}</opensearch:itemsPerPage>
  <opensearch:totalResults>{total}</opensearch:totalResults>
  <opensearch:startIndex>{start}</opensearch:startIndex>
"""


@dataclass(frozen=True, slots=True)
class Shown:
    """A paper and, by author, where they work; no affiliations where nobody told."""

    paper: Paper
    affiliations: tuple[tuple[str, ...], ...] = ()


def page(parameters: Parameters, total: int, shown: Iterable[Shown]) -> Answer:
    """The answer to a search: papers of the `total` that it matches."""
    base = parameters.around.base
    search, ids = escape(parameters.spelled_out()), escape(",".join(parameters.id_texts))
    bounds = f"&amp;start={parameters.start}&amp;max_results={parameters.max_results}"
    title = f"arXiv Query: search_query={search}&amp;id_list={ids}{bounds}"
    name = base64.b64encode(hashlib.sha1(title.encode(), usedforsecurity=False).digest()).decode()
    link = f"{base}/api/query?search_query={search}{bounds}&amp;id_list={ids}"
    link = link.replace('"', "&quot;")
    counts = _COUNTS.format(per_page=parameters.max_results, total=total, start=parameters.start)
    head = f"""  <id>https://arxiv.org/api/{name.rstrip("=")}</id>
  <title>{title}</title>
  <updated>{FEED_UPDATED}</updated>
  <link href="{link}" type="application/atom+xml"/>
"""
    text = "".join((_HEAD, head, counts, *(entry(one, base) for one in shown), "</feed>\n"))
    return Answer(body=text.encode(), content_type=ATOM, total=total)


def entry(shown: Shown, base: str) -> str:
    """The entry of one paper, with links into the server at `base`."""
    paper = shown.paper
    arxiv_id = paper.arxiv_id
    blanks = "  " if arxiv_id.is_old_style else ""
    categories = "".join(
        f'    <category term="{name}" scheme="http://arxiv.org/schemas/atom"/>\n'
        for name in paper.categories
    )
    places = shown.affiliations or ((),) * len(paper.authors)
    authors = "".join(map(_author, paper.authors, places))
    return f"""  <entry>
    <id>http://arxiv.org/abs/{arxiv_id}</id>
    <title>{escape(paper.title)}</title>
    <updated>{_moment(paper.updated_at)}</updated>
    <link href="{base}/abs/{arxiv_id}" rel="alternate" type="text/html"/>
    <link href="{base}/pdf/{arxiv_id}" rel="related" type="application/pdf" title="pdf"/>
    <summary>{blanks}{escape(paper.abstract)}</summary>
{categories}    <published>{_moment(paper.published_at)}</published>
{_optional("comment", paper.comments)}    <arxiv:primary_category term="{paper.primary_category}"/>
{_optional("journal_ref", paper.journal_ref)}{authors}{_doi(paper.doi, base)}  </entry>
"""


def error_feed(message: str, base: str, *, status: int = 400) -> Answer:
    """The feed with one entry titled Error; older servers sent it with status 200."""
    name = quote(message.replace(" ", "_"), safe="_-.:/,()'")
    address = f"https://arxiv.org/api/errors#{name}"
    text = f"""{_HEAD}  <id>https://arxiv.org/</id>
  <title>arXiv Search Results</title>
  <updated>{FEED_UPDATED}</updated>
{_COUNTS.format(per_page=1, total=1, start=0)}  <entry>
    <id>{escape(address)}</id>
    <title>Error</title>
    <updated>{FEED_UPDATED}</updated>
    <link href={quoteattr(f"{base}/api/errors#{name}")} rel="alternate" type="text/html"/>
    <summary>{escape(message)}</summary>
    <author>
      <name>arXiv api core</name>
    </author>
  </entry>
</feed>
"""
    return Answer(status=status, body=text.encode(), content_type=ATOM)


def _optional(name: str, text: str | None) -> str:
    return "" if text is None else f"    <arxiv:{name}>{escape(text)}</arxiv:{name}>\n"


def _author(name: str, affiliations: tuple[str, ...]) -> str:
    places = "".join(
        f"      <arxiv:affiliation>{escape(place)}</arxiv:affiliation>\n" for place in affiliations
    )
    return f"    <author>\n      <name>{escape(name)}</name>\n{places}    </author>\n"


def _doi(doi: str | None, base: str) -> str:
    if doi is None:
        return ""
    return f"""    <arxiv:doi>{escape(doi)}</arxiv:doi>
    <link rel="related" href={quoteattr(f"{base}/doi/{doi}")} title="doi"/>
"""


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
