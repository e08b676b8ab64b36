"""Reads the files of revisions. They are run to be read, and so may import little, and no model."""

import ast
import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final, cast, get_args

from pymongo import IndexModel

from documents.errors import StoreError
from documents.indexes.declared import parse_declared
from documents.migrations.compile import compile_operation
from documents.migrations.errors import InvalidPathError, InvalidRevisionError
from documents.migrations.graph import PHASES, Revision, RevisionGraph
from documents.migrations.operations import IndexOperation, Operation
from documents.types import SYSTEM_PREFIX

FILE_NAME: Final = re.compile(r"(?P<id>[0-9a-f]{12})_[A-Za-z0-9_]+\.py")
REVISION_ID: Final = re.compile(r"[0-9a-f]{12}")
OPERATIONS: Final = "documents.migrations.operations"
ALLOWED: Final = frozenset(
    {
        "__future__",
        "base64",
        "bson",
        "collections",
        "copy",
        "dataclasses",
        "datetime",
        "decimal",
        "enum",
        "functools",
        "hashlib",
        "itertools",
        "json",
        "math",
        "operator",
        "re",
        "string",
        "textwrap",
        "typing",
        "unicodedata",
        "uuid",
        "zoneinfo",
    }
)
"""What a revision may import besides the operations: what is the same for as long as the file is kept."""


def load_revisions(folder: Path) -> RevisionGraph:
    """Read every revision of a folder. Needs no database.

    Args:
        folder: Has a file `<id>_<slug>.py` for each. One that is not there is as one that is empty.

    Raises:
        InvalidRevisionError: A file is no revision, or they do not fit together. Names the file.
    """
    files = sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")
    return RevisionGraph(read_revision(path) for path in files)


def read_revision(path: Path) -> Revision:
    """Read one revision. Its module is run, and nothing of it is kept among Python's modules.

    Raises:
        InvalidRevisionError: It is none.
    """
    named = FILE_NAME.fullmatch(path.name)
    if named is None:
        raise InvalidRevisionError(path, "a revision is named <12 hex digits>_<words>.py.")
    try:
        text = path.read_bytes().decode("utf-8")
        tree = ast.parse(text, str(path))
    except (SyntaxError, ValueError) as error:
        raise InvalidRevisionError(path, f"it cannot be read: {error}.") from error
    _refuse_imports(path, tree)
    module = _run(path, tree)
    _refuse_strays(path, module)
    revision = Revision(
        id=_id_of(path, module),
        after=_after_of(path, module),
        message=(ast.get_docstring(tree) or path.stem).partition("\n")[0],
        path=path,
        checksum=checksum_of(text),
        **{phase: tuple(_operations_of(path, module, phase)) for phase in PHASES},
    )
    if revision.id != named["id"]:
        raise InvalidRevisionError(path, f"its name and its `revision` differ: {revision.id}.")
    return revision


def checksum_of(text: str) -> str:
    """Return the SHA-256 of a text, in hex; the form of line ends and trailing white space make no difference."""
    lines = [line.rstrip() for line in text.splitlines()]
    return hashlib.sha256("\n".join(lines).rstrip().encode()).hexdigest()


def _names_models(module: str) -> bool:
    """Return whether a module is one of models, or may lead to them."""
    return module in {"documents", "models"} or module.startswith(("documents.models", "models."))


def _refuse_imports(path: Path, tree: ast.Module) -> None:
    for name, line in _imports(tree):
        if name == OPERATIONS or name.partition(".")[0] in ALLOWED:
            continue
        if _names_models(name):
            reason = (
                "models change, and a revision has to mean the same for ever. "
                "Name collections and fields instead, and write values out."
            )
        else:
            reason = f"a revision may import {OPERATIONS}, bson, and of the standard library what is pure."
        raise InvalidRevisionError(path, f"line {line} imports {name or 'from its own folder'}: {reason}")


def _imports(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "" if node.level == 0 else ""), node.lineno


def _run(path: Path, tree: ast.Module) -> ModuleType:
    module = ModuleType(path.stem)
    try:
        exec(compile(tree, str(path), "exec"), module.__dict__)  # noqa: S102  # the user's own file, as an import is
    except Exception as error:
        raise InvalidRevisionError(path, f"running it raised {type(error).__name__}: {error}.") from error
    return module


def _id_of(path: Path, module: ModuleType) -> str:
    value: object = getattr(module, "revision", None)
    if not isinstance(value, str) or not REVISION_ID.fullmatch(value):
        raise InvalidRevisionError(path, f"`revision` is to be 12 hex digits, and is {value!r}.")
    return value


def _after_of(path: Path, module: ModuleType) -> tuple[str, ...]:
    value: object = getattr(module, "after", None)
    if not isinstance(value, tuple):
        raise InvalidRevisionError(path, "`after` is to be a tuple of ids: () for a first one, (parent,) else.")
    parents = cast("tuple[object, ...]", value)
    for parent in parents:
        if not isinstance(parent, str) or not REVISION_ID.fullmatch(parent):
            raise InvalidRevisionError(path, f"`after` is to have ids of 12 hex digits, and has {parent!r}.")
    if len(set(parents)) != len(parents):
        raise InvalidRevisionError(path, "`after` names a parent twice.")
    return cast("tuple[str, ...]", parents)


def _operations_of(path: Path, module: ModuleType, phase: str) -> Iterator[Operation]:
    value: object = getattr(module, phase, ())
    if not isinstance(value, tuple | list):
        raise InvalidRevisionError(path, f"`{phase}` is to be a tuple of operations, and is {value!r}.")
    for position, item in enumerate(cast("Sequence[object]", value)):
        if not isinstance(item, get_args(Operation)):
            raise InvalidRevisionError(path, f"`{phase}[{position}]` is no operation: {item!r}.")
        operation = cast("Operation", item)
        _check(path, f"{phase}[{position}]", operation)
        yield operation


def _check(path: Path, spot: str, operation: Operation) -> None:
    name: Any = operation.collection
    if not isinstance(name, str) or not name or name.startswith((SYSTEM_PREFIX, "system.")) or {"$", "\0"} & set(name):
        raise InvalidRevisionError(path, f"`{spot}` is of {name!r}, which is no collection for documents.")
    try:
        if isinstance(operation, IndexOperation):
            if not parse_declared([IndexModel(list(operation.keys), **operation.options)]):
                raise InvalidRevisionError(path, f"`{spot}` is the index on _id, which is always there.")
        else:
            compile_operation(operation)
    except (InvalidPathError, StoreError) as error:
        raise InvalidRevisionError(path, f"`{spot}`: {error.detail}") from error
    except (TypeError, ValueError) as error:
        raise InvalidRevisionError(path, f"`{spot}` is not put together rightly: {error}.") from error


def _refuse_strays(path: Path, module: ModuleType) -> None:
    """Refuse operations under another name than a phase's: a misspelt phase would be left out in silence."""
    known = [getattr(module, phase, None) for phase in PHASES]
    for name, value in vars(module).items():
        items = cast("Sequence[object]", value) if isinstance(value, tuple | list) else ()
        is_phase = bool(items) and all(isinstance(item, get_args(Operation)) for item in items)
        if is_phase and not any(value is other for other in known):
            raise InvalidRevisionError(path, f"`{name}` has operations, but the phases are {', '.join(PHASES)}.")
