"""Wheels: how paper n gets its properties without anything being stored per paper.

A wheel is a short shuffled table; paper n reads the value at `n mod period`.
Wheels have different prime periods, so that, as on a combination lock, the
values of many wheels together do not repeat for far longer than any corpus. It
also makes search cheap: the papers with a value form a repeating pattern, which
is laid out over the whole corpus as one big integer (one byte per paper, 0 or
1), and boolean queries are arithmetic on such integers.
"""

import hashlib
from array import array
from collections.abc import Callable, Sequence
from itertools import compress
from typing import Generic, TypeVar

Value = TypeVar("Value")


def mix(*parts: object) -> int:
    """A number of 64 bits that depends on all `parts` and on nothing else, ever."""
    text = ":".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")


class Wheel(Generic[Value]):
    """A table of `values` in an order that `seed` and `name` decide, `period` places long.

    `period` must be at least the number of values; each value takes its share.
    """

    __slots__ = ("_table", "period")

    def __init__(self, name: str, values: Sequence[Value], *, period: int, seed: int) -> None:
        if period < len(values):
            raise ValueError(f"wheel {name}: {len(values)} values do not fit {period} places")
        order = sorted(range(period), key=lambda place: mix(seed, name, place))
        self._table = [values[place % len(values)] for place in order]
        self.period = period

    def at(self, number: int) -> Value:
        """The value of paper `number`."""
        return self._table[number % self.period]

    def places_of(self, value: Value) -> bytes:
        """One byte (0 or 1) per place: whether `value` stands there."""
        return bytes(1 if place == value else 0 for place in self._table)

    def pattern(self, wanted: Callable[[Value], bool], shift: int = 0) -> bytes:
        """One byte (0 or 1) per place: whether the value of `number + shift` is wanted."""
        turned = (self._table[(place + shift) % self.period] for place in range(self.period))
        return bytes(1 if wanted(value) else 0 for value in turned)


class Masks:
    """Sets of papers of a corpus of `papers`, as integers with one byte per paper.

    Union is `|`, intersection `&`, difference `a ^ (a & b)`; the number of
    members is `int.bit_count`.
    """

    def __init__(self, papers: int) -> None:
        self._papers = papers
        self.everything = self.span(0, papers)

    def periodic(self, pattern: bytes) -> int:
        """The papers where `pattern`, laid end to end from paper 0 on, is 1."""
        if not any(pattern):
            return 0
        times = self._papers // len(pattern) + 1
        return int.from_bytes((pattern * times)[: self._papers], "little")

    def span(self, first: int, stop: int) -> int:
        """The papers from `first` up to and without `stop`."""
        return int.from_bytes(bytes(first) + b"\x01" * (stop - first), "little")

    def members(self, mask: int) -> "array[int]":
        """The numbers of the papers in the set, ascending."""
        flags = mask.to_bytes(self._papers, "little")
        return array("I", compress(range(self._papers), flags))
