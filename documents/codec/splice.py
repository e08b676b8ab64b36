"""A changed document as bytes, in which everything that was not changed is what is stored, byte for byte.

Python's values do not tell all that BSON holds: a string that is not UTF-8, a key that stands twice, a symbol. So where
a value of the new document is still what the stored one is decoded to, its bytes are taken over.
"""

import math
import struct
from collections.abc import Sequence
from itertools import islice
from typing import Any, Final, cast

from documents.codec.elements import ARRAY, DOCUMENT, Element, document_of, element_of, elements_of
from documents.errors import Fault, InvalidDocumentError
from documents.types import Document, child

_AHEAD: Final = 64
"""Items of a stored array among which one of the new array is looked for, since others may have been taken out."""


def splice(stored: bytes, after: Document, *, replaces: bool = False) -> bytes:
    """Return a new document as BSON, with the stored bytes of all that is as it was.

    Args:
        stored: BSON of the document in whose place it comes.
        after: The new one.
        replaces: Whether it replaces the stored one as a whole. A key that stands twice may then become one.

    Raises:
        InvalidDocumentError: A value cannot be stored, or a key that stands twice is changed.
    """
    return _Splicer(replaces=replaces).document(stored, after, "")


class _Splicer:
    """Splices one document."""

    def __init__(self, *, replaces: bool) -> None:
        self._replaces = replaces

    def document(self, stored: bytes, after: Document, pointer: str) -> bytes:
        known: dict[str, list[Element]] = {}
        for element in elements_of(stored):
            known.setdefault(element.name.decode(errors="replace"), []).append(element)
        for name in known.keys() - after.keys():
            self._check_single(known[name], child(pointer, name))
        return document_of(
            self._member(known[name], value, child(pointer, name)) if name in known else element_of(name, value)
            for name, value in after.items()
        )

    def array(self, stored: bytes, after: Sequence[Any], pointer: str) -> bytes:
        waiting = list(elements_of(stored))
        if len(waiting) == len(after):
            return document_of(
                self._value(element, element.name, value, child(pointer, index))
                for index, (element, value) in enumerate(zip(waiting, after, strict=True))
            )
        return document_of(
            element_of(str(index), value)
            if element is None
            else self._value(element, str(index).encode(), value, child(pointer, index))
            for index, (element, value) in enumerate(_aligned(waiting, after))
        )

    def _member(self, elements: list[Element], value: object, pointer: str) -> bytes:
        last = elements[-1]  # the one that decoding sees
        spliced = self._value(last, last.name, value, pointer)
        if spliced == last.to_bytes():
            return b"".join(element.to_bytes() for element in elements)
        self._check_single(elements, pointer)
        return spliced

    def _check_single(self, elements: list[Element], pointer: str) -> None:
        if len(elements) > 1 and not self._replaces:
            detail = "The stored document has this key more than once, so it can only be replaced as a whole."
            raise InvalidDocumentError(detail, [Fault(pointer, "key-stands-twice", detail)])

    def _value(self, element: Element, name: bytes, value: object, pointer: str) -> bytes:
        if element.kind in (DOCUMENT, ARRAY) and element_of("", element.decode()) == element_of("", value):
            return element.to_bytes(name)  # also where a key stands twice, with others in between
        if element.kind == DOCUMENT and type(value) is dict:
            inside = self.document(element.payload, cast("Document", value), pointer)
            return Element(DOCUMENT, name, inside).to_bytes()
        if element.kind == ARRAY and type(value) is list:
            return Element(ARRAY, name, self.array(element.payload, cast("list[Any]", value), pointer)).to_bytes()
        if _is_same(element.decode(), value):
            return element.to_bytes(name)
        new = element_of("", value)  # its type, the end of a name that is empty, and the value
        return b"".join((new[:1], name, new[1:]))  # the name need not be UTF-8


def _aligned(waiting: list[Element], after: Sequence[Any]) -> list[tuple[Element | None, Any]]:
    """Return the items of a new array, each with the next stored one that is equal, if any is near."""
    place = 0
    pairs: list[tuple[Element | None, Any]] = []
    for value in after:
        near = enumerate(islice(waiting, place, place + _AHEAD), place)
        found = next((index for index, element in near if element.decode() == value), None)
        pairs.append((None if found is None else waiting[found], value))
        place = place if found is None else found + 1
    return pairs


def _is_same(stored: object, value: object) -> bool:
    if type(stored) is not type(value):
        return False
    if isinstance(stored, float) and isinstance(value, float):
        return struct.pack("<d", stored) == struct.pack("<d", value) or (math.isnan(stored) and math.isnan(value))
    return stored == value
