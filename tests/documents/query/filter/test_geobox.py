from typing import Any

import pytest
from pymongo import MongoClient

from documents.query.filter.parameters import parse_parameters
from tests.documents.query.filters import DATABASE, no_types

PLACES = [
    (0, 0), (20, 20), (10, 10), (13.4, 52.5), (-180, 0), (180, 5), (179.5, -10), (-179.5, -10), (0, 90), (45, -90),
    (100, 60), (60, 60.005), (-73.9, 40.7), (150, -33),
]  # fmt: skip


@pytest.mark.parametrize("indexed", [False, True])
@pytest.mark.parametrize(
    "box",
    [
        (0, 0, 20, 20),
        (-180, -90, 180, 90),
        (170, -20, -170, 20),
        (-10, 59, 110, 61),
        (0, 60, 120, 60),
        (13.4, 52.5, 13.4, 52.5),
        (-180, 80, 180, 90),
        (0, 0, 180, 90),
        (90, -90, -90, 0),
        (179, -90, 180, 90),
    ],
)
def test_finds_what_is_in_the_box(mongo_uri: str, box: tuple[float, ...], *, indexed: bool) -> None:
    west, south, east, north = box
    inside = {
        (x, y)
        for x, y in PLACES
        if south <= y <= north
        and (abs(y) == 90 or x in (180, -180) or (west <= x <= east if west <= east else x >= west or x <= east))
        and (x not in (180, -180) or abs(y) == 90 or west > east or -180 in (west, east) or 180 in (west, east))
    }
    query = parse_parameters([("place[within]", ",".join(map(str, box)))], no_types).to_mongo()
    with MongoClient[dict[str, Any]](mongo_uri) as client:
        places = client[DATABASE][f"places_{indexed}"]
        places.drop()
        if indexed:
            places.create_index([("place", "2dsphere")])
        places.insert_many([{"place": {"type": "Point", "coordinates": [*place]}} for place in PLACES])
        found = {tuple(place["place"]["coordinates"]) for place in places.find(query)}
    # A pole is a corner of every box that reaches it; only what goes all around has it inside for sure.
    around = (west, east) == (-180, 180)
    assert {place for place in found ^ inside if around or abs(place[1]) != 90} == set()


def test_finds_what_is_near(mongo_uri: str) -> None:
    query = parse_parameters([("place[near]", "13.4,52.5,120000")], no_types).to_mongo()
    with MongoClient[dict[str, Any]](mongo_uri) as client:
        places = client[DATABASE]["near"]
        places.drop()
        places.insert_many([{"_id": n, "place": [13.4, 52.5 + n]} for n in range(4)])
        assert {found["_id"] for found in places.find(query)} == {0, 1}
        assert places.count_documents(query) == 2
