"""Declared models: what they say of a document, and how a document is made to fit them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, cast

from beanie import Document as BeanieDocument
from beanie.odm.utils.dump import get_dict
from bson import Decimal128
from pydantic import ValidationError

from documents.catalog.fields import coercions, document_id_type
from documents.errors import Fault, InvalidDocumentError
from documents.types import MISSING, Coerce, Document, IdType, child

UNEXPECTED: Final = "unknown-field"
NO_SUCH_FIELD: Final = "The model has no such field."
EXACT_IN_FLOAT: Final = 2**53


class DeclaredModel:
    """A Beanie document class as the store uses it. Reading never builds an instance; writing always does.

    Args:
        model: An initialised Beanie document class.
    """

    def __init__(self, model: type[BeanieDocument]) -> None:
        self.model = model
        self.name: str = model.get_collection_name()
        self.id_type: IdType = document_id_type(model)
        self._coercions = coercions(model)

    def coerce(self, path: str) -> Coerce | None:
        """Return how a value at `path` is read in a filter or an update; None where nothing is declared."""
        return self._coercions(path)

    def validate(self, document: Document, *, before: Document | None = None) -> Document:
        """Return the document as the model wants it stored.

        Nothing is dropped: a field that the model does not know is refused, unless the stored document
        (`before`) has it already; then it stays as it is.

        Raises:
            InvalidDocumentError: With a fault for each field that does not fit.
        """
        try:
            instance = self.model.model_validate(_as_python(document))
        except ValidationError as error:
            raise _refusal([*_faults(error), *self._unknown_fields(document, before or {})]) from None
        try:
            stored = cast("Document", get_dict(instance, to_db=True))
        except ArithmeticError:  # a Decimal that Decimal128 cannot hold
            raise _refusal(_inexact(instance.model_dump(by_alias=True), "") or [_no_decimal("")]) from None
        faults: list[Fault] = []
        whole = _overlay(stored, document, before, "", faults)
        if faults:
            raise _refusal(faults)
        if not self.model.get_settings().keep_nulls:
            whole = _without_nulls(whole, stored, get_dict(instance, to_db=True, keep_nulls=False))
        return cast("Document", whole)

    def _unknown_fields(self, document: Document, before: Document) -> list[Fault]:
        """Return a fault for each field at the top that the model does not know, so that one answer tells of all."""
        if self.model.model_config.get("extra", "ignore") != "ignore":
            return []
        known = {field.alias or name for name, field in self.model.model_fields.items()}
        return [
            Fault(child("", key), UNEXPECTED, NO_SUCH_FIELD)
            for key in document
            if key not in known and key not in before
        ]


def _inexact(value: object, pointer: str) -> list[Fault]:
    """Return a fault for each decimal number that BSON cannot hold."""
    if isinstance(value, Mapping):
        members = cast("Mapping[str, object]", value).items()
    elif isinstance(value, list | tuple | set | frozenset):
        members = enumerate(cast("Sequence[object]", value))
    else:
        return [] if not isinstance(value, Decimal) or _fits(value) else [_no_decimal(pointer)]
    return [fault for key, item in members for fault in _inexact(item, child(pointer, key))]


def _fits(value: Decimal) -> bool:
    try:
        Decimal128(value)
    except ArithmeticError:
        return False
    return True


def _no_decimal(pointer: str) -> Fault:
    return Fault(
        pointer, "wrong-type", "A decimal number of at most 34 digits, from 1E-6176 to 1E+6144, is needed here."
    )


def _as_python(value: object) -> Any:  # noqa: ANN401  # what a model reads
    """Return stored values as a model expects them: `Decimal` for Decimal128, and dates that say that they are UTC."""
    if isinstance(value, dict):
        return {key: _as_python(item) for key, item in cast("Document", value).items()}
    if isinstance(value, list):
        return [_as_python(item) for item in cast("list[object]", value)]
    if isinstance(value, Decimal128):
        return value.to_decimal()
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value


def _without_nulls(whole: object, stored: object, lean: object) -> object:
    """Leave out the nulls that the model leaves out; those of fields that it does not know stay."""
    if isinstance(whole, dict) and isinstance(stored, dict) and isinstance(lean, dict):
        known, kept = cast("Document", stored), cast("Document", lean)
        return {
            key: _without_nulls(value, known.get(key), kept.get(key))
            for key, value in cast("Document", whole).items()
            if key in kept or key not in known
        }
    if isinstance(whole, list) and isinstance(stored, list) and isinstance(lean, list):
        rows = zip(cast("list[Any]", whole), cast("list[Any]", stored), cast("list[Any]", lean), strict=True)
        return [_without_nulls(*row) for row in rows]
    return cast("object", whole)


def _refusal(faults: Sequence[Fault]) -> InvalidDocumentError:
    return InvalidDocumentError("The document does not fit the collection's model.", faults)


def _faults(error: ValidationError) -> list[Fault]:
    """Pydantic's errors as faults. Its messages quote limits and choices, never a value of another user."""
    return [
        Fault(child("", *fault["loc"]), fault["type"].replace("_", "-"), fault["msg"])
        for fault in error.errors(include_url=False, include_input=False, include_context=False)
    ]


def _overlay(stored: object, sent: object, before: object, pointer: str, faults: list[Fault]) -> object:
    """Return what the model made of a value, with what it does not know put back."""
    if isinstance(stored, dict) and isinstance(sent, Mapping):
        return _overlay_fields(
            cast("Document", stored), cast("Mapping[str, Any]", sent), _fields(before), pointer, faults
        )
    if isinstance(stored, list) and isinstance(sent, list):
        return _overlay_items(cast("list[Any]", stored), cast("list[Any]", sent), before, pointer, faults)
    if _is_guess(sent, cast("object", stored)):
        faults.append(Fault(pointer, "wrong-type", "The model would have to guess what is meant; send its own type."))
    elif isinstance(sent, int) and isinstance(stored, float) and abs(sent) > EXACT_IN_FLOAT and int(stored) != sent:
        faults.append(Fault(pointer, "inexact", "A floating-point number cannot hold this integer exactly."))
    return cast("object", stored)


def _is_guess(sent: object, stored: object) -> bool:
    """Say whether Pydantic has read a value as one of another kind: null as an id, "7" as 7, 0 as a date in 1970."""
    if sent is None or isinstance(sent, bool):
        return stored is not sent
    if isinstance(sent, int | float):
        return isinstance(stored, bool | str | datetime)
    return isinstance(sent, str) and isinstance(stored, bool | int | float)


def _overlay_fields(
    stored: Document, sent: Mapping[str, Any], before: Mapping[str, Any], pointer: str, faults: list[Fault]
) -> Document:
    whole = dict(stored)
    for key, value in sent.items():
        at = child(pointer, key)
        if key in stored:
            whole[key] = _overlay(stored[key], value, before.get(key, MISSING), at, faults)
        elif key in before:
            whole[key] = value
        else:
            faults.append(Fault(at, UNEXPECTED, NO_SUCH_FIELD))
    return whole


def _overlay_items(stored: list[Any], sent: list[Any], before: object, pointer: str, faults: list[Fault]) -> list[Any]:
    if len(stored) != len(sent):
        return stored
    earlier = cast("list[Any]", before) if isinstance(before, list) else []
    return [
        _overlay(item, given, given if given in earlier else _at(earlier, index), child(pointer, index), faults)
        for index, (item, given) in enumerate(zip(stored, sent, strict=True))
    ]


def _fields(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _at(items: list[Any], index: int) -> object:
    return items[index] if index < len(items) else MISSING
