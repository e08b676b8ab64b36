"""What operations do to documents, as a real MongoDB does it, down to the bytes."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, cast

import bson
import pytest
from bson import DBRef, Decimal128, Int64, MaxKey, ObjectId, Regex, Timestamp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from documents.database.connection import Connection
from documents.errors import InvalidDocumentError
from documents.migrations.compile import Change, compile_back, compile_operation
from documents.migrations.errors import InvalidPathError
from documents.migrations.operations import (
    AddField,
    BsonType,
    ConvertField,
    FieldOperation,
    RemoveField,
    RenameField,
    RewriteDocuments,
    UpdateDocuments,
)
from documents.types import Document

NAME = "things"


def back_of(op: FieldOperation) -> Change:
    back = compile_back(op)
    assert back is not None
    return back


async def fill(connection: Connection, documents: Sequence[Document]) -> None:
    collection = connection.collection(NAME)
    await collection.delete_many({})
    await collection.insert_many([{"_id": place, **document} for place, document in enumerate(documents)])


async def contents(connection: Connection) -> list[bytes]:
    return [bytes(each.raw) async for each in connection.raw_collection(NAME).find(sort={"_id": 1})]


async def apply(connection: Connection, change: Change) -> int:
    result = await connection.collection(NAME).update_many(change.where, cast("Any", change.update))
    assert result.matched_count == result.modified_count
    return result.modified_count


async def count(connection: Connection, where: object) -> int:
    return await connection.collection(NAME).count_documents(cast("Any", where))


def raw(documents: Sequence[Document]) -> list[bytes]:
    return [bson.encode({"_id": place, **document}) for place, document in enumerate(documents)]


ODD: Document = {
    "z": None,
    "text": "$z",
    "list": [1, [2, {"a": 3}], None, {}],
    "decimal": Decimal128("1.10"),
    "long": Int64(1),
    "at": datetime(2026, 1, 2, 3, 4, 5),  # noqa: DTZ001  # as MongoDB gives it back
    "ref": DBRef("x", ObjectId()),
    "regex": Regex("a", "i"),
    "stamp": Timestamp(1, 2),
    "max": MaxKey(),
    "nan": -0.0,
    "$dollar": {"$set": 1},
    "dotted.name": 1,
    "": 2,
}
"""What an operation should leave as it is."""

TABLE: list[tuple[FieldOperation, list[Document], list[Document]]] = [
    (
        AddField("things", "c", None),
        [{"a": 1}, {"c": 2}, {"c": None}, {}],
        [{"a": 1, "c": None}, {"c": 2}, {"c": None}, {"c": None}],
    ),
    (AddField("things", "c", "$a"), [{"a": 1}], [{"a": 1, "c": "$a"}]),
    (AddField("things", "c", {"$x": ["$a"], "b": 1}), [{"a": 1}], [{"a": 1, "c": {"$x": ["$a"], "b": 1}}]),
    (
        AddField("things", "a.b", 1),
        [{"a": {}}, {"a": {"x": 1}}, {"a": {"b": 2}}, {}, {"a": 1}, {"a": None}, {"a": [{}]}, {"a": []}],
        [{"a": {"b": 1}}, {"a": {"x": 1, "b": 1}}, {"a": {"b": 2}}, {}, {"a": 1}, {"a": None}, {"a": [{}]}, {"a": []}],
    ),
    (
        AddField("things", "a.b.c", 1),
        [{"a": {"b": {}}}, {"a": [{"b": {}}]}, {"a": {"b": [{}]}}],
        [{"a": {"b": {"c": 1}}}, {"a": [{"b": {}}]}, {"a": {"b": [{}]}}],
    ),
    (AddField("things", "a.0", 1), [{"a": {}}, {"a": [5]}, {"a": []}], [{"a": {"0": 1}}, {"a": [5]}, {"a": []}]),
    (
        AddField("things", "a.[].b", {"x": "$y"}),
        [{"a": [{}, {"b": 2}, 3, [{}], None]}, {"a": []}, {"a": {}}, {}],
        [{"a": [{"b": {"x": "$y"}}, {"b": 2}, 3, [{}], None]}, {"a": []}, {"a": {}}, {}],
    ),
    (AddField("things", "a.[].[].b", 1), [{"a": [[{}], {}]}], [{"a": [[{"b": 1}], {}]}]),
    (RemoveField("things", "a"), [{"a": None, "b": 1}, {"b": 1}], [{"b": 1}, {"b": 1}]),
    (
        RemoveField("things", "a.b"),
        [{"a": {"b": 1, "c": 1}}, {"a": [{"b": 1}]}, {"a": {}}],
        [{"a": {"c": 1}}, {"a": [{"b": 1}]}, {"a": {}}],
    ),
    (
        RemoveField("things", "a.[].b"),
        [{"a": [{"b": 1, "c": 1}, {}, 1]}, {"a": {"b": 1}}],
        [{"a": [{"c": 1}, {}, 1]}, {"a": {"b": 1}}],
    ),
    (
        RenameField("things", "b", "x"),
        [{"a": 1, "b": None, "c": 3}, {"b": 1, "x": 2}, {"x": 1}, {}],
        [{"a": 1, "x": None, "c": 3}, {"b": 1, "x": 2}, {"x": 1}, {}],
    ),
    (
        RenameField("things", "o.b", "x"),
        [{"o": {"a": 1, "b": 2, "c": 3}, "z": 1}, {"o": [{"b": 1}]}, {"o": {"b": 1, "x": None}}, {"b": 1}],
        [{"o": {"a": 1, "x": 2, "c": 3}, "z": 1}, {"o": [{"b": 1}]}, {"o": {"b": 1, "x": None}}, {"b": 1}],
    ),
    (
        RenameField("things", "o.[].p.b", "x"),
        [{"o": [{"p": {"b": 1, "c": 2}, "q": 1}, {"p": {"b": 1, "x": 2}}, {"p": []}, 7], "z": 1}],
        [{"o": [{"p": {"x": 1, "c": 2}, "q": 1}, {"p": {"b": 1, "x": 2}}, {"p": []}, 7], "z": 1}],
    ),
    (RenameField("things", "0", "1"), [{"0": 1}], [{"1": 1}]),
    (
        ConvertField("things", "n", BsonType.INT),
        [{"n": "7"}, {"n": "x"}, {"n": 1.0}, {"n": 1.5}, {"n": None}, {"n": 3}, {}, {"n": ["1"]}, {"n": 2**40}],
        [{"n": 7}, {"n": "x"}, {"n": 1}, {"n": 1.5}, {"n": None}, {"n": 3}, {}, {"n": ["1"]}, {"n": 2**40}],
    ),
    (
        ConvertField("things", "n", BsonType.LONG),
        [{"n": 3}, {"n": float("inf")}],
        [{"n": Int64(3)}, {"n": float("inf")}],
    ),
    (
        ConvertField("things", "n", BsonType.DOUBLE),
        [{"n": 3}, {"n": 2**60 + 1}, {"n": Decimal128("0.5")}],
        [{"n": 3.0}, {"n": 2**60 + 1}, {"n": 0.5}],
    ),
    (
        ConvertField("things", "n", BsonType.DECIMAL),
        [{"n": "1.10"}, {"n": 2}],
        [{"n": Decimal128("1.10")}, {"n": Decimal128("2")}],
    ),
    (
        ConvertField("things", "n", BsonType.BOOL),
        [{"n": "false"}, {"n": 1}, {"n": 0.0}, {"n": 2}],
        [{"n": "false"}, {"n": True}, {"n": False}, {"n": 2}],
    ),
    (
        ConvertField("things", "n", BsonType.STRING),
        [{"n": 1}, {"n": True}, {"n": {"a": 1}}],
        [{"n": "1"}, {"n": "true"}, {"n": {"a": 1}}],
    ),
    (
        ConvertField("things", "n", BsonType.DATE),
        [{"n": "2026-01-02T03:04:05Z"}, {"n": "soon"}, {"n": 1000.0}, {"n": 1.5}],
        [{"n": datetime(2026, 1, 2, 3, 4, 5)}, {"n": "soon"}, {"n": datetime(1970, 1, 1, 0, 0, 1)}, {"n": 1.5}],  # noqa: DTZ001
    ),
    (
        ConvertField("things", "n", BsonType.OBJECT_ID),
        [{"n": "a" * 24}, {"n": "b"}],
        [{"n": ObjectId("a" * 24)}, {"n": "b"}],
    ),
    (
        ConvertField("things", "t.[]", BsonType.INT),
        [{"t": ["1", 2, "x", None]}, {"t": "1"}],
        [{"t": [1, 2, "x", None]}, {"t": "1"}],
    ),
    (ConvertField("things", "t.[].n", BsonType.INT), [{"t": [{"n": "1", "m": 2}, 5]}], [{"t": [{"n": 1, "m": 2}, 5]}]),
]


@pytest.mark.parametrize(
    ("op", "before", "after"), TABLE, ids=[f"{type(op).__name__}-{place}" for place, (op, *_) in enumerate(TABLE)]
)
async def test_an_operation_changes_what_it_names_and_nothing_else(
    connection: Connection, op: FieldOperation, before: list[Document], after: list[Document]
) -> None:
    before = [{**document, **ODD} for document in before]
    # A new field comes last.
    after = [
        {**{k: v for k, v in new.items() if k in old}, **ODD, **{k: v for k, v in new.items() if k not in old}}
        if isinstance(op, AddField)
        else {**new, **ODD}
        for old, new in zip(before, after, strict=True)
    ]
    await fill(connection, before)
    change = compile_operation(op)
    changed = await apply(connection, change)
    assert await contents(connection) == raw(after)
    assert changed == sum(old != new for old, new in zip(raw(before), raw(after), strict=True))
    assert await count(connection, change.where) == 0  # so it may be run again


@pytest.mark.parametrize(
    ("op", "documents"),
    [
        (AddField("things", "c", 1), [{"a": 1}, {}]),
        (AddField("things", "a.[].c", 1), [{"a": [{"x": 1}, 2]}]),
        (RenameField("things", "b", "x"), [{"a": 1, "b": 2, "c": 3}]),
        (RenameField("things", "o.[].b", "x"), [{"o": [{"a": 1, "b": 2, "c": 3}, {"b": 1}]}]),
        (ConvertField("things", "n", BsonType.STRING, BsonType.INT), [{"n": 1}, {"n": None}]),
    ],
)
async def test_there_and_back_gives_the_same_bytes(
    connection: Connection, op: FieldOperation, documents: list[Document]
) -> None:
    documents = [{**document, **ODD} for document in documents]
    await fill(connection, documents)
    assert await apply(connection, compile_operation(op)) > 0
    await apply(connection, back_of(op))
    assert await contents(connection) == raw(documents)


SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**31), 2**31 - 1) | st.sampled_from(["", "$a", "b"]) | st.just(Int64(5))
)
KEYS = st.sampled_from(["a", "b", "c", "0", "d.e", "$f", ""])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=8
)
NO_X = st.dictionaries(st.sampled_from(["a", "b", "c", "0"]), VALUES, max_size=4)


@pytest.mark.parametrize("path", ["a", "b.a", "a.[].b", "a.b.[].c", "b.[].[].a"])
async def test_any_document_comes_back_from_a_renaming(connection: Connection, path: str) -> None:
    op = RenameField(NAME, path, "new")
    loop = asyncio.get_running_loop()

    async def there_and_back(documents: list[Document]) -> None:
        await fill(connection, documents)
        before = await contents(connection)
        change = compile_operation(op)
        await apply(connection, change)
        assert await count(connection, change.where) == 0
        assert change.remains is not None
        assert await count(connection, change.remains) == 0
        await apply(connection, back_of(op))
        assert await contents(connection) == before

    @settings(
        max_examples=15,
        deadline=None,
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.function_scoped_fixture,
            HealthCheck.large_base_example,
        ],
    )
    @given(st.lists(NO_X, min_size=15, max_size=25))
    def attempt(documents: list[Document]) -> None:
        asyncio.run_coroutine_threadsafe(there_and_back(documents), loop).result()

    await asyncio.to_thread(cast("Callable[[], None]", attempt))


async def test_values_that_cannot_be_converted_are_counted(connection: Connection) -> None:
    await fill(connection, [{"n": "1"}, {"n": "x"}, {"n": 1.5}, {"n": None}, {}, {"n": 1}])
    change = compile_operation(ConvertField(NAME, "n", BsonType.INT))
    assert await count(connection, change.where) == 1
    assert await count(connection, change.unconvertible) == 2


async def test_a_field_that_stayed_beside_its_new_name_remains(connection: Connection) -> None:
    await fill(connection, [{"a": 1, "b": 2}, {"o": {"a": 1}}, {"b": 1}])
    change = compile_operation(RenameField(NAME, "a", "b"))
    assert await count(connection, change.where) == 0
    assert await count(connection, change.remains) == 1


@pytest.mark.parametrize(
    "op",
    [
        RenameField("c", "a", "a"),
        RenameField("c", "a", "_id"),
        RenameField("c", "a", "b.c"),
        AddField("c", "a.[]", 1),
        RemoveField("c", "_id"),
        ConvertField("c", "[]", BsonType.INT),
    ],
)
def test_an_operation_that_cannot_be_meant_is_refused(op: FieldOperation) -> None:
    with pytest.raises(InvalidPathError):
        compile_operation(op)


def test_a_value_is_one_that_bson_holds() -> None:
    with pytest.raises(InvalidDocumentError):
        compile_operation(AddField("c", "a", object()))


def one_way(document: Document) -> Document:
    return document


def other_way(document: Document) -> Document:
    return {**document}


@pytest.mark.parametrize(
    "op",
    [
        RemoveField("c", "a"),
        ConvertField("c", "a", BsonType.INT),
        UpdateDocuments("c", {}, {"$inc": {"n": 1}}),
        RewriteDocuments("c", {}, one_way),
    ],
)
def test_some_operations_have_no_way_back(op: FieldOperation) -> None:
    assert compile_back(op) is None


def test_ways_back() -> None:
    update = back_of(UpdateDocuments("c", {"a": 1}, {"$set": {"a": 2}}, back=({"a": 2}, {"$set": {"a": 1}})))
    assert (update.where, update.update) == ({"a": 2}, {"$set": {"a": 1}})
    assert back_of(RewriteDocuments("c", {}, one_way, back=({"x": 1}, other_way))).rewrite is other_way


@pytest.mark.parametrize(
    ("update", "is_idempotent"),
    [
        ({"$set": {"a": 1}, "$unset": {"b": ""}}, True),
        ({"$addToSet": {"a": 1}, "$pull": {"b": 1}, "$max": {"c": 1}}, True),
        ({"$inc": {"a": 1}}, False),
        ({"$set": {"a": 1}, "$push": {"b": 1}}, False),
        ({"$set": {"a.$": 1}}, False),
        ([{"$set": {"a": {"$add": ["$a", 1]}}}], False),
    ],
)
def test_what_is_seen_to_be_idempotent(update: Any, *, is_idempotent: bool) -> None:
    assert compile_operation(UpdateDocuments("c", {}, update)).is_idempotent is is_idempotent


def test_a_fingerprint_tells_operations_apart() -> None:
    ops: list[FieldOperation] = [
        AddField("c", "a", 1),
        AddField("c", "a", 1.0),
        AddField("c", "a", Int64(1)),
        AddField("d", "a", 1),
        ConvertField("c", "a", BsonType.INT),
        ConvertField("c", "a", BsonType.LONG),
        UpdateDocuments("c", {"a": 1}, {"$set": {"a": 2}}),
        UpdateDocuments("c", {"a": 1}, [{"$set": {"a": 2}}]),
        RewriteDocuments("c", {}, one_way),
        RewriteDocuments("c", {}, other_way),
    ]
    prints = [compile_operation(op).fingerprint for op in ops]
    assert len(set(prints)) == len(ops)
    assert prints == [compile_operation(op).fingerprint for op in ops]
