"""Requests as operations. What is read here has not been looked up, checked against a policy or compiled."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar, cast

from api.bodies import MAX_OPERATIONS, as_document, parse_filter_text
from api.exchange import Exchange, path_parameter
from api.known_parameters import refuse_names_of_others
from api.preferences import Preferences
from api.problems import BodyTooLargeError
from documents.codec.etag import parse_etags
from documents.codec.strict import check_keys
from documents.collections.operations import (
    UNCONDITIONAL,
    Aggregate,
    Bulk,
    Change,
    Count,
    Delete,
    Find,
    Insert,
    JsonPatch,
    MergePatch,
    Patch,
    Precondition,
    Replace,
    Selection,
    Transaction,
    Update,
    Upsert,
    Write,
)
from documents.collections.profiling import DEFAULT_SAMPLE, MAX_SAMPLE, ReadProfile
from documents.database.deadline import Deadline
from documents.errors import Fault, InvalidDocumentError, InvalidOperationError, InvalidParameterError, StoreError
from documents.query.paths import is_field_path
from documents.types import Document, child

T = TypeVar("T")

LISTS: Final = ("sort", "fields")
RESERVED: Final = ("sort", "fields", "limit", "cursor", "q", "filter")
PROFILE_FORMATS: Final = ("profile", "json-schema", "mongo", "contract", "html")
PROFILE_PARAMETERS: Final = ("format", "sample", "examples")
MAX_TRANSACTION: Final = 1000
"""Operations of one transaction. They are done one after the other, within the time of one request."""

MAX_KEYS: Final = 8
INTEGER: Final = re.compile(r"-?[0-9]{1,9}")


def parse_find(exchange: Exchange) -> Find:
    """Read a list from the URL."""
    reserved = _reserved(exchange.parameters, RESERVED)
    limit = reserved.get("limit")
    return Find(
        collection=path_parameter(exchange, "collection"),
        selection=_selection(exchange.parameters, reserved, exchange.preferences),
        sort=reserved.get("sort"),
        fields=reserved.get("fields"),
        limit=None if limit is None else _integer("limit", limit),
        cursor=reserved.get("cursor"),
        count=exchange.preferences.count,
    )


def parse_selection(
    exchange: Exchange, *, instead: str = "use Prefer: max-affected to bound what may be changed"
) -> Selection:
    """Read from the URL which documents something concerns.

    Args:
        exchange: The request.
        instead: What to do instead of giving a parameter that only lists have.
    """
    reserved = _reserved(exchange.parameters, RESERVED)
    for name in ("sort", "fields", "limit", "cursor"):
        if name in reserved:
            detail = f"{name} has no meaning here; {instead}."
            raise InvalidParameterError(detail, [Fault(f"?{name}", "not-allowed", detail)])
    return _selection(exchange.parameters, reserved, exchange.preferences)


def parse_profile(exchange: Exchange) -> tuple[ReadProfile, str]:
    """Read from the URL what to look at, and in which of the `PROFILE_FORMATS` to show it."""
    own = _reserved(exchange.parameters, PROFILE_PARAMETERS)
    others = [pair for pair in exchange.parameters if pair[0] not in PROFILE_PARAMETERS]
    reserved = _reserved(others, RESERVED)
    for name in ("sort", "fields", "limit", "cursor"):
        if name in reserved:
            raise _refused(name, f"{name} has no meaning here; sample says how many documents to look at.")
    form, examples = own.get("format", PROFILE_FORMATS[0]), own.get("examples", "false")
    if form not in PROFILE_FORMATS:
        raise _refused("format", f"format is one of {', '.join(PROFILE_FORMATS)}.")
    if examples not in ("true", "false"):
        raise _refused("examples", "examples is true or false.")
    sample = _integer("sample", own["sample"]) if "sample" in own else DEFAULT_SAMPLE
    if not 1 <= sample <= MAX_SAMPLE:
        raise _refused("sample", f"sample is from 1 to {MAX_SAMPLE}.")
    collection, selection = path_parameter(exchange, "collection"), _selection(others, reserved, exchange.preferences)
    return ReadProfile(collection, selection, sample, examples == "true"), form


def _refused(name: str, detail: str) -> InvalidParameterError:
    return InvalidParameterError(detail, [Fault(f"?{name}", "invalid", detail)])


def parse_precondition(exchange: Exchange) -> Precondition:
    """Read `If-Match` and `If-None-Match`."""
    required, forbidden = exchange.header(b"if-match"), exchange.header(b"if-none-match")
    if required is None and forbidden is None:
        return UNCONDITIONAL
    return Precondition(
        None if required is None else parse_etags(required),
        None if forbidden is None else parse_etags(forbidden, header="If-None-Match"),
    )


def refuse_precondition(exchange: Exchange) -> None:
    """Refuse `If-Match` and `If-None-Match` on a write by filter: an ETag is of one document.

    Raises:
        InvalidParameterError: One of them is given.
    """
    for header in ("If-Match", "If-None-Match"):
        if exchange.header(header.lower().encode()) is not None:
            detail = f"{header} is about one document. Send one request a document, or operations with if_match."
            raise InvalidParameterError(detail, [Fault(f"?{header}", "not-allowed", detail)])


def parse_query(collection: str, body: object, preferences: Preferences) -> Find:
    """Read a list from a body: `{"filter", "q", "sort", "fields", "limit", "cursor"}`."""
    members = _members(body, {"filter", "q", "sort", "fields", "limit", "cursor"})
    return Find(
        collection=collection,
        selection=_selected(members, preferences),
        sort=members.get("sort"),
        fields=members.get("fields"),
        limit=_member(members, "limit", int),
        cursor=_member(members, "cursor", str),
        count=preferences.count,
        place="/",
    )


def parse_count(collection: str, body: object, preferences: Preferences) -> Count:
    """Read a count from a body: `{"filter", "q"}`."""
    return Count(collection, _selected(_members(body, {"filter", "q"}), preferences), preferences.count or "exact")


def parse_aggregate(collection: str, body: object) -> Aggregate:
    """Read an aggregation from a body: `{"pipeline", "limit"}`."""
    members = _members(body, {"pipeline", "limit"})
    if "pipeline" not in members:
        raise _lacks("pipeline")
    return Aggregate(collection, members["pipeline"], _member(members, "limit", int))


def parse_bulk(
    collection: str,
    items: Sequence[object],
    parameters: Sequence[tuple[str, str]],
    deadline: Deadline,
    *,
    literal: bool = False,
) -> Bulk:
    """Read a bulk request: an operation an item, the mode and the key for upserts in the URL."""
    reserved = _reserved(parameters, ("mode", "on"))
    if len(reserved) < len(parameters):
        raise InvalidParameterError("A bulk request knows the parameters mode and on.")
    mode = reserved.get("mode", "unordered")
    if mode not in ("unordered", "ordered", "atomic"):
        detail = "mode is unordered, ordered or atomic."
        raise InvalidParameterError(detail, [Fault("?mode", "invalid", detail)])
    if len(items) > MAX_OPERATIONS:
        raise _too_many(MAX_OPERATIONS)
    on = reserved.get("on")
    writes = [_attempt(item, index, collection, on) for index, item in enumerate(deadline.watch(items))]
    return Bulk(collection, [_typed(write, literal=literal) for write in writes], mode)


def parse_transaction(body: object, *, literal: bool = False) -> Transaction:
    """Read a transaction: `{"operations": [{"op", "collection", ...}, ...]}`."""
    members = _members(body, {"operations"})
    items = members.get("operations")
    if not isinstance(items, list) or not items:
        raise _lacks("operations", "A list of operations is needed here.")
    operations = cast("list[object]", items)
    if len(operations) > MAX_TRANSACTION:
        raise _too_many(MAX_TRANSACTION)
    writes = [_write(item, child("/operations", index), None, None) for index, item in enumerate(operations)]
    return Transaction([_typed(write, literal=literal) for write in writes])


def _typed(write: T, *, literal: bool) -> T:
    """Return a write whose values are of the types that the body says, if it is `literal`."""
    return replace(write, literal=True) if literal and isinstance(write, Replace | Patch | Upsert) else write


def _attempt(item: object, index: int, collection: str, on: str | None) -> Write | StoreError:
    if isinstance(item, StoreError):
        return item
    try:
        return _write(item, child("", index), collection, on)
    except StoreError as error:
        return error


def _write(item: object, pointer: str, collection: str | None, on: str | None) -> Write:
    """Read one operation. `collection` and `on` stand for members that it need not have."""
    if not isinstance(item, dict):
        raise _wrong(pointer, "An operation is an object.")
    members = cast("Document", item)
    name = members.get("op")
    form = _FORMS.get(name) if isinstance(name, str) else None
    if form is None:
        raise _wrong(child(pointer, "op"), f"op is one of {', '.join(_FORMS)}.")
    required, optional, build = form
    allowed = {"op", *required, *optional} | ({"collection"} if collection is None else set[str]())
    for key in members:
        if key not in allowed:
            raise _wrong(child(pointer, key), f"The operation {name} has no member of that name.")
    for key in (*required, *(("collection",) if collection is None else ())):
        if key not in members:
            raise _wrong(child(pointer, key), f"The operation {name} needs this.")
    target = _text(members, "collection", pointer) if collection is None else collection
    return build(members, pointer, target, on)


def _insert(members: Document, pointer: str, collection: str, _: str | None) -> Write:
    return Insert(collection, _document(members, "document", pointer))


def _replace(members: Document, pointer: str, collection: str, _: str | None) -> Write:
    document = _document(members, "document", pointer)
    return Replace(collection, _id(members, pointer), document, _precondition(members, pointer))


def _patch(members: Document, pointer: str, collection: str, _: str | None) -> Write:
    changes = [key for key in _CHANGES if key in members]
    if len(changes) != 1:
        raise _wrong(pointer, f"A patch has one of {', '.join(_CHANGES)}.")
    change = _CHANGES[changes[0]](members, changes[0], pointer)
    return Patch(collection, _id(members, pointer), change, _precondition(members, pointer))


def _delete(members: Document, pointer: str, collection: str, _: str | None) -> Write:
    return Delete(collection, _id(members, pointer), _precondition(members, pointer))


def _upsert(members: Document, pointer: str, collection: str, on: str | None) -> Write:
    named = members.get("on", on)
    keys = named.split(",") if isinstance(named, str) else ["_id"] if named is None else named
    if not isinstance(keys, list) or not 1 <= len(cast("list[object]", keys)) <= MAX_KEYS:
        raise _wrong(child(pointer, "on"), f"on names 1 to {MAX_KEYS} fields.")
    paths = tuple(path for path in cast("list[object]", keys) if isinstance(path, str) and is_field_path(path))
    if len(paths) < len(cast("list[object]", keys)):
        raise _wrong(child(pointer, "on"), "on names fields.")
    return Upsert(collection, _document(members, "document", pointer), paths, members["op"] == "merge")


def _merge_change(members: Document, key: str, pointer: str) -> Change:
    return MergePatch(_document(members, key, pointer))


_CHANGES: Final[Mapping[str, Callable[[Document, str, str], Change]]] = {
    "merge": _merge_change,
    "json_patch": lambda members, key, _: JsonPatch(members[key]),
    "update": lambda members, key, _: Update(members[key]),
}
_IF: Final = ("if_match", "if_none_match")
_FORMS: Final[Mapping[str, tuple[Sequence[str], Sequence[str], Callable[[Document, str, str, str | None], Write]]]] = {
    "insert": (("document",), (), _insert),
    "replace": (("id", "document"), _IF, _replace),
    "patch": (("id",), (*_CHANGES, *_IF), _patch),
    "delete": (("id",), _IF, _delete),
    "upsert": (("document",), ("on",), _upsert),
    "merge": (("document",), ("on",), _upsert),
}


def _id(members: Document, pointer: str) -> str:
    value = members["id"]
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise _wrong(child(pointer, "id"), "An id is given as in a URL: a string, or an integer.")
    return str(value)


def _precondition(members: Document, pointer: str) -> Precondition:
    given = [_text(members, key, pointer) if key in members else None for key in _IF]
    return Precondition(*(None if text is None else parse_etags(text) for text in given))


def _document(members: Document, key: str, pointer: str) -> Document:
    document = as_document(members[key], child(pointer, key))
    faults = check_keys(document, pointer=child(pointer, key))
    if faults:
        raise InvalidDocumentError("A document has keys that cannot be stored.", faults)
    return document


def _text(members: Document, key: str, pointer: str) -> str:
    value = members[key]
    if not isinstance(value, str):
        raise _wrong(child(pointer, key), "A string is needed here.")
    return value


def _wrong(pointer: str, detail: str) -> InvalidOperationError:
    return InvalidOperationError(detail, [Fault(pointer, "invalid-operation", detail)])


def _too_many(maximum: int) -> BodyTooLargeError:
    return BodyTooLargeError(f"A request of this kind may bring {maximum} operations at most.")


def _reserved(parameters: Sequence[tuple[str, str]], names: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in parameters:
        if name in LISTS and name in found:  # as generated clients send arrays
            found[name] += f",{value}"
        elif name in names and found.setdefault(name, value) is not value:
            detail = f"{name} is given twice."
            raise InvalidParameterError(detail, [Fault(f"?{name}", "duplicate", detail)])
    return found


def _selection(
    parameters: Sequence[tuple[str, str]], reserved: Mapping[str, str], preferences: Preferences
) -> Selection:
    text = reserved.get("filter")
    refuse_names_of_others(parameters)
    return Selection(
        parameters=[pair for pair in parameters if pair[0] not in RESERVED],
        filter=None if text is None else parse_filter_text(text),
        text=reserved.get("q"),
        literal=preferences.literal,
    )


def _selected(members: Mapping[str, Any], preferences: Preferences) -> Selection:
    return Selection(filter=members.get("filter", {}), text=_member(members, "q", str), literal=preferences.literal)


def _members(body: object, allowed: set[str]) -> Mapping[str, Any]:
    members = as_document(body)
    unknown = [
        Fault(child("", key), "unknown-field", f"There is {', '.join(sorted(allowed))}.")
        for key in members
        if key not in allowed
    ]
    if unknown:
        raise InvalidDocumentError("The body has members that mean nothing here.", unknown)
    return members


def _member(members: Mapping[str, Any], name: str, kind: type[T]) -> T | None:
    value = members.get(name)
    if kind is int and isinstance(value, float) and value.is_integer():
        return cast("T", int(value))  # JSON knows no difference between 7 and 7.0
    if value is None or (isinstance(value, kind) and not isinstance(value, bool)):
        return value
    raise InvalidDocumentError(
        "A member of the body is of the wrong type.",
        [Fault(child("", name), "wrong-type", f"{kind.__name__} is needed here.")],
    )


def _lacks(name: str, detail: str = "This is needed.") -> InvalidDocumentError:
    return InvalidDocumentError("The body lacks a member.", [Fault(child("", name), "missing", detail)])


def _integer(name: str, text: str) -> int:
    if not INTEGER.fullmatch(text):
        detail = f"{name} is a whole number."
        raise InvalidParameterError(detail, [Fault(f"?{name}", "wrong-type", detail)])
    return int(text)
