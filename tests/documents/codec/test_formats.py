from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from documents.codec.compressed import Compression
from documents.codec.encode import encode
from documents.codec.formats import ReadOptions, WriteOptions, make_reader, make_writer
from documents.codec.plain import dump
from documents.codec.records import Format
from documents.codec.sniff import HEAD_BYTES, sniff
from documents.codec.stored import StoredDocument
from documents.codec.writers import Exported
from tests.documents.codec.streams import CUTS, read
from tests.documents.codec.test_extended import DOCUMENTS

pytestmark = pytest.mark.slow

COMPRESSIONS = [None, *Compression]


def write(form: Format, documents: Sequence[Exported], options: WriteOptions | None = None) -> bytes:
    writer = make_writer(form, options)
    middle = len(documents) // 2
    parts = [writer.start(), writer.write(documents[:middle]), writer.write([]), writer.write(documents[middle:])]
    return b"".join([*parts, writer.end()])


@pytest.mark.parametrize("form", [Format.EJSON, Format.BSON])
@given(
    documents=st.lists(DOCUMENTS, max_size=4),
    stored=st.booleans(),
    compression=st.sampled_from(COMPRESSIONS),
    cuts=CUTS,
)
def test_what_is_written_is_read_again_type_for_type(
    *, form: Format, documents: list[dict[str, Any]], stored: bool, compression: Compression | None, cuts: list[int]
) -> None:
    raws = [encode(document) for document in documents]
    data = write(
        form, [StoredDocument(raw) for raw in raws] if stored else documents, WriteOptions(compression=compression)
    )
    records = read(form, data, cuts=cuts)
    assert [record.document for record in records] == documents
    assert [encode(record.document or {}) for record in records] == raws


PLAIN = st.dictionaries(
    st.sampled_from("abc"),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
        max_leaves=6,
    ),
)


@pytest.mark.parametrize("form", [Format.NDJSON, Format.JSON])
@given(documents=st.lists(PLAIN, max_size=5), compression=st.sampled_from(COMPRESSIONS), cuts=CUTS)
def test_plain_json_comes_back(
    *, form: Format, documents: list[dict[str, Any]], compression: Compression | None, cuts: list[int]
) -> None:
    data = write(form, documents, WriteOptions(compression=compression))
    assert [repr(record.document) for record in read(form, data, cuts=cuts)] == [
        repr(document) for document in documents
    ]


@given(st.lists(DOCUMENTS, max_size=3))
def test_ndjson_is_plain_json(documents: list[dict[str, Any]]) -> None:
    assert write(Format.NDJSON, documents) == b"".join(dump(document) + b"\n" for document in documents)


@pytest.mark.parametrize("compression", Compression)
def test_the_same_documents_make_the_same_bytes(compression: Compression) -> None:
    options = WriteOptions(compression=compression)
    assert write(Format.NDJSON, [{"n": 1}, {"n": 2}], options) == write(Format.NDJSON, [{"n": 1}, {"n": 2}], options)


@settings(max_examples=20)
@given(
    st.lists(DOCUMENTS, min_size=1, max_size=3),
    st.sampled_from([Format.NDJSON, Format.JSON, Format.BSON]),
    st.sampled_from(COMPRESSIONS),
)
def test_what_is_written_is_recognised(
    documents: list[dict[str, Any]], form: Format, compression: Compression | None
) -> None:
    found = sniff(write(form, documents, WriteOptions(compression=compression))[:HEAD_BYTES])
    assert found.compression == compression
    assert found.format in {form, Format.EJSON}  # plain JSON names what it has no form for
    assert found.note is None


def test_large_documents_come_back_from_canonical_extended_json() -> None:
    document = {"a": [0] * 1_000_000}
    data = write(Format.EJSON, [document])
    assert len(data) > 16 * 1024 * 1024 > len(encode(document))
    assert [record.document for record in read(Format.EJSON, data)] == [document]
    [record] = read(Format.EJSON, data, ReadOptions(limit=16 * 1024 * 1024))
    assert record.fault
    assert record.fault.code == "document-too-large"


def test_what_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="CSV needs columns"):
        make_writer(Format.CSV)
    with pytest.raises(ValueError, match="Parquet needs columns"):
        make_writer(Format.PARQUET)


def test_nothing_is_read_of_nothing() -> None:
    for form in Format:
        if form not in {Format.PARQUET, Format.JSON, Format.AVRO, Format.XLSX}:
            assert list(make_reader(form).end()) == []
