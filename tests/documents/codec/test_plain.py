import json
import math
import re
import struct
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, cast
from uuid import UUID

import bson
import orjson
import pytest
from bson.binary import Binary
from bson.code import Code
from bson.datetime_ms import DatetimeMS
from bson.dbref import DBRef
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.max_key import MaxKey
from bson.min_key import MinKey
from bson.objectid import ObjectId
from bson.regex import Regex
from bson.son import SON
from bson.timestamp import Timestamp
from hypothesis import example, given
from hypothesis import strategies as st

from documents.codec.deprecated import UNDEFINED, DBPointer, Symbol
from documents.codec.number_text import format_decimal, format_double
from documents.codec.plain import dump
from documents.codec.stored import StoredDocument
from documents.codec.strict import parse_json

OID = ObjectId("652f1f77bcf86cd799439011")
NAIVE = datetime(2026, 1, 2, 3, 4, 5, 678901)  # noqa: DTZ001  # stored dates are decoded so
KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | KEYS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=10,
)
WORDS = st.integers(0, 2**64 - 1)
EXPONENTS = st.integers(6100, 6250).map(lambda exponent: exponent << 49)


FORMS: list[tuple[object, object]] = [
    (OID, "652f1f77bcf86cd799439011"),
    (UUID("73ffd264-44b3-4c69-90e8-e7d1dfc035d4"), "73ffd264-44b3-4c69-90e8-e7d1dfc035d4"),
    (Binary(bytes(range(16)), 4), "00010203-0405-0607-0809-0a0b0c0d0e0f"),
    (Binary(b"ab", 4), "YWI="),
    (Binary(b"\xff\xff", 0x80), "//8="),
    (b"\0", "AA=="),
    (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05.000Z"),
    (NAIVE, "2026-01-02T03:04:05.678Z"),
    (datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2))), "2026-01-02T01:04:05.000Z"),
    (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00.000Z"),
    (DatetimeMS(253402300800000), {"$date": {"$numberLong": "253402300800000"}}),
    (Decimal128("0.30"), "0.30"),
    (Int64(2**62), 2**62),
    (Timestamp(5, 7), {"$timestamp": {"t": 5, "i": 7}}),
    (Regex("^a", "xi"), {"$regularExpression": {"pattern": "^a", "options": "ix"}}),
    (Regex(b"^a"), {"$regularExpression": {"pattern": "^a", "options": ""}}),
    (Code("f()"), {"$code": "f()"}),
    (Code("f()", {"x": math.inf}), {"$code": "f()", "$scope": {"x": {"$numberDouble": "Infinity"}}}),
    (DBRef("c", OID, "d", x=math.nan), {"$ref": "c", "$id": str(OID), "$db": "d", "x": {"$numberDouble": "NaN"}}),
    (MinKey(), {"$minKey": 1}),
    (MaxKey(), {"$maxKey": 1}),
    (math.nan, {"$numberDouble": "NaN"}),
    (math.inf, {"$numberDouble": "Infinity"}),
    (-math.inf, {"$numberDouble": "-Infinity"}),
    (Symbol("s"), "s"),
    (UNDEFINED, None),
    (DBPointer("d.c", OID), {"$dbPointer": {"$ref": "d.c", "$id": {"$oid": str(OID)}}}),
    (SON([("b", 1), ("a", 2)]), {"b": 1, "a": 2}),
]


@pytest.mark.parametrize(("value", "form"), FORMS)
def test_each_type(value: object, form: object) -> None:
    assert json.loads(dump(value)) == form
    assert json.loads(dump({"a": [None, {"b": value}]})) == {"a": [None, {"b": form}]}


@given(JSON_VALUES)
def test_json_comes_back(value: object) -> None:
    assert parse_json(dump(value)) == value


@given(
    st.recursive(
        st.floats() | st.none() | st.just("null"), lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner)
    )
)
def test_no_double_becomes_null(value: Any) -> None:
    def plain(tree: Any) -> Any:
        if isinstance(tree, dict):
            return {key: plain(item) for key, item in cast("dict[str, Any]", tree).items()}
        if isinstance(tree, list):
            return [plain(item) for item in cast("list[Any]", tree)]
        return {"$numberDouble": format_double(tree)} if isinstance(tree, float) and not math.isfinite(tree) else tree

    assert orjson.loads(dump(value)) == plain(value)


@given(st.datetimes())
def test_dates_are_rfc_3339_with_milliseconds(value: datetime) -> None:
    text = orjson.loads(dump(value))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
    stored: datetime = StoredDocument(bson.encode({"d": value})).decode()["d"]
    assert datetime.fromisoformat(text) == stored.replace(tzinfo=UTC)


@given(st.builds(struct.pack, st.just("<QQ"), WORDS | st.integers(0, 99), WORDS | EXPONENTS).map(Decimal128.from_bid))
@example(Decimal128("NaN"))
@example(Decimal128("sNaN"))
@example(Decimal128("-NaN"))
@example(Decimal128("-Infinity"))
@example(Decimal128("Infinity"))
@example(Decimal128("-0"))
@example(Decimal128("-0E+3"))
@example(Decimal128("1E-6"))
@example(Decimal128("1E-7"))
@example(Decimal128("0.000001234"))
@example(Decimal128("0.0000001234"))
@example(Decimal128("9" * 34))
@example(Decimal128("9.999999999999999999999999999999999E+6144"))
@example(Decimal128("1E-6176"))
def test_decimals_are_written_as_bson_does(value: Decimal128) -> None:
    assert format_decimal(value) == str(value)


def test_what_bson_cannot_hold_is_a_mistake() -> None:
    with pytest.raises(TypeError, match="complex"):
        dump({"a": 1j})
