"""Real data, of a shape that nobody here chose: what goes in comes out, and questions have the answers of the file."""

import itertools
import json
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any, Final, TypeAlias

import httpx
import pytest
import pytest_asyncio

Client = httpx.AsyncClient
Record: TypeAlias = dict[str, Any]
DATA: Final = Path(__file__).parent / "data"
MOVIES: Final[list[Record]] = json.loads((DATA / "movies.json").read_bytes())
CARS: Final[list[Record]] = json.loads((DATA / "cars.json").read_bytes())

Question: TypeAlias = tuple[str, Callable[[Record], bool]]

MOVIE_QUESTIONS: Final[list[Question]] = [
    ("MPAA Rating=PG-13", lambda movie: movie["MPAA Rating"] == "PG-13"),
    ("MPAA Rating=null", lambda movie: movie["MPAA Rating"] is None),
    ("IMDB Rating[gte]=8.5", lambda movie: movie["IMDB Rating"] is not None and movie["IMDB Rating"] >= 8.5),
    ("IMDB Rating=7", lambda movie: movie["IMDB Rating"] == 7),
    ("Title=300", lambda movie: movie["Title"] == 300),
    ('Title="300"', lambda movie: movie["Title"] == "300"),
    ('filter={"Title":{"$type":"number"}}', lambda movie: isinstance(movie["Title"], int)),
    ("Title[gt]=1000", lambda movie: isinstance(movie["Title"], int) and movie["Title"] > 1000),
    ("Title[regex]=^The ", lambda movie: isinstance(movie["Title"], str) and movie["Title"].startswith("The ")),
    ("Major Genre[in]=Comedy,Drama", lambda movie: movie["Major Genre"] in ("Comedy", "Drama")),
    (
        "Major Genre[nin]=Comedy,Drama&Production Budget[lt]=1000000",
        lambda movie: movie["Major Genre"] not in ("Comedy", "Drama") and (movie["Production Budget"] or 1e9) < 1e6,
    ),
    (
        'filter={"$or":[{"Director":"Woody Allen"},{"US Gross":{"$gt":400000000}}]}',
        lambda movie: movie["Director"] == "Woody Allen" or (movie["US Gross"] or 0) > 400_000_000,
    ),
]
CAR_QUESTIONS: Final[list[Question]] = [
    ("Origin=Japan", lambda car: car["Origin"] == "Japan"),
    ("Horsepower=null", lambda car: car["Horsepower"] is None),
    (
        "Miles_per_Gallon[gt]=30&Cylinders[ne]=4",
        lambda car: (car["Miles_per_Gallon"] or 0) > 30 and car["Cylinders"] != 4,
    ),
    ("Year=1970-01-01", lambda car: car["Year"] == "1970-01-01"),
    ("Name[regex]=toyota", lambda car: "toyota" in car["Name"]),
]

# What is asked, and how Python orders by it: fields, and whether each descends.
SORTS: Final[list[tuple[str, str]]] = [
    ("movies", "Title"),
    ("movies", "-Title"),
    ("movies", "-Worldwide Gross"),
    ("movies", "IMDB Rating,-IMDB Votes"),
    ("movies", "-Rotten Tomatoes Rating,Title"),
    ("movies", "Running Time min,-Director"),
    ("cars", "-Horsepower,Name"),
    ("cars", "Miles_per_Gallon"),
    ("cars", "-Year,-Weight_in_lbs"),
]


@pytest_asyncio.fixture(scope="module")
async def loaded(client: Client) -> AsyncGenerator[dict[str, str]]:
    """Post both files to collections that did not exist, each record with its number to tell it by."""
    names = {"movies": "vega_movies", "cars": "vega_cars"}
    for kind, records in (("movies", MOVIES), ("cars", CARS)):
        for start in range(0, len(records), 1000):
            numbered = [{"_id": start + at, **record} for at, record in enumerate(records[start : start + 1000])]
            answer = await client.post(f"/v1/{names[kind]}", json=numbered)
            assert answer.status_code == 201, answer.text
            assert {item["outcome"] for item in answer.json()["items"]} == {"created"}
    yield names
    for name in names.values():
        await client.delete(f"/v1/{name}?filter={{}}")


def records_of(kind: str) -> list[Record]:
    return [{"_id": number, **record} for number, record in enumerate(MOVIES if kind == "movies" else CARS)]


def in_order(records: list[Record], sort: str) -> list[Record]:
    """Sort as MongoDB does: null, then numbers, then texts by their UTF-8 bytes; ties by `_id`, in the last direction."""
    keys = sort.split(",")
    for key in reversed([*keys, "-_id" if keys[-1].startswith("-") else "_id"]):
        name, descends = key.removeprefix("-"), key.startswith("-")
        records = sorted(records, key=lambda record: place(record[name]), reverse=descends)
    return records


def place(value: object) -> tuple[int, Any]:
    if value is None:
        return 0, 0
    return (2, value.encode()) if isinstance(value, str) else (1, value)


async def test_comes_back_as_it_went_in(client: Client, loaded: dict[str, str]) -> None:
    for kind, name in loaded.items():
        seen: list[list[Record]] = []
        address: str | None = f"/v1/{name}?limit=499"
        while address:
            page = await client.get(address)
            seen.append(page.json()["items"])
            address = page.links.get("next", {}).get("url")
        documents = list(itertools.chain(*seen))
        # To the letter: the type of each number, and the order of the fields.
        assert [json.dumps(document) for document in documents] == [json.dumps(record) for record in records_of(kind)]


@pytest.mark.parametrize(
    ("kind", "query", "holds"),
    [("movies", *question) for question in MOVIE_QUESTIONS] + [("cars", *question) for question in CAR_QUESTIONS],
)
async def test_counts(
    client: Client, loaded: dict[str, str], kind: str, query: str, holds: Callable[[Record], bool]
) -> None:
    expected = [record["_id"] for record in records_of(kind) if holds(record)]
    assert bool(expected) != (query == 'Title="300"')  # no title is that text: some are numbers
    answer = await client.get(f"/v1/{loaded[kind]}?{query}&limit=1000&fields=_id", headers={"Prefer": "count=exact"})
    assert answer.json()["count"] == len(expected)
    assert [item["_id"] for item in answer.json()["items"]] == expected[:1000]


@pytest.mark.parametrize(("kind", "sort"), SORTS)
async def test_top_ten(client: Client, loaded: dict[str, str], kind: str, sort: str) -> None:
    answer = await client.get(f"/v1/{loaded[kind]}", params={"sort": sort, "limit": 10})
    assert answer.json()["items"] == in_order(records_of(kind), sort)[:10]


@pytest.mark.parametrize("sort", ["Title", "-Rotten Tomatoes Rating,Title"])
async def test_pages_to_the_end_and_back(client: Client, loaded: dict[str, str], sort: str) -> None:
    expected = [record["_id"] for record in in_order(records_of("movies"), sort)]
    page = await client.get(f"/v1/{loaded['movies']}", params={"sort": sort, "limit": 250, "fields": "_id"})
    there = [page]
    while "next" in there[-1].links:
        there.append(await client.get(there[-1].links["next"]["url"]))
    assert [item["_id"] for answer in there for item in answer.json()["items"]] == expected
    back = [there[-1]]
    while "prev" in back[-1].links:
        back.append(await client.get(back[-1].links["prev"]["url"]))
    assert [answer.json()["items"] for answer in back] == [answer.json()["items"] for answer in reversed(there)]


async def test_groups_movies_by_genre(client: Client, loaded: dict[str, str]) -> None:
    groups: dict[Any, list[Record]] = defaultdict(list)
    for movie in MOVIES:
        groups[movie["Major Genre"]].append(movie)
    expected: list[Record] = [
        {
            "_id": genre,
            "movies": len(movies),
            "gross": sum(movie["Worldwide Gross"] or 0 for movie in movies),
            "best": max((movie["IMDB Rating"] for movie in movies if movie["IMDB Rating"] is not None), default=None),
        }
        for genre, movies in groups.items()
    ]
    pipeline = [
        {
            "$group": {
                "_id": "$Major Genre",
                "movies": {"$sum": 1},
                "gross": {"$sum": "$Worldwide Gross"},
                "best": {"$max": "$IMDB Rating"},
            }
        },
        {"$sort": {"movies": -1, "_id": 1}},
    ]
    answer = await client.post(f"/v1/{loaded['movies']}:aggregate", json={"pipeline": pipeline})
    assert answer.json()["items"] == sorted(expected, key=lambda group: (-group["movies"], place(group["_id"])))


async def test_averages_cars_by_origin(client: Client, loaded: dict[str, str]) -> None:
    groups: dict[str, list[float]] = defaultdict(list)
    for car in CARS:
        if car["Miles_per_Gallon"] is not None:
            groups[car["Origin"]].append(car["Miles_per_Gallon"])
    pipeline = [
        {"$match": {"Miles_per_Gallon": {"$ne": None}}},
        {"$group": {"_id": "$Origin", "cars": {"$sum": 1}, "mean": {"$avg": "$Miles_per_Gallon"}}},
    ]
    answer = await client.post(f"/v1/{loaded['cars']}:aggregate", json={"pipeline": pipeline})
    found = {group["_id"]: group for group in answer.json()["items"]}
    assert found.keys() == groups.keys()
    for origin, values in groups.items():
        assert found[origin]["cars"] == len(values)
        assert found[origin]["mean"] == pytest.approx(sum(values) / len(values))
