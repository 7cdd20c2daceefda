"""Records as OAI-PMH shows them: `oai_dc`, `arXiv`, `arXivRaw` and `arXivOld`.

Elements, order and namespaces as the server of 2026 writes them. `arXivRaw` and
`arXivOld` show texts as they are kept, with accents as TeX macros; the other two
show letters. `acm-class` tells the MSC class, and `None` where there is none: a
fault of arXiv's that is imitated on purpose.
"""

from collections.abc import Callable, Iterable
from datetime import date
from email.utils import format_datetime
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from service.devtools.stand_in import tex
from service.devtools.stand_in.records import Author, Record, Version
from service.devtools.stand_in.taxonomy import category_name, expanded, set_of

_XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
# prefix → schema, namespace
FORMATS = {
    "oai_dc": (
        "http://www.openarchives.org/OAI/2.0/oai_dc.xsd",
        "http://www.openarchives.org/OAI/2.0/oai_dc/",
    ),
    "arXiv": ("http://arxiv.org/OAI/arXiv.xsd", "http://arxiv.org/OAI/arXiv/"),
    "arXivOld": ("http://arxiv.org/OAI/arXivOld.xsd", "http://arxiv.org/OAI/arXivOld/"),
    "arXivRaw": ("http://arxiv.org/OAI/arXivRaw.xsd", "http://arxiv.org/OAI/arXivRaw/"),
}


def header(arxiv_id: str, day: date, categories: Iterable[str]) -> str:
    """The header of a record, with the sets of `categories` as they are given."""
    sets = "".join(f" <setSpec>{set_of(name)}</setSpec>\n" for name in categories)
    return f"""<header>
 <identifier>oai:arXiv.org:{arxiv_id}</identifier>
 <datestamp>{day:%Y-%m-%d}</datestamp>
{sets}</header>
"""


class Formats:
    """Writes records, for the server at `base`.

    `created_first` has format `arXiv` tell when version 1 was created, as until 2025.
    """

    def __init__(self, base: str, *, created_first: bool = False) -> None:
        self._host = urlsplit(base).netloc
        self._created_first = created_first

    def record(self, record: Record, prefix: str) -> str:
        """A record with header and metadata in the format `prefix`."""
        paper = record.paper
        written: dict[str, Callable[[Record], str]] = {
            "oai_dc": self._oai_dc,
            "arXiv": self._arxiv,
            "arXivOld": _arxiv_old,
            "arXivRaw": _arxiv_raw,
        }
        head = header(paper.arxiv_id.paper, record.modified_at.date(), expanded(paper.categories))
        return f"<record>\n{head}<metadata>\n{written[prefix](record)}\n</metadata>\n</record>\n"

    def _oai_dc(self, record: Record) -> str:
        paper, days = record.paper, (_day(record.versions[0]), _day(record.versions[-1]))
        subjects = dict.fromkeys(map(category_name, expanded(paper.categories)))
        url = f"://{self._host}/abs/{paper.arxiv_id.paper}"
        return _dublin_core(
            [
                ("title", tex.folded(paper.title)),
                *(("creator", _inverted(author)) for author in record.authors),
                *(("subject", one) for one in (*subjects, record.msc_class, record.acm_class)),
                ("description", tex.abstract(paper.abstract)),
                ("description", paper.comments and f"Comment: {paper.comments}"),
                *(("date", day) for day in dict.fromkeys(days)),
                ("type", "text"),
                *(("identifier", f"{scheme}{url}") for scheme in ("https", "http")),
                ("identifier", paper.journal_ref),
                ("identifier", paper.doi and f"doi:{paper.doi}"),
            ]
        )

    def _arxiv(self, record: Record) -> str:
        paper, versions = record.paper, record.versions
        created, updated = _day(versions[-1]), f"{record.modified_at:%Y-%m-%d}"
        if self._created_first:
            created, updated = _day(versions[0]), _day(versions[-1])
        authors = "".join(map(_parted, record.authors))
        return _framed(
            "arXiv",
            _element("id", paper.arxiv_id.paper),
            _element("created", created),
            _element("updated", updated) if updated != created else "",
            f"<authors>{authors}</authors>",
            _element("title", tex.folded(paper.title)),
            _element("categories", " ".join(paper.categories)),
            _element("comments", paper.comments and tex.folded(paper.comments)),
            _element("proxy", record.proxy),
            _element("report-no", record.report_no),
            _element("msc-class", record.msc_class),
            _acm(record),
            _element("journal-ref", paper.journal_ref),
            _element("doi", paper.doi),
            _element("license", record.license),
            _element("abstract", tex.abstract(paper.abstract)),
        )


def _dublin_core(elements: Iterable[tuple[str, str | None]]) -> str:
    schema, space = FORMATS["oai_dc"]
    lines = (_element(f"dc:{name}", text) for name, text in elements)
    inside = "".join(f" {line}\n" for line in lines if line)
    return (
        f' <oai_dc:dc xmlns:oai_dc="{space}" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        f'{_XSI} xsi:schemaLocation="{space} {schema}">\n{inside} </oai_dc:dc>'
    )


def _inverted(author: Author) -> str:
    """`Keyname Suffix, Forenames`."""
    family = " ".join(filter(None, (author.keyname, author.suffix)))
    return ", ".join(filter(None, (family, author.forenames)))


def _parted(author: Author) -> str:
    parts = {"keyname": author.keyname, "forenames": author.forenames, "suffix": author.suffix}
    return f"<author>{''.join(_element(name, text) for name, text in parts.items())}</author>"


def _arxiv_raw(record: Record) -> str:
    paper = record.paper
    return _framed(
        "arXivRaw",
        _element("id", paper.arxiv_id.paper),
        _element("submitter", tex.to_tex(record.submitter)),
        *map(_version, record.versions),
        _element("title", tex.folded(tex.to_tex(paper.title))),
        _element("authors", tex.folded(record.author_line)),
        _element("categories", " ".join(paper.categories)),
        _element("comments", _kept(paper.comments)),
        _element("proxy", record.proxy),
        _element("report-no", record.report_no),
        _acm(record),
        _element("msc-class", record.msc_class),
        _element("journal-ref", _kept(paper.journal_ref)),
        _element("doi", paper.doi),
        _element("license", record.license),
        _element("abstract", tex.abstract(tex.to_tex(paper.abstract))),
    )


def _arxiv_old(record: Record) -> str:
    paper = record.paper
    return _framed(
        "arXivOld",
        _element("id", paper.arxiv_id.paper),
        _element("title", tex.folded(tex.to_tex(paper.title))),
        _element("authors", tex.folded(record.author_line)),
        _element("categories", " ".join(paper.categories)),
        _element("comments", _kept(paper.comments)),
        _element("proxy", record.proxy),
        _element("report-no", record.report_no),
        _element("msc-class", record.msc_class),
        _element("acm-class", record.acm_class),
        _element("journal-ref", _kept(paper.journal_ref)),
        _element("doi", paper.doi),
        _element("abstract", tex.abstract(tex.to_tex(paper.abstract))),
        _element("license", record.license),
    )


def _framed(prefix: str, *elements: str) -> str:
    schema, space = FORMATS[prefix]
    inside = "".join(elements)
    return (
        f' <{prefix} xmlns="{space}" {_XSI} xsi:schemaLocation="{space} {schema}">\n'
        f" {inside}</{prefix}>"
    )


def _version(version: Version) -> str:
    when = format_datetime(version.submitted_at, usegmt=True)
    source = _element("source_type", version.source_type)
    return (
        f'<version version="v{version.number}"><date>{when}</date>'
        f"<size>{version.size_kb}kb</size>{source}</version>"
    )


def _acm(record: Record) -> str:
    return "" if record.acm_class is None else _element("acm-class", str(record.msc_class))


def _kept(text: str | None) -> str | None:
    return None if text is None else tex.folded(tex.to_tex(text))


def _element(name: str, text: str | None) -> str:
    """An element; nothing when there is no text."""
    return f"<{name}>{escape(text)}</{name}>" if text else ""


def _day(version: Version) -> str:
    return f"{version.submitted_at:%Y-%m-%d}"
