"""The sample models, there and back: JSON, model, BSON, MongoDB, model."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio
from beanie import (
    Document,
    init_beanie,  # pyright: ignore[reportUnknownVariableType]  # partly untyped in Beanie
)
from beanie.odm.utils.dump import get_dict
from bson import Decimal128, ObjectId
from bson.codec_options import CodecOptions
from pydantic import ValidationError
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase

from examples.shop.models.cart import Cart
from examples.shop.models.customer import Customer
from examples.shop.models.order import Order, OrderStatus
from examples.shop.models.product import Product

LINE = {"sku": "MUG", "quantity": 2, "price": "9.90"}
VALID: dict[type[Document], dict[str, Any]] = {
    Product: {"sku": "MUG", "name": "Mug", "price": "9.90"},
    Customer: {"email": "ada@example.com", "name": "Ada", "location": {"coordinates": [13.4, 52.5]}},
    Order: {"customer_id": str(ObjectId()), "lines": [LINE]},
    Cart: {"lines": [LINE]},
}


@pytest_asyncio.fixture(scope="module")
async def database(mongo_uri: str) -> AsyncIterator[AsyncDatabase[dict[str, Any]]]:
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(mongo_uri)
    name = f"models_{ObjectId()}"
    await init_beanie(client[name], document_models=list(VALID), skip_indexes=True)
    yield client[name]
    await client.drop_database(name)
    await client.close()


pytestmark = pytest.mark.usefixtures("database")


@pytest.mark.parametrize("tz_aware", [True, False])
@pytest.mark.parametrize("model", VALID, ids=lambda model: model.__name__)
async def test_round_trip(database: AsyncDatabase[dict[str, Any]], model: type[Document], *, tz_aware: bool) -> None:
    before = model.model_validate(VALID[model])
    options: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=tz_aware)
    collection = database.get_collection(model.get_collection_name(), options)
    inserted = await collection.insert_one(dict(get_dict(before, to_db=True)))
    stored = await collection.find_one({"_id": inserted.inserted_id})
    assert stored is not None
    after = model.model_validate(stored)
    assert after.model_dump(exclude={"id"}) == before.model_dump(exclude={"id"})
    assert after.id == inserted.inserted_id


async def test_what_mongodb_stores(database: AsyncDatabase[dict[str, Any]]) -> None:
    order = Order.model_validate(
        {**VALID[Order], "customer_id": str(ObjectId()), "created_at": "2026-01-31T13:00:00.123456+01:00"}
    )
    await database["orders"].insert_one(dict(get_dict(order, to_db=True)))
    stored = await database["orders"].find_one({"customer_id": order.customer_id})
    assert stored is not None
    assert stored["lines"][0]["price"] == Decimal128("9.90")
    assert type(stored["status"]) is str
    assert stored["status"] == OrderStatus.PENDING
    assert isinstance(stored["customer_id"], ObjectId)
    assert stored["created_at"] == datetime(2026, 1, 31, 12, 0, 0, 123000)  # noqa: DTZ001  # as the driver reads it
    assert order.created_at == datetime(2026, 1, 31, 12, 0, 0, 123000, tzinfo=UTC)


def test_defaults() -> None:
    assert Product.model_validate(VALID[Product]).stock == 0
    remaining = Cart.model_validate({}).expires_at - datetime.now(UTC)
    assert timedelta(days=6) < remaining < timedelta(days=8)
    assert Order.model_validate(VALID[Order]).updated_at.tzinfo is UTC


@pytest.mark.parametrize("given", ["9.9", "9.90", 9.9, 9, Decimal128("9.90"), Decimal("9.90")])
def test_prices_are_exact(given: object) -> None:
    price = Product.model_validate({**VALID[Product], "price": given}).price
    assert price == Decimal(str(given))


@pytest.mark.parametrize(
    ("model", "change"),
    [
        (Product, {"sku": ""}),
        (Product, {"stock": -1}),
        (Product, {"price": "-1"}),
        (Product, {"price": "9.999"}),
        (Product, {"price": "NaN"}),
        (Product, {"price": Decimal128("Infinity")}),
        (Customer, {"email": "nobody"}),
        (Customer, {"location": {"coordinates": [181, 0]}}),
        (Customer, {"location": {"coordinates": [0, -90.1]}}),
        (Customer, {"location": {"type": "Polygon", "coordinates": [0, 0]}}),
        (Customer, {"location": {"coordinates": [0, 0, 0]}}),
        (Customer, {"addresses": [{"street": "x", "city": "x", "postal_code": "x", "country": "Germany"}]}),
        (Order, {"status": "lost"}),
        (Order, {"lines": []}),
        (Order, {"customer_id": "nobody"}),
        (Order, {"created_at": "2026-01-31T12:00:00"}),
        (Order, {"created_at": "0001-01-01T00:00:00+14:00"}),
        (Order, {"created_at": "9999-12-31T23:59:59-14:00"}),
        (Cart, {"lines": [{**LINE, "quantity": 0}]}),
    ],
)
def test_refused(model: type[Document], change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        model.model_validate({**VALID[model], **change})


@pytest.mark.parametrize("model", VALID, ids=lambda model: model.__name__)
@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_every_own_field_says_what_it_is(model: type[Document], mode: Any) -> None:
    properties = model.model_json_schema(mode=mode)["properties"]
    silent = [name for name, field in properties.items() if not field.keys() & {"description", "examples"}]
    assert [name for name in silent if name not in ("_id", "id")] == []


def test_the_price_keeps_its_limits_in_the_schema() -> None:
    schema = Product.model_json_schema()["properties"]["price"]
    assert {"type": "number", "minimum": 0.0} in schema["anyOf"]
    assert schema["examples"] == ["19.90"]
