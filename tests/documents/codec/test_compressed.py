import gzip
import zlib
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from documents.codec.compressed import STEP_BYTES
from documents.codec.formats import ReadOptions, make_reader
from documents.codec.records import Format
from tests.documents.codec.streams import CUTS, EVERY_BYTE, read, said

LINES = b"".join(
    b'{"n":%d,"x":"%s"}\n' % (number, zlib.compress(b"%d" % number).hex().encode()) for number in range(200)
)
COMPRESSORS: list[Callable[[bytes], bytes]] = [gzip.compress, zstandard.compress]
compressed = pytest.mark.parametrize("compress", COMPRESSORS)


@compressed
@pytest.mark.parametrize("cuts", [(), EVERY_BYTE, [512], [511, 513]])
def test_several_members_are_one_stream(compress: Callable[[bytes], bytes], cuts: range) -> None:
    data = compress(LINES[:1000]) + compress(LINES[1000:]) + compress(b"")
    assert read(Format.NDJSON, data, cuts=cuts) == read(Format.NDJSON, LINES)


def test_padding_behind_gzip() -> None:
    assert read(Format.NDJSON, gzip.compress(LINES) + b"\0" * 1000) == read(Format.NDJSON, LINES)


@compressed
def test_a_cut_stream_ends_with_a_fault(compress: Callable[[bytes], bytes]) -> None:
    data = compress(LINES)[:-600]
    whole = read(Format.NDJSON, LINES)
    found = [read(Format.NDJSON, data, cuts=cuts) for cuts in ((), EVERY_BYTE, [700])]
    assert found[0] == found[1] == found[2]
    good = [record for record in found[0] if record.fault is None]
    assert good == whole[: len(good)]
    assert {code for _, code in said(found[0][len(good) :])} <= {"malformed-json", "compression-cut"}
    assert said(found[0])[-1][1] == "compression-cut"


@compressed
def test_a_damaged_stream_ends_with_a_fault(compress: Callable[[bytes], bytes]) -> None:
    data = bytearray(compress(LINES[:6000]) + compress(LINES[6000:]))
    data[len(compress(LINES[:6000])) + 3 :] = b"\xff" * 500
    found = [read(Format.NDJSON, bytes(data), cuts=cuts) for cuts in ((), EVERY_BYTE)]
    assert found[0] == found[1]
    assert said(found[0])[-1][1] == "compression-damaged"


def test_a_row_that_was_cut_is_not_taken_for_a_shorter_one() -> None:
    whole = b"name,price\nbook,1000\n"
    for keep in range(len(gzip.compress(whole))):
        records = read(Format.CSV, gzip.compress(whole, mtime=0)[:keep])
        assert all(record.document in (None, {"name": "book", "price": "1000"}) for record in records)
    stored = zlib.compressobj(0, zlib.DEFLATED, 31)
    data = stored.compress(whole) + stored.flush()
    for keep in range(len(data)):
        records = read(Format.CSV, data[:keep])
        assert all(record.document in (None, {"name": "book", "price": "1000"}) for record in records)


@compressed
@pytest.mark.parametrize("max_bytes", [0, 1, 100, 1_000_000])
def test_a_bomb_is_read_up_to_the_limit(compress: Callable[[bytes], bytes], max_bytes: int) -> None:
    data = compress(b'{"n":1}\n' + b" " * 50_000_000 + b"\n")
    reader = make_reader(Format.NDJSON, ReadOptions(max_bytes=max_bytes))
    records = list(reader.feed(data))
    if len(data) > STEP_BYTES:
        assert reader.offset == max_bytes
    records += reader.end()
    assert [each for each in said(records) if isinstance(each[1], dict)] == ([(1, {"n": 1})] if max_bytes > 7 else [])
    assert said(records)[-1][1] == "stream-too-large"
    assert records[-1].offset == max_bytes


def test_what_fits_exactly_is_no_bomb() -> None:
    assert read(Format.NDJSON, gzip.compress(LINES), ReadOptions(max_bytes=len(LINES))) == read(Format.NDJSON, LINES)
    assert (
        said(read(Format.NDJSON, gzip.compress(LINES), ReadOptions(max_bytes=len(LINES) - 1)))[-1][1]
        == "stream-too-large"
    )


@given(st.binary(max_size=1500), CUTS)
def test_anything_may_follow_the_magic(data: bytes, cuts: list[int]) -> None:
    for magic in b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd":
        records = read(Format.NDJSON, magic + data)
        assert records
        assert read(Format.NDJSON, magic + data, cuts=cuts) == records


@pytest.mark.parametrize("data", [b"", b"{}", b"\x1f", b"\x1f\x8b", b"\x1f\x8b\x08"])
def test_short_streams(data: bytes) -> None:
    assert len(read(Format.NDJSON, data)) == len(read(Format.NDJSON, data, cuts=EVERY_BYTE))


@pytest.mark.parametrize("form", Format)
@pytest.mark.parametrize("cut", [5, 1])
def test_no_two_faults_are_at_the_same_place(form: Format, cut: int) -> None:
    for data in (b"\x1f\x8b\x08 no gzip", gzip.compress(b'[{"a": 1}]')[:-cut] + b"x", gzip.compress(b"{")[:-cut]):
        reader = make_reader(form)
        records = [*reader.feed(data), *reader.end()]
        assert records
        assert len({record.offset for record in records}) == len(records)
