"""Writes that want more than they say: fields nobody asked for, types nobody declared, documents of others."""

from collections.abc import Sequence
from typing import Any, Final

from tests.api.hostile.attack import Attack, as_json

MERGE: Final = "application/merge-patch+json"
PATCH: Final = "application/json-patch+json"
UPDATE: Final = "application/vnd.sheaf.update+json"
MUG: Final = "65a1f0c2d4b5e6f708192a3b"
OTHER: Final = "65a1f0c2d4b5e6f708192a3c"
GOOD: Final[dict[str, Any]] = {"sku": "EVIL", "name": "Evil", "price": "1.00"}

_PRODUCTS: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "a field that nobody declared": ({"role": "admin"}, "/role"),
    "an owner": ({"owner": "eve"}, "/owner"),
    "__proto__": ({"__proto__": {"role": "admin"}}, "/__proto__"),
    "the model's own bookkeeping": ({"revision_id": "65a1f0c2-d4b5-4e6f-8081-92a3b0000000"}, "/revision_id"),
    "the class of a model": ({"_class_id": "Product"}, "/_class_id"),
    "the id by its other name": ({"id": OTHER}, "/id"),
    "a number for a name": ({"name": 7}, "/name"),
    "an object for a name": ({"name": {"$ne": ""}}, "/name/$ne"),
    "a list for a sku": ({"sku": ["EVIL"]}, "/sku"),
    "an empty sku": ({"sku": ""}, "/sku"),
    "a stock of text": ({"stock": "many"}, "/stock"),
    "a stock below zero": ({"stock": -1}, "/stock"),
    "a stock of 1e300": ({"stock": 1e300}, "/stock"),
    "a stock of true": ({"stock": [True]}, "/stock"),
    "a price of text": ({"price": "free"}, "/price"),
    "a price that is no number": ({"price": "NaN"}, "/price"),
    "a price without end": ({"price": "Infinity"}, "/price"),
    "a price of 40 digits": ({"price": "1" * 40}, "/price"),
    "a price with an exponent beyond all": ({"price": "1e999999999"}, "/price"),
    "tags that are no list": ({"tags": "x"}, "/tags"),
    "a tag that is an object": ({"tags": [{"$ne": 1}]}, "/tags/0/$ne"),
    "attributes with an operator": ({"attributes": {"$where": "1"}}, "/attributes/$where"),
    "attributes with a dot": ({"attributes": {"a.b": 1}}, "/attributes/a.b"),
    "attributes beyond 64 bits": ({"attributes": {"n": 2**64}}, "/attributes/n"),
}

_CUSTOMER: Final[dict[str, Any]] = {"email": "eve@example.com", "name": "Eve"}
_CUSTOMERS: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "an address that is no e-mail": ({"email": "eve"}, "/email"),
    "an e-mail with a header": ({"email": "eve@example.com\r\nBcc: all@example.com"}, "/email"),
    "a place off the earth": ({"location": {"type": "Point", "coordinates": [999, 999]}}, "/location/coordinates/0"),
    "a place that is none": ({"location": {"type": "Point", "coordinates": ["x"]}}, "/location/coordinates/0"),
}

_MERGES: Final[dict[str, tuple[dict[str, Any], int, str]]] = {
    "a number of text": ({"stock": "notanint"}, 422, "invalid-document"),
    "a price of null": ({"price": None}, 422, "invalid-document"),
    "a field that nobody declared": ({"role": "admin"}, 422, "invalid-document"),
    "another id": ({"_id": OTHER}, 422, "invalid-document"),
    "another id, taken from an operator": ({"_id": {"$ne": ""}}, 422, "invalid-id"),
    "an operator": ({"$set": {"stock": -1}}, 422, "invalid-document"),
    "another's sku": ({"sku": "TAKEN"}, 409, "unique-violation"),
}

_PATCHES: Final[dict[str, tuple[Any, int, str]]] = {
    "the id": ([{"op": "replace", "path": "/_id", "value": OTHER}], 400, "invalid-patch"),
    "the id away": ([{"op": "move", "from": "/_id", "path": "/attributes/id"}], 400, "invalid-patch"),
    "a number of text": ([{"op": "replace", "path": "/stock", "value": "notanint"}], 422, "invalid-document"),
    "an operation nobody knows": ([{"op": "exec", "path": "/stock", "value": "ls"}], 400, "invalid-patch"),
    "a path into a class": ([{"op": "add", "path": "/__class__/__init__", "value": 1}], 409, "patch-conflict"),
    "copies that double": (
        [{"op": "add", "path": "/attributes", "value": {"a": "x" * 64}}]
        + [{"op": "copy", "from": "/attributes", "path": f"/attributes/{number}"} for number in range(40)],
        400,
        "invalid-patch",
    ),
    "an index of 10,000 digits": (
        [{"op": "add", "path": "/tags/" + "9" * 10_000, "value": "x"}], 409, "patch-conflict"),
    "an object for a list": ({"op": "remove", "path": "/sku"}, 400, "invalid-patch"),
}  # fmt: skip

_UPDATES: Final[dict[str, tuple[Any, int, str]]] = {
    "$where": ({"$where": "1"}, 400, "invalid-patch"),
    "$rename": ({"$rename": {"sku": "_id"}}, 400, "invalid-patch"),
    "the id": ({"$set": {"_id": OTHER}}, 400, "invalid-patch"),
    "the id on insert": ({"$setOnInsert": {"_id": OTHER}}, 400, "invalid-patch"),
    "a pipeline": ([{"$set": {"name": "$description"}}], 400, "invalid-patch"),
    "a whole document": ({"name": "Evil"}, 400, "invalid-patch"),
    "an operator in a path": ({"$set": {"attributes.$where": 1}}, 400, "invalid-patch"),
    "an operator in a value": ({"$set": {"attributes": {"$where": 1}}}, 400, "invalid-patch"),
    "a number of text": ({"$set": {"stock": "notanint"}}, 400, "invalid-patch"),
    "a stock below zero": ({"$inc": {"stock": -1_000_000}}, 422, "invalid-document"),
    "a stock beyond 64 bits": ({"$mul": {"stock": 2**62}}, 409, "patch-conflict"),
    "a field that nobody declared": ({"$set": {"role": "admin"}}, 422, "invalid-document"),
    "another's sku": ({"$set": {"sku": "TAKEN"}}, 409, "unique-violation"),
    "nothing": ({}, 400, "invalid-patch"),
}

_OPERATIONS: Final[dict[str, tuple[Any, int, str]]] = {
    "nothing": ([], 422, "invalid-document"),
    "no list": ({}, 422, "invalid-document"),
    "an operation nobody knows": ([{"op": "drop", "collection": "people"}], 422, "invalid-operation"),
    "Sheaf's secrets": ([{"op": "delete", "collection": "_sheaf.secrets", "id": "cursor"}], 404, "operation-failed"),
    "the users of MongoDB": (
        [{"op": "insert", "collection": "system.users", "document": {"_id": "eve"}}], 404, "operation-failed"),
    "NUL": ([{"op": "insert", "collection": "a\0b", "document": {"a": 1}}], 404, "operation-failed"),
    "an operator as a collection": ([{"op": "insert", "collection": {"$ne": 1}, "document": {}}],
                                    422, "invalid-operation"),
    "an operator as an id": ([{"op": "delete", "collection": "people", "id": {"$ne": ""}}], 422, "invalid-operation"),
    "an operator in a document": (
        [{"op": "insert", "collection": "people", "document": {"_id": "eve", "a": {"$where": 1}}}],
        422, "invalid-document"),
    "a good one and a bad one": (
        [{"op": "insert", "collection": "people", "document": {"_id": "eve"}},
         {"op": "insert", "collection": "people", "document": {"_id": "ada"}}], 409, "operation-failed"),
    "a new collection and a bad one": (
        [{"op": "insert", "collection": "fresh", "document": {"_id": "eve"}},
         {"op": "insert", "collection": "products", "document": {"sku": 7}}], 422, "operation-failed"),
    "a key without an index": (
        [{"op": "upsert", "collection": "people", "on": "name", "document": {"_id": "eve", "name": "Eve"}}],
        422, "operation-failed"),
    "a key that is an operator": (
        [{"op": "upsert", "collection": "people", "on": "$where", "document": {"$where": 1}}], 422, "invalid-operation"),
}  # fmt: skip

WRITES: Final[Sequence[Attack]] = (
    *(
        Attack(f"a product with {name}", 422, "invalid-document", "/v1/products", body=as_json({**GOOD, **fields}),
               pointer=pointer)
        for name, (fields, pointer) in _PRODUCTS.items()
    ),
    *(
        Attack(f"a product put with {name}", 422, "invalid-document", f"/v1/products/{OTHER}", "PUT",
               as_json({**GOOD, **fields}), pointer=pointer)
        for name, (fields, pointer) in _PRODUCTS.items()
    ),
    *(
        Attack(f"a customer with {name}", 422, "invalid-document", "/v1/customers",
               body=as_json({**_CUSTOMER, **fields}), pointer=pointer)
        for name, (fields, pointer) in _CUSTOMERS.items()
    ),
    Attack("a product in another's place", 409, "unique-violation", "/v1/products", body=as_json({**GOOD, "_id": MUG})),
    Attack("a product put under another id", 422, "invalid-document", f"/v1/products/{OTHER}", "PUT",
           as_json({**GOOD, "_id": MUG})),
    *(
        Attack(f"merge {name}", status, code, f"/v1/products/{MUG}", "PATCH", as_json(patch), MERGE)
        for name, (patch, status, code) in _MERGES.items()
    ),
    *(
        Attack(f"patch {name}", status, code, f"/v1/products/{MUG}", "PATCH", as_json(patch), PATCH)
        for name, (patch, status, code) in _PATCHES.items()
    ),
    *(
        Attack(f"update {name}", status, code, f"/v1/products/{MUG}", "PATCH", as_json(update), UPDATE)
        for name, (update, status, code) in _UPDATES.items()
    ),
    *(
        Attack(f"update many: {name}", status, code, "/v1/products?sku=MUG", "PATCH", as_json(update), UPDATE)
        for name, (update, status, code) in _UPDATES.items()
    ),
    *(
        Attack(f"transaction: {name}", status, code, "/v1:transaction", body=as_json({"operations": operations}))
        for name, (operations, status, code) in _OPERATIONS.items()
    ),
    Attack("update many without a filter", 400, "filter-required", "/v1/people", "PATCH", as_json({"role": "admin"}),
           MERGE),
    Attack("update many by $where", 400, "invalid-filter", "/v1/people?filter=%7B%22%24where%22%3A%221%22%7D", "PATCH",
           as_json({"role": "admin"}), MERGE),
    Attack("delete many by $where", 400, "invalid-filter", "/v1/people?filter=%7B%22%24where%22%3A%221%22%7D",
           "DELETE"),
    Attack("delete more than allowed", 409, "max-affected-exceeded", "/v1/people?filter=%7B%7D", "DELETE",
           headers={"Prefer": "max-affected=0"}),
    Attack("a bulk request in a mode that is none", 400, "invalid-parameter", "/v1/people:bulk?mode=evil", body=b"[]"),
    Attack("a bulk request that is no list", 400, "malformed-json", "/v1/people:bulk", body=b"{}"),
    Attack("a bulk request with a parameter that is none", 400, "unknown-parameter", "/v1/people:bulk?w=0",
           body=b"[]"),
    Attack("an atomic bulk request with a bad one", 409, "operation-failed", "/v1/people:bulk?mode=atomic",
           body=as_json([{"op": "insert", "document": {"_id": "eve"}}, {"op": "insert", "document": {"_id": "ada"}}])),
    Attack("a bulk request of 10,001 operations", 413, "body-too-large", "/v1/people:bulk",
           body=as_json([{"op": "delete", "id": "nobody"}] * 10_001)),
)  # fmt: skip
"""Each of these leaves everything as it was."""
