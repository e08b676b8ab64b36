"""Bodies that are no JSON, or JSON that means two things to two readers, or more than a server should read."""

from collections.abc import Callable, Sequence
from typing import Final

from tests.api.hostile.attack import Attack, as_json

MIB: Final = 1024 * 1024
HERE: Final = "/v1/notes"
FRESH: Final = "/v1/fresh"

_MALFORMED: Final[dict[str, bytes]] = {
    "nothing at all": b"",
    "white space": b" \r\n\t",
    "half an object": b'{"a": 1',
    "two texts": b"{}{}",
    "a trailing comma": b'{"a": 1,}',
    "single quotes": b"{'a': 1}",
    "a comment": b'{"a": 1} // no',
    "NaN": b'{"a": NaN}',
    "Infinity": b'{"a": Infinity}',
    "minus Infinity": b'{"a": -Infinity}',
    "1e999": b'{"a": 1e999}',
    "minus 1e400, deep down": b'{"data": {"x": [-1e400]}}',
    "10,000 digits": b'{"a": ' + b"9" * 10_000 + b"}",
    "a leading zero": b'{"a": 012}',
    "hexadecimal": b'{"a": 0x10}',
    "half a surrogate pair": b'{"a": "\\ud800"}',
    "half a surrogate pair as a key": b'{"\\udfff": 1}',
    "surrogates the wrong way round": b'{"a": "\\udc00\\ud800"}',
    "bytes that are not UTF-8": b'{"a": "\xff"}',
    "overlong UTF-8": b'{"a": "\xc0\xaf"}',
    "a surrogate in UTF-8": b'{"a": "\xed\xa0\x80"}',
    "a byte order mark": b'\xef\xbb\xbf{"a": 1}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "UTF-16 without a mark": '{"a": 1}'.encode("utf-16-le"),
    "a NUL byte": b'{"a": "\x00"}',
    "a line feed in a string": b'{"a": "\n"}',
    "an escape that is none": b'{"a": "\\x41"}',
    "BSON": b"\x0c\x00\x00\x00\x10a\x00\x01\x00\x00\x00\x00",
    "XML with an entity": b'<!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc/passwd">]><d>&e;</d>',
    "a pickle": b"\x80\x04\x95\x1d\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.",
}

_REFUSED: Final[dict[str, tuple[bytes, str]]] = {
    "2^63": (b'{"a": 9223372036854775808}', "/a"),
    "2^64": (b'{"a": [18446744073709551616]}', "/a/0"),
    "minus 2^63, less one": (b'{"a": -9223372036854775809}', "/a"),
    "300 digits": (b'{"a": ' + b"9" * 300 + b"}", "/a"),
    "a key twice": (b'{"role": "user", "role": "admin"}', "/role"),
    "a key twice, once escaped": (b'{"role": "user", "r\\u006fle": "admin"}', "/role"),
    "a key twice, deep down": (b'{"a": [{"b": {"c": 1, "c": 2}}]}', "/a/0/b/c"),
    "a key twice, with colons about": (b'{"a:b": ":", "a\\u003ab": "\\u003a"}', "/a:b"),
    "an operator as a key": (b'{"$set": {"role": "admin"}}', "/$set"),
    "an operator as a key, deep down": (b'{"a": [{"b": {"$where": "1"}}]}', "/a/0/b/$where"),
    "an Extended JSON wrapper in plain JSON": (b'{"a": {"$oid": "65a1f0c2d4b5e6f708192a3b"}}', "/a/$oid"),
    "a dotted key": (b'{"a.b": 1}', "/a.b"),
    "an empty key": (b'{"": 1}', "/"),
    "a key with NUL": (b'{"a\\u0000b": 1}', "/a\x00b"),
    "101 levels": (b'{"a":' * 101 + b"1" + b"}" * 101, "/a" * 100),
}

_NOT_DOCUMENTS: Final[dict[str, bytes]] = {
    "null": b"null",
    "a number": b"7",
    "a string": b'"x"',
    "true": b"true",
}

_MEDIA: Final[dict[str, str | None]] = {
    "text/plain, as a form of another site can send": "text/plain",
    "a form": "application/x-www-form-urlencoded",
    "a multipart form": "multipart/form-data; boundary=x",
    "no content type": None,
    "JSON in UTF-16": "application/json; charset=utf-16",
    "JSON by name only": "application/json-seq",
    "XML": "application/xml",
}


_TOO_LARGE: Final[dict[str, Callable[[], bytes]]] = {
    "17 MB": lambda: b'{"a":"' + b"x" * (17 * MIB) + b'"}',
    "60 MB": lambda: b'{"a":"' + b"x" * (60 * MIB) + b'"}',
    "60 MB of small integers": lambda: b"[" + b"1," * (30 * MIB) + b"1]",
    "16 MB of small integers": lambda: b"[" + b"1," * (8 * MIB - 8) + b"1]",
    "16 MB of empty objects": lambda: b"[" + b"{}," * (5 * MIB) + b"{}]",
    "10,001 documents": lambda: b"[" + b"{}," * 10_000 + b"{}]",
}

_LARGE_AND_MALFORMED: Final[dict[str, tuple[int, str, Callable[[], bytes]]]] = {
    "16 MB of brackets": (413, "body-too-large", lambda: b"[" * (16 * MIB - 8)),
    "10,000 levels": (422, "invalid-document", lambda: b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
    "100,000 levels of arrays": (422, "invalid-document", lambda: b"[" * 100_000 + b"]" * 100_000),
    "16 MB of digits": (400, "malformed-json", lambda: b'{"a":' + b"9" * (16 * MIB - 8) + b"}"),
    "16 MB of quotes": (400, "malformed-json", lambda: b'{"a":"' + b'"' * (16 * MIB - 8) + b"}"),
    "16 MB of backslashes": (413, "body-too-large", lambda: b'{"a":"' + b"\\" * (16 * MIB - 9) + b'"}'),
    "16 MB of white space": (400, "malformed-json", lambda: b" " * (16 * MIB - 8)),
    "16 MB of zeros, and a key twice": (
        422,
        "invalid-document",
        lambda: b'{"a":1,"a":"' + b"0" * (16 * MIB - 16) + b'"}',
    ),
    "16 MB of escaped colons, and a key twice": (
        422,
        "invalid-document",
        lambda: b'{"a":1,"a":"' + b"\\u003a" * (16 * MIB // 6 - 8) + b'"}',
    ),
    "5 MB of escaped backslashes, and a key twice": (
        422,
        "invalid-document",
        lambda: b'{"a":1,"a":"\\u003a' + b"\\\\" * (5 * MIB // 4) + b'"}',
    ),
    "100,000 keys, and one of them twice": (
        422,
        "invalid-document",
        lambda: b"{" + b"".join(b'"%d":1,' % number for number in range(99_000)) + b'"0":1}',
    ),
    "130,000 keys": (
        413,
        "body-too-large",
        lambda: b"{" + b"".join(b'"%d":1,' % number for number in range(130_000)) + b'"x":1}',
    ),
    "16 MB of text with a wide integer in it and one beside it": (
        422,
        "invalid-document",
        lambda: b'{"a":"' + b"12345678901234567890 " * (MIB // 2) + b'","b":12345678901234567890}',
    ),
    "a number of 16 MB, and a key twice": (
        422,
        "invalid-document",
        lambda: b'{"a":1,"a":0.' + b"1" * (16 * MIB - 16) + b"}",
    ),
    "wide integers by the thousand": (
        422,
        "invalid-document",
        lambda: b'{"a":[' + b"12345678901234567890," * 190_000 + b"1]}",
    ),
}

TEXTS: Final[Sequence[Attack]] = (
    *(Attack(f"not JSON: {name}", 400, "malformed-json", HERE, body=body) for name, body in _MALFORMED.items()),
    *(
        Attack(f"refused: {name}", 422, "invalid-document", HERE, body=body, pointer=pointer)
        for name, (body, pointer) in _REFUSED.items()
    ),
    *(
        Attack(f"no document: {name}", 422, "invalid-document", HERE, body=body)
        for name, body in _NOT_DOCUMENTS.items()
    ),
    *(
        Attack(f"media type: {name}", 415, "unsupported-media-type", FRESH, body=b'{"a": 1}', content_type=kind)
        for name, kind in _MEDIA.items()
    ),
    *(
        Attack(
            f"compressed: {coding}",
            415,
            "unsupported-media-type",
            FRESH,
            body=b"\x1f\x8b\x08\x00" + bytes(64),
            headers={"Content-Encoding": coding},
        )
        for coding in ("gzip", "deflate", "br", "zstd", "gzip, gzip", "identity, gzip")
    ),
    *(Attack(f"too large: {name}", 413, "body-too-large", FRESH, body=body) for name, body in _TOO_LARGE.items()),
    *(
        Attack(f"large: {name}", status, code, FRESH, body=body)
        for name, (status, code, body) in _LARGE_AND_MALFORMED.items()
    ),
    Attack("the first document must fix nothing", 422, "invalid-document", FRESH, body=as_json({"$a": 1})),
    Attack("an id with NUL", 422, "invalid-id", "/v1/people", body=as_json({"_id": "a\0b"})),
    Attack("an id of another type", 422, "invalid-id", "/v1/people", body=as_json({"_id": 1})),
    Attack("an id that is an operator", 422, "invalid-document", "/v1/people", body=as_json({"_id": {"$ne": 1}})),
    Attack("an id that is an array", 422, "invalid-id", "/v1/people", body=as_json({"_id": ["ada"]})),
    Attack("an id of 2 KB", 422, "invalid-id", "/v1/people", body=as_json({"_id": "x" * 2048})),
)
