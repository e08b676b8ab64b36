import math
from contextlib import suppress
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest
from bson.binary import Binary
from bson.code import Code
from bson.dbref import DBRef
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.objectid import ObjectId
from bson.timestamp import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from documents.codec.json_patch import MAX_COPIED, apply_json_patch, is_same
from documents.codec.patch_shape import MAX_OPERATIONS
from documents.errors import InputError, InvalidPatchError, PatchConflictError
from documents.types import MAX_DEPTH

OID = ObjectId("652f1f77bcf86cd799439011")


def op(name: str, path: str, **members: object) -> dict[str, object]:
    return {"op": name, "path": path, **{key.rstrip("_"): value for key, value in members.items()}}


def faults_of(document: dict[str, Any], patch: object) -> list[tuple[str, str]]:
    with pytest.raises(InvalidPatchError) as caught:
        apply_json_patch(document, patch)
    return [(fault.pointer, fault.code) for fault in caught.value.faults]


APPLIED: list[tuple[dict[str, Any], list[dict[str, object]], dict[str, Any]]] = [
    # RFC 6902, appendix A: 1 to 7, 10, 11, 14, 16
    ({"foo": "bar"}, [op("add", "/baz", value="qux")], {"foo": "bar", "baz": "qux"}),
    ({"foo": ["bar", "baz"]}, [op("add", "/foo/1", value="qux")], {"foo": ["bar", "qux", "baz"]}),
    ({"baz": "qux", "foo": "bar"}, [op("remove", "/baz")], {"foo": "bar"}),
    ({"foo": ["bar", "qux", "baz"]}, [op("remove", "/foo/1")], {"foo": ["bar", "baz"]}),
    ({"baz": "qux", "foo": "bar"}, [op("replace", "/baz", value="boo")], {"baz": "boo", "foo": "bar"}),
    (
        {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
        [op("move", "/qux/thud", from_="/foo/waldo")],
        {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
    ),
    (
        {"foo": ["all", "grass", "cows", "eat"]},
        [op("move", "/foo/3", from_="/foo/1")],
        {"foo": ["all", "cows", "eat", "grass"]},
    ),
    ({"foo": "bar"}, [op("add", "/child", value={"grandchild": {}})], {"foo": "bar", "child": {"grandchild": {}}}),
    ({"foo": "bar"}, [op("add", "/baz", value="qux", xyz=123)], {"foo": "bar", "baz": "qux"}),
    ({"/": 9, "~1": 10}, [op("test", "/~01", value=10)], {"/": 9, "~1": 10}),
    ({"foo": ["bar"]}, [op("add", "/foo/-", value=["abc", "def"])], {"foo": ["bar", ["abc", "def"]]}),
    # json-patch-tests
    ({}, [], {}),
    ({"foo": 1}, [op("add", "/foo", value=2)], {"foo": 2}),
    ({"foo": None}, [op("replace", "/foo", value="x")], {"foo": "x"}),
    ({"foo": None}, [op("test", "/foo", value=None)], {"foo": None}),
    ({"foo": 1}, [op("replace", "", value={"baz": 2})], {"baz": 2}),
    ({"foo": {"a": 1, "b": 2}}, [op("test", "/foo", value={"b": 2, "a": 1})], {"foo": {"a": 1, "b": 2}}),
    ({"foo": [[0], {"a": 0}]}, [op("test", "", value={"foo": [[0], {"a": 0}]})], {"foo": [[0], {"a": 0}]}),
    ({"foo": 1}, [op("move", "/foo", from_="/foo")], {"foo": 1}),
    ({"foo": [1, 2]}, [op("add", "/foo/2", value=3), op("remove", "/foo/0")], {"foo": [2, 3]}),
    (
        {"foo": {"x": [1]}},
        [op("copy", "/bar", from_="/foo"), op("add", "/bar/x/-", value=2)],
        {"foo": {"x": [1]}, "bar": {"x": [1, 2]}},
    ),
    ({"a": [{"b": 1}]}, [op("move", "/c", from_="/a/0"), op("remove", "/c/b")], {"a": [], "c": {}}),
    ({"0": {"-": 1}}, [op("replace", "/0/-", value=2)], {"0": {"-": 2}}),
    ({"a.b": 1, "$c": 1}, [op("replace", "/a.b", value=2), op("remove", "/$c")], {"a.b": 2}),
]


@pytest.mark.parametrize(("document", "patch", "result"), APPLIED)
def test_applied(document: dict[str, Any], patch: list[dict[str, object]], result: dict[str, Any]) -> None:
    before = deepcopy((document, patch))
    assert apply_json_patch(document, patch) == result
    assert (document, patch) == before
    with_id = apply_json_patch(
        {"_id": OID, **document}, [each for each in patch if each["op"] != "test" or each["path"]]
    )
    assert list(with_id) == ["_id", *result]


@pytest.mark.parametrize(
    ("document", "operation"),
    [
        # RFC 6902, appendix A: 9, 12, 15
        ({"baz": "qux"}, op("test", "/baz", value="bar")),
        ({"foo": "bar"}, op("add", "/baz/bat", value="qux")),
        ({"/": 9, "~1": 10}, op("test", "/~01", value="10")),
        ({"foo": [1, 2]}, op("add", "/foo/3", value=1)),
        ({"foo": [1, 2]}, op("add", "/foo/-1", value=1)),
        ({"foo": [1, 2]}, op("add", "/foo/01", value=1)),
        ({"foo": [1, 2]}, op("add", "/foo/1e0", value=1)),
        ({"foo": [1, 2]}, op("add", "/foo/bar", value=1)),
        ({"foo": [1, 2]}, op("add", "/foo/" + "9" * 5000, value=1)),
        ({"foo": [1, 2]}, op("remove", "/foo/2")),
        ({"foo": [1, 2]}, op("remove", "/foo/-")),
        ({"foo": [1, 2]}, op("replace", "/foo/-", value=1)),
        ({"foo": [1, 2]}, op("test", "/foo/-", value=None)),
        ({"foo": [1, 2]}, op("copy", "/bar", from_="/foo/-")),
        ({"foo": [1, 2]}, op("move", "/bar", from_="/foo/2")),
        ({"foo": 1}, op("remove", "/bar")),
        ({"foo": 1}, op("replace", "/bar", value=1)),
        ({"foo": 1}, op("copy", "/baz", from_="/bar")),
        ({"foo": 1}, op("move", "/baz", from_="/bar")),
        ({"foo": 1}, op("test", "/bar", value=None)),
        ({"foo": 1}, op("test", "/foo", value=True)),
        ({"foo": True}, op("test", "/foo", value=1)),
        ({"foo": "bar"}, op("add", "/foo/0", value=1)),
        ({"foo": None}, op("add", "/foo/x", value=1)),
        # nothing sees into the values of BSON
        ({"foo": Binary(b"abc")}, op("copy", "/bar", from_="/foo/0")),
        ({"foo": b"abc"}, op("remove", "/foo/0")),
        ({"foo": DBRef("c", 1)}, op("test", "/foo/$ref", value="c")),
        ({"foo": OID}, op("add", "/foo/x", value=1)),
    ],
)
def test_conflicts(document: dict[str, Any], operation: dict[str, object]) -> None:
    with pytest.raises(PatchConflictError) as caught:
        apply_json_patch(document, [op("test", "", value=document), operation])
    assert caught.value.detail.startswith(f"Operation 1 ({operation['op']}): ")
    assert caught.value.__suppress_context__


REFUSED: list[tuple[object, list[tuple[str, str]]]] = [
    ({}, [("", "malformed-patch")]),
    ("[]", [("", "malformed-patch")]),
    ([1, []], [("/0", "malformed-patch"), ("/1", "malformed-patch")]),
    ([{}], [("/0/op", "malformed-patch")]),
    ([op("spam", "/a")], [("/0/op", "malformed-patch")]),
    ([{"op": [], "path": "/a"}], [("/0/op", "malformed-patch")]),
    ([{"op": "remove"}], [("/0", "malformed-patch")]),
    ([op("add", "/a")], [("/0", "malformed-patch")]),
    ([op("copy", "/a")], [("/0", "malformed-patch")]),
    ([op("remove", "a")], [("/0/path", "malformed-patch")]),
    ([op("remove", "/~2")], [("/0/path", "malformed-patch")]),
    ([op("remove", "/a~")], [("/0/path", "malformed-patch")]),
    ([op("remove", "")], [("/0/path", "malformed-patch")]),
    ([{"op": "remove", "path": 1}], [("/0/path", "malformed-patch")]),
    ([op("remove", "/a" * (MAX_DEPTH + 1))], [("/0/path", "malformed-patch")]),
    ([op("move", "/b", from_=None)], [("/0/from", "malformed-patch")]),
    ([op("move", "/a/b", from_="/a")], [("/0/path", "malformed-patch")]),
    ([op("move", "/a", from_="")], [("/0/path", "malformed-patch")]),
    ([op("add", "/_id", value=1)], [("/0/path", "immutable-id")]),
    ([op("replace", "/_id/x", value=1)], [("/0/path", "immutable-id")]),
    ([op("move", "/b", from_="/_id")], [("/0/from", "immutable-id")]),
    ([op("copy", "/_id", from_="/a")], [("/0/path", "immutable-id")]),
    ([op("add", "", value={"_id": 1})], [("", "immutable-id")]),
    ([op("add", "", value=[])], [("", "not-a-document")]),
    ([op("copy", "", from_="/a")], [("", "not-a-document")]),
    ([op("add", "/$a", value=1)], [("/0/path", "key-refused")]),
    ([op("copy", "/b.c", from_="/a")], [("/0/path", "key-refused")]),
    ([op("add", "/a/", value=1)], [("/0/path", "key-refused")]),
    ([op("add", "/b", value={"c": [{"$d": 1}]})], [("/0/value/c/0/$d", "key-refused")]),
    ([op("test", "/a", value=0)] * (MAX_OPERATIONS + 1), [("", "too-many-operations")]),
]


@pytest.mark.parametrize(("patch", "faults"), REFUSED)
def test_refused(patch: object, faults: list[tuple[str, str]]) -> None:
    assert faults_of({"_id": OID, "a": 0}, patch) == faults


@pytest.mark.parametrize(
    ("stored", "given"),
    [
        (OID, str(OID)),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00.000Z"),
        (Decimal128("1.50"), "1.50"),
        (Int64(7), 7),
        (7, 7.0),
        (b"\0", "AA=="),
        (math.nan, {"$numberDouble": "NaN"}),
        (Timestamp(1, 2), {"$timestamp": {"t": 1, "i": 2}}),
        (Code("f"), {"$code": "f"}),
        (DBRef("c", OID), {"$id": str(OID), "$ref": "c"}),
        ({"a": [OID, {"b": None}]}, {"a": [str(OID), {"b": None}]}),
        (OID, OID),
    ],
)
def test_a_test_compares_plain_json(stored: object, given: object) -> None:
    assert is_same(stored, given)
    assert not is_same(stored, [given])
    patched = apply_json_patch({"_id": OID, "x": stored}, [op("test", "/x", value=given), op("copy", "/y", from_="/x")])
    assert is_same(patched["y"], given)
    assert type(patched["y"]) is type(patched["x"])


def test_a_whole_new_document_keeps_its_id() -> None:
    for value in ({"b": 1}, {"b": 1, "_id": str(OID)}):
        patched = apply_json_patch({"_id": OID, "a": 0}, [op("replace", "", value=value)])
        assert patched == {"_id": OID, "b": 1}
        assert list(patched) == ["_id", "b"]


def test_the_id_can_be_tested_and_copied() -> None:
    patch = [op("test", "/_id", value=str(OID)), op("copy", "/was", from_="/_id")]
    assert apply_json_patch({"_id": OID}, patch) == {"_id": OID, "was": OID}


@pytest.mark.parametrize(
    ("patch", "pointer", "code"),
    [
        # each copy doubles the document, as in the attack of the billion laughs
        ([op("copy", "/a/b/-", from_="/a/b")] * 100, "/11", "too-large"),
        ([op("add", "/s", value="x" * (MAX_COPIED * 2 // 3)), *[op("copy", "/t", from_="/s")] * 9], "/2", "too-large"),
        ([op("copy", "/x", from_="")] * MAX_OPERATIONS, "/62", "too-large"),
    ],
)
def test_copies_do_not_grow_without_end(patch: object, pointer: str, code: str) -> None:
    assert faults_of({"_id": OID, "a": {"b": list(range(8))}}, patch) == [(pointer, code)]


def test_many_small_copies_are_fine() -> None:
    patch = [op("add", "/s", value="x" * 200), *[op("copy", "/t", from_="/s")] * (MAX_OPERATIONS - 1)]
    assert len(apply_json_patch({"_id": OID}, patch)["t"]) == 200


def nested(levels: int) -> dict[str, Any]:
    return {} if levels == 1 else {"n": nested(levels - 1)}


def test_depth() -> None:
    deep = nested(MAX_DEPTH - 1)
    assert apply_json_patch({"a": deep}, [op("add", "/b", value=1)]) == {"a": deep, "b": 1}
    assert faults_of({"a": deep, "b": {}}, [op("move", "/b/c", from_="/a")]) == [("", "too-deep")]
    assert faults_of({"a": deep}, [op("copy", "/a/b", from_="/a")]) == [("", "too-deep")]
    twice = [op("copy", f"/a{'/n' * (MAX_DEPTH - 2)}/b", from_="/a"), op("copy", "/c", from_="/a")]
    assert faults_of({"a": deep}, twice) == [("/1", "too-deep")]


PATHS = st.lists(st.sampled_from(["a", "b", "0", "1", "-", "_id", "~0", "x.y"]), max_size=4).map(
    lambda tokens: "".join(f"/{token}" for token in tokens)
)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["", "a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab01"), inner, max_size=3),
    max_leaves=10,
)
OPERATIONS = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]), "path": PATHS},
    optional={"from": PATHS, "value": JSON_VALUES},
)


@given(st.dictionaries(st.sampled_from("ab01"), JSON_VALUES), st.lists(OPERATIONS, max_size=6))
def test_any_patch_is_applied_or_refused(document: dict[str, Any], patch: list[dict[str, object]]) -> None:
    document = {"_id": OID, **document}
    before = deepcopy((document, patch))
    with suppress(InputError, PatchConflictError):
        assert apply_json_patch(document, patch)["_id"] == OID
    assert (document, patch) == before


@given(JSON_VALUES, JSON_VALUES)
def test_json_values_are_the_same_if_they_are_equal(one: object, other: object) -> None:
    assert is_same(one, one)
    assert is_same(one, other) == (repr(one) == repr(other) or (one == other and is_same(other, one)))
