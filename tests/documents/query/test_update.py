from typing import Any

import pytest
from bson import Binary, Code, Decimal128, ObjectId, Regex
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo import MongoClient
from pymongo.errors import WriteError

from documents.errors import InvalidPatchError
from documents.query.update import OPERATORS, parse_update, updated_paths
from tests.documents.query.filter.test_filter import ALLOWED, NEW_YEAR, SHAPES
from tests.documents.query.filters import (
    BOMBS,
    DATABASE,
    compiled_or_none,
    json_values,
    nested,
    no_types,
    operators_in,
    shop_types,
)

MODIFIERS = frozenset({"$each", "$slice", "$sort", "$position", "$type"})


@pytest.mark.parametrize(
    ("sent", "compiled"),
    [
        ({"$set": {"a": 1, "b.c": [1, {"d": None}]}}, {"$set": {"a": 1, "b.c": [1, {"d": None}]}}),
        ({"$set": {"items.0.price": 5}}, {"$set": {"items.0.price": 5}}),
        ({"$setOnInsert": {"a": 1}, "$unset": {"b": 1}}, {"$setOnInsert": {"a": 1}, "$unset": {"b": ""}}),
        ({"$set": {}, "$unset": {"b": True}}, {"$unset": {"b": ""}}),
        ({"$inc": {"a": -1}, "$mul": {"b": 1.5}}, {"$inc": {"a": -1}, "$mul": {"b": 1.5}}),
        ({"$inc": {"a": Decimal128("0.1")}}, {"$inc": {"a": Decimal128("0.1")}}),
        ({"$min": {"a": 1}, "$max": {"b": "x"}}, {"$min": {"a": 1}, "$max": {"b": "x"}}),
        ({"$rename": {"a": "b"}}, {"$rename": {"a": "b"}}),
        ({"$push": {"a": 1}}, {"$push": {"a": 1}}),
        ({"$push": {"a": {"b": 1}}}, {"$push": {"a": {"b": 1}}}),
        ({"$push": {"a": {"$each": [1], "$slice": -5, "$position": 0, "$sort": {"b": -1}}}},
         {"$push": {"a": {"$each": [1], "$slice": -5, "$position": 0, "$sort": {"b": -1}}}}),
        ({"$push": {"a": {"$each": [], "$sort": 1}}}, {"$push": {"a": {"$each": [], "$sort": 1}}}),
        ({"$addToSet": {"a": {"$each": [1, 2]}}}, {"$addToSet": {"a": {"$each": [1, 2]}}}),
        ({"$pop": {"a": -1}}, {"$pop": {"a": -1}}),
        ({"$pull": {"a": 5}}, {"$pull": {"a": 5}}),
        ({"$pull": {"a": {"$gt": 5}}}, {"$pull": {"a": {"$gt": 5}}}),
        ({"$pull": {"a": {"b": 1, "c": {"$in": [2]}}}}, {"$pull": {"a": {"b": {"$eq": 1}, "c": {"$in": [2]}}}}),
        ({"$pull": {"a": {"$or": [{"b": 1}]}}}, {"$pull": {"a": {"$or": [{"b": {"$eq": 1}}]}}}),
        ({"$pull": {"a": Regex("^x")}}, {"$pull": {"a": {"$regex": "^x", "$options": ""}}}),
        ({"$pullAll": {"a": [1, 2]}}, {"$pullAll": {"a": [1, 2]}}),
        ({"$currentDate": {"a": True, "b": {"$type": "timestamp"}}},
         {"$currentDate": {"a": True, "b": {"$type": "timestamp"}}}),
        ({"$bit": {"a": {"and": 5}}}, {"$bit": {"a": {"and": 5}}}),
        ({"$set": {"a": Regex("(a+)+"), "b": Code("x"), "c": Binary(b"x")}},
         {"$set": {"a": Regex("(a+)+"), "b": Code("x"), "c": Binary(b"x")}}),
    ],
)  # fmt: skip
def test_compiles(sent: Any, compiled: Any) -> None:
    assert parse_update(sent, no_types) == compiled


@pytest.mark.parametrize(
    ("sent", "pointer", "code"),
    [
        ([], "", "wrong-type"),
        ([{"$set": {"a": 1}}], "", "wrong-type"),
        ({}, "", "empty-update"),
        ({"$set": {}}, "", "empty-update"),
        ({"a": 1}, "/a", "unknown-operator"),
        ({"$where": {"a": 1}}, "/$where", "unknown-operator"),
        ({"$set": 5}, "/$set", "wrong-type"),
        ({"$set": {"_id": 5}}, "/$set/_id", "immutable-id"),
        ({"$unset": {"_id.x": 5}}, "/$unset/_id.x", "immutable-id"),
        ({"$rename": {"a": "_id"}}, "/$rename/a", "immutable-id"),
        ({"$rename": {"_id": "a"}}, "/$rename/_id", "immutable-id"),
        ({"$rename": {"a": "a"}}, "/$rename/a", "path-collision"),
        ({"$rename": {"a": "a.b"}}, "/$rename/a", "path-collision"),
        ({"$rename": {"a": 5}}, "/$rename/a", "wrong-type"),
        ({"$rename": {"a": "$b"}}, "/$rename/a", "invalid-path"),
        ({"$set": {"a.$.b": 1}}, "/$set/a.$.b", "invalid-path"),
        ({"$set": {"a.$[].b": 1}}, "/$set/a.$[].b", "invalid-path"),
        ({"$set": {"a.$[x].b": 1}}, "/$set/a.$[x].b", "invalid-path"),
        ({"$set": {"": 1}}, "/$set/", "invalid-path"),
        ({"$set": {"a..b": 1}}, "/$set/a..b", "invalid-path"),
        ({"$set": {"a\0": 1}}, "/$set/a\0", "invalid-path"),
        ({"$set": {"a": 1, "a.b": 2}}, "/$set/a.b", "path-collision"),
        ({"$set": {"a.b": 1}, "$inc": {"a": 2}}, "/$inc/a", "path-collision"),
        ({"$set": {"a": 1}, "$unset": {"a": 1}}, "/$unset/a", "path-collision"),
        ({"$set": {"a": {"$gt": 1}}}, "/$set/a/$gt", "invalid-name"),
        ({"$set": {"a": {"b.c": 1}}}, "/$set/a/b.c", "invalid-name"),
        ({"$set": {"a": {"": 1}}}, "/$set/a/", "invalid-name"),
        ({"$set": {"a": [{"b\0": 1}]}}, "/$set/a/0/b\0", "invalid-name"),
        ({"$set": {"a": 2**63}}, "/$set/a", "number-out-of-range"),
        ({"$set": {"a": "\ud800"}}, "/$set/a", "invalid-text"),
        ({"$inc": {"a": "1"}}, "/$inc/a", "wrong-type"),
        ({"$inc": {"a": True}}, "/$inc/a", "wrong-type"),
        ({"$mul": {"a": None}}, "/$mul/a", "wrong-type"),
        ({"$pop": {"a": 2}}, "/$pop/a", "wrong-type"),
        ({"$pop": {"a": True}}, "/$pop/a", "wrong-type"),
        ({"$push": {"a": {"$each": 5}}}, "/$push/a/$each", "wrong-type"),
        ({"$push": {"a": {"$each": [], "$foo": 1}}}, "/$push/a/$foo", "unknown-operator"),
        ({"$push": {"a": {"$each": [], "b": 1}}}, "/$push/a/b", "unknown-operator"),
        ({"$push": {"a": {"$slice": 1}}}, "/$push/a/$slice", "invalid-name"),
        ({"$push": {"a": {"$each": [], "$slice": 1.5}}}, "/$push/a/$slice", "wrong-type"),
        ({"$push": {"a": {"$each": [], "$sort": 2}}}, "/$push/a/$sort", "wrong-type"),
        ({"$push": {"a": {"$each": [], "$sort": {}}}}, "/$push/a/$sort", "wrong-type"),
        ({"$push": {"a": {"$each": [], "$sort": {"$a": 1}}}}, "/$push/a/$sort/$a", "invalid-path"),
        ({"$addToSet": {"a": {"$each": [], "$slice": 1}}}, "/$addToSet/a/$slice", "unknown-operator"),
        ({"$pull": {"a": {"$where": "1"}}}, "/$pull/a/$where", "unknown-operator"),
        ({"$pull": {"a": {"b": {"$regex": "^(a+)+$"}}}}, "/$pull/a/b/$regex", "invalid-regex"),
        ({"$pullAll": {"a": 5}}, "/$pullAll/a", "wrong-type"),
        ({"$currentDate": {"a": False}}, "/$currentDate/a", "wrong-type"),
        ({"$currentDate": {"a": {"$type": "string"}}}, "/$currentDate/a", "wrong-type"),
        ({"$bit": {"a": {"nand": 5}}}, "/$bit/a", "wrong-type"),
        ({"$bit": {"a": {"and": 1.5}}}, "/$bit/a/and", "wrong-type"),
    ],
)  # fmt: skip
def test_refuses(sent: Any, pointer: str, code: str) -> None:
    with pytest.raises(InvalidPatchError) as refused:
        parse_update(sent, no_types)
    fault = refused.value.faults[0]
    assert (fault.pointer, fault.code) == (pointer, code)


@pytest.mark.parametrize("bomb", BOMBS, ids=str)
@pytest.mark.parametrize("operator", ["$set", "$push", "$addToSet", "$pull", "$max"])
def test_attacks_are_refused(bomb: Any, operator: str) -> None:
    for attack in nested(bomb):
        with pytest.raises(InvalidPatchError):
            parse_update({operator: {"x": attack}}, no_types)


@pytest.mark.parametrize(
    ("sent", "compiled"),
    [
        ({"$set": {"created": "2026-01-01"}}, {"$set": {"created": NEW_YEAR}}),
        ({"$set": {"items": [{"sold": "2026-01-01"}]}}, {"$set": {"items": [{"sold": NEW_YEAR}]}}),
        ({"$set": {"items.0.sold": "2026-01-01"}}, {"$set": {"items.0.sold": NEW_YEAR}}),
        (
            {"$push": {"items": {"$each": [{"sold": "2026-01-01"}]}}},
            {"$push": {"items": {"$each": [{"sold": NEW_YEAR}]}}},
        ),
        ({"$pull": {"items": {"sold": {"$lt": "2026-01-01"}}}}, {"$pull": {"items": {"sold": {"$lt": NEW_YEAR}}}}),
        ({"$set": {"created": None}}, {"$set": {"created": None}}),
        ({"$inc": {"stock": 1}}, {"$inc": {"stock": 1}}),
    ],
)
def test_declared_fields_read_their_values(sent: Any, compiled: Any) -> None:
    assert parse_update(sent, shop_types) == compiled


@pytest.mark.parametrize("sent", [{"$set": {"stock": "5"}}, {"$inc": {"stock": 0.5}}, {"$push": {"tags": 5}}])
def test_declared_fields_refuse_other_types(sent: Any) -> None:
    with pytest.raises(InvalidPatchError):
        parse_update(sent, shop_types)


def test_updated_paths() -> None:
    update = parse_update({"$set": {"a.0.b": 1}, "$rename": {"c": "d"}}, no_types)
    assert updated_paths(update) == {"a.0.b", "c", "d"}


NAMES = st.sampled_from(sorted({*OPERATORS, *MODIFIERS, "a", "b.c", "_id", "$where", "$in", "", "a.$"}))


@given(json_values(NAMES) | st.dictionaries(NAMES, st.dictionaries(NAMES, json_values(NAMES), max_size=3), max_size=3))
@settings(max_examples=300)
def test_arbitrary_json_is_compiled_or_refused(sent: Any) -> None:
    compiled = compiled_or_none(lambda: parse_update(sent, no_types))
    assert operators_in(compiled) <= ALLOWED | SHAPES | MODIFIERS | set(OPERATORS)


VALUES = st.sampled_from([1, -2.5, "x", None, True, [1], [], {"b": 1}, {"$each": [1, {"b": 2}]}, ObjectId(b"x" * 12)])
OPERANDS = VALUES | st.sampled_from(
    [
        {"$each": [3], "$slice": -2, "$sort": {"b.c": 1}},
        {"$gt": 1},
        {"b": {"$gt": 1}},
        {"and": 3},
        {"$type": "date"},
        "d",
    ]
)
PATHS = st.sampled_from(["a", "b", "a.b", "c.d", "e.0", "e.0.f", "f"])
UPDATES = st.dictionaries(
    st.sampled_from(sorted(OPERATORS)), st.dictionaries(PATHS, OPERANDS, min_size=1, max_size=2), min_size=1, max_size=3
)
# What only the document decides: the path leads through a text, or the field is no array, or no number.
OF_THE_DOCUMENT = {2, 14, 28}


@given(UPDATES)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_mongodb_refuses_no_form_that_was_compiled(mongo_uri: str, sent: Any) -> None:
    compiled = compiled_or_none(lambda: parse_update(sent, no_types))
    if compiled is None:
        return
    with MongoClient[dict[str, Any]](mongo_uri) as client:
        stored = client[DATABASE]["update"]
        stored.delete_many({})
        stored.update_one({"_id": 0}, compiled)  # no document, so only the form can be refused
        stored.insert_one({"_id": 1, "a": 1, "e": [{"f": 1}], "f": [1, 2]})
        try:
            stored.update_one({"_id": 1}, compiled)
        except WriteError as refused:
            if refused.code not in OF_THE_DOCUMENT:
                raise
