import struct
from typing import Any

import bson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents.codec.bson_dump import read_bson
from documents.codec.deprecated import UNDEFINED, DBPointer, Symbol
from documents.codec.encode import encode
from documents.codec.formats import ReadOptions
from documents.codec.records import Format
from documents.errors import Fault
from tests.documents.codec.streams import CUTS, EVERY_BYTE, check_places, read, said


def document_of(*elements: bytes) -> bytes:
    body = b"".join(elements)
    return struct.pack("<i", len(body) + 5) + body + b"\0"


def int_of(name: bytes, value: int) -> bytes:
    return b"\x10" + name + b"\0" + struct.pack("<i", value)


def nested(levels: int) -> bytes:
    raw = document_of()
    for _ in range(levels - 1):
        raw = document_of(b"\x03a\0" + raw)
    return raw


ONE, TWO = encode({"n": 1}), encode({"n": 2})
BAD = [
    (b"\x0c\x00\x00\x00\x10n\x00\x01\x00\x00\x00\x01", "malformed-bson"),
    (document_of(b"\x02s\0\x02\0\0\0\xff\0"), "malformed-bson"),
    (document_of(b"\x99n\0"), "malformed-bson"),
    (document_of(int_of(b"n", 1), int_of(b"n", 2)), "duplicate-key"),
    (document_of(b"\x03o\0" + document_of(int_of(b"n", 1), int_of(b"n", 1))), "duplicate-key"),
    (document_of(int_of(b"$n", 1)), "key-refused"),
    (document_of(int_of(b"a.b", 1)), "key-refused"),
    (document_of(int_of(b"", 1)), "key-refused"),
    (nested(101), "too-deep"),
    (nested(10_000), "too-deep"),
]


@pytest.mark.parametrize("cuts", [(), EVERY_BYTE])
def test_a_damaged_document_is_one_fault(cuts: range) -> None:
    data = ONE + b"".join(raw + TWO for raw, _ in BAD)
    records = read(Format.BSON, data, cuts=cuts)
    codes = [code for _, code in said(records)]
    assert codes[1::2] == [code for _, code in BAD]
    assert codes[2::2] == [{"n": 2}] * len(BAD)
    assert [record.line for record in records] == list(range(1, len(records) + 1))
    check_places(records, data)
    assert b"".join(record.raw for record in records) == data


@pytest.mark.parametrize("length", [-1, 0, 4, 16 * 1024 * 1024 + 1, 2**31 - 1])
def test_a_broken_length_ends_the_dump(length: int) -> None:
    left = struct.pack("<i", length) + b"x" * 100
    for cuts in (), EVERY_BYTE:
        records = read(Format.BSON, ONE + left + TWO, cuts=cuts)
        assert said(records) == [(1, {"n": 1}), (2, "malformed-bson")]
        assert records[1].end - records[1].offset == len(left) + len(TWO)
        assert records[1].fault
        assert f"{len(left) + len(TWO)} bytes" in records[1].fault.detail


@pytest.mark.parametrize("left", [b"\x0c", TWO[:-1], TWO[:4]])
def test_a_cut_dump(left: bytes) -> None:
    for cuts in (), EVERY_BYTE:
        records = read(Format.BSON, ONE + left, cuts=cuts)
        assert said(records) == [(1, {"n": 1}), (2, "malformed-bson")]
        assert records[1].raw == left


def test_types_that_bson_itself_does_not_tell_apart() -> None:
    document = {"a": [Symbol("x"), UNDEFINED], "p": DBPointer("c", bson.ObjectId("65a000000000000000000001"))}
    value = read_bson(encode(document))
    assert value == document
    assert not isinstance(value, Fault)
    assert encode(value) == encode(document)


@given(
    st.lists(st.sampled_from([ONE, TWO, b"\x05\0\0\0\0", b"\0", BAD[0][0], BAD[3][0], b"\x0c\0\0\0"]), max_size=8), CUTS
)
def test_chunks_make_no_difference(parts: list[bytes], cuts: list[int]) -> None:
    data = b"".join(parts)
    records = read(Format.BSON, data)
    assert read(Format.BSON, data, cuts=cuts) == records
    check_places(records, data)
    assert (records[-1].end if records else 0) == len(data)
    for record in records[1:2]:
        again: list[Any] = read(Format.BSON, data, ReadOptions(start=record.offset))
        assert again == records[1:]
