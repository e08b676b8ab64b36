"""What format a stream looks like: by its first bytes, and by its name only where these leave it open."""

import re
import struct
from collections.abc import Mapping
from pathlib import PurePath
from typing import Final, NamedTuple

import orjson

from documents.codec.compressed import Compression, compression_of, inflate_head
from documents.codec.encodings import find_encoding
from documents.codec.formats import FORMATS
from documents.codec.lines import BOM
from documents.codec.records import WHITE, Format
from documents.types import MAX_DOCUMENT_BYTES

HEAD_BYTES: Final = 64 * 1024
"""First bytes that are enough to tell."""

_LENGTH: Final = struct.Struct("<i")
_BSON_HEAD: Final = re.compile(rb"[\x01-\x13\x7f\xff][^\0]*\0|\0", re.DOTALL)
_WRAPPER: Final = re.compile(rb'\{[ \t\r\n]*"\$(?:oid|date|uuid|binary|number(?:Int|Long|Double|Decimal))"[ \t\r\n]*:')
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")

_BINARY_BYTES: Final = 4096
_ZIP: Final = "a zip archive"
_ALIENS: Final[Mapping[bytes, str]] = {
    b"PK\x03\x04": _ZIP,
    b"PK\x05\x06": _ZIP,
    b"\xd0\xcf\x11\xe0": "an old Office file, such as .xls",
    b"%PDF-": "a PDF",
    b"\x89PNG": "an image",
    b"\xff\xd8\xff": "an image",
    b"GIF8": "an image",
    b"BZh": "compressed with bzip2",
    b"\xfd7zXZ\0": "compressed with xz",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"Rar!": "a RAR archive",
    b"SQLite format 3\0": "a SQLite database",
    b"\x93NUMPY": "a NumPy array",
    b"\x89HDF": "an HDF5 file",
    b"ARROW1": "an Arrow file",
    b"ORC": "an ORC file",
}
_ALIEN_TEXTS: Final = (
    (re.compile(rb"\s*<(?:!doctype html|html|head|body)\b", re.IGNORECASE), "an HTML page"),
    (re.compile(rb"\s*<(?:\?xml|[a-zA-Z][\w:.-]*[\s/>])"), "XML"),
    (re.compile(rb"(?:#[^\n]*\n|\s*\n)*+(?:%YAML\b|---[ \t]*\r?\n)"), "YAML"),
    (
        re.compile(rb"(?:#[^\n]*\n|\s*\n)*+(?:- )?[\w-]+:(?: [^,;\t\n]*)?\n(?: *(?:- )?[\w-]+:(?: [^,;\t\n]*)?\n)"),
        "YAML",
    ),
)
# mongoexport calls Extended JSON in lines .json, so that may be any of the three.
_ALSO: Final[Mapping[str, tuple[Format, ...]]] = {
    ".json": (Format.NDJSON, Format.EJSON),
    ".ndjson": (Format.EJSON,),
    ".jsonl": (Format.EJSON,),
}
_ENDINGS: Final[Mapping[str, tuple[Format, ...]]] = {
    ending: (form, *_ALSO.get(ending, ())) for form, entry in FORMATS.items() for ending in entry.endings
}
"""What the endings of names stand for."""

_COMPRESSED_ENDINGS: Final[Mapping[str, Compression]] = {
    ".gz": Compression.GZIP,
    ".zst": Compression.ZSTD,
    ".zstd": Compression.ZSTD,
}


class Sniffed(NamedTuple):
    """What a stream looks like.

    Args:
        format: None if neither its beginning nor its name tells.
        compression: None if it is not compressed.
        note: What is odd about it, in one sentence; None if nothing is.
        alien: What it is, where that is nothing that is loaded.
    """

    format: Format | None
    compression: Compression | None
    note: str | None
    alien: str | None = None


def sniff(head: bytes, name: str | None = None) -> Sniffed:
    """Return what a stream looks like.

    Args:
        head: Its first bytes: `HEAD_BYTES`, or all if there are fewer.
        name: Of the file it is from.
    """
    path = PurePath((name or "").lower())
    said_compression = _COMPRESSED_ENDINGS.get(path.suffix)
    if said_compression:
        path = path.with_suffix("")
    said = _ENDINGS.get(path.suffix, ())
    compression = compression_of(head)
    plain = inflate_head(head)
    looked = _look(plain)
    if looked is None or (looked is Format.CSV and Format.TSV in said and b"\t" not in plain):
        looked = said[0] if said else None
    elif looked is Format.JSON and said[:1] == (Format.NDJSON,) and plain.lstrip(WHITE).startswith(b"{"):
        looked = Format.NDJSON  # lines that are broken, rather than an object that is wrongly named
    elif Format.EJSON in said and len(said) == 1 and looked in {Format.NDJSON, Format.JSON}:
        looked = Format.EJSON
    note = _note(plain, said, looked, said_compression is not None, compression)
    return Sniffed(looked, compression, note, find_alien(plain))


def stands_for_format(name: str) -> bool:
    """Tell whether the name of a file stands for a format that is loaded, compressed or not."""
    path = PurePath(name.lower())
    if path.suffix in _COMPRESSED_ENDINGS:
        path = path.with_suffix("")
    return path.suffix in _ENDINGS


def find_alien(head: bytes) -> str | None:
    """Return what bytes are, where no format that is loaded begins so."""
    if _find_by_magic(head):
        return None
    known = next((name for magic, name in _ALIENS.items() if head.startswith(magic)), None)
    if known or _is_binary(head):
        return known or "binary data"
    return next((name for form, name in _ALIEN_TEXTS if form.match(head.removeprefix(BOM))), None)


def _is_binary(head: bytes) -> bool:
    if head.startswith(_UTF16) or _is_bson(head) or find_encoding(head)[0].startswith("utf-16"):
        return False
    return b"\0" in head[:_BINARY_BYTES]


def _look(head: bytes) -> Format | None:
    """Return what bytes look like; None if there are none, or they are no text."""
    if form := _find_by_magic(head):
        return form
    return Format.BSON if _is_bson(head) else _look_at_text(head)


def _find_by_magic(head: bytes) -> Format | None:
    return next((form for form, entry in FORMATS.items() if entry.begins and entry.begins(head)), None)


def _look_at_text(head: bytes) -> Format | None:
    text = head.removeprefix(BOM).lstrip(WHITE)
    if not text or head.startswith(_UTF16):
        return None
    if text[:1] in {b"{", b"["}:
        if _WRAPPER.search(text):
            return Format.EJSON
        return Format.NDJSON if text.startswith(b"{") and not _goes_on(text) else Format.JSON
    if b"\0" in text:
        return None
    line = text.partition(b"\n")[0]
    return Format.TSV if line.count(b"\t") > line.count(b",") else Format.CSV


def _goes_on(text: bytes) -> bool:
    """Tell whether an object goes on behind its first line, as documents of NDJSON do not: neither of two lines is one.

    A first line may also be cut, or broken. Then the second one is a document.
    """
    first, _, rest = text.partition(b"\n")
    second = rest.lstrip(WHITE).partition(b"\n")[0]
    return bool(second) and not _is_json(first) and not _is_json(second)


def _is_json(text: bytes) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def _is_bson(head: bytes) -> bool:
    if len(head) <= _LENGTH.size:
        return False
    length: int = _LENGTH.unpack_from(head)[0]
    ends_well = head[length - 1 : length] in {b"", b"\0"}
    return _LENGTH.size < length <= MAX_DOCUMENT_BYTES and ends_well and bool(_BSON_HEAD.match(head, _LENGTH.size))


def _note(
    head: bytes,
    said: tuple[Format, ...],
    looked: Format | None,
    says_compressed: bool,  # noqa: FBT001  # private, and clear where it is called
    compression: Compression | None,
) -> str | None:
    if head.startswith(_UTF16):
        return "The text is UTF-16."
    if looked and said and looked not in said:
        return f"The name stands for {said[0]}, but the content is {looked}."
    if says_compressed and compression is None:
        return "The name says that it is compressed, but it is not."
    return None
