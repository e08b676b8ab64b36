"""Paths, parameters and headers that mean something else to the next reader."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from tests.api.hostile.attack import Attack, as_json

_NAMES: Final[dict[str, str]] = {
    "the users of MongoDB": "system.users",
    "the profiler's": "system.profile",
    "the views": "system.views",
    "Sheaf's secrets": "_sheaf.secrets",
    "Sheaf's records": "_sheaf.collections",
    "a command": "$cmd",
    "a command, escaped": "%24cmd",
    "a database and its collection": "admin.system.users",
    "an empty part": "a..b",
    "NUL": "%00",
    "NUL inside": "people%00",
    "a space": "people%20",
    "a line feed": "people%0A",
    "a full-width dollar": quote("\uff04cmd"),
    "Cyrillic that looks like Latin": quote("рeople"),
    "101 letters": "a" * 101,
    "a leading digit": "1people",
    "a leading dash": "-people",
    "the folder above": "..",
    "the folder above, escaped": "%2e%2e",
    "an unknown method": "people:drop",
    "a method that is to come": "people:mapReduce",
}

_PATHS: Final[dict[str, tuple[str, str, int, str]]] = {
    "a forged log line": ("GET", "/v1/people/x%0d%0aINFO:%20forged", 404, "document-not-found"),
    "a header injected": ("GET", "/v1/people/x%0d%0aSet-Cookie:%20a=b", 404, "document-not-found"),
    "a header injected by an address that is none": ("GET", "/nothing%0d%0aSet-Cookie:%20a=b", 404, "not-found"),
    "up and out": ("GET", "/v1/people/../../health/live", 404, "document-not-found"),
    "up and out, escaped": ("GET", "/v1/people/%2e%2e%2f%2e%2e%2fhealth%2flive", 404, "document-not-found"),
    "up and out, escaped twice": ("GET", "/v1/people/%252e%252e%252fada", 404, "document-not-found"),
    "up and out, overlong": ("GET", "/v1/people/%c0%ae%c0%ae%c0%af", 400, "bad-request"),
    "bytes that are not UTF-8 in an id": ("GET", "/v1/people/%ff", 400, "bad-request"),
    "bytes that are not UTF-8 in an id to write": ("PUT", "/v1/people/%ff", 400, "bad-request"),
    "bytes that are not UTF-8 in a name": ("GET", "/v1/%ff", 400, "bad-request"),
    "half a percent sign": ("GET", "/v1/people/%zz", 404, "document-not-found"),
    "NUL in an id": ("GET", "/v1/people/ada%00", 404, "document-not-found"),
    "an id of 8 KB": ("GET", "/v1/people/" + "x" * 8192, 404, "document-not-found"),
    "an id that is an operator": ("GET", "/v1/people/" + quote('{"$ne":""}'), 404, "document-not-found"),
    "an id that is an operator to delete": ("DELETE", "/v1/people/" + quote('{"$or":1}'), 404, "document-not-found"),
    "an id that is an operator behind a field": (
        "GET",
        "/v1/people/" + quote('{"a":1,"$ne":""}'),
        404,
        "document-not-found",
    ),
    "an id that is a reference": ("GET", "/v1/people/" + quote('{"$ref":"a","$id":1}'), 404, "document-not-found"),
    "an id that is a pattern": (
        "GET",
        "/v1/people/" + quote('{"$regularExpression":{"pattern":".","options":""}}'),
        404,
        "document-not-found",
    ),
    "an id that is code": ("GET", "/v1/people/" + quote('{"$code":"sleep(2000)"}'), 404, "document-not-found"),
    "an id that nests": ("DELETE", "/v1/people/" + quote('{"a":' * 500 + "1" + "}" * 500), 404, "document-not-found"),
    "an ObjectId that is none": ("GET", "/v1/products/zzz", 404, "document-not-found"),
    "an ObjectId of 24 letters": ("GET", "/v1/products/" + "z" * 24, 404, "document-not-found"),
    "an integer of 10,000 digits": ("GET", "/v1/numbers/" + "9" * 10_000, 404, "document-not-found"),
    "an integer beyond 64 bits": ("DELETE", "/v1/numbers/9223372036854775808", 404, "document-not-found"),
    "an integer in Arabic digits": ("GET", "/v1/numbers/" + quote("١"), 404, "document-not-found"),
    "an integer with a sign": ("GET", "/v1/numbers/+1", 404, "document-not-found"),
    "an integer with a leading zero": ("GET", "/v1/numbers/01", 404, "document-not-found"),
    "a document of a collection that is none": ("GET", "/v1/nothing/1", 404, "collection-not-found"),
    "the whole database": ("DELETE", "/v1", 405, "method-not-allowed"),
    "a whole collection": ("DELETE", "/v1/people", 400, "filter-required"),
    "a whole collection, by a parameter that is no filter": (
        "DELETE",
        "/v1/people?sort=name",
        400,
        "invalid-parameter",
    ),
    "two slashes": ("GET", "/v1//people", 404, "not-found"),
    "another host in the path": ("GET", "//evil.example/v1", 404, "not-found"),
    "a method override": ("TRACE", "/v1/people/ada", 405, "method-not-allowed"),
    "a preflight of another site": ("OPTIONS", "/v1/people", 405, "method-not-allowed"),
}

_QUERIES: Final[dict[str, tuple[str, str]]] = {
    "limit 0": ("limit=0", "invalid-parameter"),
    "limit -1": ("limit=-1", "invalid-parameter"),
    "limit 1001": ("limit=1001", "invalid-parameter"),
    "limit 100,000": ("limit=100000", "invalid-parameter"),
    "limit abc": ("limit=abc", "invalid-parameter"),
    "limit 1e3": ("limit=1e3", "invalid-parameter"),
    "limit of 10,000 digits": ("limit=" + "9" * 10_000, "invalid-parameter"),
    "limit in Arabic digits": ("limit=" + quote("١٠"), "invalid-parameter"),
    "limit with an underscore": ("limit=1_0", "invalid-parameter"),
    "limit twice": ("limit=1&limit=1000", "invalid-parameter"),
    "no limit at all": ("limit=", "invalid-parameter"),
    "a cursor made up": ("cursor=AAAA", "invalid-cursor"),
    "a cursor that is no base64": ("cursor=%25%25", "invalid-cursor"),
    "a cursor of 32 KB": ("cursor=" + "A" * 32_768, "invalid-cursor"),
    "a cursor that is empty": ("cursor=", "invalid-cursor"),
    "a filter that is no JSON": ("filter={", "invalid-filter"),
    "a filter with a key twice": ("filter=" + quote('{"a":1,"a":2}'), "invalid-filter"),
    "a filter with NaN": ("filter=" + quote('{"a":NaN}'), "invalid-filter"),
    "a filter with $where": ("filter=" + quote('{"$where":"sleep(2000)"}'), "invalid-filter"),
    "a filter twice": ("filter={}&filter={}", "invalid-parameter"),
    "an operator as a parameter": ("$where=sleep(2000)", "invalid-parameter"),
    "an operator as a parameter, escaped": ("%24where=sleep(2000)", "invalid-parameter"),
    "an operator in brackets": ("name[$ne]=", "invalid-parameter"),
    "an operator in brackets, by its long name": ("name[$where]=1", "invalid-parameter"),
    "an operator that is none": ("name[where]=1", "invalid-parameter"),
    "brackets within brackets": ("name[eq][ne]=1", "invalid-parameter"),
    "brackets that do not close": ("name[eq=1", "invalid-parameter"),
    "a pattern that blows up": ("name[regex]=" + quote("^(a+)+$"), "invalid-parameter"),
    "a path into an operator": ("a.$where=1", "invalid-parameter"),
    "an empty step in a path": ("a..b=1", "invalid-parameter"),
    "NUL in a path": ("a%00b=1", "invalid-parameter"),
    "NUL in a pattern": ("name[regex]=a%00b", "invalid-parameter"),
    "bytes that are not UTF-8": ("name=%ff", "invalid-parameter"),
    "201 parameters": ("&".join(f"a{number}=1" for number in range(201)), "invalid-parameter"),
    "a sort by an operator": ("sort=$natural", "invalid-parameter"),
    "a sort by an empty path": ("sort=,", "invalid-parameter"),
    "a sort by 9 fields": ("sort=" + ",".join("abcdefghi"), "invalid-parameter"),
    "a sort by the same field twice": ("sort=a,-a", "invalid-parameter"),
    "a field that is an operator": ("fields=$where", "invalid-parameter"),
    "a field that reaches into another": ("fields=a,a.b", "invalid-parameter"),
    "201 fields": ("fields=" + ",".join(f"a{number}" for number in range(201)), "invalid-parameter"),
    "a search of 1,001 letters": ("q=" + "x" * 1001, "invalid-parameter"),
    "a search for nothing": ("q=", "invalid-parameter"),
}

_HEADERS: Final[dict[str, tuple[dict[str, str], int, str]]] = {
    "another server's name": ({"Host": "evil.example"}, 421, "misdirected-request"),
    "another server's name that begins like ours": ({"Host": "127.0.0.1.evil.example"}, 421, "misdirected-request"),
    "another server's name behind ours": ({"Host": "localhost@evil.example"}, 421, "misdirected-request"),
    "a path in the host": ({"Host": "127.0.0.1/health/live?"}, 421, "misdirected-request"),
    "an empty host": ({"Host": ""}, 421, "misdirected-request"),
    "a wish that cannot be": ({"Prefer": "wait=-1"}, 400, "invalid-parameter"),
    "a wish to wait for nothing": ({"Prefer": "wait=0"}, 400, "invalid-parameter"),
    "a wish of 10,000 digits": ({"Prefer": "wait=" + "9" * 10_000}, 400, "invalid-parameter"),
    "a count that is none": ({"Prefer": "count=all"}, 400, "invalid-parameter"),
    "XML": ({"Accept": "text/xml"}, 406, "not-acceptable"),
    "nothing at all": ({"Accept": "application/json;q=0"}, 406, "not-acceptable"),
}

ADDRESSES: Final[Sequence[Attack]] = (
    *(
        Attack(f"{method} a collection named by {name}", 404, "not-found", f"/v1/{path}", method, body)
        for name, path in _NAMES.items()
        for method, body in (("GET", None), ("POST", b'{"a": 1}'))
    ),
    *(
        Attack(f"{method} into a collection named by {name}", 404, "not-found", f"/v1/{path}:query", method, b"{}")
        for name, path in _NAMES.items()
        for method in ("POST",)
    ),
    *(
        Attack(f"path: {name}", status, code, path, method, b"{}" if method == "PUT" else None)
        for name, (method, path, status, code) in _PATHS.items()
    ),
    *(
        Attack(f"query: {name}", 400, code, f"/v1/people?{query}", "GET")
        for name, (query, code) in _QUERIES.items()
    ),
    *(
        Attack(f"header: {name}", status, code, "/v1/people", "GET", headers=headers)
        for name, (headers, status, code) in _HEADERS.items()
    ),
    *(
        Attack(f"header: an entity tag that is none: {tag[:10]}", 400, "invalid-parameter", "/v1/people/ada", "PUT",
               as_json({"name": "Eve"}), headers={"If-Match": tag})
        for tag in ("x", '"', '"a" "b"', "*, *", '"' * 9_999)
    ),
)  # fmt: skip
