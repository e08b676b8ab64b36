from pathlib import Path
from typing import Any

import pytest

from documents.seeds.files import Seed, SeedError, load_seeds
from documents.seeds.references import order_collections, resolve_references
from tests.shop import SHOP


@pytest.mark.parametrize(
    ("name", "text", "values", "environments"),
    [
        ("notes.json", '[{"a": 1}, {"a": 2}]', [{"a": 1}, {"a": 2}], set[str]()),
        ("notes.json", "[]", [], set[str]()),
        ("notes.demo.json", '{"environments": ["demo"], "documents": [{"a": 1}]}', [{"a": 1}], {"demo"}),
        ("notes.json", '{"documents": [{"a": 1}]}', [{"a": 1}], set[str]()),
        ("notes.ndjson", '{"a": 1}\n\n{"a": 2}\n', [{"a": 1}, {"a": 2}], set[str]()),
        ("notes.jsonl", '{"a": 1}', [{"a": 1}], set[str]()),
        ("notes.yaml", "- a: 1\n- a: [x, null]\n", [{"a": 1}, {"a": ["x", None]}], set[str]()),
        ("notes.yml", "environments: [demo]\ndocuments:\n  - a: 1\n", [{"a": 1}], {"demo"}),
    ],
)
def test_formats(tmp_path: Path, name: str, text: str, values: list[Any], environments: set[str]) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    seeds = load_seeds(tmp_path)
    assert [seed.value for seed in seeds] == values
    assert {seed.collection for seed in seeds} <= {"notes"}
    assert all(seed.environments == environments for seed in seeds)
    assert [seed.source for seed in seeds] == [f"{name}#/{number}" for number in range(len(values))]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("notes.json", "[{]", "notes.json"),
        ("notes.json", '{"a": 1}', "An array of documents, or"),
        ("notes.json", '{"documents": [], "environment": ["demo"]}', "An array of documents, or"),
        ("notes.json", '{"documents": [], "environments": "demo"}', "array of names"),
        ("notes.json", '{"documents": {}}', "An array of documents is needed"),
        ("notes.json", '[{"a": 1}, 2]', "notes.json#/1: A document"),
        ("notes.json", '[{"a": 1, "a": 2}]', "this key twice"),
        ("notes.json", "7", "An array of documents is needed"),
        ("notes.ndjson", '{"a": 1}\n{', "notes.ndjson:2"),
        ("notes.yaml", "- a: [", "notes.yaml"),
        ("notes.yaml", "- a: {on: 1}", "True is no text"),
        ("notes.yaml", "- !!python/object/apply:os.system [ls]", "notes.yaml"),
        ("notes.yaml", "", "An array of documents is needed"),
        ("notes.toml", "", "Seeds are .json"),
    ],
)
def test_refused(tmp_path: Path, name: str, text: str, expected: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "README.md").write_text("# Notes")
    (tmp_path / ".hidden").write_text("")
    with pytest.raises(SeedError) as caught:
        load_seeds(tmp_path)
    assert expected in str(caught.value)


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(SeedError, match="There is no folder"):
        load_seeds(tmp_path / "nowhere")


def test_the_shop_is_stocked() -> None:
    seeds = load_seeds(SHOP.seeds)
    counts = {name: sum(seed.collection == name for seed in seeds) for name in order_collections(seeds)}
    assert counts == {"customers": 12, "products": 40, "carts": 3, "orders": 30}
    assert {seed.environments for seed in seeds} == {frozenset({"development"})}
    prices = {seed.value["sku"]: seed.value["price"] for seed in seeds if seed.collection == "products"}
    lines = [line for seed in seeds for line in seed.value.get("lines", [])]
    assert all(prices[line["sku"]] == line["price"] for line in lines)


def test_references_decide_the_order() -> None:
    seeds = [
        Seed("a", "", {"x": [{"y": {"$seed": "b", "k": 1}}]}),
        Seed("b", "", {"z": {"$seed": "c", "k": {"$seed": "not followed"}}}),
        Seed("c", "", {"self": {"$seed": "c", "k": 1}, "elsewhere": {"$seed": "stored", "k": 1}}),
    ]
    assert order_collections(seeds) == ["c", "b", "a"]
    with pytest.raises(SeedError, match=r"in a circle: .*a"):
        order_collections([*seeds, Seed("c", "", {"x": {"$seed": "a", "k": 1}})])


async def test_references_are_replaced_where_they_stand() -> None:
    seen: list[tuple[str, dict[str, Any], str]] = []

    async def resolve(collection: str, fields: dict[str, Any], pointer: str) -> object:
        seen.append((collection, fields, pointer))
        return 7

    value = {"a": {"$seed": "x", "k": 1}, "b": [{"c": {"$seed": "y", "l": 2, "m": 3}}, 1], "d": {"$seed": 1}}
    assert await resolve_references(value, resolve, "") == {"a": 7, "b": [{"c": 7}, 1], "d": {"$seed": 1}}
    assert seen == [("x", {"k": 1}, "/a"), ("y", {"l": 2, "m": 3}, "/b/0/c")]
