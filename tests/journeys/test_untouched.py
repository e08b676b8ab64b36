"""On a database of other people's, a start, reads, plans and dry runs change nothing, not even when they are killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast
from uuid import uuid4

import pytest
from bson import DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.binary import Binary, UuidRepresentation
from bson.code import Code
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.collation import Collation
from pymongo.database import Database

from tests.server import serve
from tests.shop import SHOP

SHEAF: Final = Path(sys.executable).with_name("sheaf")
Theirs = Database[dict[str, Any]]
PAST: Final = datetime(2020, 1, 1, tzinfo=UTC)

VALUES: Final[dict[str, Any]] = {
    "objectid": ObjectId("5f0000000000000000000001"),
    "text": "Zoë",
    "int32": 1,
    "int64": Int64(1),
    "double": 1.0,
    "nan": float("nan"),
    "decimal": Decimal128("1.10"),
    "uuid": Binary.from_uuid(uuid4(), UuidRepresentation.STANDARD),
    "binary": Binary(b"\x00\xff", 128),
    "date": PAST,
    "bool": True,
    "null": None,
    "regex": Regex("a", "i"),
    "code": Code("1"),
    "scoped": Code("x", {"x": 1}),
    "timestamp": Timestamp(1, 2),
    "min": MinKey(),
    "max": MaxKey(),
    "reference": DBRef("other", 1),
    "array": [1, [2, {"a": 3}]],
    "object": {"b": 1, "a": {"c.d": 2}},
}

COMMANDS: Final = (
    "doctor",
    "seed --dry-run",
    "seed --generate products=3 --dry-run",
    "indexes plan",
    "indexes check",
    "indexes apply --dry-run --shorten-ttl carts.expires_at_1",
    "indexes advise",
    "migrate plan",
    "migrate check",
    "migrate current",
    "migrate history",
    "migrate heads",
    "schema infer products",
    "schema infer values --full",
    "schema diff products customers",
    "schema promote plain --check-only",
    "export products out.ejson",
    "export products out.csv --filter {}",
    "ingest in.ndjson --into plain --dry-run",
    "ingest list",
    "quarantine list products",
)

READS: Final = (
    "/v1",
    "/openapi.json",
    "/health/ready",
    *(
        f"/v1/{name}{tail}"
        for name in ("products", "plain", "values", "capped")
        for tail in ("?limit=2&sort=-_id", ":schema", ":indexes", ":export")
    ),
)


def fill(database: Theirs) -> None:
    """Make collections of every kind, as other programs do."""
    database["products"].insert_many([{"sku": "A", "price": "cheap"}, {"sku": "A", "price": 2}, {"name": "no sku"}])
    database["customers"].insert_many([{"email": "a@b.c"}, {"email": "a@b.c"}])
    database["carts"].insert_many([{"expires_at": PAST, "lines": []} for _ in range(7)])
    database["orders"].create_index([("odd", 1)], sparse=True, name="theirs")
    database["plain"].insert_many([{"_id": f"k{number}", "n": number} for number in range(9)])
    database["values"].insert_many(
        [
            {"_id": value, **VALUES}
            for name, value in VALUES.items()
            if name not in {"array", "regex", "reference", "nan", "int64", "double", "timestamp"}
        ]
    )
    database.create_collection("capped", capped=True, size=4096)
    database["capped"].insert_many([{"n": number} for number in range(3)])
    database.create_collection("clustered", clusteredIndex={"key": {"_id": 1}, "unique": True})
    database.create_collection("series", timeseries={"timeField": "at", "metaField": "of"})
    database["series"].insert_many([{"at": PAST, "of": "x", "v": number} for number in range(3)])
    database.create_collection("checked", validator={"$jsonSchema": {"required": ["n"]}}, validationAction="warn")
    database.create_collection("collated", collation=Collation("en", strength=2))
    database["collated"].create_index([("name", 1)], unique=True)
    database.create_collection("cheap", viewOn="products", pipeline=[{"$project": {"_id": 0}}])
    database.create_collection("failing", viewOn="products", pipeline=[{"$set": {"x": {"$divide": [1, 0]}}}])


def picture(database: Theirs) -> dict[str, Any]:
    """Return everything of a database to the byte, `_sheaf.*` aside."""
    raw = database.client.get_database(database.name, CodecOptions(document_class=RawBSONDocument))
    described = {each["name"]: each for each in database.list_collections() if not each["name"].startswith("_sheaf.")}
    stored = [name for name, each in described.items() if each["type"] != "view" and name != "system.views"]
    return {
        "collections": described,
        "documents": {name: sorted(bytes(each.raw) for each in cast("Any", raw)[name].find()) for name in stored},
        "indexes": {name: list(database[name].list_indexes()) for name in stored if name != "system.buckets.series"},
    }


@pytest.fixture
def theirs(mongo_uri: str) -> Iterator[Theirs]:
    with MongoClient[dict[str, Any]](mongo_uri) as client:
        database = client[f"theirs_{uuid4().hex}"]
        fill(database)
        yield database
        client.drop_database(database.name)


def start(words: str, folder: Path, theirs: Theirs, uri: str) -> "subprocess.Popen[bytes]":
    (folder / "in.ndjson").write_text('{"_id": "new", "n": 1}\n')
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SHEAF_")}
    environ |= {"SHEAF_MONGODB_URI": uri, "SHEAF_DATABASE": theirs.name, "SHEAF_PROJECT": str(SHOP.root)}
    return subprocess.Popen(
        [SHEAF, *words.split()], cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.mark.parametrize("words", COMMANDS)
def test_a_plan_writes_nothing_at_all(words: str, theirs: Theirs, mongo_uri: str, tmp_path: Path) -> None:
    before, names = picture(theirs), set(theirs.list_collection_names())
    with start(words, tmp_path, theirs, mongo_uri) as process:
        said = process.communicate()[1].decode()
    assert process.returncode in {0, 1, 2}, said
    assert "Traceback" not in said
    assert picture(theirs) == before
    assert set(theirs.list_collection_names()) == names, "and makes no collection of Sheaf's own either"


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_start_and_reads_change_nothing(theirs: Theirs, mongo_uri: str, tmp_path: Path, *, is_killed: bool) -> None:
    before, names = picture(theirs), set(theirs.list_collection_names())
    with serve(tmp_path, uri=mongo_uri, database=theirs.name, prepare="") as server, server.client() as client:
        assert set(theirs.list_collection_names()) == names, "a start writes nothing"
        for address in READS:
            client.get(address)
        if is_killed:
            server.stop(signal.SIGKILL)
    assert picture(theirs) == before
    made = set(theirs.list_collection_names()) - names
    assert made <= {"_sheaf.secrets", "_sheaf.query_shapes"}


@pytest.mark.parametrize("seconds", [0.8, 1.6, 2.4])
@pytest.mark.parametrize(
    "words", ["serve --port 0", "seed --dry-run", "indexes plan", "ingest in.ndjson --into plain --dry-run"]
)
def test_killed_in_the_middle(words: str, seconds: float, theirs: Theirs, mongo_uri: str, tmp_path: Path) -> None:
    before = picture(theirs)
    with start(words, tmp_path, theirs, mongo_uri) as process:
        with suppress(subprocess.TimeoutExpired):  # at some moment, which differs from machine to machine
            process.wait(seconds)
        process.kill()
    assert picture(theirs) == before
