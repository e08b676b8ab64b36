"""Many JSON texts at once: each is parsed alone, but what JSON leaves open is looked for in all of them together.

A batch in which nothing can be wrong is proved to be so by a few searches through its bytes, which cost a fraction of
the parsing. In any other batch each text goes through `documents.codec.strict`, whose verdict is the one that counts.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias, cast

import orjson

from documents.codec.extended import decode_extended, parse_extended
from documents.codec.strict import check_keys, parse_json
from documents.errors import Fault, InputError
from documents.types import MAX_DEPTH, Document

BATCH: Final = 32
"""Texts of a batch. More would save little, and one text at fault slows down the rest of its batch."""

ParseBatch: TypeAlias = Callable[[Sequence[bytes]], list[Document | Fault]]
"""Returns, for each text, its document or what is wrong with it."""

# As in `strict`: digits all look like 0.
_DIGITS: Final = bytes.maketrans(b"123456789", b"000000000")
_LONG_NUMBER: Final = b"0" * 19
_ALL_BUT_OPENING: Final = bytes(set(range(256)) - set(b"{["))
# Keys that are refused show in the text: a dot, the last of its string, and then the string's end and a colon; or two
# quotes and a colon. Escapes could hide them, and colons too.
_DOTTED_KEY: Final = re.compile(rb'\.[^".\\]*+(?:\\.[^".\\]*+)*+"[ \t\r\n]*+:')
_EMPTY_KEY: Final = re.compile(rb'""[ \t\r\n]*+:')
_TELLING_ESCAPES: Final = (b"\\u000", b"\\u002", b"\\u003")


def parse_batch(texts: Sequence[bytes]) -> list[Document | Fault]:
    """Return what each of some JSON texts says, as `parse_json` and `check_keys` would have it.

    A text that says anything else than an object has a fault `wrong-type`.
    """
    try:
        values = list(map(orjson.loads, texts))
    except orjson.JSONDecodeError:
        return list(map(_parse_one, texts))
    if set(map(type, values)) == {dict} and _is_blameless(texts, values):
        return cast("list[Document | Fault]", values)
    return list(map(_parse_one, texts))


def parse_extended_batch(texts: Sequence[bytes]) -> list[Document | Fault]:
    """Return what each of some texts says in Extended JSON, likewise."""
    return [_attempt(parse_extended, text) for text in texts]


def parse_any_batch(texts: Sequence[bytes]) -> list[Document | Fault]:
    """Return what each of some JSON texts says, whatever its keys are."""
    return [_attempt(parse_json, text) for text in texts]


def parse_any_extended_batch(texts: Sequence[bytes]) -> list[Document | Fault]:
    """Return what each of some texts says in Extended JSON, whatever its keys are."""
    return [_attempt(_parse_any_extended, text) for text in texts]


def _parse_any_extended(text: bytes) -> Any:  # noqa: ANN401  # a value of any BSON type
    return decode_extended(parse_json(text), lenient_keys=True)


def wrong_type() -> Fault:
    """Return the fault of a record that holds something else than a document."""
    return Fault("", "wrong-type", "A document is needed here: an object.")


def _is_blameless(texts: Sequence[bytes], values: list[Any]) -> bool:
    """Tell whether texts, all of which are JSON objects, show no sign of anything that is refused."""
    block = b",".join(texts)
    return (
        not (b"$" in block and b'"$' in block)
        and not (b"\\" in block and any(escape in block for escape in _TELLING_ESCAPES))
        and not _EMPTY_KEY.search(block)
        and not _DOTTED_KEY.search(block)
        and not _may_be_deep(block, texts)
        and _comes_back(block, values)
    )


def _may_be_deep(block: bytes, texts: Sequence[bytes]) -> bool:
    # Every text has one bracket at least, so those of the deepest are within the surplus.
    surplus = len(block.translate(None, _ALL_BUT_OPENING)) - len(texts)
    return surplus >= MAX_DEPTH and any(map(_has_many_brackets, texts))


def _comes_back(block: bytes, values: list[Any]) -> bool:
    """Tell whether the values, written again, are what was read, with no number too wide and no key twice."""
    try:
        # Integers beyond 53 bits are refused here, and those beyond 64 bits come back as doubles.
        if orjson.dumps(values, option=orjson.OPT_STRICT_INTEGER)[1:-1] == block:
            return True
    except orjson.JSONEncodeError:
        pass
    if _LONG_NUMBER in block.translate(_DIGITS):
        return False
    # A key that occurs twice costs a colon, and nothing adds one.
    return orjson.dumps(values).count(b":") == block.count(b":")


def _has_many_brackets(text: bytes) -> bool:
    return text.count(b"{") + text.count(b"[") > MAX_DEPTH


def _parse_one(text: bytes) -> Document | Fault:
    value = _attempt(parse_json, text)
    if isinstance(value, Fault):
        return value
    refused = check_keys(value)
    return refused[0] if refused else value


def _attempt(parse: Callable[[bytes], Any], text: bytes) -> Document | Fault:
    try:
        value = parse(text)
    except InputError as error:
        return error.faults[0] if error.faults else Fault("", error.code, error.detail)
    return cast("Document", value) if isinstance(value, dict) else wrong_type()
