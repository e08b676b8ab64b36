from typing import Any

import pytest

from documents.errors import InvalidDocumentError
from documents.query.growth import check_growth

MOST = 100


@pytest.mark.parametrize(
    "update",
    [
        {"$set": {"a.100": 1}},
        {"$set": {"a.60": 1, "b.40": 1}},
        {"$set": {f"a.{position}.b": 1 for position in range(101)}},
        {"$set": {"101": 1, "a.0101": 1, "a.b101": 1, "a.-101": 1}},
        {"$set": {"a": {"101": 1}}},
        {"$set": 101},
        101,
    ],
)
def test_lets_arrays_grow_a_little(update: Any) -> None:
    check_growth(update, MOST)


@pytest.mark.parametrize(
    ("update", "pointer"),
    [
        ({"$set": {"a.101": 1}}, "/$set/a.101"),
        ({"$set": {"a.1499999": 1}}, "/$set/a.1499999"),
        ({"$set": {"a.b.101.c": 1}}, "/$set/a.b.101.c"),
        ({"$set": {"a.0.101": 1}}, "/$set/a.0.101"),
        ({"$set": {"a.60": 1}, "$inc": {"b.41": 1}}, "/$inc/b.41"),
        ({"$push": {"a.60.60": 1}}, "/$push/a.60.60"),
        *(({name: {"a.101": 1}}, f"/{name}/a.101") for name in ("$min", "$max", "$mul", "$bit", "$addToSet")),
        ({"$currentDate": {"a.101": True}}, "/$currentDate/a.101"),
        ({"$setOnInsert": {"a." + "9" * 9000: 1}}, "/$setOnInsert/a." + "9" * 9000),
    ],
    ids=lambda value: str(value)[:40],
)
def test_refuses_positions_that_add_up_to_more(update: Any, pointer: str) -> None:
    with pytest.raises(InvalidDocumentError) as refused:
        check_growth(update, MOST)
    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [(pointer, "position-too-high")]
