"""Bytes that are not quite HTTP, as RFC 9112 has it, or that two servers in a row would read differently."""

from collections.abc import Mapping
from typing import Final

_HOST: Final = b"Host: 127.0.0.1\r\n"
_POST: Final = b"POST /v1/fresh HTTP/1.1\r\n" + _HOST + b"Content-Type: application/json\r\n"
_GET: Final = b"GET /v1/people HTTP/1.1\r\n" + _HOST
_CHUNKED: Final = b"Transfer-Encoding: chunked\r\n"
_SMUGGLED: Final = b"DELETE /v1/people/ada HTTP/1.1\r\n" + _HOST + b"\r\n"

MISSHAPEN: Final[Mapping[str, bytes]] = {
    "a TLS handshake": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "an HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a method nobody knows": b"EVIL /v1/people HTTP/1.1\r\n" + _HOST + b"\r\n",
    "CONNECT": b"CONNECT 127.0.0.1:27017 HTTP/1.1\r\n" + _HOST + b"\r\n",
    "a version that is none": b"GET /v1/people HTTP/9.9\r\n" + _HOST + b"\r\n",
    "no version": b"GET /v1/people\r\n\r\n",
    "no host": b"GET /v1/people HTTP/1.1\r\n\r\n",
    "two hosts": _GET + b"Host: evil.example\r\n\r\n",
    "the same host twice": _GET + _HOST + b"\r\n",
    "length and chunks": _POST + _CHUNKED + b"Content-Length: 4\r\n\r\n0\r\n\r\n" + _SMUGGLED,
    "chunks and length": _POST + b"Content-Length: 4\r\n" + _CHUNKED + b"\r\n0\r\n\r\n" + _SMUGGLED,
    "an encoding that is none": _POST + b"Transfer-Encoding: xchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "chunked, but not last": _POST + b"Transfer-Encoding: chunked, identity\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "chunked in one of two headers": _POST + _CHUNKED + b"Transfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "identity and length": _POST + b"Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}",
    "chunked behind a vertical tab": _POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + _SMUGGLED,
    "a space before the colon": _POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + _SMUGGLED,
    "a folded header": _POST + b"X: a\r\n Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}",
    "two lengths": _POST + b"Content-Length: 2\r\nContent-Length: 30\r\n\r\n{}" + _SMUGGLED,
    "a list of lengths": _POST + b"Content-Length: 2, 2\r\n\r\n{}",
    "a length with a sign": _POST + b"Content-Length: +2\r\n\r\n{}",
    "a length below zero": _POST + b"Content-Length: -2\r\n\r\n{}",
    "a length of 23 digits": _POST + b"Content-Length: 99999999999999999999999\r\n\r\n{}",
    "a length in hexadecimal": _POST + b"Content-Length: 0x2\r\n\r\n{}",
    "a chunk of 2^76": _POST + _CHUNKED + b"\r\nfffffffffffffffffff\r\n{}\r\n0\r\n\r\n",
    "a chunk with 0x": _POST + _CHUNKED + b"\r\n0x2\r\n{}\r\n0\r\n\r\n",
    "a chunk below zero": _POST + _CHUNKED + b"\r\n-2\r\n{}\r\n0\r\n\r\n",
    "a chunk longer than it says": _POST + _CHUNKED + b"\r\n1\r\n{}\r\n0\r\n\r\n",
    "a chunk extension that ends in a bare line feed": _POST + _CHUNKED + b"\r\n2;\n{}\r\n0\r\n\r\n",
    "bare line feeds": b"GET /v1/people HTTP/1.1\nHost: 127.0.0.1\n\n",
    "a bare carriage return": b"GET /v1/people HTTP/1.1\r\nHost: 127.0.0.1\rX: y\r\n\r\n",
    "NUL in the path": b"GET /v1/people\x00 HTTP/1.1\r\n" + _HOST + b"\r\n",
    "a tab in the path": b"GET /v1/people\t HTTP/1.1\r\n" + _HOST + b"\r\n",
    "a raw byte in the path": b"GET /v1/people/\xff HTTP/1.1\r\n" + _HOST + b"\r\n",
    "NUL in a header": _GET + b"X: a\x00b\r\n\r\n",
    "a header without a name": _GET + b": x\r\n\r\n",
    "a header name with a space": _GET + b"X Y: z\r\n\r\n",
}
"""Each is refused with 400."""

OVERSIZED: Final[Mapping[str, bytes]] = {
    "a header of 65 KB": _GET + b"X: " + b"a" * 66_000 + b"\r\n\r\n",
    "a header of 1 MB": _GET + b"X: " + b"a" * 1_000_000 + b"\r\n\r\n",
    "a path of 65 KB": b"GET /v1/people/" + b"a" * 66_000 + b" HTTP/1.1\r\n" + _HOST + b"\r\n",
    "a query of 1 MB": b"GET /v1/people?a=" + b"a" * 1_000_000 + b" HTTP/1.1\r\n" + _HOST + b"\r\n",
    "20,000 headers": _GET + b"".join(b"X%d: y\r\n" % number for number in range(20_000)) + b"\r\n",
    "a header without end": _GET + b"X: " + b"a" * 100_000,
}
"""Each is refused with 431."""

HARMLESS: Final[Mapping[str, tuple[bytes, int]]] = {
    "an upgrade to a web socket": (
        b"GET /health/live HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n" + _HOST + b"\r\n",
        200,
    ),
    "an upgrade to HTTP/2": (
        b"GET /health/live HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n" + _HOST + b"\r\n",
        200,
    ),
    "a whole URL of another server": (b"GET http://evil.example/health/live HTTP/1.1\r\n" + _HOST + b"\r\n", 200),
    "an expectation that is none": (b"GET /health/live HTTP/1.1\r\nExpect: evil\r\n" + _HOST + b"\r\n", 200),
    "HTTP/1.0 without a host": (b"GET /health/live HTTP/1.0\r\n\r\n", 200),
    "a range of ranges": (
        b"GET /health/live HTTP/1.1\r\nRange: bytes=" + b"0-1," * 9_999 + b"0-1\r\n" + _HOST + b"\r\n",
        200,
    ),
    "10,000 headers of one name": (b"GET /health/live HTTP/1.1\r\n" + b"a:b\r\n" * 10_000 + _HOST + b"\r\n", 200),
    "a length with leading zeros": (_POST + b"Content-Length: 0000000001\r\n\r\n{", 400),
    "a method that a header overrides": (
        b"GET /v1/numbers/1 HTTP/1.1\r\nX-HTTP-Method-Override: DELETE\r\n" + _HOST + b"\r\n",
        200,
    ),
    "a path that a header overrides": (
        b"GET /health/live HTTP/1.1\r\nX-Original-URL: /v1/people\r\nX-Rewrite-URL: /v1/people\r\n" + _HOST + b"\r\n",
        200,
    ),
    "a host that a header overrides": (
        b"GET /health/live HTTP/1.1\r\nX-Forwarded-Host: evil\r\n" + _HOST + b"\r\n",
        200,
    ),
}
"""What a server may pass over, as RFC 9110 and 9112 say, and this one does: nothing comes of it."""
