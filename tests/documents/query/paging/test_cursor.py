from base64 import urlsafe_b64encode
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from bson import Binary, Decimal128, MaxKey, MinKey, ObjectId, Timestamp
from hypothesis import given
from hypothesis import strategies as st

from documents.errors import InvalidCursorError, QueryRefusedError
from documents.query.paging.cursor import Cursor, open_cursor, seal
from documents.query.paging.order import EMPTY_ARRAY, bson_order

SECRET = b"secret"
SCOPE = b"scope"
VALUES: list[Any] = [
    None, 1, 2**62, 1.5, float("-inf"), "x", "", True, [], [1, [2]], {"$a": {"b": 1}}, EMPTY_ARRAY, ObjectId(),
    datetime.fromisoformat("2026-01-01"), Binary(b"x", 5), Decimal128("1.50"), Timestamp(1, 2), MinKey(), MaxKey(),
]  # fmt: skip


@pytest.mark.parametrize("backwards", [False, True])
def test_round_trip(*, backwards: bool) -> None:
    cursor = Cursor(tuple(VALUES), backwards)
    assert open_cursor(seal(cursor, secret=SECRET, scope=SCOPE), secret=SECRET, scope=SCOPE) == cursor


def test_nan_and_uuid_round_trip() -> None:
    cursor = Cursor((float("nan"), UUID(int=5)))
    opened = open_cursor(seal(cursor, secret=SECRET, scope=SCOPE), secret=SECRET, scope=SCOPE)
    assert [*map(bson_order, opened.values)] == [*map(bson_order, cursor.values)]


def test_another_secret_or_scope_does_not_open_it() -> None:
    text = seal(Cursor((1,)), secret=SECRET, scope=SCOPE)
    for secret, scope in ((b"other", SCOPE), (SECRET, b"other"), (SECRET, b"")):
        with pytest.raises(InvalidCursorError):
            open_cursor(text, secret=secret, scope=scope)


def test_no_change_goes_unnoticed() -> None:
    text = seal(Cursor((1, "abc")), secret=SECRET, scope=SCOPE)
    for at in range(len(text)):
        # Another letter, whose bits above the padding differ too.
        changed = text[:at] + ("A" if text[at] not in "ABCD" else "z") + text[at + 1 :]
        with pytest.raises(InvalidCursorError):
            open_cursor(changed, secret=SECRET, scope=SCOPE)


@pytest.mark.parametrize(
    "text", ["", "x", "====", "é", "\0", "a" * 20_000, "AAAA" * 10, urlsafe_b64encode(b"x" * 40).decode()]
)
def test_damaged(text: str) -> None:
    with pytest.raises(InvalidCursorError):
        open_cursor(text, secret=SECRET, scope=SCOPE)


@given(st.text(max_size=50) | st.binary(max_size=50).map(lambda data: urlsafe_b64encode(data).decode()))
def test_arbitrary_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidCursorError):
        open_cursor(text, secret=SECRET, scope=SCOPE)


def test_size_has_an_end() -> None:
    assert open_cursor(seal(Cursor(("x" * 8000,)), secret=SECRET, scope=SCOPE), secret=SECRET, scope=SCOPE)
    with pytest.raises(QueryRefusedError):
        seal(Cursor(("x" * 9000,)), secret=SECRET, scope=SCOPE)
