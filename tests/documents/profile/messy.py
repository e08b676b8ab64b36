"""Documents of every BSON type and every kind of disorder, for Hypothesis and for tables."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

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
from bson.timestamp import Timestamp
from hypothesis import strategies as st

DATA = Path(__file__).parents[2] / "journeys" / "data"
EPOCH = datetime(2024, 1, 2, 3, 4, 5, 678000)  # noqa: DTZ001  # as MongoDB's driver reads dates

ODDITIES: list[Any] = [
    *(None, True, 0, 1, -1, 2**31, -(2**31) - 1, Int64(7), 2**80),
    *(1.0, -0.0, 0.5, float("nan"), float("inf"), float("-inf"), 1e308, 5e-324),
    *(
        "",
        "a",
        "\0",
        "\ud800",
        "\udfff\ud800",
        "x" * 5000,
        "2024-02-30",
        "2024-01-31T10:00:00Z",
        "0123",
        "-1.50",
        "é" * 3,
    ),
    *(
        Decimal128("1.0"),
        Decimal128("1.00"),
        Decimal128("NaN"),
        Decimal128("sNaN"),
        Decimal128("-Infinity"),
        Decimal128("1E+6111"),
    ),
    *(EPOCH, EPOCH.replace(tzinfo=UTC), DatetimeMS(-(2**62)), DatetimeMS(2**62), datetime.min, datetime.max),  # noqa: DTZ901  # as far as Python goes
    *(
        ObjectId("65920080090dc4cfcb0320c3"),
        UUID(int=5),
        b"",
        b"abc",
        Binary(b"abc", 5),
        Binary(b"\1" * 16, 4),
        Binary(b"short", 4),
    ),
    *(Regex("^a", "i"), Code("x"), Code("x", {"a": 1}), Timestamp(1, 2), MinKey(), MaxKey(), DBRef("c", 1)),
    *(
        [],
        {},
        [[]],
        [{}],
        {"": 1},
        {"a.b": 1},
        {"$x": 1},
        {"\ud800": 1},
        [None, 1, "a", [1], {"a": 1}],
        {"*": 1, "[]": 2},
    ),
]

UNPRINTABLE: list[Any] = [10**5000, -(10**5000)]
"""Which Hypothesis cannot show."""

SCALARS = st.one_of(
    st.sampled_from([value for value in ODDITIES if not isinstance(value, dict | list)]),
    st.integers(-5, 5),
    st.text("ab@.:/-1", max_size=4),
)
KEYS = st.one_of(st.sampled_from("abcd"), st.integers(0, 9).map(str), st.text(max_size=2))
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=12
)
DOCUMENTS = st.lists(st.dictionaries(KEYS, VALUES, max_size=4), max_size=8)


def load(name: str) -> list[dict[str, Any]]:
    return json.loads((DATA / name).read_text("utf-8"))
