"""Schemas: whatever was seen is valid by them, to a validator of JSON and to MongoDB itself."""

from typing import Any

import bson
import jsonschema_rs
import orjson
import pytest
from bson.binary import UuidRepresentation
from bson.errors import BSONError
from bson.objectid import ObjectId
from hypothesis import given, settings
from hypothesis import strategies as st
from pymongo import AsyncMongoClient

from documents.codec.plain import CODEC_OPTIONS, dump
from documents.codec.stored import StoredDocument
from documents.profile.accumulator import Profile
from documents.profile.report import Report, read_profile
from documents.profile.schema import DIALECT, to_contract, to_json_schema, to_mongo_schema
from tests.documents.profile.messy import DOCUMENTS, EPOCH, ODDITIES, load


def as_stored(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return those documents that BSON can hold, as MongoDB's driver reads them."""
    stored: list[dict[str, Any]] = []
    for document in documents:
        try:
            data = bson.encode(document, codec_options=CODEC_OPTIONS)
        except (BSONError, OverflowError, UnicodeEncodeError):
            continue
        stored.append(StoredDocument(data).decode())
    return stored


def report_of(documents: list[dict[str, Any]]) -> Report:
    profile = Profile()
    profile.add_all(documents)
    return read_profile(profile)


def schema_of(values: list[Any], **options: Any) -> Any:
    return to_json_schema(report_of([{"a": value} for value in values]), **options)["properties"]["a"]


@settings(max_examples=60, deadline=None)
@given(documents=DOCUMENTS, enums=st.booleans())
def test_what_was_seen_is_valid(documents: list[dict[str, Any]], *, enums: bool) -> None:
    documents = as_stored(documents)
    validator = jsonschema_rs.Draft202012Validator(
        to_json_schema(report_of(documents), enums=enums), validate_formats=True
    )
    for document in documents:
        validator.validate(orjson.loads(dump(document)))


@pytest.mark.parametrize("name", ["movies.json", "cars.json"])
def test_real_data_is_valid(name: str) -> None:
    documents = load(name)
    schema = to_json_schema(report_of(documents), title=name, enums=True)
    validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
    assert all(validator.is_valid(document) for document in documents)
    assert not validator.is_valid({})


async def test_mongodb_finds_all_that_was_seen(mongo_uri: str) -> None:
    documents = as_stored([{"value": value, "inside": [{"value": value}]} for value in ODDITIES] + load("cars.json"))
    async with AsyncMongoClient[dict[str, Any]](mongo_uri) as client:
        collection = client["test_profile_schema"]["documents"].with_options(codec_options=CODEC_OPTIONS)
        # Binary data that claims to be a UUID, and is none, can only be read as binary data.
        as_written = collection.with_options(
            CODEC_OPTIONS.with_options(uuid_representation=UuidRepresentation.UNSPECIFIED)
        )
        await collection.drop()
        await collection.insert_many([{**document, "_id": ObjectId()} for document in documents])
        for group in ({"value": {"$exists": True}}, {"Name": {"$exists": True}}):
            found = await as_written.find(group).to_list()
            for enums in (False, True):
                schema = {"$jsonSchema": to_mongo_schema(report_of(found), enums=enums)}
                assert await collection.count_documents({"$and": [group, schema]}) == len(found)
            # The other half fits only as far as it happens to be alike.
            schema = {"$jsonSchema": to_mongo_schema(report_of(found))}
            assert await collection.count_documents(schema) == len(found)
        await client.drop_database("test_profile_schema")


CASES: list[tuple[list[Any], dict[str, Any]]] = [
    ([1], {"type": "integer", "x-bsonType": "int"}),
    ([1, 1.5], {"type": "number", "x-bsonType": ["int", "double"]}),
    ([1, None], {"type": ["integer", "null"], "x-bsonType": ["int", "null"]}),
    ([None], {"type": "null", "x-bsonType": "null"}),
    ([EPOCH], {"type": "string", "format": "date-time", "x-bsonType": "date"}),
    (["2024-01-02", "2024-01-03"], {"type": "string", "format": "date", "x-bsonType": "string"}),
    (["2024-01-02", "soon"], {"type": "string", "x-bsonType": "string"}),
    ([[1]], {"type": "array", "x-bsonType": "array", "items": {"type": "integer", "x-bsonType": "int"}}),
    ([{}], {"type": "object", "x-bsonType": "object"}),
    (
        [{"b": 1}, {}],
        {
            "type": "object",
            "x-bsonType": "object",
            "properties": {"b": {"type": "integer", "x-bsonType": "int"}},
        },
    ),
    (
        [{str(number): True for number in range(20)}],
        {
            "type": "object",
            "x-bsonType": "object",
            "additionalProperties": {"type": "boolean", "x-bsonType": "bool"},
        },
    ),
    (
        ["a", EPOCH],
        {
            "anyOf": [
                {"type": "string", "format": "date-time", "x-bsonType": "date"},
                {"type": "string", "x-bsonType": "string"},
            ],
            "x-bsonType": ["string", "date"],
        },
    ),
]


@pytest.mark.parametrize(("values", "schema"), CASES)
def test_schemas(values: list[Any], schema: dict[str, Any]) -> None:
    assert schema_of(values) == schema


def test_lists_of_values_are_given_only_when_asked() -> None:
    assert "enum" not in schema_of(["a", "b"])
    assert schema_of(["a", "b", None], enums=True) == {"enum": ["a", "b", None], "x-bsonType": ["null", "string"]}
    assert schema_of([1, True], enums=True)["enum"] == [1, True]


def test_required_is_what_all_have() -> None:
    schema = to_json_schema(report_of([{"a": 1, "b": 1}, {"a": None}]))
    assert schema["required"] == ["a"]


def test_names_that_mean_others_are_left_out_for_mongodb() -> None:
    schema = to_mongo_schema(report_of([{"a.b": 1, "$c": 1, "": 1, "d": 1}]))
    assert schema.pop("description").startswith("1 documents were looked at")
    assert schema == {"bsonType": "object", "properties": {"d": {"bsonType": "int"}}, "required": ["d"]}


def test_a_contract_has_the_schema_and_the_modes() -> None:
    report = report_of([{"_id": 1, "a": 1}])
    contract = to_contract(report, "quarantine")
    assert contract == {
        "schema": {
            "$schema": DIALECT,
            "description": " ".join(report.notes),
            "bsonType": "object",
            "properties": {"a": {"bsonType": "long"}},
            "required": ["a"],
        },
        "fields": "quarantine",
        "types": "quarantine",
        "required": "quarantine",
    }
