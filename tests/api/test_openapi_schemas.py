"""Names, and schemas of single models: what needs no server."""

import re
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from api.openapi.generators import InputSchema, StoredSchema
from api.openapi.names import ENDINGS, Names, pascal_case, spaced
from api.openapi.schemas import rewrite
from documents.types import COLLECTION_NAME

Json = dict[str, Any]


class _Odd(BaseModel):
    day: date
    span: timedelta
    data: bytes
    amount: Decimal
    bounded: Decimal = Field(max_digits=4, decimal_places=2, gt=-5)
    count: int
    key: UUID


def test_stored_form_of_values_that_json_does_not_have() -> None:
    found = _Odd.model_json_schema(schema_generator=StoredSchema)["properties"]
    assert found["day"]["format"] == "date-time"
    assert found["span"]["type"] == "number"
    assert found["data"]["contentEncoding"] == "base64"
    assert re.fullmatch(found["amount"]["pattern"], "1.0E+5")
    assert found["count"]["maximum"] == 2**63 - 1
    assert found["key"]["format"] == "uuid"


@pytest.mark.parametrize(
    ("field", "text", "fits"),
    [
        ("amount", "-12.5", True),
        ("amount", "01", False),
        ("amount", "1.", False),
        ("bounded", "12.34", True),
        ("bounded", "-1", True),
        ("bounded", "123", False),
        ("bounded", "1.234", False),
    ],
)
def test_decimal_as_text(field: str, text: str, fits: bool) -> None:  # noqa: FBT001  # a column of the table
    found = _Odd.model_json_schema(schema_generator=InputSchema)["properties"][field]["anyOf"][0]
    assert bool(re.search(found["pattern"], text)) is fits


@given(st.lists(st.from_regex(f"^{COLLECTION_NAME}$"), unique=True, max_size=30))
def test_names_are_unique(collections: list[str]) -> None:
    names = Names({"Problem"})
    given_out = [names.claim(pascal_case(each), for_collection=each) for each in collections]
    all_names = [name + ending for name in given_out for ending in ENDINGS]
    assert len(set(all_names)) == len(all_names)
    assert "Problem" not in all_names


@pytest.mark.parametrize(
    ("collection", "name", "words"),
    [
        ("orders", "Orders", "orders"),
        ("order-items", "OrderItems", "order items"),
        ("orderItems", "OrderItems", "order items"),
    ],
)
def test_names_read_well(collection: str, name: str, words: str) -> None:
    assert pascal_case(collection) == name
    assert spaced(name) == words


def test_rewriting_leaves_examples_alone() -> None:
    schema = {"properties": {"title": {"title": "Title", "examples": [{"title": "x"}]}}, "title": "T"}

    def untitled(node: Json) -> Json:
        return {key: value for key, value in node.items() if key != "title"}

    assert rewrite(schema, untitled) == {"properties": {"title": {"examples": [{"title": "x"}]}}}
