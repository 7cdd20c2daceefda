"""Limits of one page: what exceeds them is refused, never cut."""

MAX_BYTES = 16 * 1024 * 1024
MAX_TAGS = 1_000_000  # start and end tags; each costs libxml2 some 100 to 250 bytes
MAX_ATTRIBUTES = 256  # of one element; libxml2 compares each with all others of it
MAX_DEPTH = 1_000  # nested elements; libxml2 itself stops at 2,048 and cuts what is below
MAX_PARAGRAPHS = 100_000
MAX_REFERENCES = 20_000


class Unreadable(Exception):
    """The bytes are no page that can be read; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
