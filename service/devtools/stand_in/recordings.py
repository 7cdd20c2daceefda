"""A folder of recorded answers, served again byte for byte (`--from FOLDER`).

Every `*.xml` in the tree is one answer of the query API. A recording answers the
request that its file name or the feed itself tells (`…q_testing_s0_m100…`,
`…id_1707.08567_s0_m100…`, or `search_query=…&id_list=…` in the feed's link or
title), with the status that its name ends in (`__http400`), else 200. In order:

1. the parameter `recording=<file stem>` names the answer;
2. `id_list` or `search_query` is that of a recording with the same `start`;
   spelling does not matter: `testing`, `all:testing` and `all:"testing"` are one.
   Of several the one with the `max_results` asked for is taken, else the largest
   below it, else the smallest above. A query that is a file's stem asks for that file;
3. a query that was recorded, but not from this `start`: a feed without entries
   and the recorded total;
4. `id_list` of papers that occur in any recording: a feed of today's shape of
   those of them that are known;
5. anything else: a feed with total 0.

PDFs: a file `<id with / as _>v<version>.pdf` or without version, then a
`<file stem>.pdf` for the papers of that recording, else one made from the recorded
title and abstract.
"""

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from service.devtools.stand_in import feed
from service.devtools.stand_in.answers import ATOM, Answer
from service.devtools.stand_in.atom_reader import ReadFeed, read_feed
from service.devtools.stand_in.corpus import MAX_PAGES
from service.devtools.stand_in.parameters import Parameters
from service.devtools.stand_in.query import BadQuery, parse_query
from service.devtools.stand_in.source import PdfFile, made, wrapped
from service.devtools.stand_in.wheels import mix
from service.domain.identifiers import ArxivId
from service.domain.papers import Paper

MAX_FILES = 5_000
MAX_BYTES = 64 * 2**20  # of one file
_STATUS = re.compile(r"__http(\d{3})$")
_NAME = re.compile(r"(?:^|__)(?P<kind>q|id)_(?P<what>.+?)_s(?P<start>\d+)_m(?P<most>\d+)(?:_|$)")


class BadFolder(ValueError):
    """The folder holds no recordings, or too much."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One recorded answer. `asked` are the requests it answers, in the form of `_key`."""

    stem: str
    answer: Answer
    told: ReadFeed
    asked: frozenset[str]
    start: int
    max_results: int

    @classmethod
    def load(cls, path: Path) -> "Recording":
        """The recording in the file at `path`."""
        body = path.read_bytes()
        told = read_feed(body)
        status = _STATUS.search(path.stem)
        name = _NAME.search(path.stem)
        answer = Answer(
            status=int(status[1]) if status else 200,
            body=body,
            content_type=ATOM,
            total=told.total,
        )
        return cls(
            path.stem,
            answer,
            told,
            frozenset(_keys(path.stem, name, told)),
            int(name["start"]) if name else told.start,
            int(name["most"]) if name else told.max_results or len(told.papers),
        )


class Recorded:
    """Serves the recordings under `folder`; raises BadFolder when there are none."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._seed = seed
        self._recordings = [Recording.load(path) for path in _files(folder, "*.xml")]
        if not self._recordings:
            raise BadFolder(f"no *.xml in {folder}")
        self._pdfs = {path.stem: path for path in _files(folder, "*.pdf")}
        self._papers: dict[str, dict[int, Paper]] = {}
        for paper in (p for recording in self._recordings for p in recording.told.papers):
            versions = self._papers.setdefault(paper.arxiv_id.paper, {})
            versions.setdefault(paper.arxiv_id.version or 1, paper)

    @property
    def ids(self) -> list[str]:
        """The ids, without version, of all papers in the recordings, sorted."""
        return sorted(self._papers)

    def query(self, parameters: Parameters) -> Answer:
        """The recorded answer, by the rules above; raises BadQuery."""
        if parameters.recording is not None:
            named = [one for one in self._recordings if one.stem == parameters.recording]
            return named[0].answer if named else feed.page(parameters, 0, ())
        wanted = _wanted(parameters)
        same = [one for one in self._recordings if one.asked & wanted]
        if here := [one for one in same if one.start == parameters.start]:
            return min(here, key=lambda one: _distance(one, parameters.max_results)).answer
        if same:
            return feed.page(parameters, same[0].told.total, ())
        parameters.search()  # an unreadable query is refused, as by a real server
        found = [feed.Shown(paper) for one in parameters.ids() if (paper := self._paper(one))]
        return feed.page(parameters, len(found), found[parameters.window])

    async def pdf(self, arxiv_id: ArxivId, generation: int = 0) -> PdfFile | None:
        """The file that the folder has for this paper, else one made from its metadata."""
        paper = self._paper(arxiv_id)
        shown = paper.arxiv_id if paper else arxiv_id
        if path := self._file(shown, is_known=paper is not None):
            body = await asyncio.to_thread(path.read_bytes)
            return wrapped(body, shown, datetime.fromtimestamp(path.stat().st_mtime, UTC))
        if paper is None:
            return None
        return made(paper, 1 + mix(self._seed, shown) % MAX_PAGES, self._seed, generation)

    def _paper(self, arxiv_id: ArxivId) -> Paper | None:
        """The paper as recorded; for an earlier version the metadata of the recorded one."""
        versions = self._papers.get(arxiv_id.paper)
        if not versions or (arxiv_id.version or 0) > max(versions):
            return None
        paper = versions.get(arxiv_id.version or max(versions)) or versions[max(versions)]
        return replace(paper, arxiv_id=ArxivId(arxiv_id.paper, arxiv_id.version or max(versions)))

    def _file(self, arxiv_id: ArxivId, *, is_known: bool) -> Path | None:
        """The file named for this paper, or for a recording that it is known from."""
        flat = arxiv_id.paper.replace("/", "_")
        stems = [one.stem for one in self._recordings if is_known and _has(one, arxiv_id.paper)]
        names = (f"{flat}v{arxiv_id.version or 1}", flat, *stems)
        return next((self._pdfs[name] for name in names if name in self._pdfs), None)


def _files(folder: Path, pattern: str) -> list[Path]:
    paths = sorted(path for path in folder.rglob(pattern) if path.is_file())
    if len(paths) > MAX_FILES or any(path.stat().st_size > MAX_BYTES for path in paths):
        raise BadFolder(f"more than {MAX_FILES} files, or one over {MAX_BYTES} bytes, in {folder}")
    return paths


def _keys(stem: str, name: re.Match[str] | None, told: ReadFeed) -> Iterable[str]:
    """The requests that a recording answers: by its stem, its name, and its feed."""
    yield _key("q", _spelled(stem))
    if name:
        yield _key(name["kind"], _spelled(name["what"]) if name["kind"] == "q" else name["what"])
    if told.ids:
        yield _key("id", "_".join(sorted(told.ids)))
    elif told.query:
        yield _key("q", _spelled(told.query))


def _wanted(parameters: Parameters) -> frozenset[str]:
    """The keys of a request. Ids with a query on top are looked for by their ids."""
    if ids := parameters.id_texts:
        return frozenset({_key("id", "_".join(ids)), _key("id", "_".join(sorted(ids)))})
    text = parameters.search_text
    return frozenset({_key("q", _spelled(text))} if text else ())


def _key(kind: str, text: str) -> str:
    """`text` with everything but words, dots and hyphens as `_`, as file names have it."""
    flat = re.sub(r"[^\w.-]+", "_", text).strip("_")
    return f"{kind}:{flat.casefold()}"


def _spelled(query: str) -> str:
    try:
        return str(parse_query(query))
    except BadQuery:
        return query


def _distance(recording: Recording, wanted: int) -> tuple[int, int]:
    """Smaller for recordings whose `max_results` suits better."""
    above = recording.max_results - wanted
    return (0, -above) if above <= 0 else (1, above)


def _has(recording: Recording, paper: str) -> bool:
    return any(one.arxiv_id.paper == paper for one in recording.told.papers)
