"""NDJSON in: one JSON text a line."""

from collections.abc import Iterator

from documents.codec.strict import parse_json
from documents.errors import InputError
from documents.types import Json


def parse_ndjson(body: bytes) -> Iterator[tuple[int, "Json | InputError"]]:
    """Yield each line's number, from 1, with what it says or why it cannot be read.

    Blank lines are skipped but counted. Lines end in LF or CRLF; the last may go without.

    Source:
        NDJSON specification 1.0.0, section 3.
    """
    for number, line in enumerate(lines_of(body), 1):
        if line and not line.isspace():
            yield number, _parse_line(line)


def lines_of(body: bytes) -> Iterator[bytes]:
    """Yield the lines of a body, without the bytes that end them."""
    start = 0
    while (end := body.find(b"\n", start)) >= 0:
        yield body[start:end]
        start = end + 1
    yield body[start:]


def _parse_line(line: bytes) -> "Json | InputError":
    try:
        return parse_json(line)
    except InputError as error:
        return error
