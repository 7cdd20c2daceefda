"""Reads the element tree of a page once, without recursion: each element by its role.

Elements that mean something push a sink and say what to do at their end; all others
only add their text. So nothing between known elements is lost, and a page nested
hundreds of elements deep costs as much as a flat one.
"""

from collections import Counter
from collections.abc import Callable, Mapping

from lxml import etree
from lxml.etree import _Element

from service.extraction.html.builder import Builder
from service.extraction.html.limits import MAX_DEPTH, Unreadable
from service.extraction.html.roles import Role, Roles
from service.extraction.html.sinks import FlowSink, LineSink, Sink


class Walk:
    """One pass over one page.

    `handlers` says what to do at the start of an element, by role; one that returns
    False has its element left out, with all in it. `counts` is what a judge of the
    page wants to know. `floats` are the classes of the figures and tables around.
    """

    def __init__(
        self, builder: Builder, handlers: "Mapping[Role, Callable[[Walk, _Element], bool]]"
    ) -> None:
        self.builder = builder
        self.flow = FlowSink(builder.paragraph)
        self.counts: Counter[str] = Counter()
        self.floats: list[frozenset[str]] = []
        self.links: list[str] | None = None
        self.roles = Roles()
        self._handlers = handlers
        self._sinks: list[Sink] = [self.flow]
        self._ends: list[tuple[_Element, Callable[[], None]]] = []

    @property
    def sink(self) -> Sink:
        """Where text goes now."""
        return self._sinks[-1]

    @property
    def in_flow(self) -> bool:
        """Whether text makes paragraphs here, not a title, a cell or a formula."""
        return self._sinks[-1] is self.flow

    def run(self, root: _Element) -> None:
        """Read all below `root`; raises Unreadable ("html_too_deep")."""
        walker = etree.iterwalk(root, events=("start", "end"))
        depth = 0
        for event, element in walker:
            if event == "start":
                depth += 1
                if depth > MAX_DEPTH:
                    raise Unreadable("html_too_deep")
                if not self._handlers[self.roles.of(element)](self, element):
                    walker.skip_subtree()
                elif element.text:
                    self.sink.text(element.text)
                continue
            depth -= 1
            while self._ends and self._ends[-1][0] is element:
                self._ends.pop()[1]()
            if element.tail and element is not root:
                self.sink.text(element.tail)
        self.flow.end_head()
        self.builder.end_notes()

    def at_end(self, element: _Element, action: Callable[[], None]) -> None:
        """Do `action` at the end of `element`, before the text behind it; the last goes first."""
        self._ends.append((element, action))

    def beneath(self, action: Callable[[], None]) -> None:
        """Do `action` with the sink under the last one in its place."""
        last = self._sinks.pop()
        try:
            action()
        finally:
            self._sinks.append(last)

    def line(
        self, element: _Element, use: Callable[[LineSink], None], *, takes_label: bool = False
    ) -> None:
        """Collect the text of `element` on one line, and hand it to `use` at its end."""
        sink = LineSink(takes_label=takes_label)
        self.collect(element, sink, lambda: use(sink))

    def collect(self, element: _Element, sink: Sink, use: Callable[[], None]) -> None:
        """Send the text of `element` to `sink`, and call `use` at its end."""
        self._sinks.append(sink)

        def end() -> None:
            self._sinks.pop()
            use()

        self.at_end(element, end)
