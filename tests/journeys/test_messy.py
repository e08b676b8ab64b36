"""Real files of other people's go in as they are, come out equal, and are described as what they are."""

import csv
import gzip
import io
import json
import re
import subprocess
import sys
import tarfile
import zipfile
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any, Final, cast

import pytest

from documents.codec.csv_columns import parse_columns
from documents.codec.csv_reader import HeaderError
from documents.codec.dialect import Dialect, FirstRow
from documents.codec.formats import FORMATS, ReadOptions
from documents.codec.records import Format
from documents.codec.sniff import HEAD_BYTES, sniff
from documents.codec.table_look import look_at_table
from documents.errors import SourceMisreadError
from documents.ingest.profiles import read_load_profile
from documents.lifecycle import Store
from documents.profile.report import Field, read_profile
from tests.documents.ingest.loading import load, stored, without_ids

DATA: Final = Path(__file__).parent / "data"
FETCHED: Final = Path(__file__).parents[2] / "benchmarks" / ".cache" / "messy"
WHEELS: Final = Path.home() / ".cache" / "sheaf-messy"
PYTHON_PACKAGES: Final = (
    "statsmodels==0.15.0",
    "scikit-learn==1.9.1",
    "bokeh-sampledata==2026.1",
    "pyarrow==26.0.1",
    "csvkit==2.2.0",
    "agate==1.14.2",
)
SOURCES: Final = ("csvkit", "agate")
"""Packages whose tables are in what they are built from."""
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


def fetch_python(package: str, folder: Path) -> list[Path]:
    """Return the tables and Parquet files of a package, fetched if need be."""
    name, _, version = package.partition("==")
    is_source = name in SOURCES
    stem = f"{name.replace('-', '_')}-{version}"
    ending = "*.tar.gz" if is_source else "*.whl"
    if not list(WHEELS.glob(stem + ending)):
        built = ["--no-binary", ":all:"] if is_source else ["--only-binary", ":all:"]
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *built, "--dest", WHEELS, package]
        subprocess.run(command, check=True)
    [packed, *_] = WHEELS.glob(stem + ending)
    if is_source:
        with tarfile.open(packed) as archive:
            archive.extractall(folder, filter="data")
    else:
        with zipfile.ZipFile(packed) as archive:
            archive.extractall(folder, [each for each in archive.namelist() if _ENDING.search(each)])
    return sorted(path for path in folder.rglob("*") if path.is_file() and _ENDING.search(path.name))


FEW: Final = 10
"""Rows up to which most may be at fault without a doubt about how they are read."""

_ENDING: Final = re.compile(r"\.(csv|tsv|tab|parquet)(\.gz)?$")


def rows_of(raw: bytes, options: ReadOptions, delimiter: str) -> list[list[str]]:
    """Return the rows that Python's csv reads in a table, told its dialect."""
    dialect = options.dialect.or_else(Dialect(delimiter=delimiter, quote='"'))
    plain = gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw
    text = plain.decode(dialect.encoding or "utf-8-sig")
    text = text.partition("\n")[2] if dialect.skip else text
    if dialect.delimiter == " ":
        return [line.split() for line in text.splitlines() if line.strip()]
    lines = io.StringIO(text, newline="")
    rows = csv.reader(
        lines, delimiter=dialect.delimiter or ",", escapechar=dialect.escape, doublequote=dialect.escape is None
    )
    return [row for row in rows if row]


def look(raw: bytes, delimiter: str) -> tuple[ReadOptions, list[str]]:
    """Return how a table would be read, and in which sentences it would be refused as long as nobody has said so."""
    head = raw[:HEAD_BYTES]
    try:
        found = look_at_table(head, ReadOptions(), delimiter)
    except HeaderError as error:
        told = ReadOptions(dialect=Dialect(fix_header=True))
        return look_at_table(head, told, delimiter).options, [str(error)]
    return found.options, [doubt.detail for doubt in found.doubts]


def may_be_split(raw: bytes) -> bool:
    """Tell whether most lines of a table have something that may separate cells."""
    plain = gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw
    lines = plain.decode("latin-1").split("\n")[:200]
    return sum(bool(re.search(r"\S[,;|\t]", line)) for line in lines) * 2 > len(lines)


async def check_table(store: Store, path: Path, form: Format, delimiter: str) -> str:
    """Load a table, and return what became of it: equal, refused with a sentence, or equal once it was accepted."""
    raw, collection = bytes_of(path), "messy_table"
    options, sentences = look(raw, delimiter)
    await store.connection.collection(collection).drop()
    try:
        told = await load(store, collection, raw, form=form, options=options)
    except SourceMisreadError:
        return "refused"
    names = [name for name, _ in told.job.columns or ()]
    rows = rows_of(raw, options, delimiter)
    rows = rows if options.dialect.first_row is FirstRow.DATA else rows[1:]
    fitting = [row for row in rows if len(row) == len(names)]
    counts = told.books.counts
    assert sentences or len(names) > 1 or not may_be_split(raw)
    assert sentences or len(fitting) * 2 >= len(rows) or len(rows) <= FEW
    assert (counts.inserted, counts.quarantined) == (len(fitting), len(rows) - len(fitting))
    found = [values_of(document) for document in without_ids(await stored(store, collection))]
    assert found == [[cell for cell in row if cell] for row in fitting]
    return "accepted" if sentences else "put aside in part" if counts.quarantined else "equal"


def bytes_of(path: Path) -> bytes:
    return path.read_bytes()


def values_of(document: dict[str, Any]) -> list[Any]:
    """Return the cells of a row, those of nested columns too."""
    values: list[Any] = []
    for value in document.values():
        values += values_of(cast("dict[str, Any]", value)) if isinstance(value, dict) else [value]
    return values


@pytest.mark.messy
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("package", PYTHON_PACKAGES)
async def test_all_of_a_python_package(store: Store, tmp_path: Path, package: str) -> None:
    seen = Counter[str]()
    paths = fetch_python(package, tmp_path)
    assert paths
    for path in paths:
        sniffed = sniff(bytes_of(path)[:HEAD_BYTES], path.name)
        if sniffed.alien or sniffed.format is None:
            seen["alien"] += 1
            continue
        delimiter = FORMATS[sniffed.format].delimiter
        try:
            if delimiter is not None:
                seen[await check_table(store, path, sniffed.format, delimiter)] += 1
            else:
                seen[await check_parquet(store, path)] += 1
        except Exception as error:
            error.add_note(f"{path.relative_to(tmp_path)}")
            raise
    print(package, dict(seen))  # noqa: T201  # what the run is for
    assert seen.total() == len(paths)


async def check_parquet(store: Store, path: Path) -> str:
    """Load a Parquet file, and return what became of it."""
    collection, table = "messy_parquet", read_table(path)
    await store.connection.collection(collection).drop()
    try:
        await load(store, collection, bytes_of(path), form=Format.PARQUET)
    except SourceMisreadError:
        return "refused"
    found = without_ids(await stored(store, collection))
    assert [texts_of(row) for row in found] == [texts_of(row) for row in table.to_pylist()]
    return "equal"


def texts_of(row: dict[str, Any]) -> list[str]:
    """Return what a row of Parquet says, its dates as they are stored."""
    return [
        str(value.replace(microsecond=value.microsecond // 1000 * 1000, tzinfo=None))
        if isinstance(value, datetime)
        else str(value)
        for value in row.values()
    ]


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
