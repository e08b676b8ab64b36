"""Reads seeds: JSON, NDJSON and YAML files, each named after the collection that it fills."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import yaml

from documents.codec.ndjson import parse_ndjson
from documents.codec.strict import parse_json
from documents.errors import Fault, InputError
from documents.types import Document

TAGGED: Final = frozenset({"environments", "documents"})


class SeedError(Exception):
    """Seeds cannot be planted. Nothing was changed, unless `faults` is empty.

    Args:
        detail: What is wrong, in one sentence.
        faults: Where; each pointer is a file, the number of the document from 0, and a path in it.
    """

    def __init__(self, detail: str, faults: Iterable[Fault] = ()) -> None:
        self.detail = detail
        self.faults = tuple(faults)
        lines = [f"{fault.pointer}: {fault.detail}" for fault in self.faults]
        super().__init__("\n".join([detail, *lines]))


@dataclass(frozen=True, slots=True)
class Seed:
    """One document to plant.

    Args:
        collection: Where.
        source: File and number, such as `products.json#/0`, a pointer to begin others with.
        value: As the file has it: references unresolved, dates as strings.
        environments: Where it is planted; empty means everywhere.
    """

    collection: str
    source: str
    value: Document
    environments: frozenset[str] = frozenset()


def load_seeds(folder: Path) -> list[Seed]:
    """Return the seeds of a folder, by file name. Reads nothing else, writes nothing.

    A file's name up to the first dot is the collection, so `products.json` and `products.demo.yaml` both fill
    `products`. It holds an array of documents, or `{"environments": ["development"], "documents": [...]}`;
    NDJSON has a document on each line.

    Args:
        folder: Its files end in .json, .ndjson, .jsonl, .yaml or .yml; hidden files and .md are passed over.

    Raises:
        SeedError: A file cannot be read, or does not hold documents.
    """
    if not folder.is_dir():
        raise SeedError(f"There is no folder {folder}.")
    seeds: list[Seed] = []
    faults: list[Fault] = []
    for path in sorted(path for path in folder.iterdir() if _is_seed_file(path)):
        try:
            seeds.extend(_seeds_of(path))
        except SeedError as error:
            faults.extend(error.faults)
    if faults:
        raise SeedError("Some seeds cannot be read.", faults)
    return seeds


def _is_seed_file(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".") and path.suffix != ".md"


def _seeds_of(path: Path) -> Iterator[Seed]:
    read = _READERS.get(path.suffix)
    if read is None:
        raise _fault(path.name, "unknown-format", f"Seeds are {', '.join(_READERS)} files.")
    content = read(path)
    environments: frozenset[str] = frozenset()
    if isinstance(content, Mapping):
        content, environments = _tagged(path, cast("Mapping[str, Any]", content))
    if not isinstance(content, list):
        raise _fault(path.name, "wrong-type", "An array of documents is needed here.")
    for number, value in enumerate(cast("list[Any]", content)):
        source = f"{path.name}#/{number}"
        if not isinstance(value, dict):
            raise _fault(source, "wrong-type", "A document is needed here.")
        yield Seed(path.name.split(".")[0], source, cast("Document", value), environments)


def _tagged(path: Path, content: Mapping[str, Any]) -> tuple[object, frozenset[str]]:
    environments: Any = content.get("environments", [])
    if "documents" not in content or content.keys() - TAGGED:
        raise _fault(path.name, "wrong-type", "An array of documents, or `environments` and `documents`, is needed.")
    if not isinstance(environments, list) or not all(
        isinstance(environment, str) for environment in cast("list[Any]", environments)
    ):
        raise _fault(path.name, "wrong-type", "`environments` is an array of names.")
    return content["documents"], frozenset(cast("list[str]", environments))


def _read_json(path: Path) -> object:
    try:
        return parse_json(path.read_bytes())
    except InputError as error:
        raise _unreadable(path.name, error) from error


def _read_ndjson(path: Path) -> object:
    documents: list[object] = []
    for number, value in parse_ndjson(path.read_bytes()):
        if isinstance(value, InputError):
            raise _unreadable(f"{path.name}:{number}", value) from value
        documents.append(value)
    return documents


def _read_yaml(path: Path) -> object:
    try:
        content = yaml.safe_load(path.read_bytes())
    except yaml.YAMLError as error:
        raise _fault(path.name, "malformed-yaml", str(error)) from error
    _refuse_odd_keys(path, content)
    return content


def _refuse_odd_keys(path: Path, value: object) -> None:
    """Refuse what YAML reads as something else than text, such as `on:` and `1:`."""
    if isinstance(value, dict):
        for key, item in cast("dict[object, object]", value).items():
            if not isinstance(key, str):
                raise _fault(path.name, "key-refused", f"The key {key!r} is no text; put it in quotes.")
            _refuse_odd_keys(path, item)
    elif isinstance(value, list):
        for item in cast("list[object]", value):
            _refuse_odd_keys(path, item)


_READERS: Final[Mapping[str, Callable[[Path], object]]] = {
    ".json": _read_json,
    ".ndjson": _read_ndjson,
    ".jsonl": _read_ndjson,
    ".yaml": _read_yaml,
    ".yml": _read_yaml,
}


def _fault(pointer: str, code: str, detail: str) -> SeedError:
    return SeedError(detail, [Fault(pointer, code, detail)])


def _unreadable(pointer: str, error: InputError) -> SeedError:
    faults = [Fault(f"{pointer}#{fault.pointer}", fault.code, fault.detail) for fault in error.faults]
    return SeedError(error.detail, faults or [Fault(pointer, "malformed-json", error.detail)])
