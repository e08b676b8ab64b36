"""Promotion: the model that is written passes the repository's checks, loads, and takes every document as it is."""

import importlib.util
import json
import random
import subprocess
import sys
from ast import literal_eval
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, cast
from uuid import UUID, uuid4

import bson
import pytest
from beanie import (
    Document,
    init_beanie,  # pyright: ignore[reportUnknownVariableType]  # partly untyped in Beanie
)
from bson.binary import Binary
from bson.code import Code
from bson.datetime_ms import DatetimeMS
from bson.dbref import DBRef
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.max_key import MaxKey
from bson.objectid import ObjectId
from bson.regex import Regex
from bson.timestamp import Timestamp
from pydantic import BaseModel
from pymongo import AsyncMongoClient

from documents.catalog.declared import DeclaredModel
from documents.codec.plain import CODEC_OPTIONS
from documents.codec.stored import StoredDocument
from documents.profile.accumulator import Profile
from documents.profile.literals import literal
from documents.profile.names import OF_DOCUMENTS, OF_MODELS, class_name, field_name
from documents.profile.promote import render_model
from documents.profile.report import read_profile
from tests.documents.profile.messy import EPOCH, load

ROOT = Path(__file__).parents[3]
HEX = "65920080090dc4cfcb0320c3"
SCALARS: list[Any] = [
    *(
        None,
        True,
        0,
        7,
        Int64(2**40),
        0.5,
        3.0,
        "",
        "text",
        HEX,
        "2024-01-02T03:04:05Z",
        "1.50",
        "true",
        str(UUID(int=7)),
    ),
    *(EPOCH, ObjectId(HEX), UUID(int=7), Decimal128("1.50"), b"bytes"),
]
NAMES = [
    *("a", "A", "class", "None", "id", "_id", "__x__", "model_config", "model_dump_all", "model_name", "model_fields"),
    *("json", "copy", "list", "str", "dict", "int", "Settings", "settings", "revision_id", "Größe", "名前", "e\u0301"),
    *("US Gross", "a.b", "$x", "1st", "2024", "", " ", "-", 'say "hi" it\'s', 'say "hi"', "it's", "tab\tnew\nline\\"),
    *("\u202e", "\0"[:0], "x" * 150, "x" * 199, "x" * 300, "camelCase", "HTTPServer", "field", "any", "Any", "UUID"),
    *(
        "create",
        "insert",
        "find",
        "date",
        "type",
        "password",
        "secret_key",
        "import",
        "_private",
        "a_",
        "a b",
        "a-b",
        "𝕏",
    ),
    *(
        "lines",
        "addresses",
        "categories",
        "status",
        "Document",
        "Exception",
        "Line",
        "soup`",
        "\\N{BULLET}",
        "{x}",
        "%s",
    ),
]


def value_of(rng: random.Random, depth: int = 0) -> Any:
    choice = rng.random()
    if depth < 3 and choice < 0.15:
        return [value_of(rng, depth + 1) for _ in range(rng.randrange(3))]
    if depth < 3 and choice < 0.35:
        return {name: value_of(rng, depth + 1) for name in rng.sample(NAMES, rng.randrange(4))}
    if depth < 3 and choice < 0.4:
        return {str(number): value_of(rng, depth + 1) for number in range(18)}
    return rng.choice(SCALARS)


def disorder(seed: int) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    names = rng.sample([name for name in NAMES if name != "_id"], 12)
    return [
        {"_id": rng.choice([ObjectId(), number]), **{name: value_of(rng) for name in names if rng.random() < 0.8}}
        for number in range(6)
    ]


def nested(depth: int) -> dict[str, Any]:
    return {"n": 1, "deeper": nested(depth - 1)} if depth else {}


RARE: list[Any] = [
    *(Timestamp(1, 2), DatetimeMS(10**15), Regex("^a", "i"), Code("x"), MaxKey(), DBRef("other", 1)),
    *(Decimal128("NaN"), Decimal128("Infinity"), Binary(b"abc", 5), float("nan"), float("inf")),
]

PROFILES: dict[str, list[dict[str, Any]]] = {
    "nothing": [],
    "only_ids": [{"_id": ObjectId()}],
    "movies": load("movies.json"),
    "cars": load("cars.json"),
    "all_names": [{name: 1 for name in NAMES if name != "_id"}, {}],
    "all_names_inside": [{"inside": {name: number for number, name in enumerate(NAMES)}}],
    "all_types": [{f"t{number}": value for number, value in enumerate(SCALARS)}],
    "all_pairs": [
        {"_id": 1, **{f"p{i}_{j}": one for i, one in enumerate(SCALARS) for j, _ in enumerate(SCALARS)}},
        {"_id": 2, **{f"p{i}_{j}": other for i, _ in enumerate(SCALARS) for j, other in enumerate(SCALARS)}},
    ],
    "one_field_of_everything": [{"x": value, "items": [value]} for value in [*SCALARS, {"a": 1}, [1]]],
    "long_unions": [
        {"items": [SCALARS, [{"a": value} for value in SCALARS]], "m": {str(n): SCALARS for n in range(20)}}
    ],
    "rare_types": [{f"r{number}": value for number, value in enumerate(RARE)}],
    "rare_types_mixed": [{"r": value, "in": {"r": [value]}} for value in [*RARE, 1, "a"]],
    "text_ids": [{"_id": "a"}, {"_id": "b"}],
    "object_ids": [{"_id": {"a": 1, "b": ObjectId()}}],
    "revisions": [{"revision_id": "one"}, {"revision_id": uuid4()}],
    "deep": [nested(40)],
    "same_names": [{"line": {"line": {"line": {"x": 1}}}, "lines": [{"line": [{"x": "a"}]}], "Line": {"y": None}}],
    **{f"disorder_{seed}": disorder(seed) for seed in range(16)},
}


def as_stored(document: dict[str, Any]) -> dict[str, Any]:
    return StoredDocument(bson.encode(document, codec_options=CODEC_OPTIONS)).decode()


def source_of(name: str) -> str:
    profile = Profile()
    profile.add_all(as_stored(document) for document in PROFILES[name])
    return render_model(read_profile(profile), name="Thing", collection=name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All models, as files."""
    path = tmp_path_factory.mktemp("promoted") / "promoted"
    path.mkdir()
    (path / "__init__.py").touch()
    for name in PROFILES:
        (path / f"{name}.py").write_text(source_of(name), "utf-8")
    return path


def run(*command: str, cwd: Path = ROOT) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_ruff_finds_nothing(folder: Path) -> None:
    config = f"--config={ROOT / 'pyproject.toml'}"
    run("ruff", "check", "--no-cache", config, str(folder))
    run("ruff", "format", "--no-cache", "--diff", config, str(folder))


def test_pyright_finds_nothing(folder: Path) -> None:
    config = {"include": ["promoted"], "typeCheckingMode": "strict", "pythonVersion": "3.11", "extraPaths": [str(ROOT)]}
    (folder.parent / "pyrightconfig.json").write_text(json.dumps(config))
    run("pyright", "--pythonpath", sys.executable, "-p", str(folder.parent), cwd=folder.parent)


def loaded(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"promoted_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
async def models(folder: Path, mongo_uri: str) -> dict[str, type[Document]]:
    found = {name: loaded(folder / f"{name}.py").Thing for name in PROFILES}
    async with AsyncMongoClient[dict[str, Any]](mongo_uri) as client:
        for model in found.values():
            await init_beanie(client["test_profile_promote"], document_models=[model], skip_indexes=True)
    return found


@pytest.mark.parametrize("name", PROFILES)
async def test_every_document_fits_and_stays_as_it_is(name: str, models: dict[str, type[Document]]) -> None:
    model = DeclaredModel(models[name])
    assert model.name == name
    for document in PROFILES[name]:
        before = as_stored({"_id": ObjectId(), **document})
        after = like(model.validate(before), before)
        assert bson.encode(after, codec_options=CODEC_OPTIONS) == bson.encode(before, codec_options=CODEC_OPTIONS)


async def test_a_field_that_was_not_seen_is_kept(models: dict[str, type[Document]]) -> None:
    stored = DeclaredModel(models["cars"]).validate({**load("cars.json")[0], "_id": ObjectId(), "new": {"a": [1]}})
    assert stored["new"] == {"a": [1]}


def like(stored: Any, sent: Any) -> Any:
    """Return what is stored in the order in which it was sent, without nulls for what was not."""
    if isinstance(stored, dict) and isinstance(sent, dict):
        whole, known = cast("dict[str, Any]", stored), cast("dict[str, Any]", sent)
        assert all(value is None for key, value in whole.items() if key not in known)
        return {key: like(whole[key], value) for key, value in known.items()}
    if isinstance(stored, list) and isinstance(sent, list):
        pairs = zip(cast("list[Any]", stored), cast("list[Any]", sent), strict=True)
        return [like(one, other) for one, other in pairs]
    return cast("Any", stored)


def attributes(cls: type[BaseModel]) -> Iterator[str]:
    yield from (name for name in dir(cls) if not name.startswith(("_", "model_")))
    yield from cls.model_fields


def test_the_reserved_names_are_all_there_are() -> None:
    assert set(attributes(BaseModel)) <= OF_MODELS
    assert set(attributes(Document)) <= OF_DOCUMENTS


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("price", "price"),
        ("unitPrice", "unit_price"),
        ("HTTPServer", "http_server"),
        ("US Gross", "us_gross"),
        ("class", "class_"),
        ("list", "list_"),
        ("1st", "field_1st"),
        ("名前", "field"),
        ("_x", "x"),
        ("model_dump_x", "field_model_dump_x"),
        ("taken", "taken_2"),
    ],
)
def test_names_of_fields(key: str, name: str) -> None:
    assert field_name(key, {"taken"}, OF_MODELS) == name


@pytest.mark.parametrize(
    ("key", "is_item", "name"),
    [
        ("lines", True, "Line"),
        ("addresses", True, "Address"),
        ("categories", True, "Category"),
        ("status", True, "Status"),
        ("boxes", True, "Box"),
        ("addresses", False, "Addresses"),
        ("any", False, "OrderAny"),
        ("taken", False, "OrderTaken"),
        ("1st", False, "Part1st"),
    ],
)
def test_names_of_classes(key: str, name: str, *, is_item: bool) -> None:
    assert class_name(key, {"Taken"}, owner="Order", is_item=is_item) == name


@pytest.mark.parametrize("text", [*NAMES, "\ud800", "'\"", "\x7f\x80"])
def test_texts_are_written_as_python_reads_them(text: str) -> None:
    assert literal_eval(literal(text)) == text


@pytest.mark.parametrize(
    ("name", "collection"), [("thing", "a"), ("A b", "a"), ("None", "a"), ("Document", "a"), ("A", "1"), ("A", "a\n")]
)
def test_unusable_names_are_refused(name: str, collection: str) -> None:
    with pytest.raises(ValueError, match="named"):
        render_model(read_profile(Profile()), name=name, collection=collection)
