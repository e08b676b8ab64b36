import enum
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, NewType, TypedDict
from uuid import UUID, uuid4

import pytest
from beanie import Document, Link, PydanticObjectId
from bson import Binary, Decimal128, Int64, ObjectId
from pydantic import AnyUrl, AwareDatetime, BaseModel, EmailStr, Field, InstanceOf, RootModel, SecretStr
from pymongo import IndexModel

from documents.migrations.snapshot import (
    FieldSnapshot,
    Presence,
    Snapshot,
    SnapshotError,
    read_snapshot,
    take_snapshot,
    write_snapshot,
)
from documents.migrations.stored_types import read_annotation
from documents.types import MISSING
from tests.shop import SHOP, shop_models


class Size(enum.StrEnum):
    SMALL = "s"
    LARGE = "l"


class Rank(enum.IntEnum):
    LOW = 1


class Flags(enum.Flag):
    ONE = 1


class Shelf(BaseModel):
    row: int
    label: str = Field("", alias="Label")
    secret: str = Field(default="x", exclude=True)


class Tree(BaseModel):
    name: str
    children: "list[Tree]" = Field(default_factory=list["Tree"])


class Names(RootModel[list[str]]):
    pass


class Loose(TypedDict):
    a: int


Sku = NewType("Sku", str)


@pytest.mark.parametrize(
    ("annotation", "types", "is_nullable"),
    [
        (str, {"string"}, False),
        (EmailStr, {"string"}, False),
        (AnyUrl, {"string"}, False),
        (SecretStr, {"string"}, False),
        (Path, {"string"}, False),
        (Sku, {"string"}, False),
        (bool, {"bool"}, False),
        (int, {"int"}, False),
        (Int64, {"long"}, False),
        (float, {"double"}, False),
        (timedelta, {"double"}, False),
        (Decimal, {"decimal"}, False),
        (Annotated[Decimal, Field(ge=0)], {"decimal"}, False),
        (Decimal128, {"decimal"}, False),
        (datetime, {"date"}, False),
        (date, {"date"}, False),
        (AwareDatetime, {"date"}, False),
        (PydanticObjectId, {"objectId"}, False),
        (ObjectId, {"objectId"}, False),
        (UUID, {"uuid"}, False),
        (bytes, {"binData"}, False),
        (Size, {"string"}, False),
        (Rank, {"int"}, False),
        (Flags, {"any"}, True),
        (Literal["a", 1], {"string", "int"}, False),
        (Literal["a"] | None, {"string"}, True),
        (str | None, {"string"}, True),
        (int | str, {"int", "string"}, False),
        (int | Any, {"any"}, True),
        (Any, {"any"}, True),
        (object, {"any"}, True),
        (dict[str, int], {"object"}, False),
        (Loose, {"object"}, False),
        (Shelf, {"object"}, False),
        (list[str], {"array"}, False),
        (set[str], {"array"}, False),
        (tuple[int, str], {"array"}, False),
        (Names, {"array"}, False),
        (Link[Document], {"dbRef"}, False),
        (None, set[str](), True),
    ],
)
def test_annotations(annotation: object, types: set[str], *, is_nullable: bool) -> None:
    stored = read_annotation(annotation)
    assert (stored.types, stored.is_nullable) == (types, is_nullable)


def test_a_class_that_the_model_encodes_itself_could_be_anything() -> None:
    assert read_annotation(Decimal, encoded={Decimal}).types == {"any"}


def snapshot_of(model: type[Document]) -> dict[str, FieldSnapshot]:
    [found] = take_snapshot([model]).collections.values()
    return dict(found.fields)


def test_paths_are_those_of_operations() -> None:
    class Ware(Document):
        shelf: Shelf
        shelves: list[Shelf] = Field(default_factory=list[Shelf])
        tree: Tree | None = None
        either: Shelf | Tree
        free: dict[str, Shelf] = Field(default_factory=dict)
        matrix: list[list[int]] = Field(default_factory=list[list[int]])

    assert list(snapshot_of(Ware)) == [
        "_id",
        "either",
        "free",
        "matrix",
        "matrix.[]",
        "matrix.[].[]",
        "shelf",
        "shelf.Label",
        "shelf.row",
        "shelves",
        "shelves.[]",
        "shelves.[].Label",
        "shelves.[].row",
        "tree",
        "tree.children",
        "tree.children.[]",
        "tree.name",
    ]


def test_presence_and_defaults_are_as_stored() -> None:
    moment = datetime(2026, 1, 2, tzinfo=UTC)

    class Ware(Document):
        needed: str
        needed_or_null: str | None
        size: Size = Size.SMALL
        price: Decimal = Decimal("1.50")
        since: datetime = moment
        shelf: Shelf = Shelf(row=1, Label="a")
        tags: list[str] = Field(default_factory=list)
        many: set[int] = Field({7})
        made: datetime = Field(default_factory=lambda: moment)
        nothing: int | None = None
        key: UUID = UUID(int=1)

    found = snapshot_of(Ware)
    assert {path: field.presence for path, field in found.items() if field.presence is not Presence.DEFAULT} == {
        "needed": Presence.REQUIRED,
        "needed_or_null": Presence.REQUIRED,
        "made": Presence.MADE,
        "shelf.row": Presence.REQUIRED,
        "tags.[]": Presence.ITEM,
        "many.[]": Presence.ITEM,
    }
    assert {path: found[path].default for path in ("size", "price", "since", "shelf", "tags", "many", "nothing")} == {
        "size": "s",
        "price": Decimal128("1.50"),
        "since": moment,
        "shelf": {"row": 1, "Label": "a"},
        "tags": [],
        "many": [7],
        "nothing": None,
    }
    assert found["key"].default == Binary.from_uuid(UUID(int=1))
    assert found["size"].values == ("s", "l")
    assert found["needed_or_null"].is_nullable
    assert found["made"].default is MISSING


@pytest.mark.parametrize("alias", ["a.b", "$a", "[]"])
def test_a_name_that_no_operation_can_say_is_refused(alias: str) -> None:
    class Ware(Document):
        odd: str = Field(alias=alias)

    with pytest.raises(SnapshotError, match="Ware has a field"):
        take_snapshot([Ware])


def test_a_default_that_cannot_be_stored_is_refused() -> None:
    class Ware(Document):
        odd: Any = 2**70

    with pytest.raises(SnapshotError, match="default of odd"):
        take_snapshot([Ware])


def test_the_revision_id_counts_when_it_is_kept() -> None:
    class Ware(Document):
        class Settings:
            use_revision = True

    assert snapshot_of(Ware)["revision_id"].types == ("uuid",)


def test_a_file_says_the_same(tmp_path: Path) -> None:
    class Ware(Document):
        number: int = 5
        large: InstanceOf[Int64] = Int64(5)
        price: Decimal = Decimal("1.50")
        whole: float = 5.0
        nested: dict[str, Any] = Field({"z": 1, "a": [datetime(2026, 1, 2, tzinfo=UTC)]})
        key: UUID = uuid4()

        class Settings:
            indexes = (
                IndexModel([("number", -1)], unique=True, partialFilterExpression={"number": {"$gt": Int64(5)}}),
                IndexModel([("a", "text"), ("b", "text")], name="words", weights={"a": 5}),
                IndexModel([("c", 1)], collation={"locale": "de", "strength": 2}, expireAfterSeconds=60),
            )

    path = tmp_path / "snapshot.json"
    taken = take_snapshot([Ware])
    write_snapshot(path, taken)
    read = read_snapshot(path)
    assert read.to_text() == taken.to_text()
    before, after = taken.collections["Ware"], read.collections["Ware"]
    assert [(spec.identity, spec.options) for spec in before.indexes] == [
        (spec.identity, spec.options) for spec in after.indexes
    ]
    for field, kind in (("number", int), ("large", Int64), ("price", Decimal128), ("whole", float)):
        assert type(after.fields[field].default) is kind
    assert list(json.loads(path.read_text())["collections"]["Ware"]["fields"]["nested"]["default"]) == ["z", "a"]


def test_no_file_is_an_empty_snapshot(tmp_path: Path) -> None:
    assert read_snapshot(tmp_path / "snapshot.json") == Snapshot()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("<<<<<<< ours", "snapshot.json is no snapshot of format 1"),
        ('{"format": 2, "collections": {}}', "format: Input should be 1"),
        ('{"format": 1, "collections": {}, "collections": {}}', "this key twice"),
        ('{"format": 1, "collections": {"a": {"fields": {"b": {"types": []}}, "indexes": []}}}', "presence: Field req"),
        (
            '{"format": 1, "collections": {"a": {"fields": {"b": {"types": [], "presence": "default", "default": {"$date": 1}}}, "indexes": []}}}',
            "is no snapshot",
        ),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "snapshot.json"
    path.write_text(text)
    with pytest.raises(SnapshotError, match="version control") as caught:
        read_snapshot(path)
    assert says in caught.value.detail


def test_the_committed_snapshot_is_of_todays_models() -> None:
    committed = (SHOP.migrations / "snapshot.json").read_text(encoding="utf-8")
    # When it is not: sheaf migrate revision "What changed" --autogenerate
    assert take_snapshot(shop_models()).to_text() == committed
