"""OAI-PMH as arXiv's server of 2026 speaks it: all six verbs, over made-up records.

Protocol errors are HTTP 200. Lists are chosen by moment of modification and shown
by (day, id); a page ends with a token while there is more, the last page after a
token with an empty one, and a list of one page with none. There is no cursor and
no total. Deleted records are promised and never shown.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from threading import Lock
from xml.sax.saxutils import escape

from service.devtools.stand_in import taxonomy
from service.devtools.stand_in.amendments import BadChange, Change
from service.devtools.stand_in.clock import Clock
from service.devtools.stand_in.listing import Listing
from service.devtools.stand_in.modified import FIRST_DAY
from service.devtools.stand_in.oai_arguments import ListArguments, Tokens, check_format
from service.devtools.stand_in.oai_errors import OaiError, document, error_document
from service.devtools.stand_in.oai_formats import FORMATS, Formats, header
from service.devtools.stand_in.records import Records
from service.devtools.stand_in.search import Search
from service.devtools.stand_in.traps import Traps
from service.domain.identifiers import ArxivId

RECORDS = 2_500  # in one answer, arXiv's limit in 2026
IDENTIFIERS = 20_000
_PREFIX = "oai:arXiv.org:"


class OaiServer:
    """Answers OAI-PMH requests; `records_limit` and `identifiers_limit` are its page sizes."""

    def __init__(self, records: Records, search: Search, clock: Clock, traps: Traps) -> None:
        self.records_limit = RECORDS
        self.identifiers_limit = IDENTIFIERS
        self.tokens = Tokens(clock, traps)
        self.listing = Listing(records, search)
        self._lock = Lock()  # lists are made in threads, papers amended meanwhile
        self._records = records
        self._search = search
        self._clock = clock
        self._traps = traps
        self._verbs: dict[str, Callable[[Mapping[str, str], str], str]] = {
            "Identify": _identify,
            "ListMetadataFormats": self._list_formats,
            "ListSets": _list_sets,
            "GetRecord": self._get_record,
            "ListIdentifiers": self._list,
            "ListRecords": self._list,
        }

    def answer(self, asked: Mapping[str, str], base: str) -> tuple[bytes, OaiError | None]:
        """The answer of the server at `base`, and the error that it tells, if it does."""
        with self._lock:
            return self._answer(asked, base)

    def _answer(self, asked: Mapping[str, str], base: str) -> tuple[bytes, OaiError | None]:
        now = self._clock.now()
        try:
            if asked.get("verb") not in self._verbs:
                raise OaiError("badVerb", "Invalid verb provided")
            inside = self._verbs[asked["verb"]](asked, base)
        except OaiError as error:
            return error_document(base, error, asked, now), error
        return document(base, inside, asked, now), None

    def amend_all(self, papers: Sequence[str], kind: str, license_uri: str | None) -> None:
        """Change papers (ids without version) now: all of them, or none. Raises BadChange."""
        numbers = []
        for paper in papers:
            number = self._records.corpus.calendar.find(paper)
            if number is None:
                raise BadChange(f"there is no paper {paper}")
            numbers.append(number)
        change = Change(kind=kind, at=int(self._clock.now().timestamp()), license=license_uri)
        with self._lock:
            for number in numbers:
                before = self._records.modified.at(number)
                self._records.corpus.amend(number, change)
                self.listing.move(number, before)
        self._search.forget()

    def _get_record(self, asked: Mapping[str, str], base: str) -> str:
        if asked.keys() != {"verb", "identifier", "metadataPrefix"}:
            raise OaiError("badArgument", "identifier and metadataPrefix are needed, nothing else")
        number = self._find(asked["identifier"])
        check_format(asked["metadataPrefix"])
        written = self._formats(base).record(self._records.record(number), asked["metadataPrefix"])
        return f"<GetRecord>\n{written}</GetRecord>"

    def _list_formats(self, asked: Mapping[str, str], _: str) -> str:
        if not asked.keys() <= {"verb", "identifier"}:
            raise OaiError("badArgument", "Only identifier is allowed")
        if "identifier" in asked:
            self._find(asked["identifier"])
        entries = "".join(
            f"<metadataFormat>\n <metadataPrefix>{prefix}</metadataPrefix>\n"
            f" <schema>{schema}</schema>\n"
            f" <metadataNamespace>{space}</metadataNamespace>\n</metadataFormat>\n"
            for prefix, (schema, space) in FORMATS.items()
        )
        return f"<ListMetadataFormats>\n{entries}</ListMetadataFormats>"

    def _list(self, asked: Mapping[str, str], base: str) -> str:
        arguments = self._arguments(asked)
        is_short = arguments.verb == "ListIdentifiers"
        limit = self.identifiers_limit if is_short else self.records_limit
        first, last = arguments.first or FIRST_DAY, arguments.last or self._clock.today()
        span = self.listing.days(first, last, arguments.wanted)
        page = span.page(arguments.skip, limit + 1)  # the one too many says where to go on
        if not page:
            raise OaiError("noRecordsMatch", "No records match the arguments")
        ids = self._records.corpus.calendar.id_of
        shown = sorted((day, ids(number), number) for day, number in page[:limit])
        write = self._header if is_short else self._writer(arguments.prefix, base)
        entries = "".join(write(day, name, number) for day, name, number in shown)
        end = "<resumptionToken/>\n" if arguments.is_resumed else ""
        if len(page) > limit:
            end = self._token(arguments.after([day for day, _ in page]))
        return f"<{arguments.verb}>\n{entries}{end}</{arguments.verb}>"

    def _arguments(self, asked: Mapping[str, str]) -> ListArguments:
        if "resumptionToken" not in asked:
            return ListArguments.read(asked, self._clock.today())
        if asked.keys() != {"verb", "resumptionToken"}:
            raise OaiError("badArgument", "No other argument is allowed with resumptionToken")
        return self.tokens.read(asked["resumptionToken"], asked["verb"])

    def _token(self, arguments: ListArguments) -> str:
        token, expiry = self.tokens.make(arguments)
        return (
            f'<resumptionToken expirationDate="{expiry:%Y-%m-%dT%H:%M:%SZ}">'
            f"{escape(token)}</resumptionToken>\n"
        )

    def _header(self, day: date, name: str, number: int) -> str:
        """A header of ListIdentifiers, which does not add the aliases of categories."""
        return header(name, day, self._records.corpus.categories(number))

    def _writer(self, prefix: str, base: str) -> Callable[[date, str, int], str]:
        formats = self._formats(base)
        return lambda _day, _name, number: formats.record(self._records.record(number), prefix)

    def _formats(self, base: str) -> Formats:
        return Formats(base, created_first="oai-created-v1" in self._traps)

    def _find(self, identifier: str) -> int:
        """The number of the record with this identifier; raises OaiError."""
        try:
            arxiv_id = ArxivId.parse(identifier.removeprefix(_PREFIX))
        except ValueError:
            arxiv_id = None
        known = None if arxiv_id is None else self._records.corpus.find(arxiv_id)
        if known is None or not identifier.startswith(_PREFIX):
            raise OaiError("idDoesNotExist", "Nothing found for this ID")
        return known


def _list_sets(asked: Mapping[str, str], _: str) -> str:
    if asked.keys() != {"verb"}:  # arXiv never gives a token for sets
        raise OaiError("badArgument", "No other arguments allowed")
    entries = "".join(
        f"<set>\n <setSpec>{spec}</setSpec>\n <setName>{escape(name)}</setName>\n</set>\n"
        for spec, name in taxonomy.sets()
    )
    return f"<ListSets>\n{entries}</ListSets>"


def _identify(asked: Mapping[str, str], base: str) -> str:
    if asked.keys() != {"verb"}:
        raise OaiError("badArgument", "No other arguments allowed")
    space = "http://www.openarchives.org/OAI/1.1/eprints"
    policies = (
        ("metadataPolicy", "Metadata may be harvested through this interface."),
        ("dataPolicy", "Full texts may not be harvested without an arrangement."),
        ("submissionPolicy", "Nobody can submit to a stand-in."),
    )
    told = "".join(
        f" <{name}>\n  <text>{text}</text>\n  <URL>{escape(base)}/help/{name}</URL>\n </{name}>\n"
        for name, text in policies
    )
    return f"""<Identify>
<repositoryName>arXiv</repositoryName>
<baseURL>{escape(base)}/oai</baseURL>
<protocolVersion>2.0</protocolVersion>
<adminEmail>nobody@example.org</adminEmail>
<earliestDatestamp>{FIRST_DAY}</earliestDatestamp>
<deletedRecord>persistent</deletedRecord>
<granularity>YYYY-MM-DD</granularity>
<description>
<eprints xmlns="{space}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:schemaLocation="{space} {space}.xsd">
 <content>
  <text>Made-up e-prints</text>
 </content>
{told}</eprints>
</description>
</Identify>"""
