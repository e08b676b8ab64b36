"""Models with bare numbers: what BSON cannot hold of them is refused at its place."""

from decimal import Decimal
from typing import Any

import pytest
from beanie import Document, init_beanie  # pyright: ignore[reportUnknownVariableType]  # of a class of the driver
from pydantic import BaseModel, Field

from documents.catalog.declared import DeclaredModel
from documents.codec.encode import encode
from documents.errors import InvalidDocumentError
from documents.lifecycle import Store


class Line(BaseModel):
    amount: Decimal


class Bill(Document):
    total: Decimal = Decimal(0)
    lines: list[Line] = Field(default_factory=list[Line])
    n: int = 0


@pytest.mark.parametrize("text", ["1E+7000", "1E-7000", "1" * 35, "0." + "1" * 35])
@pytest.mark.parametrize("pointer", ["/total", "/lines/1/amount"])
async def test_a_decimal_that_is_too_wide(store: Store, text: str, pointer: str) -> None:
    await init_beanie(store.connection.collection("bills").database, document_models=[Bill])  # pyright: ignore[reportArgumentType]  # an older driver's class
    sent: dict[str, Any] = {"total": text} if pointer == "/total" else {"lines": [{"amount": "1"}, {"amount": text}]}
    with pytest.raises(InvalidDocumentError) as caught:
        DeclaredModel(Bill).validate(sent)
    assert [fault.pointer for fault in caught.value.faults] == [pointer]


@pytest.mark.parametrize(
    ("document", "pointers"),
    [
        ({"n": 2**63, "m": 1}, ["/n"]),
        ({"a": [{"b": -(2**63) - 1}, 2**64]}, ["/a/0/b", "/a/1"]),
        ({"a": {"x\0y": 1}}, ["/a/x\0y"]),
    ],
)
def test_what_bson_cannot_hold_is_pointed_at(document: dict[str, Any], pointers: list[str]) -> None:
    with pytest.raises(InvalidDocumentError) as caught:
        encode(document)
    assert [fault.pointer for fault in caught.value.faults] == pointers
