"""Which papers of a corpus a query matches, in which order.

Queries become masks (see `wheels`), so that counting and paging over 100,000
papers takes milliseconds and builds no paper. The orders of the latest queries
are kept, because a harvest asks for one page of the same query after another.
"""

from array import array
from collections import OrderedDict
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from functools import partial
from operator import lt

from service.devtools.stand_in.corpus import Corpus, author_steps
from service.devtools.stand_in.prose import tokens_of
from service.devtools.stand_in.query import Joined, Node, Submitted, Term, parse_query
from service.devtools.stand_in.wheels import Masks

SORTS = ("relevance", "lastUpdatedDate", "submittedDate")
ORDERS = ("descending", "ascending")
_ORDERS_KEPT = 32  # 4 bytes a paper each: 13 MB for a corpus of 100,000


class Search:
    """Answers queries over `corpus`."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self._masks = Masks(corpus.papers)
        self._kept: OrderedDict[tuple[str, str, str], array[int]] = OrderedDict()
        self._by_field: dict[str, Callable[[str], int]] = {
            "ti": lambda text: corpus.title.mask(tokens_of(text), self._masks),
            "abs": lambda text: corpus.abstract.mask(tokens_of(text), self._masks),
            "au": self._author,
            "cat": self._category,
            "all": self._anywhere,
        }

    def numbers(
        self, query: str | Node, sort_by: str = "submittedDate", sort_order: str = "descending"
    ) -> Sequence[int]:
        """The numbers of all papers that `query` matches, in order; raises BadQuery."""
        node = parse_query(query) if isinstance(query, str) else query
        key = (repr(node), sort_by, sort_order)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        members: Sequence[int] = self._masks.members(self.mask(node))
        if hidden := self._corpus.amendments.hidden:
            members = [number for number in members if number not in hidden]
        self._kept[key] = array("I", self.ordered(members, sort_by, sort_order))
        if len(self._kept) > _ORDERS_KEPT:
            self._kept.popitem(last=False)
        return self._kept[key]

    def expected(
        self, query: str, sort_by: str = "submittedDate", sort_order: str = "descending"
    ) -> list[str]:
        """The ids (without version) that `query` must give, in order: the oracle for tests."""
        return [self._corpus.calendar.id_of(n) for n in self.numbers(query, sort_by, sort_order)]

    def ordered(self, numbers: Sequence[int], sort_by: str, sort_order: str) -> Sequence[int]:
        """`numbers` (ascending) in the order asked for; "relevance" is a fixed shuffle."""
        if sort_by == "lastUpdatedDate":
            ascending: Sequence[int] = sorted(numbers, key=self._corpus.updated)
        elif sort_by == "relevance":
            ascending = sorted(numbers, key=lambda number: number * 2_654_435_761 % 4_294_967_291)
        else:
            ascending = numbers
        return ascending if sort_order == "ascending" else ascending[::-1]

    def mask(self, node: Node) -> int:
        """The papers that `node` matches, as a mask."""
        match node:
            case Term():
                return self._by_field[node.field](_value(node))
            case Submitted():
                return self._submitted(node)
            case Joined(operator, left, right):
                return _join(operator, self.mask(left), self.mask(right))

    def _submitted(self, node: Submitted) -> int:
        calendar = self._corpus.calendar
        first = calendar.first_from(int(node.first.timestamp()))
        stop = calendar.first_from(int(node.last.timestamp()) + node.seconds)
        return self._masks.span(first, stop) if first < stop else 0

    def in_categories(self, wanted: Callable[[str], bool]) -> int:
        """The papers with a category that is `wanted`, as a mask."""
        wheels, masks = self._corpus.wheels, self._masks
        primary = wheels.category.pattern(wanted)
        crossed = wheels.cross_list.pattern(lambda names: any(map(wanted, names)))
        old = wheels.old_category.pattern(wanted)
        old_era = masks.span(0, self._corpus.calendar.old_papers)
        in_new = masks.periodic(primary) | masks.periodic(crossed)
        return (masks.periodic(old) & old_era) | (in_new ^ (in_new & old_era))

    def forget(self) -> None:
        """Drop the orders kept, because a paper has changed."""
        self._kept.clear()

    def _category(self, name: str) -> int:
        wanted = name.casefold()
        return self.in_categories(lambda value: fnmatchcase(value.casefold(), wanted))

    def _author(self, text: str) -> int:
        phrase = tokens_of(text)
        found = 0
        for place, steps in enumerate(author_steps()):
            enough = self._corpus.wheels.authors.pattern(partial(lt, place))
            found |= self._masks.periodic(enough) & self._name(phrase, steps)
        return found

    def _name(self, phrase: tuple[str, ...], steps: tuple[int, int]) -> int:
        """The papers whose author at `steps` has `phrase` in "given family" or "family given"."""
        given, family = self._corpus.wheels.given, self._corpus.wheels.family
        found = 0
        for cut in range(len(phrase) + 1):
            before, after = phrase[:cut], phrase[cut:]
            for left, right in ((given, family), (family, given)):
                left_shift, right_shift = steps if left is given else steps[::-1]
                ends = left.pattern(partial(_ends, before, after), left_shift)
                begins = right.pattern(partial(_begins, after, before), right_shift)
                found |= self._masks.periodic(ends) & self._masks.periodic(begins)
        return found

    def _anywhere(self, text: str) -> int:
        return (
            self._by_field["ti"](text)
            | self._by_field["abs"](text)
            | self._author(text)
            | self._category(text)
        )


def _value(term: Term) -> str:
    """What a term looks for: in a bare value an underscore stands for a blank."""
    return term.text if term.is_phrase else term.text.replace("_", " ")


def _join(operator: str, left: int, right: int) -> int:
    if operator == "AND":
        return left & right
    return left | right if operator == "OR" else left ^ (left & right)


def _ends(part: tuple[str, ...], rest: tuple[str, ...], name: str) -> bool:
    """Whether `name` ends with `part`; anywhere will do when no `rest` must follow."""
    tokens = tokens_of(name)
    return _holds(tokens, part) if not rest else tokens[len(tokens) - len(part) :] == part


def _begins(part: tuple[str, ...], before: tuple[str, ...], name: str) -> bool:
    """Whether `name` begins with `part`; anywhere will do when nothing comes `before`."""
    tokens = tokens_of(name)
    return _holds(tokens, part) if not before else tokens[: len(part)] == part


def _holds(tokens: tuple[str, ...], part: tuple[str, ...]) -> bool:
    places = range(len(tokens) - len(part) + 1)
    return any(tokens[place : place + len(part)] == part for place in places)
