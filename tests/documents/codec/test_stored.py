import re
import struct
from datetime import datetime
from uuid import UUID

import bson
import pytest
from bson.binary import Binary, UuidRepresentation
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.errors import InvalidBSON
from bson.int64 import Int64
from bson.objectid import ObjectId
from hypothesis import given
from hypothesis import strategies as st

from documents.codec.plain import CODEC_OPTIONS
from documents.codec.stored import StoredDocument, etag_of, split_batch
from documents.types import MISSING

DOCUMENTS = st.dictionaries(st.text("abc_", min_size=1), st.integers(-(2**31), 2**31 - 1) | st.text() | st.none())


def element(kind: int, payload: bytes) -> bytes:
    body = bytes([kind]) + b"x\0" + payload + b"\0"
    return struct.pack("<i", len(body) + 4) + body


@pytest.mark.parametrize(
    "key",
    [
        ObjectId("652f1f77bcf86cd799439011"),
        "",
        "näme",
        7,
        Int64(7),
        UUID("73ffd264-44b3-4c69-90e8-e7d1dfc035d4"),
        Binary(b"abc", 0x80),
        1.5,
        True,
        None,
        {"a": 1},
        Decimal128("1.0"),
        datetime(2026, 1, 2, 3, 4, 5),  # noqa: DTZ001  # decoded dates are naive
    ],
)
def test_the_id_is_read_wherever_it_stands(key: object) -> None:
    for document in ({"_id": key, "a": 1}, {"a": 1, "_id": key}):
        raw = bson.encode(document, codec_options=CODEC_OPTIONS)
        found, decoded = StoredDocument(raw).id, StoredDocument(raw).decode()["_id"]
        assert found == decoded == key
        assert type(found) is type(decoded) is type(key)


def test_a_document_without_an_id() -> None:
    assert StoredDocument(bson.encode({"_i": 1, "_idx": 2})).id is MISSING
    assert StoredDocument(bson.encode({})).id is MISSING


def test_decode_gives_a_new_document_each_time() -> None:
    stored = StoredDocument(bson.encode({"_id": 1, "a": [1]}))
    first = stored.decode()
    first["a"].append(2)
    assert stored.decode() == {"_id": 1, "a": [1]}


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (element(0x05, struct.pack("<i", 2) + b"\x04ab"), Binary(b"ab", 4)),
        (element(0x05, struct.pack("<i", 16) + b"\x03" + b"a" * 16), Binary(b"a" * 16, 3)),
        (element(0x09, struct.pack("<q", 253402300800000)), DatetimeMS(253402300800000)),
        (element(0x09, struct.pack("<q", -(2**63))), DatetimeMS(-(2**63))),
        (element(0x02, struct.pack("<i", 3) + b"\xff\xfe\0"), "\ufffd\ufffd"),
    ],
)
def test_what_others_wrote_is_readable(raw: bytes, value: object) -> None:
    assert StoredDocument(raw).decode() == {"x": value}


def test_damaged_bytes_are_reported() -> None:
    with pytest.raises(InvalidBSON):
        StoredDocument(b"\x06\0\0\0\x01\0").decode()


@given(DOCUMENTS, DOCUMENTS)
def test_etags_are_equal_if_and_only_if_the_bytes_are(one: dict[str, object], other: dict[str, object]) -> None:
    first, second = bson.encode(one), bson.encode(other)
    assert (StoredDocument(first).etag == etag_of(second)) == (first == second)


def test_etag_is_strong_quoted_and_kept() -> None:
    stored = StoredDocument(bson.encode({"_id": 1}))
    assert re.fullmatch('"[0-9a-f]{24}"', stored.etag)
    assert stored.etag is stored.etag
    assert etag_of(bson.encode({"a": 1})) != etag_of(bson.encode({"a": 1.0}))
    assert etag_of(bson.encode({"a": 1, "b": 2})) != etag_of(bson.encode({"b": 2, "a": 1}))


@given(st.lists(DOCUMENTS))
def test_a_batch_is_split_into_its_documents(documents: list[dict[str, object]]) -> None:
    data = b"".join(bson.encode(document) for document in documents)
    assert [stored.decode() for stored in split_batch(data)] == documents


@pytest.mark.parametrize("data", [b"\0", b"\0\0\0\0\0", b"\x04\0\0\0\0", b"\x06\0\0\0\0", b"\xff\xff\xff\xff\0"])
def test_a_batch_that_does_not_add_up(data: bytes) -> None:
    for batch in (data, bson.encode({"a": 1}) + data):
        with pytest.raises(InvalidBSON):
            split_batch(batch)


def test_uuids_are_standard() -> None:
    key = UUID("73ffd264-44b3-4c69-90e8-e7d1dfc035d4")
    raw = bson.encode({"u": key}, codec_options=CODEC_OPTIONS)
    assert StoredDocument(raw).decode() == {"u": key}
    assert CODEC_OPTIONS.uuid_representation == UuidRepresentation.STANDARD
