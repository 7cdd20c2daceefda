"""Cursors and query parameters, apart from any list."""

from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID, uuid4

import pytest
from multidict import MultiDict

from service.api.pagination import CursorField, Cursors, Listed, PageQuerySchema, exact_moment
from service.api.schemas.fields import Choices
from service.api.schemas.loading import load_query
from service.domain.errors import InvalidRequest

CURSORS = Cursors("things", (exact_moment, UUID))
KEY = (datetime(2023, 1, 1, 12, 0, 0, 123456, tzinfo=UTC), uuid4())


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class ThingsQuery(PageQuerySchema):
    cursor = CursorField(CURSORS)
    colour = Choices(Colour)


def test_a_cursor_is_read_back_exactly():
    assert CURSORS.read(CURSORS.write(*KEY)) == KEY


def test_a_cursor_changed_in_any_place_is_refused():
    good = CURSORS.write(*KEY)
    accepted = []
    for place in range(len(good)):
        changed = good[:place] + ("A" if good[place] != "A" else "B") + good[place + 1 :]
        try:
            CURSORS.read(changed)
        except ValueError:
            continue
        accepted.append(place)

    assert accepted == []


def test_a_cursor_of_another_list_is_refused():
    with pytest.raises(ValueError, match="another list"):
        Cursors("others", CURSORS.parts).read(CURSORS.write(*KEY))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"[1,2]",
        b"null",
        b'["2023-01-01T00:00:00+00:00"]',
        b'["2023-01-01T00:00:00","123e4567-e89b-12d3-a456-426614174000"]',
        b'["2023-01-01T00:00:00+00:00","\\u0000"]',
        b'["2023-01-01T00:00:00+00:00","\\ud800"]',
        b'["2023-01-01T00:00:00Z","123E4567-E89B-12D3-A456-426614174000"]',
        b"[" * 600,
    ],
)
def test_a_forged_body_with_a_good_checksum_is_refused(body):
    forged = urlsafe_b64encode(CURSORS._digest(body) + body).decode().rstrip("=")

    with pytest.raises(InvalidRequest) as caught:
        load_query(ThingsQuery(), MultiDict(cursor=forged))

    assert list(caught.value.fields) == ["cursor"]


@pytest.mark.parametrize("text", ["", "é", "=", "%00", "a" * 5000, "!!!!", "\ud800"])
def test_what_is_no_base64_is_refused(text):
    with pytest.raises(InvalidRequest):
        load_query(ThingsQuery(), MultiDict(cursor=text))


@pytest.mark.parametrize(
    "limit",
    ["0", "201", "-1", "+5", " 5", "5.0", "1e1", "", "abc", "1_0", "٥", "9" * 5000],
)
def test_a_wrong_limit_is_named(limit):
    with pytest.raises(InvalidRequest) as caught:
        load_query(ThingsQuery(), MultiDict(limit=limit))

    assert list(caught.value.fields) == ["limit"]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ([("limit", "1"), ("limit", "2")], "limit"),
        ([("nonsense", "1")], "nonsense"),
        ([("nonsense", "1"), ("nonsense", "1")], "nonsense"),
        ([("colour", "green")], "colour"),
        ([("colour", "red,,blue")], "colour"),
        ([("colour", "")], "colour"),
        ([("x\x00\ud800", "1")], "x"),
    ],
)
def test_what_does_not_belong_is_named(query, named):
    with pytest.raises(InvalidRequest) as caught:
        load_query(ThingsQuery(), MultiDict(query))

    assert list(caught.value.fields) == [named]


@pytest.mark.parametrize(
    "query",
    [
        [("colour", "red,blue")],
        [("colour", "red"), ("colour", "blue")],
        [("colour", "red,blue"), ("colour", "red")],
    ],
)
def test_choices_are_separated_or_repeated(query):
    found = load_query(ThingsQuery(), MultiDict(query))

    assert found == {"limit": 50, "colour": [Colour.RED, Colour.BLUE]}


def test_a_page_is_cut_and_knows_that_there_is_more():
    assert Listed.of([1, 2, 3], limit=2) == Listed([1, 2], True)
    assert Listed.of([1, 2], limit=2) == Listed([1, 2], False)
