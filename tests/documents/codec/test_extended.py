import json
import math
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from bson.binary import Binary
from bson.code import Code
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.max_key import MaxKey
from bson.min_key import MinKey
from bson.objectid import ObjectId
from bson.regex import Regex
from bson.timestamp import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from documents.codec.deprecated import UNDEFINED, DBPointer, Symbol
from documents.codec.encode import encode
from documents.codec.extended import decode_extended, dump_extended, dump_extended_value, parse_extended
from documents.codec.stored import StoredDocument
from documents.codec.wrappers import WRAPPERS
from documents.errors import DocumentTooLargeError, InputError, InvalidDocumentError
from documents.types import MAX_DOCUMENT_BYTES

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
KEYS = st.text("abc_é", min_size=1, max_size=4)
OIDS = st.binary(min_size=12, max_size=12).map(ObjectId)
UINT32 = st.integers(0, 2**32 - 1)
DATES = st.datetimes().map(lambda date: date.replace(microsecond=date.microsecond // 1000 * 1000))
NO_NUL = TEXT.filter(lambda text: "\0" not in text)
SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**31), 2**31 - 1),
    st.integers(-(2**63), 2**63 - 1).map(Int64),
    st.floats(allow_nan=False),
    TEXT,
    OIDS,
    st.uuids(),
    DATES,
    st.sampled_from([2**63 - 1, -(2**63)]).map(DatetimeMS),
    st.binary(max_size=8),
    st.builds(Binary, st.binary(max_size=8), st.sampled_from([1, 2, 5, 0x80])),
    st.binary(min_size=16, max_size=16).map(Decimal128.from_bid).map(str).map(Decimal128),
    st.builds(Timestamp, UINT32, UINT32),
    st.builds(Regex[str], NO_NUL, st.sampled_from(["", "i", "imx", "su"])),
    st.builds(Code, TEXT),
    st.builds(Symbol, TEXT),
    st.builds(DBPointer, TEXT, OIDS),
    st.sampled_from([UNDEFINED, MinKey(), MaxKey()]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(KEYS, inner, max_size=4)
        | st.builds(Code, TEXT, st.dictionaries(KEYS, inner, max_size=3))
    ),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(KEYS, VALUES, max_size=5)


@given(DOCUMENTS)
def test_every_type_comes_back(document: dict[str, Any]) -> None:
    raw = encode(document)
    again = parse_extended(dump_extended(raw, canonical=True))
    assert again == document
    assert encode(again) == raw


@given(DOCUMENTS)
def test_relaxed_form_says_the_same(document: dict[str, Any]) -> None:
    relaxed = dump_extended(encode(document), canonical=False)
    assert parse_extended(relaxed) == document
    assert dump_extended(encode(parse_extended(relaxed)), canonical=False) == relaxed


@given(DOCUMENTS)
def test_values_are_written_as_in_documents(document: dict[str, Any]) -> None:
    for canonical in (True, False):
        whole = dump_extended(encode(document), canonical=canonical)
        members = {key: json.loads(dump_extended_value(value, canonical=canonical)) for key, value in document.items()}
        assert json.loads(whole) == members
        assert dump_extended_value(document, canonical=canonical) == whole


WRAPPED: list[tuple[object, object]] = [
    ({"$date": "2026-01-02T03:04:05.678Z"}, datetime(2026, 1, 2, 3, 4, 5, 678000)),  # noqa: DTZ001  # as decoded
    ({"$date": "2026-01-02T03:04:05.6789+02:00"}, datetime(2026, 1, 2, 1, 4, 5, 678000)),  # noqa: DTZ001
    ({"$date": "2026-01-02t03:04:05-0130"}, datetime(2026, 1, 2, 4, 34, 5)),  # noqa: DTZ001
    ({"$date": "0001-01-01T00:00:00+01:00"}, DatetimeMS(-62135600400000)),
    ({"$date": "9999-12-31T23:59:59-01:00"}, DatetimeMS(253402304399000)),
    ({"$date": {"$numberLong": "-9223372036854775808"}}, DatetimeMS(-(2**63))),
    ({"$uuid": "73FFD264-44b3-4c69-90e8-e7d1dfc035d4"}, UUID("73ffd264-44b3-4c69-90e8-e7d1dfc035d4")),
    ({"$binary": {"subType": "4", "base64": "c//SZESzTGmQ6OfR38A11A=="}}, UUID("73ffd264-44b3-4c69-90e8-e7d1dfc035d4")),
    ({"$binary": {"subType": "0", "base64": "AA=="}}, b"\0"),
    ({"$numberDouble": "-Infinity"}, -math.inf),
    ({"$numberDouble": "1e3"}, 1000.0),
    ({"$numberDecimal": "-0E+3"}, Decimal128("-0E+3")),
    ({"$code": "f", "$scope": {"a": {"$numberInt": "1"}}}, Code("f", {"a": 1})),
    ({"$ref": "c", "$id": {"$oid": "0" * 24}, "x": [1]}, {"$ref": "c", "$id": ObjectId("0" * 24), "x": [1]}),
]


@pytest.mark.parametrize(("wrapped", "value"), WRAPPED)
def test_wrappers(wrapped: dict[str, object], value: object) -> None:
    for lenient_keys in (True, False):
        decoded = decode_extended({"a": [wrapped]}, lenient_keys=lenient_keys)["a"][0]  # pyright: ignore[reportArgumentType]
        assert decoded == value
        assert type(decoded) is type(value)


@pytest.mark.parametrize(
    ("text", "pointer", "code"),
    [
        ('{"a":[{"$numberLong":"9223372036854775808"}]}', "/a/0", "integer-out-of-range"),
        ('{"a":{"$numberInt":"2147483648"}}', "/a", "integer-out-of-range"),
        ('{"a":{"$numberLong":"' + "9" * 5000 + '"}}', "/a", "integer-out-of-range"),
        ('{"a":{"$date":{"$numberLong":"9223372036854775808"}}}', "/a", "integer-out-of-range"),
        ('{"a":9223372036854775808}', "/a", "integer-out-of-range"),
        ('{"a":{"$oid":"","$oid":""}}', "/a/$oid", "duplicate-key"),
        ('{"a":' * 101 + "1" + "}" * 101, "/a" * 100, "too-deep"),
        ('{"a":{"$set":1}}', "/a/$set", "key-refused"),
        ('{"a":{"$ref":"c","$id":1,"$x":1}}', "/a/$x", "key-refused"),
        ('{"$code":"","$scope":{"$x":1}}', "/$scope/$x", "key-refused"),
        ('{"$code":"","$scope":{"x":{"$oid":1}}}', "/$scope/x", "malformed-wrapper"),
        ('{"a":{"$scope":{}}}', "/a", "malformed-wrapper"),
        ('{"a":{"$oid":"57e193d7a9cc81b4027498b5","b":1}}', "/a", "malformed-wrapper"),
        ('{"a":{"$oid":"xx"}}', "/a", "malformed-wrapper"),
        ('{"a":{"$numberLong":"٣"}}', "/a", "malformed-wrapper"),
        ('{"a":{"$numberLong":"1_0"}}', "/a", "malformed-wrapper"),
        ('{"a":{"$numberDouble":"1e999"}}', "/a", "malformed-wrapper"),
        ('{"a":{"$numberDecimal":"1_0"}}', "/a", "malformed-wrapper"),
        ('{"a":{"$numberDecimal":"1E9999999999999999999"}}', "/a", "malformed-wrapper"),
        ('{"a":{"$date":"2026-01-02"}}', "/a", "malformed-wrapper"),
        ('{"a":{"$date":"2026-01-02T03:04:05"}}', "/a", "malformed-wrapper"),
        ('{"a":{"$date":"2026-02-30T03:04:05Z"}}', "/a", "malformed-wrapper"),
        ('{"a":{"$date":"0000-01-01T00:00:00Z"}}', "/a", "malformed-wrapper"),
        ('{"a":{"$binary":{"base64":"YQ","subType":"00"}}}', "/a", "malformed-wrapper"),
        ('{"a":{"$binary":{"base64":"é===","subType":"00"}}}', "/a", "malformed-wrapper"),
        ('{"a":{"$binary":{"base64":"YQ==","subType":"04"}}}', "/a", "malformed-wrapper"),
        ('{"a":{"$binary":"YQ==","$type":"00"}}', "/a", "malformed-wrapper"),
        ('{"a":{"$timestamp":{"t":true,"i":1}}}', "/a", "malformed-wrapper"),
        ('{"a":{"$timestamp":{"t":4294967296,"i":1}}}', "/a", "malformed-wrapper"),
        ('{"a":{"$regularExpression":{"pattern":"a","options":"q"}}}', "/a", "malformed-wrapper"),
        ('{"a":{"$minKey":1.0}}', "/a", "malformed-wrapper"),
        ('{"a":{"$undefined":false}}', "/a", "malformed-wrapper"),
    ],
)
def test_refused(text: str, pointer: str, code: str) -> None:
    with pytest.raises(InvalidDocumentError) as caught:
        parse_extended(text.encode())
    assert [(fault.pointer, fault.code) for fault in caught.value.faults] == [(pointer, code)]


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(InvalidDocumentError) as caught:
        decode_extended({"a": {"$oid": 1}, "b": [{"$date": 1}, {"c.d": 1}]}, pointer="/items/3")
    assert [fault.pointer for fault in caught.value.faults] == ["/items/3/a", "/items/3/b/0", "/items/3/b/1/c.d"]


def test_operators_are_left_alone() -> None:
    query = {"$or": [{"a.b": {"$gte": {"$date": {"$numberLong": "0"}}}}, {"c": {"$type": "string"}}]}
    decoded = decode_extended(query, lenient_keys=True)  # pyright: ignore[reportArgumentType]
    epoch = datetime(1970, 1, 1)  # noqa: DTZ001  # as decoded
    assert decoded == {"$or": [{"a.b": {"$gte": epoch}}, {"c": {"$type": "string"}}]}
    with pytest.raises(InvalidDocumentError):
        decode_extended({"a": {"$gte": {"$oid": 1}}}, lenient_keys=True)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["00", "1", "a" * 24, "NaN"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*WRAPPERS, "$code", "$scope", "$ref", "$id", "base64", "t", "i"]), inner)
    ),
    max_leaves=8,
)


@given(JSON_VALUES)
def test_whatever_stands_in_a_wrapper_is_read_or_refused(value: object) -> None:
    with suppress(InputError):
        encode({"value": parse_extended(json.dumps(value).encode())})


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with suppress(InputError):
        parse_extended(body)


def test_what_was_stored_as_deprecated_types_is_readable() -> None:
    raw = encode({"s": Symbol("é"), "u": UNDEFINED, "l": [UNDEFINED, {"s": Symbol("")}]})
    assert StoredDocument(raw).decode() == {"s": "é", "u": None, "l": [None, {"s": ""}]}


@given(DOCUMENTS)
def test_the_slow_way_writes_what_bson_does(document: dict[str, Any]) -> None:
    slow = encode({**document, "z": Symbol("")})
    element = b"\x0ez\0\x01\0\0\0\0"
    assert slow[4:] == encode(document)[4:-1] + element + b"\0"


@pytest.mark.parametrize("value", [2**63, {1, 2}, {"a\0": 1}, "\ud800", {"\ud800": 1}])
def test_what_bson_cannot_hold_is_refused_without_being_quoted(value: object) -> None:
    for document in ({"a": value}, {"a": value, "s": Symbol("")}):
        with pytest.raises(InvalidDocumentError) as caught:
            encode(document)
        assert str(value) not in caught.value.detail
        assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_too_large() -> None:
    with pytest.raises(DocumentTooLargeError):
        encode({"a": "x" * MAX_DOCUMENT_BYTES})
