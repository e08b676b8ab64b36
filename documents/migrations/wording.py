"""Operations in words for people."""

from typing import assert_never

from documents.migrations.operations import (
    AddField,
    ConvertField,
    CreateIndex,
    DropIndex,
    Operation,
    RemoveField,
    RenameField,
    RewriteDocuments,
    UpdateDocuments,
)


def describe(operation: Operation) -> str:  # noqa: PLR0911  # a case each
    """Return what an operation does, such as `add currency`, without the collection."""
    match operation:
        case AddField():
            return f"add {operation.path}"
        case RemoveField():
            return f"remove {operation.path}"
        case RenameField():
            return f"rename {operation.path} to {operation.name}"
        case ConvertField():
            return f"convert {operation.path} to {operation.to}"
        case UpdateDocuments():
            return "update documents"
        case RewriteDocuments():
            return f"rewrite documents with {getattr(operation.rewrite, '__name__', 'a function')}"
        case CreateIndex():
            return f"create index {_keys(operation)}"
        case DropIndex():
            return f"drop index {_keys(operation)}"
    assert_never(operation)


def _keys(operation: CreateIndex | DropIndex) -> str:
    kind = "unique " if operation.options.get("unique") else ""
    return kind + ", ".join(f"{path} {direction}" for path, direction in operation.keys)
