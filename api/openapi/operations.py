"""The operations: a row for each route, which says what it takes and what it answers with."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from api.bodies import MAX_OPERATIONS
from api.endpoints.export import COMPRESSED, MEDIA_TYPES
from api.endpoints.ingest import MEDIA_TYPES as INGESTED
from api.endpoints.ingest import SNIFFED
from api.endpoints.jobs import BYTES as OCTETS
from api.endpoints.jobs import PARTIAL
from api.media import JSON_PATCH, MERGE_PATCH, NDJSON, UPDATE, Media
from api.openapi.problems import ERRORS, Errors
from api.openapi.responses import answer, file_answer
from api.openapi.schemas import Schema, nullable, ref
from api.openapi.shapes import list_of, record
from api.openapi.subjects import Subject
from api.parse import MAX_TRANSACTION
from documents.codec.dialect import SETTINGS
from documents.collections.plan import MAX_LIMIT

Responses = Mapping[int, dict[str, Any]]

FILES: Final = (*MEDIA_TYPES.values(), *(media for media, _ in COMPRESSED.values()))
JSON_ONLY: Final = (Media.JSON,)
FIND: Final = ("sort", "fields", "limit", "cursor", "q", "field-filters", "filter", "prefer")
HTML: Final = "text/html"
EXPORT: Final = (
    "sort",
    "fields",
    "limit-export",
    "q",
    "field-filters",
    "filter",
    "format",
    "compress",
    "trailer",
    "unescape",
)
INGEST: Final = (
    "load-mode", "load-on", "load-format", "header", "types", "infer", "nested", "items", "sheet", *SETTINGS,
    "accept", "max-bad", "max-drift", "expect", "all-or-nothing", "mapping", "source-name", "load-key",
    "idempotency-key", "upload-complete", "prefer",
)  # fmt: skip
ONE: Final = ("if-match", "if-none-match", "prefer")


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation.

    Args:
        method: Of HTTP.
        path: As in the table of routes, without convertors.
        verb: What its `operationId` begins with.
        object: What comes behind that: `{one}`, `{many}` or nothing.
        summary: In a few words, with `{one}` and `{many}` in it.
        answers: What it answers with when all goes well.
        parameters: Their names.
        body: The schemas of what may be sent, by media type; None where nothing is.
        description: What the summary does not say.
        tag: The heading, where it is not that of the collection.
        needs_body: Whether one must be sent, where one may.
    """

    method: str
    path: str
    verb: str
    object: str
    summary: str
    answers: Callable[[Subject], Responses]
    parameters: Sequence[str] = ()
    body: Callable[[Subject], Mapping[str, Schema]] | None = None
    description: str = ""
    tag: str | None = None
    needs_body: bool = True

    @property
    def is_of_collection(self) -> bool:
        """Whether each collection has it."""
        return "{collection}" in self.path

    @property
    def is_of_document(self) -> bool:
        """Whether its id is that of a document."""
        return self.path == _ONE

    @property
    def errors(self) -> Errors:
        """What it can end in."""
        return ERRORS[self.method, self.path]


def _json(schema: Schema) -> dict[str, Schema]:
    return {Media.JSON.value: schema, Media.EJSON.value: schema}


def _document(subject: Subject) -> Mapping[str, Schema]:
    return _json(ref(f"{subject.one}Input"))


def _documents(subject: Subject) -> Mapping[str, Schema]:
    one = ref(f"{subject.one}Input")
    return _json({"oneOf": [one, list_of(one, maxItems=MAX_OPERATIONS)]})


def _change(subject: Subject) -> Mapping[str, Schema]:
    patch = ref(f"{subject.one}Patch")
    return {MERGE_PATCH: patch, JSON_PATCH: ref("JsonPatch"), UPDATE: ref("Update"), **_json(patch)}


def _bulk(subject: Subject) -> Mapping[str, Schema]:
    operations = list_of(ref(f"{subject.one}Operation"), maxItems=MAX_OPERATIONS)
    example = '{"op": "insert", "document": {}}\n{"op": "delete", "id": "65a1f0c2d4b5e6f708192a3b"}\n'
    lines = {"type": "string", "description": "An operation a line, as NDJSON.", "examples": [example]}
    return {**_json(operations), NDJSON: lines}


_SELECTION: Final[dict[str, Schema]] = {
    "filter": nullable(ref("Filter")),
    "q": {"type": ["string", "null"], "minLength": 1, "maxLength": 1000, "pattern": r"\S"},
}
_LIMIT: Final[Schema] = {"type": ["integer", "null"], "minimum": 1, "maximum": MAX_LIMIT}
_QUERY: Final = record(
    {},
    {
        **_SELECTION,
        "sort": nullable(ref("Sort")),
        "fields": nullable(ref("Fields")),
        "limit": _LIMIT,
        "cursor": {"type": ["string", "null"], "description": "`next` or `prev` of another page of the same list."},
    },
)
_COUNT: Final = record({}, _SELECTION)
_AGGREGATE: Final = record({"pipeline": ref("Pipeline")}, {"limit": _LIMIT})
_TRANSACTION: Final = record({"operations": list_of(ref("TransactionOperation"), minItems=1, maxItems=MAX_TRANSACTION)})


def _wanted_indexes(subject: Subject) -> Mapping[str, Schema]:
    return {} if subject.is_declared else _json(ref("IndexesInput"))


def _schema(_: Subject) -> Responses:
    found = answer("What the documents look like.", {"anyOf": [ref("Profile"), ref("SchemaDocument")]}, media=JSON_ONLY)
    found["content"][HTML] = {"schema": {"type": "string"}}
    return {200: found}


def _set_indexes(_: Subject) -> Responses:
    return {
        200: answer("The indexes as they are now.", ref("Indexes"), media=JSON_ONLY),
        202: answer("What is to be done. MongoDB goes on building.", ref("Indexes"), media=JSON_ONLY),
    }


def _contract(_: Subject) -> Responses:
    return {200: answer("The contract.", ref("Contract"), media=JSON_ONLY, headers=("ETag",))}


def _set_contract(subject: Subject) -> Responses:
    new = answer("Set, where there was none.", ref("Contract"), media=JSON_ONLY, headers=("ETag",))
    return {**_contract(subject), 201: new}


def _page(subject: Subject) -> Responses:
    headers = ("Link", "Preference-Applied", "Vary")
    return {200: answer("A page.", ref(f"{subject.one}Page"), headers=headers)}


def _file(_: Subject) -> Responses:
    return {200: file_answer("The file.", FILES, headers=("Content-Disposition", "Content-Encoding", "Vary"))}


def _inserted(subject: Subject) -> Responses:
    both: Schema = {"anyOf": [ref(subject.one), ref("Outcomes")]}
    headers = ("Location", "ETag", "Vary", "Preference-Applied", "Sheaf-Discarded")
    return {
        201: answer("Stored: the document, or of several the outcomes.", both, headers=headers),
        **_mixed(subject),
    }


def _mixed(_: Subject) -> Responses:
    outcomes = ref("Outcomes")
    return {
        200: answer("Done: the outcomes.", outcomes),
        207: answer("Done in part: the outcomes, some of them failures.", outcomes),
    }


def _atomic(_: Subject) -> Responses:
    outcomes = ref("Outcomes")
    return {200: answer("Done: the outcomes.", outcomes), 201: answer("All of them new: the outcomes.", outcomes)}


def _read(subject: Subject) -> Responses:
    return {
        200: answer("The document.", ref(subject.one), headers=("ETag", "Vary")),
        304: answer("The client has it already.", headers=("ETag", "Vary")),
    }


def _changed(subject: Subject) -> Responses:
    headers = ("ETag", "Content-Location", "Vary", "Preference-Applied", "Sheaf-Discarded")
    return {200: answer("The document as it is now.", ref(subject.one), headers=headers)}


def _put(subject: Subject) -> Responses:
    headers = ("ETag", "Location", "Vary", "Preference-Applied", "Sheaf-Discarded")
    return {**_changed(subject), 201: answer("Stored as a new document.", ref(subject.one), headers=headers)}


def _plain(status: int, description: str, shape: str) -> Callable[[Subject], Responses]:
    return lambda _: {status: answer(description, ref(shape), media=JSON_ONLY)}


def _updated(_: Subject) -> Responses:
    return {200: answer("How many.", ref("Modified"), media=JSON_ONLY, headers=("Sheaf-Discarded",))}


def _deleted(_: Subject) -> Responses:
    return {204: answer("Deleted.")}


def _ready(_: Subject) -> Responses:
    return {
        200: answer("Requests would be served.", ref("Health"), media=JSON_ONLY),
        503: answer("They would not, for the reason given.", ref("Health"), media=JSON_ONLY),
    }


def _loaded(_: Subject) -> Responses:
    return {
        200: answer("Done: the report of the load.", ref("JobReport"), media=JSON_ONLY),
        207: answer("Done, and some records are duplicates or in quarantine.", ref("JobReport"), media=JSON_ONLY),
        **_going_on(202),
    }


def _going_on(*statuses: int) -> Responses:
    headers = ("Location", "Preference-Applied", "Upload-Offset", "Upload-Complete")
    answers = {
        200: answer("Done: the report.", ref("JobReport"), media=JSON_ONLY),
        202: answer("It goes on by itself: the report so far.", ref("JobReport"), media=JSON_ONLY, headers=headers),
    }
    return {status: answers[status] for status in statuses}


def _job(_: Subject) -> Responses:
    headers = ("Upload-Offset", "Upload-Complete")
    return {200: answer("The report.", ref("JobReport"), media=JSON_ONLY, headers=headers)}


def _continued(_: Subject) -> Responses:
    kept = answer("Kept. More is to come.", headers=("Upload-Offset", "Upload-Complete"))
    return {**_going_on(202), 204: kept}


def _quarantine(_: Subject) -> Responses:
    found = answer("A page, or all records as they came.", ref("QuarantinedRecords"), media=JSON_ONLY)
    found["content"][OCTETS] = {"schema": {"description": "The records, each with a line feed behind it."}}
    return {200: found}


_ALL: Final = "/v1/{collection}"
_ONE: Final = "/v1/{collection}/{id}"
_BODY_ONCE: Final = "Each operation has an outcome of its own, in the order in which they came."

OPERATIONS: Final = (
    Operation("GET", _ALL, "list", "{many}", "List {many}", _page, FIND),
    Operation(
        "POST", _ALL, "insert", "{many}", "Insert {one}", _inserted, ("prefer",), _documents,
        f"One as an object, or up to {MAX_OPERATIONS} as an array. {_BODY_ONCE}",
    ),
    Operation(
        "PATCH", _ALL, "updateMany", "{many}", "Update {many} by filter", _updated,
        ("filter-required", "prefer"), _change,
        "All or none where a model or a contract has to agree, or `max-affected` is given.",
    ),
    Operation(
        "DELETE", _ALL, "deleteMany", "{many}", "Delete {many} by filter", _plain(200, "How many.", "Deleted"),
        ("filter-required", "prefer"), None, "All or none if `max-affected` is given.",
    ),
    Operation("GET", _ONE, "get", "{one}", "Read one of the {many}", _read, ("if-match", "if-none-match")),
    Operation("PUT", _ONE, "put", "{one}", "Store one of the {many} under this id", _put, ONE, _document),
    Operation("PATCH", _ONE, "patch", "{one}", "Change one of the {many}", _changed, ONE, _change),
    Operation("DELETE", _ONE, "delete", "{one}", "Delete one of the {many}", _deleted, ("if-match", "if-none-match")),
    Operation("POST", f"{_ALL}:query", "query", "{many}", "List {many}, asked for in a body", _page, ("prefer",),
              lambda _: _json(_QUERY)),
    Operation("POST", f"{_ALL}:count", "count", "{many}", "Count {many}", _plain(200, "The count.", "Count"),
              ("prefer",), lambda _: _json(_COUNT)),
    Operation("POST", f"{_ALL}:aggregate", "aggregate", "{many}", "Aggregate {many}",
              lambda _: {200: answer("What came out.", ref("Rows"), headers=("Vary",))}, ("prefer",),
              lambda _: _json(_AGGREGATE)),
    Operation("POST", f"{_ALL}:bulk", "bulk", "{many}", "Write several of the {many}",
              lambda subject: {**_atomic(subject), **_mixed(subject)}, ("mode", "on", "prefer"), _bulk, _BODY_ONCE),
    Operation("GET", f"{_ALL}:schema", "getSchemaOf", "{many}", "Say what {many} look like", _schema,
              ("schema-format", "sample", "examples", "q", "field-filters", "filter", "prefer"), None,
              "Of all of them, or of a random sample. The answer says how many were looked at, and what that cannot "
              "tell. Fields that have the name of a parameter are filtered through `filter`."),
    Operation("GET", f"{_ALL}:export", "export", "{many}", "Export {many} as a file", _file, EXPORT, None,
              "All from one snapshot, streamed. A connection that closes without the last chunk means that the file is "
              "not whole."),
    Operation("POST", f"{_ALL}:ingest", "ingest", "{many}", "Load {many} from a file", _loaded, INGEST,
              lambda _: {media: {"description": "Records."} for media in (*INGESTED, *SNIFFED)},
              "What cannot be stored is put in quarantine, and keeps nothing else out. A body of up to 1 MiB is loaded "
              "at once; a larger one is kept as it comes, and loaded by a job.", needs_body=False),
    Operation("GET", f"{_ALL}:loads", "getLoadsOf", "{many}", "Say which loads wrote one of the {many}",
              _plain(200, "The loads, the first first.", "DocumentLoads"), ("document-id",)),
    Operation("GET", f"{_ALL}:quarantine", "listQuarantineOf", "{many}", "List the quarantine of {many}", _quarantine,
              ("job", "code", "quarantine-format", "limit-jobs", "cursor-quarantine")),
    Operation("DELETE", f"{_ALL}:quarantine", "discardQuarantineOf", "{many}", "Discard the quarantine of {many}",
              _plain(200, "How many.", "QuarantineDiscarded"), ("job", "code", "record-ids", "all"), None,
              "Those for which every parameter holds; `all` if there is none."),
    Operation("GET", f"{_ALL}:quarantine/{{id}}", "getQuarantinedOf", "{many}", "Read one record in quarantine",
              _plain(200, "The record, whole.", "QuarantinedRecord"), ("record-id",)),
    Operation("DELETE", f"{_ALL}:quarantine/{{id}}", "discardQuarantinedOf", "{many}",
              "Discard one record in quarantine", _deleted, ("record-id",)),
    Operation("POST", f"{_ALL}:replay", "replayQuarantineOf", "{many}", "Try the quarantine of {many} again", _loaded,
              ("prefer",), lambda _: _json(ref("QuarantineReplay")),
              "What can be stored now is stored, as its load would have. The rest stays where it is."),
    Operation("GET", f"{_ALL}:indexes", "getIndexesOf", "{many}", "Compare the indexes of {many}",
              _plain(200, "The indexes, and what would have to be done.", "Indexes")),
    Operation("PUT", f"{_ALL}:indexes", "setIndexesOf", "{many}", "Give {many} their indexes", _set_indexes,
              ("prefer",), _wanted_indexes, "A model's are built as it declares them, and nothing is sent. "
              "Of another collection, those that are sent are built. Others stay, unless `drop` names them."),
    Operation("GET", f"{_ALL}:contract", "getContractOf", "{many}", "Read the contract of {many}", _contract,
              ("version",)),
    Operation("PUT", f"{_ALL}:contract", "setContractOf", "{many}", "Set the contract of {many}", _set_contract,
              ("if-match", "if-none-match", "prefer"), lambda _: {Media.JSON.value: ref("ContractInput")},
              "What writes must keep to from now on. What is stored already stays as it is. A collection that a model "
              "declares has none."),
    Operation("DELETE", f"{_ALL}:contract", "removeContractOf", "{many}", "Take the contract of {many} off", _deleted,
              ("if-match", "if-none-match")),
    Operation("GET", "/v1", "listCollections", "", "List the collections",
              _plain(200, "Those that the caller may see.", "Collections"), tag="store"),
    Operation("POST", "/v1:transaction", "runTransaction", "", "Write to several collections, all or none", _atomic,
              ("prefer",), lambda _: _json(_TRANSACTION), tag="store"),
    Operation("GET", "/jobs", "listJobs", "", "List the jobs", _plain(200, "A page, the newest first.", "JobReports"),
              ("job-collection", "job-state", "job-key", "limit-jobs", "cursor-jobs"), tag="jobs"),
    Operation("GET", "/jobs/{id}", "getJob", "", "Read one job", _job, ("job-id",), tag="jobs"),
    Operation("PATCH", "/jobs/{id}", "continueUpload", "", "Continue an upload", _continued,
              ("job-id", "upload-offset", "upload-complete", "prefer"),
              lambda _: {media: {"description": "The next bytes."} for media in (PARTIAL, OCTETS)},
              "As draft-ietf-httpbis-resumable-upload has it.", "jobs", needs_body=False),
    Operation("POST", "/jobs/{id}:cancel", "cancelJob", "", "Stop a job", lambda _: _going_on(200, 202), ("job-id",),
              None, "What it has written stays.", "jobs"),
    Operation("POST", "/jobs/{id}:undo", "undoJob", "", "Take a load back", lambda _: _going_on(200, 202),
              ("job-id", "force", "prefer"), None,
              "What it inserted is deleted, unless it was changed since. What it changed stays.", "jobs"),
    Operation("GET", "/health/live", "isLive", "", "Whether the process runs",
              _plain(200, "It does.", "Health"), tag="health"),
    Operation("GET", "/health/ready", "isReady", "", "Whether requests would be served", _ready, tag="health"),
)  # fmt: skip
