"""Real files of other people's go in as they are, come out equal, and are described as what they are."""

import csv
import gzip
import io
import json
import subprocess
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final, cast

import pytest

from documents.codec.csv_columns import parse_columns
from documents.codec.formats import ReadOptions
from documents.codec.records import Format
from documents.codec.sniff import HEAD_BYTES, sniff
from documents.ingest.profiles import read_load_profile
from documents.lifecycle import Store
from documents.profile.report import Field, read_profile
from tests.documents.ingest.loading import load, stored, without_ids

DATA: Final = Path(__file__).parent / "data"
FETCHED: Final = Path(__file__).parents[2] / "benchmarks" / ".cache" / "messy"
FLIGHTS: Final = "flights-3m.parquet"
PACKAGES: Final = ("vega-datasets@3.2.1", "world-countries@5.1.0")


def plain(name: str) -> bytes:
    raw = (DATA / name).read_bytes()
    return gzip.decompress(raw) if name.endswith(".gz") else raw


async def load_file(
    store: Store, collection: str, path: Path, options: ReadOptions | None = None, form: Format | None = None
) -> tuple[list[dict[str, Any]], Mapping[str, Field]]:
    """Load a file as it lies there; return its documents, and what was seen at each path."""
    raw = path.read_bytes()  # noqa: ASYNC240  # nothing else is going on
    form = form or sniff(raw[:HEAD_BYTES], path.name).format
    assert form is not None
    told = await load(store, collection, raw, form=form, options=options)
    assert (told.books.counts.quarantined, told.books.counts.duplicates) == (0, 0), told.books.faults[:3]
    found = await read_load_profile(store.connection, told.job.id)
    assert found is not None
    root = read_profile(found[0], population=found[1]).root
    return without_ids(await stored(store, collection)), {field.path: field for field in _all_below(root)}


def _all_below(field: Field) -> list[Field]:
    below = [*field.fields, *filter(None, (field.values, field.items))]
    return [field, *(each for child in below for each in _all_below(child))]


def texts(documents: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(document, sort_keys=True) for document in documents)


async def test_movies(store: Store, collection: str) -> None:
    documents, seen = await load_file(store, collection, DATA / "movies.json")
    assert texts(documents) == texts(json.loads(plain("movies.json")))
    assert seen["Title"].types.keys() == {"string", "int", "null"}
    assert seen['"Release Date"'].presence == 1


async def test_cars(store: Store, collection: str) -> None:
    documents, seen = await load_file(store, collection, DATA / "cars.json")
    assert texts(documents) == texts(json.loads(plain("cars.json")))
    assert seen["Horsepower"].types["null"] == sum(car["Horsepower"] is None for car in json.loads(plain("cars.json")))


async def test_earthquakes_as_one_document(store: Store, collection: str) -> None:
    documents, _ = await load_file(store, collection, DATA / "earthquakes.json.gz")
    assert documents == [json.loads(plain("earthquakes.json.gz"))]


async def test_earthquakes_as_features(store: Store, collection: str) -> None:
    options = ReadOptions(items="features")
    documents, seen = await load_file(store, collection, DATA / "earthquakes.json.gz", options)
    features = json.loads(plain("earthquakes.json.gz"))["features"]
    assert texts(documents) == texts(features)
    assert (seen["geometry.coordinates[]"].count, len(features)) == (3 * len(features), 1707)
    nulls = sum(feature["properties"]["felt"] is None for feature in features)
    assert seen["properties.felt"].types["null"] == nulls


async def test_countries(store: Store, collection: str) -> None:
    countries = json.loads(plain("countries.json.gz"))
    documents, seen = await load_file(store, collection, DATA / "countries.json.gz")
    assert texts(documents) == texts(countries)
    # Objects whose keys are codes of languages and currencies are maps.
    assert "name.native.*.official" in seen
    assert "currencies.*.name" in seen
    assert seen["currencies.*"].count == sum(len(country["currencies"]) for country in countries)


async def test_weather(store: Store, collection: str) -> None:
    options = ReadOptions(types=parse_columns("date:date,precipitation:decimal"), infer=True)
    documents, seen = await load_file(store, collection, DATA / "seattle-weather.csv", options)
    rows = list(csv.DictReader(io.StringIO(plain("seattle-weather.csv").decode())))
    assert len(documents) == len(rows)
    for document, row in zip(documents, rows, strict=True):
        assert f"{document['date']:%Y-%m-%d}" == row["date"].replace("/", "-")
        assert str(document["precipitation"]) == row["precipitation"]
        assert document["temp_max"] == float(row["temp_max"])
        assert document["weather"] == row["weather"]
    assert seen["weather"].distinct == len({row["weather"] for row in rows})


async def test_unemployment(store: Store, collection: str) -> None:
    documents, _ = await load_file(store, collection, DATA / "unemployment.tsv")
    rows = list(csv.DictReader(io.StringIO(plain("unemployment.tsv").decode()), delimiter="\t"))
    assert texts(documents) == texts(rows)  # nothing is guessed: text it was, and text it is


def records_of(path: Path, raw: bytes, form: Format) -> list[Any]:
    """Return what others read in a file."""
    if form in (Format.CSV, Format.TSV):
        delimiter = "\t" if form is Format.TSV else ","
        rows = csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline=""), delimiter=delimiter)
        return [{name: cell for name, cell in row.items() if cell != ""} for row in rows]  # an empty cell is no field
    if form is Format.PARQUET:
        return read_table(path).to_pylist()
    value = json.loads(raw)
    return cast("list[Any]", value) if isinstance(value, list) else [value]


def read_table(path: Path) -> Any:
    return import_module("pyarrow.parquet").read_table(path)


def fetch() -> Path:
    """Return the folder of the packages, fetched if need be."""
    if not (FETCHED / "whole").exists():
        FETCHED.mkdir(parents=True, exist_ok=True)
        for package in PACKAGES:
            packed = subprocess.run(
                ["npm", "pack", "--silent", package], cwd=FETCHED, check=True, capture_output=True, text=True
            )
            folder = FETCHED / package.partition("@")[0]
            folder.mkdir(exist_ok=True)
            subprocess.run(["tar", "xzf", FETCHED / packed.stdout.strip(), "-C", folder], check=True)
        (FETCHED / "whole").touch()
    return FETCHED


@pytest.mark.messy
@pytest.mark.timeout(1800)
class TestEverything:
    """Every file of these packages that holds records, and nothing of it is lost or changed."""

    async def test_all_of_vega(self, store: Store) -> None:
        folder = fetch() / "vega-datasets" / "package" / "data"
        loaded: list[str] = []
        for path in sorted(folder.glob("*.*")):
            form = sniff(path.read_bytes()[:HEAD_BYTES], path.name).format
            if path.suffix not in {".json", ".csv", ".tsv", ".parquet"} or form is None or path.name == FLIGHTS:
                continue
            raw = path.read_bytes()
            collection = f"vega_{len(loaded)}"
            told = await load(store, collection, raw, form=form, options=ReadOptions(nested=False))
            wanted = records_of(path, raw, form)
            assert told.books.counts.quarantined == sum(not isinstance(each, dict) for each in wanted), path
            documents = without_ids(await stored(store, collection))
            assert texts(documents) == texts([each for each in wanted if isinstance(each, dict)]), path
            loaded.append(path.name)
            await store.connection.collection(collection).drop()
        assert len(loaded) > 50

    async def test_three_million_flights(self, store: Store, collection: str) -> None:
        path = fetch() / "vega-datasets" / "package" / "data" / FLIGHTS
        told = await load(store, collection, path.read_bytes(), form=Format.PARQUET)
        assert (told.books.counts.inserted, told.books.counts.quarantined) == (3_000_000, 0)
        table = read_table(path)
        sums = {name: {"$sum": f"${name}"} for name in table.column_names if "int" in str(table[name].type)}
        cursor = await store.connection.collection(collection).aggregate([{"$group": {"_id": None, **sums}}])
        [found] = await cursor.to_list()
        assert sums
        assert {name: found[name] for name in sums} == {name: sum(table[name].to_pylist()) for name in sums}
        await store.connection.collection(collection).drop()

    async def test_each_country(self, store: Store, collection: str) -> None:
        paths = sorted((fetch() / "world-countries" / "package" / "data").glob("*.geo.json"))
        for path in paths:
            await load(store, collection, path.read_bytes(), form=Format.JSON)
        documents = without_ids(await stored(store, collection))
        assert len(documents) > 200
        assert texts(documents) == texts([json.loads(path.read_bytes()) for path in paths])
