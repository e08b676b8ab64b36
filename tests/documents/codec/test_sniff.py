import gzip

import pytest
import zstandard
from bson import encode

from documents.codec.compressed import Compression
from documents.codec.records import Format
from documents.codec.sniff import sniff

BSON = encode({"n": 1})


@pytest.mark.parametrize(
    ("head", "name", "form", "has_note"),
    [
        (b'{"a":1}\n', "x.ndjson", Format.NDJSON, False),
        (b'{"a":1}\n', "x.jsonl", Format.NDJSON, False),
        (b'{"a":1}\n', "x.json", Format.NDJSON, False),
        (b'{"a":1}\n', "x.ejson", Format.EJSON, False),
        (b'{"a":1}\n', "x.csv", Format.NDJSON, True),
        (b'{"a":1}\n', None, Format.NDJSON, False),
        (b'\xef\xbb\xbf \n[{"a":1}]', "x.json", Format.JSON, False),
        (b'[{"a":1}]', "x.ndjson", Format.JSON, True),
        (b'{"_id": {"$oid": "x"}}', "x.json", Format.EJSON, False),
        (b'[{"_id":{"$numberLong":"1"}}]', None, Format.EJSON, False),
        (b"a,b\n1,2\n", "x.csv", Format.CSV, False),
        (b"a,b\n1,2\n", "x.json", Format.CSV, True),
        (b"a\tb\n1\t2\n", "x.CSV", Format.TSV, True),
        (b"a\tb\n", "x.tsv", Format.TSV, False),
        (b"a\n1\n", "x.tsv", Format.TSV, False),
        (b"a\n1\n", None, Format.CSV, False),
        (BSON, "x.bson", Format.BSON, False),
        (BSON * 2, "x.json", Format.BSON, True),
        (BSON[:10], None, Format.BSON, False),
        (b"PAR1\x15\x04", "x.parquet", Format.PARQUET, False),
        (b"PAR1\x15\x04", "x.csv", Format.PARQUET, True),
        (b"", "x.csv", Format.CSV, False),
        (b" \n", "x", None, False),
        (b"\x89PNG\r\n\x1a\n\0\0", "x.json", Format.JSON, False),
        (b"\x89PNG\r\n\x1a\n\0\0", None, None, False),
        ("a,b".encode("utf-16"), "x.csv", Format.CSV, True),
    ],
)
def test_content_comes_first(head: bytes, name: str | None, form: Format | None, *, has_note: bool) -> None:
    found = sniff(head, name)
    assert (found.format, found.compression) == (form, None)
    assert (found.note is not None) is has_note


def test_compression_is_seen_and_not_believed() -> None:
    for compression, data in (
        (Compression.GZIP, gzip.compress(b"a,b\n")),
        (Compression.ZSTD, zstandard.compress(b"a,b\n")),
    ):
        for name in "x.csv.gz", "x.csv.zst", "x.csv", None:
            assert sniff(data, name)[:3] == (Format.CSV, compression, None)
        assert sniff(data[:20], "x.csv").compression is compression
    assert sniff(b"a,b\n", "x.csv.gz")[:3] == (Format.CSV, None, "The name says that it is compressed, but it is not.")
    assert sniff(b"\x1f\x8b\x08" + b"\xff" * 100, "x.json.gz")[:2] == (Format.JSON, Compression.GZIP)


def test_an_object_over_several_lines_is_no_ndjson() -> None:
    assert sniff(b'{"type":"FeatureCollection","features":[{"a":1},\n{"a":2},\n{"a":3}]}').format is Format.JSON
    assert sniff(b'{\n "a": 1\n}\n').format is Format.JSON
    assert sniff(b'{"a": \n{"a":2}\n').format is Format.NDJSON
    assert sniff(b'{"a":1}\n{"a": \n').format is Format.NDJSON
    assert sniff(b'{"a":1}').format is Format.NDJSON
    assert sniff(b'{"a": \n{"a": \n', "broken.ndjson").format is Format.NDJSON
    assert sniff(b'{"a": \n{"a": \n').format is Format.JSON


@pytest.mark.parametrize(
    ("head", "alien"),
    [
        (b"PK\x03\x04abc", "a zip archive"),
        (b"PK\x03\x04 xl/workbook.xml", None),
        (b"\x89PNG\r\n\x1a\n\0\0", "an image"),
        (b"<!DOCTYPE html><html></html>", "an HTML page"),
        (b'<?xml version="1.0"?><a/>', "XML"),
        (b"---\na: 1\n", "YAML"),
        (b"# about\nname: x\nitems:\n- 1\n", "YAML"),
        (b"\7\7\7\7\7abc\0\0\1\2", "binary data"),
        ("a,b\n1,2\n".encode("utf-16-le"), None),
        (b"a,b\n1,2\n", None),
        (b"name\nAda\n", None),
        (BSON, None),
        (b'{"a": 1}\n', None),
    ],
)
def test_what_is_not_loaded_is_said_to_be_what_it_is(head: bytes, alien: str | None) -> None:
    assert sniff(head, "x.csv").alien == alien
