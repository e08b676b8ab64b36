"""Reads the types of fields."""

import types
from collections.abc import Collection, Iterator
from typing import Annotated, Any, Union, cast, get_args, get_origin

from beanie import Link
from pydantic import BaseModel


def bare(annotation: object) -> object:
    """Return a type without Annotated and Optional; of a union of several, the first."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif _is_union(annotation):
            annotation = next(member for member in get_args(annotation) if member is not types.NoneType)
        else:
            return annotation


def takes_none(annotation: object) -> bool:
    """Tell whether None is one of a type's values."""
    if get_origin(annotation) is Annotated:
        return takes_none(get_args(annotation)[0])
    return (
        annotation is types.NoneType
        or annotation is Any
        or (_is_union(annotation) and any(map(takes_none, get_args(annotation))))
    )


def item_of(kind: object) -> object | None:
    """Return the type of what is in a list, set or tuple of one type; None for anything else."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is tuple and (len(arguments) != 2 or arguments[1] is not Ellipsis):  # noqa: PLR2004  # tuple[X, ...]
        return None
    is_collection = isinstance(origin, type) and issubclass(origin, Collection) and not issubclass(origin, dict)
    return arguments[0] if is_collection and arguments else None


def linked(kind: object) -> type[Any] | None:
    """Return the model of a Beanie link; None for anything else."""
    return cast("type[Any]", get_args(kind)[0]) if get_origin(kind) is Link else None


def is_model(kind: object) -> bool:
    """Tell whether a type is a Pydantic model, whose fields are made one by one."""
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def fields_below(model: type[BaseModel], seen: frozenset[object] = frozenset()) -> Iterator[tuple[str, object]]:
    """Yield the name and bare type of each field of a model and of the models in it; of a list, of its items."""
    for name, field in model.model_fields.items():
        kind = bare(field.annotation)
        item = item_of(kind)
        kind = kind if item is None else bare(item)
        yield name, kind
        if is_model(kind) and kind not in seen and kind is not model:
            yield from fields_below(cast("type[BaseModel]", kind), seen | {model})


def _is_union(annotation: object) -> bool:
    return get_origin(annotation) in (Union, types.UnionType)
