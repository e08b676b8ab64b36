"""Sort values as MongoDB has them, where decoding loses something that decides over the order.

Python has no equal for a text that is not UTF-8, an object with a key twice, `undefined` or a DBPointer. A page that
ended at what they decode to would go on at another place.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from bson import DBRef

from documents.codec.elements import ARRAY, DOCUMENT, Element, element_of, elements_of
from documents.codec.stored import split_batch
from documents.query.order import EMPTY_ARRAY, Bracket, Key, RawValue, bson_order
from documents.query.sort import Sort
from documents.query.sort_values import Segments, places
from documents.types import Document

_STRINGS: Final = (0x02, 0x0E)
_UNDEFINED: Final = 0x06
_DB_POINTER: Final = 0x0C
_REPLACEMENT: Final = "\ufffd"
_LAST: Final = "\U0010ffff"


def read_exactly(documents: list[Document], raw: bytes, order: Sort) -> None:
    """Replace each document of which a sort value was not decoded exactly by one that has just its sort fields.

    Args:
        documents: Decoded from the beginning of `raw`.
        raw: BSON documents, one behind the other.
        order: What they are sorted by.
    """
    paths = [tuple(path.split(".")) for path, _ in order.keys]
    may_be_undefined = any(b"\x06%s\0" % path[-1].encode() in raw for path in paths)
    inexact = [
        at
        for at, document in enumerate(documents)
        if any(_is_inexact(value, may_be_undefined=may_be_undefined) for value in _values(document, paths, order))
    ]
    if not inexact or _overlap(paths):
        return
    stored = split_batch(raw)
    for at in inexact:
        documents[at] = _pick(elements_of(stored[at].raw), paths)


def with_keys(values: Iterable[Any]) -> tuple[Any, ...]:
    """Return the values of a cursor that was opened, raw ones with their keys."""
    return tuple(
        exact_value(Element(value.kind, b"", value.payload)) if isinstance(value, RawValue) else value
        for value in values
    )


def exact_value(element: Element) -> object:
    """Return a value by which MongoDB sorts: as Python has it if that is the same, else as a `RawValue`."""
    kind, payload = element.kind, element.payload
    if kind in _STRINGS:
        text = payload[4:-1]
        try:
            return text.decode()
        except UnicodeDecodeError:
            return RawValue(kind, payload, (Bracket.STRING, text.decode("utf-8", "surrogateescape")))
    if kind == _UNDEFINED:
        return EMPTY_ARRAY
    if kind == _DB_POINTER:
        return RawValue(kind, payload, (Bracket.REGEX, _LAST, payload.hex()))
    value = element.decode()
    if kind not in (DOCUMENT, ARRAY) or element_of("", value)[2:] == payload:
        return value
    return RawValue(kind, payload, _key(kind, payload))


def _key(kind: int, payload: bytes) -> Key:
    keys = [(each.name.decode("utf-8", "surrogateescape"), _place(each)) for each in elements_of(payload)]
    if kind == ARRAY:
        return (Bracket.ARRAY, tuple(key for _, key in keys))
    return (Bracket.OBJECT, tuple((*key[:1], name, key) for name, key in keys))


def _place(element: Element) -> Key:
    return bson_order(exact_value(element))


def _values(document: Document, paths: Sequence[Segments], order: Sort) -> Iterable[object]:
    """Yield the values that may decide over the place of a document."""
    if any(len(path) > 1 for path in paths):
        for row in places(document, order):
            yield from row
        return
    for path in paths:
        value = document.get(path[0])
        if isinstance(value, list):
            yield from value  # pyright: ignore[reportUnknownVariableType]  # whatever is stored
        else:
            yield value


def _is_inexact(value: object, *, may_be_undefined: bool) -> bool:
    if value is None:
        return may_be_undefined
    if isinstance(value, str):
        return _REPLACEMENT in value
    return isinstance(value, dict | list | DBRef)


def _overlap(paths: Sequence[Segments]) -> bool:
    """Tell whether a path leads into the value at another one."""
    return any(one != other and one == other[: len(one)] for one in paths for other in paths)


def _pick(elements: Iterable[Element], paths: Sequence[Segments]) -> Document:
    """Return an object with just these paths. Of a key that stands twice MongoDB takes the first."""
    picked: Document = {}
    for element in elements:
        name = element.name.decode("utf-8", "replace")
        below = [path[1:] for path in paths if path[0] == name]
        if below and name not in picked:
            picked[name] = _below(element, below)
    return picked


def _below(element: Element, paths: Sequence[Segments]) -> object:
    if element.kind == ARRAY:
        return [_item(each, paths) for each in elements_of(element.payload)]
    return _item(element, paths)


def _item(element: Element, paths: Sequence[Segments]) -> object:
    if paths[0] and element.kind == DOCUMENT:
        return _pick(elements_of(element.payload), paths)
    return exact_value(element)
