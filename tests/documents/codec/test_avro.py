"""Avro needs fastavro, an extra, which the tests install."""

import importlib
import io
import struct
import sys
import zlib
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import pytest
import zstandard
from bson.decimal128 import Decimal128

from documents.codec import avro
from documents.codec.extras import MissingExtraError
from documents.codec.formats import make_reader
from documents.codec.records import Format, Record
from documents.codec.sniff import sniff
from tests.documents.codec.streams import read

fastavro: Any = importlib.import_module("fastavro")
MOMENT: Final = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
STORED: Final = datetime(2026, 1, 2, 3, 4, 5, 678000)  # noqa: DTZ001  # as stored
ID: Final = UUID("73ffd264-44b3-4c69-90e8-e7d1dfc035d4")


def logical(kind: str, as_what: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "logicalType": as_what, **more}


def fixed(name: str, size: int, as_what: str, **more: Any) -> dict[str, Any]:
    return logical("fixed", as_what, name=name, size=size, **more)


def file_of(kind: Any, values: Sequence[Any], codec: str = "null", sync_interval: int = 16000) -> bytes:
    schema = {"type": "record", "name": "Row", "fields": [{"name": "v", "type": kind}]}
    file = io.BytesIO()
    rows = [{"v": value} for value in values]
    fastavro.writer(file, fastavro.parse_schema(schema), rows, codec=codec, sync_interval=sync_interval)
    return file.getvalue()


def one(data: bytes) -> Record:
    [record] = read(Format.AVRO, data)
    return record


PERSON: Final = {"type": "record", "name": "Person", "fields": [{"name": "name", "type": "string"}]}
COLOUR: Final = {"type": "enum", "name": "Colour", "symbols": ["RED", "BLUE"]}
DURATION: Final = fixed("Length", 12, "duration")
DECIMAL: Final = logical("bytes", "decimal", precision=40, scale=2)
EXACT: Final[Sequence[tuple[str, Any, Any, Any]]] = [
    ("null", "null", None, None),
    ("boolean", "boolean", True, True),
    ("int", "int", -5, -5),
    ("long", "long", 2**62, 2**62),
    ("float", "float", 0.5, 0.5),
    ("double", "double", 1e300, 1e300),
    ("string", "string", "é", "é"),
    ("bytes", "bytes", b"\0\xff", b"\0\xff"),
    ("fixed", {"type": "fixed", "name": "F", "size": 2}, b"ab", b"ab"),
    ("enum", COLOUR, "BLUE", "BLUE"),
    ("array", {"type": "array", "items": logical("int", "date")}, [date(2026, 1, 2)], [datetime(2026, 1, 2)]),  # noqa: DTZ001
    ("map", {"type": "map", "values": DECIMAL}, {"a": Decimal("1.50")}, {"a": Decimal128("1.50")}),
    ("record", PERSON, {"name": "Ada"}, {"name": "Ada"}),
    ("decimal", DECIMAL, Decimal("-12345678901234567890.12"), Decimal128("-12345678901234567890.12")),
    ("fixed decimal", fixed("D", 8, "decimal", precision=10, scale=3), Decimal("1.500"), Decimal128("1.500")),
    ("uuid", logical("string", "uuid"), ID, ID),
    ("fixed uuid", fixed("U", 16, "uuid"), ID.bytes, ID),
    ("date", logical("int", "date"), date(1, 1, 1), datetime(1, 1, 1)),  # noqa: DTZ001
    ("time-millis", logical("int", "time-millis"), time(13, 30, 0, 250000), "13:30:00.250"),
    ("time-micros", logical("long", "time-micros"), time(13, 30, 0, 1), "13:30:00.000001"),
    ("timestamp-millis", logical("long", "timestamp-millis"), MOMENT, STORED),
    ("timestamp-micros", logical("long", "timestamp-micros"), MOMENT, STORED),
    ("timestamp-nanos", logical("long", "timestamp-nanos"), 10**15, datetime(1970, 1, 12, 13, 46, 40)),  # noqa: DTZ001
    ("local-timestamp-millis", logical("long", "local-timestamp-millis"), STORED, STORED),
    ("duration", DURATION, struct.pack("<III", 1, 2, 3004), "P1M2DT3.004S"),
    ("no duration", DURATION, bytes(12), "PT0S"),
    ("a logical type of nobody", logical("int", "spoons"), 3, 3),
    ("union: null", ["null", logical("long", "timestamp-millis")], None, None),
    ("union: date", ["null", logical("long", "timestamp-millis"), "string"], MOMENT, STORED),
    ("union: text", ["null", logical("long", "timestamp-millis"), "string"], "x", "x"),
    ("union: record", [PERSON, {"type": "map", "values": "int"}], {"name": "Ada"}, {"name": "Ada"}),
    ("union: map", [PERSON, {"type": "map", "values": "int"}], {"n": 1}, {"n": 1}),
    ("union: bytes", ["null", DURATION, "bytes"], b"x", b"x"),
    ("union: named", {"type": "array", "items": ["null", PERSON]}, [None, {"name": "A"}], [None, {"name": "A"}]),
    ("union: duration", ["null", "bytes", DURATION], ("Length", bytes(12)), "PT0S"),
    ("union: enum", ["null", COLOUR], "RED", "RED"),
    ("union: decimal", ["null", DECIMAL, "int"], Decimal("1.00"), Decimal128("1.00")),
    (
        "union: fixed decimal",
        ["null", fixed("D", 8, "decimal", precision=9, scale=1)],
        Decimal("1.5"),
        Decimal128("1.5"),
    ),
    ("union: nanoseconds", ["null", logical("long", "timestamp-nanos")], 10**15, datetime(1970, 1, 12, 13, 46, 40)),  # noqa: DTZ001
]


@pytest.mark.parametrize(("kind", "value", "stored"), [row[1:] for row in EXACT], ids=[row[0] for row in EXACT])
def test_values_are_exact(kind: Any, value: Any, stored: Any) -> None:
    record = one(file_of(kind, [value]))
    assert (record.document, record.fault) == ({"v": stored}, None)
    assert type(record.document["v"]) is type(stored) if record.document else False


REFUSED: Final[Sequence[tuple[str, Any, Any, str]]] = [
    ("digits", DECIMAL, Decimal(10**35 + 1), "Record 2 has a value that BSON cannot hold. v: A decimal has at most 34"),
    ("micros", logical("long", "timestamp-micros"), MOMENT.replace(microsecond=1), "v: A date has milliseconds"),
    ("nanos", logical("long", "timestamp-nanos"), 1, "v: A date has milliseconds"),
    ("far", logical("long", "timestamp-millis"), 2**62, "Record 2 has a value that BSON cannot hold"),
    ("nothing", {"type": "array", "items": "null"}, [None], "that take no bytes"),
    ("two integers", ["int", logical("long", "timestamp-nanos")], 5, "cannot be told apart"),
]
FIRST: Final = {"digits": Decimal(1), "micros": MOMENT, "nanos": 0, "far": 0, "nothing": [None], "two integers": 1}


@pytest.mark.parametrize("name", FIRST)
def test_what_would_lose_digits_is_refused_before_the_first_record(name: str) -> None:
    _, kind, value, told = next(row for row in REFUSED if row[0] == name)
    record = one(file_of(kind, [FIRST[name], value]))
    assert record.fault
    assert (record.fault.code, record.line) == ("header-refused", 1)
    assert told in record.fault.detail


def test_only_records_make_documents() -> None:
    file = io.BytesIO()
    fastavro.writer(file, "long", [1])
    record = one(file.getvalue())
    assert record.fault
    assert "Its schema is of no record" in record.fault.detail


def test_a_type_within_itself() -> None:
    schema = {
        "type": "record",
        "name": "Node",
        "fields": [{"name": "n", "type": "int"}, {"name": "next", "type": ["null", "Node"]}],
    }
    file = io.BytesIO()
    fastavro.writer(file, schema, [{"n": 1, "next": {"n": 2, "next": None}}])
    assert one(file.getvalue()).document == {"n": 1, "next": {"n": 2, "next": None}}


def test_odd_keys_of_maps_are_faults_of_their_records() -> None:
    data = file_of({"type": "map", "values": "int"}, [{"a": 1}, {"$b": 1}, {"c": 1}])
    first, second, third = read(Format.AVRO, data)
    assert (first.fault, third.fault) == (None, None)
    assert second.fault
    assert second.fault.pointer == "/v/$b"
    assert second.raw == b'{"v":{"$b":{"$numberInt":"1"}}}'


@pytest.mark.parametrize("codec", ["null", "deflate", "bzip2", "xz", "snappy"])
def test_codecs_chunks_and_starts(codec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    values = list(range(5000))
    data = file_of("int", values, codec, sync_interval=1000)
    assert [record.document for record in read(Format.AVRO, data, cuts=range(0, len(data), 999))] == [
        {"v": value} for value in values
    ]
    reader = avro.AvroReader(start=4998)
    list(reader.feed(data))
    assert [(record.line, record.offset) for record in reader.end()] == [(4999, 4998), (5000, 4999)]
    monkeypatch.setattr(avro, "MAX_BLOCK_BYTES", 900)
    fault = read(Format.AVRO, data)[-1].fault
    assert fault
    assert fault.code == "malformed-avro"


def test_a_file_that_breaks_off_or_is_damaged() -> None:
    whole = file_of("string", ["abc"] * 1000, sync_interval=100)
    for data in (whole[:-5], whole[: len(whole) // 2]):
        *good, last = read(Format.AVRO, data)
        assert good
        assert all(record.document == {"v": "abc"} for record in good)
        assert last.fault
        assert last.fault.code == "malformed-avro"
    for place in range(0, len(whole), 37):
        list(read(Format.AVRO, whole[:place] + b"\xff\xff\xff" + whole[place + 3 :]))  # nothing is raised
        list(read(Format.AVRO, whole[:place]))


def coded(number: int) -> bytes:
    number, out = number << 1, b""
    while number > 127:
        number, out = number >> 7, out + bytes([number & 127 | 128])
    return out + bytes([number])


def test_zstandard() -> None:
    start = file_of("int", []).replace(b"\x08null", b"\x12zstandard")
    block = zstandard.compress(b"".join(coded(number) for number in range(3)))
    data = start + coded(3) + coded(len(block)) + block + start[-16:]
    assert [record.document for record in read(Format.AVRO, data)] == [{"v": 0}, {"v": 1}, {"v": 2}]


def test_a_block_that_unpacks_to_much_is_not_unpacked() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = b"".join(packer.compress(bytes(1024 * 1024)) for _ in range(100)) + packer.flush()
    start = file_of("int", [], "deflate")
    record = one(start + coded(5) + coded(len(bomb)) + bomb + start[-16:])
    assert record.fault
    assert "unpacks to over" in record.fault.detail


def test_it_is_known_by_its_beginning_and_needs_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sniff(file_of("int", [1])[:1000], "a.json").format is Format.AVRO
    monkeypatch.setitem(sys.modules, "fastavro", None)  # as if it were not there
    with pytest.raises(MissingExtraError, match=r"Avro needs fastavro.*pip install 'sheaf-api\[avro\]'"):
        make_reader(Format.AVRO)
