"""Whatever the models say, and however they change: a field that no model declares is never touched."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, cast
from uuid import uuid4

import pytest
from bson import Decimal128, Int64, ObjectId
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, create_model
from pymongo import MongoClient
from pymongo.collection import Collection

from documents.codec.encode import encode
from documents.migrations.autogenerate import compare_snapshots
from documents.migrations.compile import compile_back, compile_operation
from documents.migrations.operations import AddField, FieldOperation, IndexOperation
from documents.migrations.proposal import Proposal
from documents.types import Document
from tests.documents.migrations.test_autogenerate import snapshot

NAMES: Final = ("a", "b", "c")
UNDECLARED: Final = ("x", "y.z", "$odd", "")  # some of them can be said in no path
TYPES: Final[Any] = {
    int: 5,
    float: 0.5,
    str: "new",
    bool: True,
    Decimal: Decimal("1.50"),
    str | None: None,
    list[int]: Field(default_factory=list),
    dict[str, Any]: Field(default_factory=dict),
}


@pytest.fixture(scope="module")
def things(mongo_uri: str) -> Iterator[Collection[Document]]:
    with MongoClient[Document](mongo_uri) as client:
        database = client[f"m{uuid4().hex}"]
        yield database["things"]
        client.drop_database(database.name)


@st.composite
def models(draw: st.DrawFn, depth: int = 1) -> dict[str, Any]:
    """Draw the fields of a model: some are required, some are models, or arrays of models, themselves."""
    return {name: draw(fields(depth)) for name in draw(st.sets(st.sampled_from(NAMES)))}


@st.composite
def fields(draw: st.DrawFn, depth: int) -> Any:
    if depth and draw(st.integers(0, 2)) == 0:
        inner: type[BaseModel] = create_model("Inner", **draw(models(depth - 1)))
        return draw(st.sampled_from([inner, list[inner]]))
    annotation = draw(st.sampled_from(list(TYPES)))
    return (annotation, TYPES[annotation]) if draw(st.integers(0, 2)) else annotation


VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**31), 2**31 - 1)
    | st.integers(-(2**63), 2**63 - 1).map(Int64)
    | st.floats(allow_nan=False)
    | st.sampled_from(["", "5", "1.50", "$x", "text", "65b9f0c2a1b2c3d4e5f60718"])
    | st.sampled_from([Decimal128("1.50"), Decimal128("7"), ObjectId(), datetime(2026, 1, 31)])  # noqa: DTZ001  # naive
)


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Document]:
    """Return objects in which declared and undeclared names stand in any order."""
    return st.lists(st.tuples(st.sampled_from((*NAMES, "d", *UNDECLARED)), inner), min_size=1, max_size=8).map(dict)


DOCUMENTS = objects(st.recursive(VALUES, lambda inner: objects(inner) | st.lists(inner, max_size=3), max_leaves=6))


@st.composite
def changes(draw: st.DrawFn) -> Proposal:
    """Draw what a change of models proposes: fields that are renamed, converted, added, removed, also inside others."""
    before = {name: draw(fields(1)) for name in NAMES}
    gone, *kept = draw(st.permutations(NAMES))
    after = {name: draw(fields(1)) for name in (*kept, "d")}
    after["d"] = before[gone] if draw(st.booleans()) else after["d"]
    asked = {f"things.{gone}": "d"} if draw(st.booleans()) else {}
    return compare_snapshots(snapshot(before), snapshot(after), asked)


def undeclared(value: Any, depth: int = 0) -> Iterator[tuple[int, str, bytes]]:
    """Yield each field that no model declares, in order; what is inside one belongs to it."""
    if isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from undeclared(item, depth + 1)
    for name, each in cast("Document", value).items() if isinstance(value, dict) else ():
        if name in UNDECLARED:
            yield depth, name, encode({"": each})
        else:
            yield from undeclared(each, depth + 1)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(changes().filter(lambda proposal: proposal.backfill), st.lists(DOCUMENTS, min_size=3, max_size=5))
def test_undeclared_fields_survive(things: Collection[Document], proposal: Proposal, documents: list[Document]) -> None:
    things.delete_many({})
    things.insert_many([{"_id": number, **document} for number, document in enumerate(documents)])
    for phase in (proposal.expand, proposal.backfill, proposal.contract):
        for operation in phase:
            if isinstance(operation, IndexOperation):
                continue
            before = list(things.find(sort=[("_id", 1)]))
            do(things, operation)
            after = list(things.find(sort=[("_id", 1)]))
            assert [list(undeclared(each)) for each in after] == [list(undeclared(each)) for each in before]


def do(things: Collection[Document], operation: FieldOperation) -> None:
    """Do an operation, take it back and do it again; what was added is only taken back where nothing had it before."""
    back = None if isinstance(operation, AddField) else compile_back(operation)
    for change in (compile_operation(operation), back, compile_operation(operation)):
        if change is not None:
            assert change.update is not None
            update: Any = change.update
            things.update_many(change.where, update)
