"""Extended JSON v2, in and out: every BSON type, and nothing lost."""

from typing import Any, Final, cast

import orjson
from bson.code import Code

from documents.codec.encode import encode
from documents.codec.raw_bson import read_document
from documents.codec.spots import MAX_FAULTS
from documents.codec.stored import StoredDocument
from documents.codec.strict import parse_json, refuse_key
from documents.codec.tree import CONTAINERS
from documents.codec.wrappers import WRAPPERS, WrapperError
from documents.errors import Fault, InvalidDocumentError
from documents.types import Json, child

_CODE: Final = frozenset({"$code", "$scope"})
_MARKS: Final = _CODE | WRAPPERS.keys()
_REFERENCE: Final = frozenset({"$ref", "$id", "$db"})


def parse_extended(body: bytes) -> Any:  # noqa: ANN401  # a value of any BSON type
    """Return what a text in Extended JSON says, canonical or relaxed, as Python values.

    Raises:
        MalformedJsonError: Not JSON, as for `parse_json`.
        InvalidDocumentError: As for `parse_json` and `decode_extended`.
    """
    return decode_extended(parse_json(body))


def decode_extended(value: Json, *, pointer: str = "", lenient_keys: bool = False) -> Any:  # noqa: ANN401
    """Return a JSON value with each wrapper, such as `{"$date": …}`, in place of what it means.

    Dates come naive, as stored ones do. References (`$ref`, `$id`) stay objects, so that no field of theirs moves.

    Args:
        value: At most `MAX_DEPTH` deep. It stays as it is.
        pointer: Where the value is in what was sent.
        lenient_keys: Leave other keys alone, as filters and updates need; else those that `check_keys` refuses are
            faults.

    Raises:
        InvalidDocumentError: With faults `malformed-wrapper`, `integer-out-of-range` or `key-refused`.

    Source:
        MongoDB specifications, Extended JSON.
    """
    decoder = _Decoder(lenient_keys=lenient_keys)
    decoded = decoder.decode(value, pointer)
    if decoder.faults:
        raise InvalidDocumentError("The Extended JSON cannot be read.", decoder.faults[:MAX_FAULTS])
    return decoded


def dump_extended(raw: bytes, *, canonical: bool) -> bytes:
    """Return a document in Extended JSON.

    Args:
        raw: Its BSON.
        canonical: Wrap every number and date; else those that JSON can write stay as they are, and int32, int64 and
            whole doubles look the same to most readers.

    Raises:
        bson.errors.InvalidBSON: The bytes are damaged.
    """
    StoredDocument(raw).decode()  # raises for what is damaged, in a tenth of the time that follows
    return orjson.dumps(read_document(raw, canonical=canonical))


def dump_extended_value(value: object, *, canonical: bool) -> bytes:
    """Return any value that a document can hold in Extended JSON.

    Raises:
        InvalidDocumentError: As for `encode`.
    """
    return orjson.dumps(read_document(encode({"": value}), canonical=canonical)[""])


class _Decoder:
    """Decodes one value and collects its faults."""

    def __init__(self, *, lenient_keys: bool) -> None:
        self.faults: list[Fault] = []
        self._lenient = lenient_keys

    def decode(self, value: object, pointer: str) -> Any:  # noqa: ANN401
        if isinstance(value, list):
            return [
                self.decode(item, child(pointer, index)) if type(item) in CONTAINERS else item
                for index, item in enumerate(cast("list[object]", value))
            ]
        if not isinstance(value, dict):
            return value
        members = cast("dict[str, object]", value)
        return self._decode_object(members, pointer) if _MARKS.isdisjoint(members) else self._unwrap(members, pointer)

    def _decode_object(self, members: dict[str, object], pointer: str) -> dict[str, Any]:
        if not self._lenient:
            self._check_keys(members, pointer)
        return {
            key: self.decode(item, child(pointer, key)) if type(item) in CONTAINERS else item
            for key, item in members.items()
        }

    def _check_keys(self, members: dict[str, object], pointer: str) -> None:
        allowed = _REFERENCE if _is_reference(members) else frozenset[str]()
        for key in members:
            if key not in allowed and (reason := refuse_key(key)):
                self.faults.append(Fault(child(pointer, key), "key-refused", reason))

    def _unwrap(self, members: dict[str, object], pointer: str) -> Any:  # noqa: ANN401
        try:
            return self._unwrap_code(members, pointer) if "$code" in members else _unwrap_alone(members)
        except WrapperError as error:
            self.faults.append(Fault(pointer, error.code, str(error)))
            return None

    def _unwrap_code(self, members: dict[str, object], pointer: str) -> Code:
        code, scope = members["$code"], members.get("$scope", {})
        if not (isinstance(code, str) and isinstance(scope, dict) and members.keys() <= _CODE):
            raise WrapperError("The $code must be a string; a $scope, an object, may go with it, and nothing else.")
        if "$scope" not in members:
            return Code(code)
        return Code(code, self._decode_object(cast("dict[str, object]", scope), child(pointer, "$scope")))


def _unwrap_alone(members: dict[str, object]) -> Any:  # noqa: ANN401
    if len(members) != 1 or "$scope" in members:
        marks = sorted(_MARKS.intersection(members))
        raise WrapperError(f"An object with {marks[0]} must not have other keys, nor $scope be without $code.")
    [(mark, operand)] = members.items()
    return WRAPPERS[mark](operand)


def _is_reference(members: dict[str, object]) -> bool:
    return isinstance(members.get("$ref"), str) and "$id" in members and isinstance(members.get("$db", ""), str)
