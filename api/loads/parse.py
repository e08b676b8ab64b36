"""Requests about loads, jobs and the quarantine as operations."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NoReturn, TypeVar, cast

from api.bodies import as_document
from api.exchange import Exchange, path_parameter
from api.parse import INTEGER
from documents.codec.csv_columns import parse_columns
from documents.codec.dialect import SETTINGS, Dialect
from documents.codec.formats import FORMATS, formats_with
from documents.codec.options import ReadOptions
from documents.codec.records import Format
from documents.errors import Fault, InvalidCursorError, InvalidDocumentError, InvalidParameterError
from documents.ingest.jobs import Doing, Load, Mode, Origin, State
from documents.ingest.quarantine import Chosen
from documents.ingest.requests import ChangeQuarantine, FindJobs, FindQuarantined, UndoJob
from documents.types import COLLECTION_NAME, child

T = TypeVar("T")

JOB: Final = "[0-9a-f]{24}"
RECORD: Final = f"{JOB}-[0-9a-f]{{12,16}}"
DEFAULT_LISTED: Final = 50
MAX_LISTED: Final = 200
MAX_IDS: Final = 1000
MAX_NAME: Final = 255
"""Characters of the name of a source, and of a key."""

HEAD_BYTES: Final = 2048
"""What a list shows of a record."""

READ_PARAMETERS: Final[Mapping[str, Sequence[Format]]] = {
    name: formats_with(name) for name in dict.fromkeys(name for entry in FORMATS.values() for name in entry.options)
}
"""Parameters that say how records are read, and of which formats."""

GATES: Final = ("max_bad", "max_drift", "expect", "all_or_nothing")
"""Parameters that say what a load has to pass."""

QUARANTINE_FORMATS: Final = ("json", "raw")

_TRUTHS: Final[Mapping[str, bool]] = {"true": True, "false": False}
_STATES: Final[Mapping[str, State | Doing]] = {
    **{str(state): state for state in State},
    **{str(doing): doing for doing in Doing},
}
_OFFSET: Final = re.compile("[0-9]{1,15}")


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """What a request says of a load, before its body is looked at.

    Args:
        collection: Where to.
        form: Of the records, where the parameter says it.
        mode: What they do.
        on: The key.
        name: Of the source.
        key: Under which it is loaded once.
        reading: How records are read, where a parameter says so.
        gates: What it has to pass: the fields of `Load` of these names.
        accept: Whether a table is read as it seems to be.
        mapping: How records are changed: JSON, or the name of a mapping of the project.
    """

    collection: str
    form: Format | None
    mode: Mode
    on: tuple[str, ...]
    name: str | None
    key: str | None
    reading: Mapping[str, Any]
    gates: Mapping[str, Any] = field(default_factory=dict[str, Any])
    accept: bool = False
    mapping: str | None = None

    def to_load(self, form: Format, *, max_bytes: int) -> Load:
        """Return the load, now that it is known what is in the body.

        Args:
            form: Of the records.
            max_bytes: That they may take, decompressed.

        Raises:
            InvalidParameterError: A parameter is about other formats than this.
        """
        for name in self.reading:
            if form not in READ_PARAMETERS[name]:
                refuse(name, "not-allowed", f"{name} is for {' and '.join(READ_PARAMETERS[name])}, and this is {form}.")
        told = dict(self.reading)
        dialect = Dialect(**{name: told.pop(name) for name in SETTINGS if name in told})
        options = ReadOptions(max_bytes=max_bytes, dialect=dialect, any_keys=self.mapping is not None, **told)
        load = Load(self.collection, form, self.mode, self.on, options, Origin.UPLOAD, self.name, self.key)
        return replace(load, mapping=self.mapping, **self.gates)


def parse_load(exchange: Exchange) -> LoadRequest:
    """Read what is to be loaded from the URL, and the key perhaps from the header `Idempotency-Key`."""
    own = own_parameters(exchange)
    mode = _one_of("mode", own.get("mode", Mode.INSERT), {str(each): each for each in Mode})
    if mode is Mode.INSERT and "on" in own:
        refuse("on", "not-allowed", "on has no meaning for insert: it goes by no key.")
    return LoadRequest(
        collection=path_parameter(exchange, "collection"),
        form=_given(own, "format", lambda text: _one_of("format", text, {str(each): each for each in Format})),
        mode=mode,
        on=tuple(own.get("on", "_id").split(",")),
        name=_given(own, "name", lambda text: _named("name", text)),
        key=_key(own.get("key"), exchange.header(b"idempotency-key")),
        reading=_reading(own),
        gates=_gates(own),
        mapping=own.get("mapping"),
        accept=_one_of("accept", own.get("accept", "false"), _TRUTHS),
    )


def parse_find_jobs(exchange: Exchange) -> FindJobs:
    """Read from the URL which jobs are wanted: one more than the page has, to see whether more follow."""
    own = own_parameters(exchange)
    collection = own.get("collection")
    if collection is not None and not re.fullmatch(COLLECTION_NAME, collection):
        refuse("collection", "invalid", "No collection can have this name.")
    return FindJobs(
        collection=collection,
        state=_given(own, "state", lambda text: _one_of("state", text, _STATES)),
        key=own.get("key"),
        before=_cursor(own.get("cursor"), JOB),
        limit=_limit(own.get("limit")) + 1,
    )


def parse_undo(exchange: Exchange) -> UndoJob:
    """Read from the URL what is to be taken back."""
    own = own_parameters(exchange)
    return UndoJob(path_parameter(exchange, "id"), _one_of("force", own.get("force", "false"), _TRUTHS))


def parse_upload_offset(exchange: Exchange) -> int:
    """Read where the sender of a part takes the upload to be.

    Source:
        draft-ietf-httpbis-resumable-upload, Upload-Offset.
    """
    text = exchange.header(b"upload-offset")
    if text is None or not _OFFSET.fullmatch(text):
        refuse("Upload-Offset", "invalid", "Upload-Offset says at which byte this part begins: a whole number.")
    return int(text)


def parse_upload_complete(exchange: Exchange) -> bool:
    """Read whether nothing follows behind this part.

    Source:
        draft-ietf-httpbis-resumable-upload, Upload-Complete; RFC 8941, section 3.3.6.
    """
    return _one_of("Upload-Complete", exchange.header(b"upload-complete") or "?1", {"?1": True, "?0": False})


def parse_find_quarantined(exchange: Exchange) -> tuple[FindQuarantined, bool]:
    """Read from the URL which records are wanted, one more than the page has; and whether as they came."""
    own = own_parameters(exchange)
    is_raw = _one_of("format", own.get("format", "json"), {"json": False, "raw": True})
    for name in ("limit", "cursor"):
        if is_raw and name in own:
            refuse(name, "not-allowed", f"{name} has no meaning here: format=raw gives all records.")
    operation = FindQuarantined(
        path_parameter(exchange, "collection"),
        Chosen(job=own.get("job"), code=own.get("code")),
        after=_cursor(own.get("cursor"), RECORD),
        limit=_limit(own.get("limit")) + 1,
        head_bytes=HEAD_BYTES,
    )
    return operation, is_raw


def parse_discard(exchange: Exchange) -> ChangeQuarantine:
    """Read from the URL which records are to be discarded."""
    own = own_parameters(exchange)
    ids = own["id"].split(",") if "id" in own else None
    if ids is not None and len(ids) > MAX_IDS:
        refuse("id", "out-of-range", f"A request may name {MAX_IDS} records at most.")
    chosen = Chosen(ids=ids, job=own.get("job"), code=own.get("code"))
    is_all = _one_of("all", own.get("all", "false"), _TRUTHS)
    return ChangeQuarantine(path_parameter(exchange, "collection"), chosen, is_all=is_all)


def parse_replay(collection: str, body: object) -> ChangeQuarantine:
    """Read from a body which records are to be tried again: `{"ids", "job", "code", "all", "force"}`."""
    members = as_document(body)
    for name, value in members.items():
        if name not in _REPLAY:
            _wrong(name, "unknown-field", f"There is {', '.join(_REPLAY)}.")
        if not _REPLAY[name](value):
            _wrong(name, "wrong-type", f"{_REPLAY_TYPES[name]} is needed here.")
    chosen = Chosen(ids=members.get("ids"), job=members.get("job"), code=members.get("code"))
    return ChangeQuarantine(collection, chosen, is_all=members.get("all", False), force=members.get("force", False))


def own_parameters(exchange: Exchange) -> dict[str, str]:
    """Return the URL's parameters, each of which may come once. The route has refused those that it does not know."""
    found: dict[str, str] = {}
    for name, value in exchange.parameters:
        if found.setdefault(name, value) is not value:
            refuse(name, "duplicate", f"{name} is given twice.")
    return found


def refuse(name: str, code: str, detail: str) -> NoReturn:
    """Refuse a parameter or header.

    Raises:
        InvalidParameterError: Always.
    """
    raise InvalidParameterError(detail, [Fault(f"?{name}", code, detail)])


def _wrong(name: str, code: str, detail: str) -> NoReturn:
    raise InvalidDocumentError("The body does not say which records.", [Fault(child("", name), code, detail)])


def _is_ids(value: object) -> bool:
    if not isinstance(value, list):
        return False
    several = cast("list[object]", value)
    return len(several) <= MAX_IDS and all(isinstance(each, str) for each in several)


_REPLAY: Final[Mapping[str, Callable[[object], bool]]] = {
    "ids": _is_ids,
    "job": lambda value: isinstance(value, str),
    "code": lambda value: isinstance(value, str),
    "all": lambda value: isinstance(value, bool),
    "force": lambda value: isinstance(value, bool),
}
_REPLAY_TYPES: Final = {
    "ids": f"An array of at most {MAX_IDS} strings",
    "job": "A string",
    "code": "A string",
    "all": "true or false",
    "force": "true or false",
}


def _given(own: Mapping[str, str], name: str, read: Callable[[str], T]) -> T | None:
    return read(own[name]) if name in own else None


def _one_of(name: str, value: str, known: Mapping[str, T]) -> T:
    if value not in known:
        refuse(name, "invalid", f"{name} is one of {', '.join(known)}.")
    return known[value]


def _named(name: str, text: str) -> str:
    if not 1 <= len(text) <= MAX_NAME:
        refuse(name, "out-of-range", f"{name} has 1 to {MAX_NAME} characters.")
    return text


def _key(parameter: str | None, header: str | None) -> str | None:
    if header is not None:
        header = _named("Idempotency-Key", header.strip().strip('"'))  # the draft has it as a string in quotes
        if parameter not in (None, header):
            refuse("key", "duplicate", "key and Idempotency-Key are two different keys.")
        return header
    return None if parameter is None else _named("key", parameter)


def _gates(own: Mapping[str, str]) -> dict[str, Any]:
    gates: dict[str, Any] = {name: own[name] for name in GATES if name in own}
    if "all_or_nothing" in gates:
        gates["all_or_nothing"] = _one_of("all_or_nothing", own["all_or_nothing"], _TRUTHS)
    return gates


def _reading(own: Mapping[str, str]) -> dict[str, Any]:
    return {name: _read_option(name, own[name]) for name in READ_PARAMETERS if name in own}


def _read_option(name: str, text: str) -> object:
    return _OPTIONS[name](text) if name in _OPTIONS else _read_setting(name, text)


def _read_setting(name: str, text: str) -> Any:  # noqa: ANN401  # of the type that the setting has
    """Return a setting of the dialect of a table.

    Raises:
        InvalidParameterError: It cannot be meant.
    """
    try:
        return SETTINGS[name].parse(text)
    except ValueError as error:
        refuse(name, "invalid", str(error))


def _types(text: str) -> dict[str, str]:
    try:
        return parse_columns(text)
    except ValueError as error:
        refuse("types", "invalid", str(error))


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LISTED
    if not INTEGER.fullmatch(text) or not 1 <= int(text) <= MAX_LISTED:
        refuse("limit", "out-of-range", f"limit is from 1 to {MAX_LISTED}.")
    return int(text)


def _cursor(text: str | None, form: str) -> str | None:
    if text is not None and not re.fullmatch(form, text):
        raise InvalidCursorError("The cursor is damaged, or belongs to another list.")
    return text


_OPTIONS: Final[Mapping[str, Callable[[str], object]]] = {
    "header": lambda text: tuple(text.split(",")),
    "types": _types,
    "infer": lambda text: _one_of("infer", text, _TRUTHS),
    "nested": lambda text: _one_of("nested", text, _TRUTHS),
    "items": lambda text: _named("items", text),
    "sheet": lambda text: _named("sheet", text),
}
