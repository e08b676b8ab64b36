"""Avro object container files in, with fastavro, which the extra `avro` installs.

A file has its schema in front, and records in blocks, each of which may be compressed. fastavro reads the schema and
the records. Blocks are unpacked here, since a few bytes of one may unpack to very much.

Source:
    Apache Avro 1.12 specification, Object Container Files.
"""

import bz2
import io
import lzma
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any, Final

import zstandard

from documents.codec.avro_values import AvroValues
from documents.codec.extras import load_extra
from documents.codec.records import Record
from documents.codec.strict import check_keys
from documents.codec.whole_file import WholeFileReader
from documents.codec.writers import dump_canonical
from documents.errors import Fault
from documents.types import Document

MAGIC: Final = b"Obj\x01"
MAX_BLOCK_BYTES: Final = 64 * 1024 * 1024
"""What a block may have, unpacked; those that writers make have 16 KB to some MB."""

_SYNC_BYTES: Final = 16
_CHECKSUM_BYTES: Final = 4
_LONGEST: Final = 10
"""Bytes of a varint of 64 bits."""


class AvroError(ValueError):
    """A file cannot be loaded as it is."""


def _zstd(data: bytes, most: int) -> bytes:
    return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)).read(most)


def _snappy(data: bytes, most: int) -> bytes:
    size, _ = _varint(io.BytesIO(data))
    if size >= most:
        return bytes(most)
    return bytes(load_extra("cramjam", "avro").snappy.decompress_raw(data[:-_CHECKSUM_BYTES]))


_CODECS: Final[Mapping[str, Callable[[bytes, int], bytes]]] = {
    "null": lambda data, _: data,
    "deflate": lambda data, most: zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, most),
    "bzip2": lambda data, most: bz2.BZ2Decompressor().decompress(data, most),
    "xz": lambda data, most: lzma.LZMADecompressor().decompress(data, most),
    "zstandard": _zstd,
    "snappy": _snappy,
}
"""Each returns at most so many bytes of what a block has, unpacked."""


class AvroReader(WholeFileReader):
    """Reads a document from each record.

    Args:
        start: As for `WholeFileReader`.
        any_keys: Whether keys of maps may be such that no field can have them.

    Raises:
        MissingExtraError: fastavro is not installed.
    """

    def __init__(self, *, start: int = 0, any_keys: bool = False) -> None:
        super().__init__(start=start)
        self._any_keys = any_keys
        self._fastavro: Any = load_extra("fastavro", "avro")

    def read(self, file: IO[bytes]) -> Iterator[Record]:
        """Yield a record for each record, or one that says what is wrong with the file."""
        try:
            header = self._fastavro.reader(file, return_named_type=True)
            schema, codec, place = header.writer_schema, header.codec, file.tell()
            values = AvroValues(schema)
            self._check(file, schema, codec, values)
        except Exception as error:  # noqa: BLE001  # fastavro raises whatever its parsers meet
            is_ours = isinstance(error, ValueError) and type(error).__module__ != "fastavro.schema"
            detail = str(error) if is_ours else f"Its header is damaged: {type(error).__name__}: {error}"
            yield self._refused("header-refused", f"The Avro file cannot be loaded. {detail}")
            return
        file.seek(place)
        try:
            for value in self._values(file, schema, codec):
                self.line += 1
                if self.line > self._start:
                    yield _record(self.line, values, value, has_odd_keys=values.has_maps and not self._any_keys)
        except Exception as error:  # noqa: BLE001  # likewise
            detail = f"The Avro file is damaged behind record {self.line}: {error or type(error).__name__}"
            yield self._refused("malformed-avro", detail)

    def _check(self, file: IO[bytes], schema: Any, codec: str, values: AvroValues) -> None:  # noqa: ANN401
        """Refuse a file that is packed in an unknown way, or of which a record has no exact document.

        Raises:
            AvroError: It is one. Whether it is damaged further on is not looked at.
        """
        if codec not in _CODECS:
            raise AvroError(f"Its codec {codec} is none of {', '.join(_CODECS)}.")
        if not values.is_risky:
            return
        number = 0
        try:
            for value in self._values(file, schema, codec):
                values.convert(value)
                number += 1
        except (ValueError, OverflowError) as error:
            raise AvroError(f"Record {number + 1} has a value that BSON cannot hold. {error}") from error
        except EOFError:
            return

    def _values(self, file: IO[bytes], schema: Any, codec: str) -> Iterator[Any]:  # noqa: ANN401
        read = self._fastavro.schemaless_reader
        while (data := _next_block(file, codec)) is not None:
            count, block = data
            for _ in range(count):
                yield read(block, schema, return_named_type=True)

    def _refused(self, code: str, detail: str) -> Record:
        return Record(self.line + 1, self.line, self.line, b"", None, Fault("", code, detail))


def _next_block(file: IO[bytes], codec: str) -> tuple[int, io.BytesIO] | None:
    coded, is_end = _varint(file)
    if is_end:
        return None
    count, size = _unzigzag(coded), _unzigzag(_varint(file)[0])
    if count < 0 or not 0 <= size <= MAX_BLOCK_BYTES:
        raise AvroError(f"A block says to have {count} records in {size} bytes.")
    data = file.read(size)
    if len(data) < size or len(file.read(_SYNC_BYTES)) < _SYNC_BYTES:
        raise EOFError("It breaks off within a block.")
    plain = _CODECS[codec](data, MAX_BLOCK_BYTES + 1)
    if len(plain) > MAX_BLOCK_BYTES:
        raise AvroError(f"A block unpacks to over {MAX_BLOCK_BYTES:,} bytes, which are allowed.")
    return count, io.BytesIO(plain)


def _varint(file: IO[bytes]) -> tuple[int, bool]:
    """Return the next integer without a sign, and whether the file had ended before it."""
    number = 0
    for place in range(_LONGEST):
        byte = file.read(1)
        if not byte:
            if place:
                raise EOFError("It breaks off within a number.")
            return 0, True
        number |= (byte[0] & 0x7F) << (7 * place)
        if byte[0] < 0x80:  # noqa: PLR2004  # the bit that says that more follow
            return number, False
    raise AvroError("A number has over 64 bits.")


def _unzigzag(coded: int) -> int:
    return (coded >> 1) ^ -(coded & 1)


def _record(line: int, values: AvroValues, value: Any, *, has_odd_keys: bool) -> Record:  # noqa: ANN401
    try:
        document: Document = values.convert(value)
    except (ValueError, OverflowError) as error:
        return Record(line, line - 1, line, repr(value).encode(), None, Fault("", "wrong-type", str(error)))
    fault = next(iter(check_keys(document)), None) if has_odd_keys else None
    if fault is None:
        return Record(line, line - 1, line, b"", document, None)
    return Record(line, line - 1, line, dump_canonical(document), None, fault)
