from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest
from beanie import Document, PydanticObjectId
from bson import Decimal128, Int64
from pydantic import BaseModel, Field, InstanceOf, create_model
from pymongo import IndexModel

from documents.migrations.autogenerate import UnknownRenameError, compare_snapshots
from documents.migrations.operations import (
    AddField,
    BsonType,
    ConvertField,
    CreateIndex,
    DropIndex,
    Operation,
    RemoveField,
    RenameField,
    UpdateDocuments,
)
from documents.migrations.proposal import CHOOSE, Proposal
from documents.migrations.snapshot import Snapshot, take_snapshot

Long = InstanceOf[Int64]


class Shelf(BaseModel):
    row: int


class LabelledShelf(BaseModel):
    row: int
    label: str = "none"


class Size(StrEnum):
    SMALL = "s"
    LARGE = "l"


class OneSize(StrEnum):
    SMALL = "s"


def snapshot(fields: Mapping[str, Any], *indexes: IndexModel) -> Snapshot:
    """Return the snapshot of one collection, `things`. A field is its type, or its type and its default."""
    settings: Any = type("Settings", (), {"name": "things", "indexes": indexes})
    declared: dict[str, Any] = {name: each if isinstance(each, tuple) else (each, ...) for name, each in fields.items()}
    model = create_model("Things", __base__=Document, **declared)
    model.Settings = settings  # pyright: ignore[reportAttributeAccessIssue]  # Beanie looks for it
    return take_snapshot([model])


def compare(before: Mapping[str, Any], after: Mapping[str, Any], **renames: str) -> Proposal:
    asked = {f"things.{path}": name for path, name in renames.items()}
    return compare_snapshots(snapshot(before), snapshot(after), asked)


def only(proposal: Proposal) -> Operation:
    [step] = proposal.steps
    assert not proposal.remarks
    assert step.held_back is None
    return step.operation


def only_held(proposal: Proposal) -> tuple[Operation, str]:
    [step] = proposal.steps
    assert (proposal.expand, proposal.backfill, proposal.contract) == ((), (), ())
    assert step.held_back is not None
    return step.operation, step.held_back


@pytest.mark.parametrize(
    "fields", [{"a": int, "b": (list[Shelf], Field(default_factory=list))}, {"a": (str | None, None)}, {}]
)
def test_the_same_models_ask_for_nothing(fields: dict[str, Any]) -> None:
    assert compare(fields, fields).is_empty


@pytest.mark.parametrize(
    ("annotation", "default", "expected"),
    [
        (str, "new", "new"),
        (int, 0, 0),
        (Decimal, Decimal("1.50"), Decimal128("1.50")),
        (Size, Size.LARGE, "l"),
        (Shelf, Shelf(row=1), {"row": 1}),
        (list[str], Field(default_factory=list), []),
        (str | None, "new", "new"),
    ],
)
def test_an_added_field_gets_its_default(annotation: Any, default: Any, expected: object) -> None:
    proposal = compare({}, {"b": (annotation, default)})
    assert only(proposal) == AddField("things", "b", expected)
    assert proposal.backfill


def test_an_added_field_that_may_be_null_needs_nothing() -> None:
    assert compare({}, {"b": (str | None, None)}).is_empty


@pytest.mark.parametrize(
    ("field", "says"), [(str, "required"), ((str, Field(default_factory=lambda: "x")), "run time")]
)
def test_an_added_field_without_a_known_default_is_held_back(field: Any, says: str) -> None:
    operation, reason = only_held(compare({}, {"b": field}))
    assert operation == AddField("things", "b", CHOOSE)
    assert says in reason
    assert "choose a value" in reason


def test_inside_arrays_paths_step_into_items() -> None:
    proposal = compare({"shelves": list[Shelf]}, {"shelves": list[LabelledShelf]})
    assert only(proposal) == AddField("things", "shelves.[].label", "none")


def test_what_lies_inside_a_field_comes_and_goes_with_it() -> None:
    assert only_held(compare({"shelf": Shelf}, {}))[0] == RemoveField("things", "shelf")
    assert only_held(compare({}, {"shelf": LabelledShelf}))[0] == AddField("things", "shelf", CHOOSE)


def test_members_that_are_no_longer_declared_one_by_one_stay() -> None:
    assert compare({"shelf": Shelf}, {"shelf": dict[str, Any]}).is_empty


def test_a_removed_field_is_held_back_in_the_last_phase() -> None:
    proposal = compare({"a": int, "b": str}, {"b": str})
    operation, reason = only_held(proposal)
    assert operation == RemoveField("things", "a")
    assert reason == "What it holds would be lost."
    assert proposal.held_back[0].phase == "contract"


def test_a_rename_is_never_guessed_but_told_of() -> None:
    proposal = compare({"colour": str}, {"color": (str, "")})
    assert proposal.backfill == (AddField("things", "color", ""),)
    [held] = proposal.held_back
    assert held.operation == RemoveField("things", "colour")
    assert "--rename things.colour:color" in str(held.held_back)
    assert "--rename" not in str(compare({"colour": str}, {"color": (int, 0)}).held_back)


def test_a_rename_moves_what_is_asked_for() -> None:
    proposal = compare({"colour": int, "shelf": Shelf}, {"color": float, "shelf": Shelf}, colour="color")
    assert proposal.backfill == (
        RenameField("things", "colour", "color"),
        ConvertField("things", "color", BsonType.DOUBLE, back=BsonType.INT),
    )
    assert not proposal.held_back


def test_of_renames_inside_each_other_the_deepest_is_first() -> None:
    class Rack(BaseModel):
        line: int

    asked = {"things.shelves": "racks", "things.shelves.[].row": "line"}
    proposal = compare_snapshots(snapshot({"shelves": list[Shelf]}), snapshot({"racks": list[Rack]}), asked)
    assert proposal.steps
    assert proposal.backfill == (
        RenameField("things", "shelves.[].row", "line"),
        RenameField("things", "shelves", "racks"),
    )
    assert not proposal.held_back


@pytest.mark.parametrize(
    ("source", "name", "says"),
    [
        ("other.a", "b", "no collection 'other'"),
        ("things.x", "b", "had no field 'x'"),
        ("things._id", "b", "had no field '_id'"),
        ("things.a", "x", "has no field 'x'"),
        ("things.a", "b.c", "without the path"),
        ("things.kept", "b", "still has the field 'kept'"),
        ("things.a", "kept", "has a field 'kept' already"),
    ],
)
def test_a_rename_of_something_else_is_refused(source: str, name: str, says: str) -> None:
    with pytest.raises(UnknownRenameError, match=says):
        compare_snapshots(snapshot({"a": int, "kept": int}), snapshot({"b": int, "kept": int}), {source: name})


@pytest.mark.parametrize(
    ("before", "after", "to", "back"),
    [
        (int, float, BsonType.DOUBLE, BsonType.INT),
        (int, Decimal, BsonType.DECIMAL, BsonType.INT),
        (int, Long, BsonType.LONG, BsonType.INT),
        (int, str, BsonType.STRING, None),
        (Long, Decimal, BsonType.DECIMAL, BsonType.LONG),
        (bool, int, BsonType.INT, BsonType.BOOL),
        (PydanticObjectId, str, BsonType.STRING, BsonType.OBJECT_ID),
    ],
)
def test_a_type_that_holds_more_is_converted_to(before: Any, after: Any, to: BsonType, back: BsonType | None) -> None:
    assert only(compare({"a": before}, {"a": after})) == ConvertField("things", "a", to, back)


@pytest.mark.parametrize(
    ("before", "after", "to"),
    [
        (float, int, BsonType.INT),
        (float, Decimal, BsonType.DECIMAL),  # in MongoDB, with 15 digits
        (str, int, BsonType.INT),
        (str, Decimal, BsonType.DECIMAL),
        (int | str, str, BsonType.STRING),
    ],
)
def test_a_type_that_holds_less_is_held_back(before: Any, after: Any, to: BsonType) -> None:
    operation, reason = only_held(compare({"a": before}, {"a": after}))
    assert operation == ConvertField("things", "a", to)
    assert "no way back" in reason


def test_of_anything_the_nulls_have_to_be_looked_at_too() -> None:
    convert, nulls = compare({"a": Any}, {"a": int}).held_back
    assert convert.operation == ConvertField("things", "a", BsonType.INT)
    assert nulls.operation == UpdateDocuments("things", {"a": None}, {"$set": {"a": CHOOSE}})


@pytest.mark.parametrize(
    ("before", "after"), [(int, int | str), (int, Any), (str, Size | str), (Size, str), (str, str | None)]
)
def test_a_type_that_holds_the_same_and_more_needs_nothing(before: Any, after: Any) -> None:
    assert compare({"a": before}, {"a": after}).is_empty


def test_what_no_conversion_does_is_remarked() -> None:
    proposal = compare({"a": str}, {"a": list[str]})
    assert not proposal.steps
    assert "a was string and is array" in proposal.remarks[0]


def test_items_of_an_array_are_converted() -> None:
    assert only(compare({"a": list[int]}, {"a": list[float]})) == ConvertField(
        "things", "a.[]", BsonType.DOUBLE, BsonType.INT
    )


def test_nulls_that_are_no_longer_allowed_are_held_back() -> None:
    choose, reason = only_held(compare({"a": (str | None, None)}, {"a": str}))
    assert choose == UpdateDocuments("things", {"a": None}, {"$set": {"a": CHOOSE}})
    assert "no longer be null" in reason
    filled, _ = only_held(compare({"a": (str | None, None)}, {"a": (str, "x")}))
    assert filled == UpdateDocuments("things", {"a": None}, {"$set": {"a": "x"}})


def test_nulls_below_an_object_leave_documents_without_it_alone() -> None:
    class Before(BaseModel):
        label: str | None = None

    class After(BaseModel):
        label: str

    operation, _ = only_held(compare({"shelf": Before}, {"shelf": After}))
    assert isinstance(operation, UpdateDocuments)
    assert operation.where == {
        "$and": [{"shelf": {"$type": "object", "$not": {"$type": "array"}}}, {"shelf.label": None}]
    }
    assert "inside an array" in compare({"s": list[Before]}, {"s": list[After]}).remarks[0]


def test_what_the_model_took_for_granted_is_written_down() -> None:
    assert only(compare({"a": (int, 5)}, {"a": int})) == AddField("things", "a", 5)
    assert only(compare({"a": (int | None, None)}, {"a": int | None})) == AddField("things", "a", None)
    assert compare({"a": int}, {"a": (int, 5)}).is_empty
    assert compare({"a": (int, 5)}, {"a": (int, 6)}).is_empty


def test_values_that_are_no_longer_allowed_are_held_back() -> None:
    gone, reason = only_held(compare({"a": Size}, {"a": OneSize}))
    assert gone == UpdateDocuments("things", {"a": {"$in": ["l"]}}, {"$set": {"a": CHOOSE}})
    assert "no longer be l" in reason
    other, _ = only_held(compare({"a": str}, {"a": OneSize}))
    assert other == UpdateDocuments("things", {"a": {"$exists": True, "$nin": ["s"]}}, {"$set": {"a": CHOOSE}})
    assert compare({"a": OneSize}, {"a": Size}).is_empty


def test_an_id_of_another_type_is_remarked() -> None:
    proposal = compare({}, {"id": (str, Field(alias="_id"))})
    assert not proposal.steps
    assert "MongoDB never changes an _id" in proposal.remarks[0]


def test_a_new_collection_gets_its_indexes_and_nothing_else() -> None:
    after = snapshot({"a": str, "b": (int, 5)}, IndexModel("a", unique=True), IndexModel("b", expireAfterSeconds=5))
    proposal = compare_snapshots(Snapshot(), after)
    assert proposal.expand == (
        CreateIndex("things", [("a", 1)], {"unique": True}),
        CreateIndex("things", [("b", 1)], {"expireAfterSeconds": 5}),
    )
    assert len(proposal.steps) == 2


def test_a_collection_that_went_is_remarked() -> None:
    proposal = compare_snapshots(snapshot({"a": str}), Snapshot())
    assert not proposal.steps
    assert "stay" in proposal.remarks[0]


def indexes(
    before: list[IndexModel], after: list[IndexModel], fields: Mapping[str, Any] | None = None, **renames: str
) -> Proposal:
    old: dict[str, Any] = {"a": str, "b": int}
    asked = {f"things.{path}": name for path, name in renames.items()}
    return compare_snapshots(snapshot(old, *before), snapshot(fields or old, *after), asked)


def test_indexes_come_first_and_go_last() -> None:
    proposal = indexes([IndexModel("a", name="mine", sparse=True)], [IndexModel([("b", -1)])])
    assert proposal.expand == (CreateIndex("things", [("b", -1)], {}),)
    assert proposal.contract == (DropIndex("things", [("a", 1)], {"sparse": True, "name": "mine"}),)
    assert indexes([IndexModel("a")], [IndexModel("a", name="other")]).is_empty


@pytest.mark.parametrize(
    ("before", "after"),
    [({}, {"hidden": True}), ({}, {"unique": True}), ({"expireAfterSeconds": 5}, {"expireAfterSeconds": 9})],
)
def test_an_option_that_can_be_changed_in_place_is(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert indexes([IndexModel("b", **before)], [IndexModel("b", **after)]).expand == (
        CreateIndex("things", [("b", 1)], after),
    )


def test_another_option_means_building_anew() -> None:
    proposal = indexes([IndexModel("b", unique=True)], [IndexModel("b")])
    assert proposal.contract == (
        DropIndex("things", [("b", 1)], {"unique": True}),
        CreateIndex("things", [("b", 1)], {}),
    )
    assert not proposal.expand


@pytest.mark.parametrize("before", [[], [IndexModel("b")], [IndexModel("b", expireAfterSeconds=9)]])
def test_an_index_that_deletes_sooner_is_held_back(before: list[IndexModel]) -> None:
    operation, reason = only_held(indexes(before, [IndexModel("b", expireAfterSeconds=5)]))
    assert operation == CreateIndex("things", [("b", 1)], {"expireAfterSeconds": 5})
    assert "deleted" in reason


@pytest.mark.parametrize("field", [(str, ""), (str | None, None), str])
def test_a_unique_index_on_a_new_field_is_held_back(field: Any) -> None:
    proposal = indexes([], [IndexModel("c", unique=True)], {"a": str, "b": int, "c": field})
    [held] = [step for step in proposal.held_back if isinstance(step.operation, CreateIndex)]
    assert "duplicates" in str(held.held_back)


def test_a_unique_index_on_a_new_field_that_skips_documents_without_it_is_not() -> None:
    partial = IndexModel("c", unique=True, partialFilterExpression={"c": {"$type": "string"}})
    proposal = indexes([], [partial], {"a": str, "b": int, "c": (str | None, None)})
    assert len(proposal.contract) == 1
    assert not proposal.held_back


def test_a_unique_index_moves_around_the_renaming_of_its_field() -> None:
    """While documents are renamed, those of the other name would be duplicates in either index."""
    unique = {"unique": True}
    proposal = indexes([IndexModel("a", **unique)], [IndexModel("c", **unique)], {"c": str, "b": int}, a="c")
    assert proposal.backfill == (DropIndex("things", [("a", 1)], unique), RenameField("things", "a", "c"))
    assert proposal.contract == (CreateIndex("things", [("c", 1)], unique),)
    assert not proposal.expand


def test_another_index_stays_until_the_renaming_is_done() -> None:
    proposal = indexes([IndexModel("a")], [IndexModel("c")], {"c": str, "b": int}, a="c")
    assert proposal.expand == (CreateIndex("things", [("c", 1)], {}),)
    assert proposal.backfill == (RenameField("things", "a", "c"),)
    assert proposal.contract == (DropIndex("things", [("a", 1)], {}),)
