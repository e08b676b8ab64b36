import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
import pytest_asyncio
from beanie import (
    Document,
    Link,
    PydanticObjectId,
    init_beanie,  # pyright: ignore[reportUnknownVariableType]  # partly untyped in Beanie
)
from bson import DBRef, ObjectId
from pydantic import AfterValidator, BaseModel, EmailStr, Field, HttpUrl, field_validator
from pymongo import IndexModel
from pymongo.asynchronous.database import AsyncDatabase

from documents.catalog.declared import DeclaredModel
from documents.database.connection import Connection
from documents.models.fields import Moment, Point, Price, Timestamps
from documents.seeds import generate as generation
from documents.seeds.files import SeedError
from documents.seeds.generate import generate
from documents.seeds.relations import Reference, Relations
from documents.seeds.report import GeneratedEvent, Outcome
from documents.seeds.scene import FAR, MAX_COUNT, TODAY, YEAR, Numbering
from documents.types import IdType

Database = AsyncDatabase[dict[str, Any]]
Models = dict[str, DeclaredModel]


class Size(IntEnum):
    SMALL = 1
    LARGE = 2


class State(StrEnum):
    DRAFT = "draft"
    FINAL = "final"


class Guest(Document):
    email: EmailStr
    name: str
    born: date | None = None
    location: Point
    friend_ids: list[PydanticObjectId] = Field(default_factory=list[PydanticObjectId])

    class Settings:
        name = "guests"
        indexes = (IndexModel([("email", 1)], unique=True),)


class Room(Document):
    id: str = Field()  # pyright: ignore[reportIncompatibleVariableOverride, reportGeneralTypeIssues]  # as Beanie has it
    number: int = Field(ge=1)
    door_code: str = Field(pattern=r"^[A-F]{2}$")
    size: Size
    beds: Annotated[list[Literal["single", "double"]], Field(min_length=4, max_length=4)]
    stay: Annotated[int, Field(multiple_of=7, ge=7, le=70)]
    parent_id: str | None = None

    class Settings:
        name = "rooms"
        indexes = (IndexModel([("number", 1)], unique=True), IndexModel([("door_code", 1)], unique=True))


class Extra(BaseModel):
    label: str = Field(alias="what", min_length=30, max_length=30)
    price: Price
    more: "list[Extra]" = Field(default_factory=list["Extra"])


class Booking(Timestamps, Document):
    guest: Link[Guest]
    room_id: str
    email: EmailStr
    state: State = State.DRAFT
    extras: list[Extra]
    page: HttpUrl
    ticket: UUID
    share: float = Field(gt=0, lt=1)
    anything: Any = None
    notes: dict[str, Any] = Field(default_factory=dict)
    held_until: Moment
    gone_at: Moment

    class Settings:
        name = "bookings"
        indexes = (
            IndexModel([("room_id", 1), ("ticket", 1)], unique=True),
            IndexModel([("gone_at", 1)], expireAfterSeconds=0),
        )


@pytest_asyncio.fixture
async def database(mongo_uri: str) -> AsyncIterator[Database]:
    connection = Connection(mongo_uri, database=f"generated_{ObjectId()}", max_pool_size=4)
    yield connection.database
    await connection.client.drop_database(connection.database.name)
    await connection.close()


async def declare(database: Database, *classes: type[Document]) -> Models:
    await init_beanie(database, document_models=list(classes))
    return {declared.name: declared for declared in map(DeclaredModel, classes)}


@pytest_asyncio.fixture
async def models(database: Database) -> Models:
    return await declare(database, Guest, Room, Booking)


async def contents(database: Database, name: str) -> list[dict[str, Any]]:
    return await database[name].find().sort("_id").to_list()


def inserted(**counts: int) -> Mapping[str, Any]:
    return {name: {Outcome.INSERTED: count} for name, count in counts.items()}


async def test_values_fit_the_model_and_its_names(database: Database, models: Models) -> None:
    report = await generate(database, models, {"bookings": 40, "rooms": 20, "guests": 30})
    assert report.counts == inserted(guests=30, rooms=20, bookings=40)
    guests, rooms, bookings = [await contents(database, name) for name in ("guests", "rooms", "bookings")]
    for guest in guests:
        given, family = guest["name"].split(" ")
        assert guest["email"].startswith(f"{given}.{family}.".lower())
        longitude, latitude = guest["location"]["coordinates"]
        assert (-180 <= longitude <= 180, -90 <= latitude <= 90) == (True, True)
    assert any(guest["born"] is None for guest in guests)
    assert all(guest["born"] is None or guest["born"].year < 2009 for guest in guests)
    assert {room["size"] for room in rooms} == {1, 2}
    assert all(len(room["beds"]) == 4 and room["stay"] % 7 == 0 for room in rooms)
    assert len({room["door_code"] for room in rooms}) == 20
    today, far = TODAY.replace(tzinfo=None), FAR.replace(tzinfo=None)
    for booking in bookings:
        assert today - YEAR <= booking["created_at"] <= booking["updated_at"] <= today
        assert far - YEAR <= booking["gone_at"] <= far
        assert 0 < booking["share"] < 1
        for extra in booking["extras"]:
            assert len(extra["what"]) == 30
            assert Decimal(str(extra["price"])).as_tuple().exponent == -2
            assert extra["more"] == []
    assert {booking["state"] for booking in bookings} == {"draft", "final"}


async def test_references_lead_somewhere(database: Database, models: Models) -> None:
    await generate(database, models, {"bookings": 40, "rooms": 20, "guests": 30})
    guests, rooms, bookings = [await contents(database, name) for name in ("guests", "rooms", "bookings")]
    links: list[DBRef] = [booking["guest"] for booking in bookings]
    assert {link.collection for link in links} == {"guests"}
    assert len({link.id for link in links}) > 5
    assert {link.id for link in links} <= {guest["_id"] for guest in guests}
    assert {booking["room_id"] for booking in bookings} <= {room["_id"] for room in rooms}
    parents = {room["parent_id"] for room in rooms} - {None}
    assert parents
    assert parents <= {room["_id"] for room in rooms}


async def test_references_to_what_is_stored(database: Database, models: Models) -> None:
    await database["guests"].insert_one({"_id": ObjectId("6" * 24), "email": "ada@example.com"})
    await database["rooms"].insert_one({"_id": "attic", "number": 99, "door_code": "ZZ"})
    await generate(database, models, {"bookings": 3})
    bookings = await contents(database, "bookings")
    assert {(booking["guest"].id, booking["room_id"]) for booking in bookings} == {(ObjectId("6" * 24), "attic")}


async def test_a_second_run_changes_nothing(database: Database, models: Models) -> None:
    counts = {"guests": 700, "rooms": 10, "bookings": 20}
    await generate(database, models, counts)
    before = {name: await contents(database, name) for name in counts}
    report = await generate(database, models, counts)
    assert report.counts == {name: {Outcome.UNCHANGED: count} for name, count in counts.items()}
    assert {name: await contents(database, name) for name in counts} == before
    for name in counts:
        await database[name].delete_many({})
    await generate(database, models, counts)
    assert {name: await contents(database, name) for name in counts} == before


async def test_goes_on_where_it_was_killed(database: Database, models: Models) -> None:
    await generate(database, models, {"guests": 1200})
    whole = await contents(database, "guests")
    await database["guests"].delete_many({"_id": {"$in": [guest["_id"] for guest in whole[::3]]}})
    report = await generate(database, models, {"guests": 1200})
    assert report.counts == {"guests": {Outcome.INSERTED: 400, Outcome.UNCHANGED: 800}}
    assert await contents(database, "guests") == whole


async def test_what_a_user_changed_is_left_alone(database: Database, models: Models) -> None:
    await generate(database, models, {"guests": 3})
    await database["guests"].update_many({}, {"$set": {"name": "Somebody"}})
    assert (await generate(database, models, {"guests": 5})).counts == {
        "guests": {Outcome.UNCHANGED: 3, Outcome.INSERTED: 2}
    }
    assert [guest["name"] == "Somebody" for guest in await contents(database, "guests")] == [True] * 3 + [False] * 2


async def test_another_seed_makes_others(database: Database, models: Models) -> None:
    await generate(database, models, {"guests": 50, "rooms": 15})
    report = await generate(database, models, {"guests": 50, "rooms": 15}, random_seed=7)
    assert report.counts == inserted(guests=50, rooms=15)
    assert len(await database["guests"].distinct("email")) == 100
    assert len(await database["rooms"].distinct("number")) == 30


async def test_values_that_others_have_are_made_anew(database: Database, models: Models) -> None:
    await generate(database, models, {"guests": 5, "rooms": 20})
    guests, rooms = await contents(database, "guests"), await contents(database, "rooms")
    for name, documents in (("guests", guests), ("rooms", rooms)):
        await database[name].delete_many({})
        await database[name].insert_many([{**each, "_id": f"mine-{each['_id']}"} for each in documents])
    assert (await generate(database, models, {"guests": 5, "rooms": 10})).counts == inserted(guests=5, rooms=10)
    emails = [guest["email"] for guest in await contents(database, "guests")]
    assert len(set(emails)) == 10
    again = await generate(database, models, {"guests": 5, "rooms": 10})
    assert again.counts == {"guests": {Outcome.UNCHANGED: 5}, "rooms": {Outcome.UNCHANGED: 10}}


async def test_values_that_run_out(database: Database, models: Models) -> None:
    with pytest.raises(SeedError, match="No free values can be found for the unique fields of rooms"):
        await generate(database, models, {"rooms": 37})  # there are 36 door codes
    assert await database["rooms"].count_documents({}) <= 36


async def test_a_dry_run_writes_nothing(database: Database, models: Models) -> None:
    await generate(database, models, {"guests": 1})
    report = await generate(database, models, {"guests": 3, "bookings": 2, "rooms": 600}, dry_run=True)
    assert await database["guests"].count_documents({}) == 1
    assert await database["rooms"].count_documents({}) == 0
    told = report.to_dict()
    assert told["counts"]["guests"] == {"unchanged": 1, "inserted": 2}
    assert told["counts"]["rooms"] == {"inserted": 600}
    assert [len(told["examples"][name]) for name in ("guests", "rooms", "bookings")] == [3, 3, 2]
    [first, *_] = told["examples"]["guests"]
    assert first["_id"] == str((await contents(database, "guests"))[0]["_id"])
    assert told["examples"]["bookings"][0]["guest"]


async def test_progress_is_told(database: Database, models: Models) -> None:
    events: list[GeneratedEvent] = []
    await generate(database, models, {"guests": generation.BATCH + 1}, on_progress=events.append)
    total = generation.BATCH + 1
    assert events == [GeneratedEvent("guests", generation.BATCH, total), GeneratedEvent("guests", total, total)]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"persons": 3}, "No model declares persons. Declared are bookings, guests, rooms."),
        ({"rooms": 0}, "The number of rooms is 0; it is to be from 1 to 16,777,216."),
        ({"rooms": -4}, "The number of rooms is -4"),
        ({"rooms": MAX_COUNT + 1}, "it is to be from 1 to 16,777,216"),
        ({"bookings": 3}, "bookings.guest needs documents of guests, and there are none. Add --generate guests=100."),
    ],
)
async def test_refusals(database: Database, models: Models, counts: dict[str, int], expected: str) -> None:
    with pytest.raises(SeedError) as caught:
        await generate(database, models, counts)
    assert expected in str(caught.value)


def _refuse(_: object) -> object:
    raise ValueError("never right")


class Odd(Document):
    inner: list[Annotated[str, AfterValidator(_refuse)]] = Field(min_length=1)

    class Settings:
        name = "odds"


class Checked(Document):
    total: int

    @field_validator("total")
    @classmethod
    def _check(cls, _: int) -> int:
        raise ValueError("the sum is wrong")

    class Settings:
        name = "checks"


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (Odd, "No value can be made for odds.inner: "),
        (Checked, "No checks can be made: the model refuses total: Value error, the sum is wrong."),
    ],
)
async def test_a_model_that_cannot_be_generated(database: Database, model: type[Document], expected: str) -> None:
    models = await declare(database, model)
    with pytest.raises(SeedError) as caught:
        await generate(database, models, {model.get_collection_name(): 1})
    assert str(caught.value).startswith(expected)
    assert "\n" not in str(caught.value)


class Even(Document):
    total: int

    @field_validator("total")
    @classmethod
    def _check(cls, value: int) -> int:
        if value % 2:
            raise ValueError("odd")
        return value

    class Settings:
        name = "evens"


async def test_a_validator_of_the_model_is_heeded(database: Database) -> None:
    models = await declare(database, Even)
    await generate(database, models, {"evens": 30})
    totals = [each["total"] for each in await contents(database, "evens")]
    assert len(totals) == 30
    assert all(total % 2 == 0 for total in totals)


class Hen(Document):
    egg_id: PydanticObjectId

    class Settings:
        name = "hens"


class Egg(Document):
    hen_id: PydanticObjectId

    class Settings:
        name = "eggs"


async def test_a_circle(database: Database) -> None:
    models = await declare(database, Hen, Egg)
    with pytest.raises(SeedError, match=r"in a circle: (eggs -> hens -> eggs|hens -> eggs -> hens)\."):
        await generate(database, models, {"hens": 2, "eggs": 2})


async def test_what_fields_refer_to(models: Models) -> None:
    relations = Relations(models)
    assert relations.of("bookings", "room_id", str) == Reference("rooms")
    assert relations.of("bookings", "guest_ids", PydanticObjectId) == Reference("guests")
    assert relations.of("bookings", "guest_email", str) == Reference("guests", "email", is_certain=False)
    assert relations.of("rooms", "parent_id", str) == Reference("rooms")
    for nothing in ("email", "number", "id", "planet_id", "guest_name"):
        assert relations.of("bookings", nothing, str) is None, nothing


@pytest.mark.parametrize("id_type", [IdType.OBJECTID, IdType.STRING, IdType.INT, IdType.UUID])
def test_ids_tell_documents_apart(id_type: IdType) -> None:
    numberings = [Numbering("a", 1), Numbering("a", 2)]
    positions = (0, 1, 2, 999_999, MAX_COUNT - 1)
    ids = [numbering.id_at(position, id_type) for numbering in numberings for position in positions]
    assert len(set(ids)) == len(ids)
    assert ids[0] == Numbering("a", 1).id_at(0, id_type)
    if id_type is IdType.INT:
        assert all(isinstance(each, int) and each < 2**53 for each in ids)


def test_times_do_not_depend_on_the_clock() -> None:
    assert datetime(2026, 1, 1, tzinfo=UTC) == TODAY


def test_faker_is_loaded_only_to_generate() -> None:
    code = "import sys, scripts.cli; sys.exit('faker' in sys.modules or 'polyfactory' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
