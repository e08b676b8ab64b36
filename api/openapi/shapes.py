"""The bodies that are the same for every collection, as named JSON Schemas."""

from typing import Final

from api.openapi.contracts import CONTRACT_SCHEMAS
from api.openapi.filters import FILTER_SCHEMAS, NAME_PATTERN
from api.openapi.jobs import JOB_SCHEMAS
from api.openapi.pipelines import PIPELINE_SCHEMAS
from api.openapi.profiles import PROFILE_SCHEMAS
from api.openapi.schemas import Schema, ref
from api.openapi.updates import UPDATE_SCHEMAS
from documents.catalog.metadata import Kind
from documents.indexes.changes import Action, Permission
from documents.types import COLLECTION_NAME, IdType

INT64: Final = {"minimum": -(2**63), "maximum": 2**63 - 1}
TEXT: Final[Schema] = {"type": "string"}
ETAG: Final = r'^"[0-9a-f]+(-ejson)?(-gzip|-zstd)?"$'
ETAGS: Final = r'^(\*|(W/)?"[!#-~]*"( *, *(W/)?"[!#-~]*")*)$'
CURSOR: Final[Schema] = {"type": ["string", "null"], "description": "Opaque; null where nothing follows."}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
COUNT_KIND: Final[Schema] = {
    "enum": ["exact", "estimated", "at-least"],
    "description": "at-least: there are more than were counted.",
}
COLLECTION: Final[Schema] = {"type": "string", "pattern": f"^{COLLECTION_NAME}$", "examples": ["notes"]}
ANY_ID: Final[Schema] = {
    "description": "Of one type in each collection, fixed by its first document.",
    "type": ["string", "integer", "number", "boolean", "object", "null"],
    **INT64,
    "maxLength": 255,
    "pattern": r"^[^\u0000]*$",
    "propertyNames": ref("Key"),
    "additionalProperties": ref("Value"),
}


def record(required: Schema, optional: Schema | None = None, **more: object) -> Schema:
    """Return the schema of an object with just these members."""
    schema: Schema = {"type": "object", "properties": {**required, **(optional or {})}, "additionalProperties": False}
    return {**schema, **({"required": list(required)} if required else {}), **more}


def list_of(item: Schema, **more: object) -> Schema:
    """Return the schema of an array."""
    return {"type": "array", "items": item, **more}


def page_of(document: Schema) -> Schema:
    """Return the schema of a page of a list."""
    return record(
        {"items": list_of(document), "next": CURSOR, "prev": CURSOR}, {"count": COUNT, "count_kind": COUNT_KIND}
    )


_OUTCOMES: Final = ("created", "replaced", "updated", "unchanged", "deleted", "failed", "not-attempted")
_STATUS: Final[Schema] = {"type": "integer", "minimum": 100, "maximum": 599}
_PROBLEM: Final[Schema] = {
    "type": "object",
    "description": "What went wrong, as RFC 9457 has it. The page at `type` says more about the code.",
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "examples": ["/problems/invalid-document"]},
        "title": TEXT,
        "status": _STATUS,
        "code": {"type": "string", "pattern": "^[a-z]+(-[a-z]+)*$", "examples": ["invalid-document"]},
        "detail": TEXT,
        "faults": list_of(ref("Fault")),
        "fields": list_of(TEXT, description="Of a unique violation: the fields whose values another document has."),
        "outcome": {
            "enum": ["unknown", "not-applied"],
            "description": "Of a write that was cut short: whether something may have been stored.",
        },
        "index": {**COUNT, "description": "The operation that failed, counted from 0."},
        "cause": ref("Problem"),
    },
    "required": ["type", "title", "status", "code", "detail"],
}

_INDEX: Final[dict[str, Schema]] = {
    "name": {"type": "string", "minLength": 1, "maxLength": 127},
    "keys": {
        "type": "object",
        "description": "Fields and directions, in order.",
        "minProperties": 1,
        "maxProperties": 32,
        "propertyNames": {
            "type": "string",
            "pattern": r"^[A-Za-z_][A-Za-z0-9_.]*$|^([A-Za-z_][A-Za-z0-9_.]*\.)?\$\*\*$",
        },
        "additionalProperties": {"enum": [1, -1, "text", "hashed", "2d", "2dsphere"]},
        "examples": [{"city": 1, "at": -1, "_id": -1}],
    },
}
_NAMES: Final = list_of({"type": "string"}, maxItems=64)

SHAPES: Final[dict[str, Schema]] = {
    "Index": {
        "type": "object",
        "description": "An index, its options by MongoDB's names, those at their default left out.",
        "properties": _INDEX,
        "required": ["name", "keys"],
    },
    "IndexInput": record(
        {"keys": _INDEX["keys"]},
        {
            "name": {**_INDEX["name"], "pattern": r"^[^\u0000]*$"},
            "unique": {"type": "boolean"},
            "sparse": {"type": "boolean"},
            "hidden": {"type": "boolean"},
            "expireAfterSeconds": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
            "partialFilterExpression": ref("Filter"),
            "collation": {"type": "object", "properties": {"locale": TEXT}, "required": ["locale"]},
            "wildcardProjection": {"type": "object", "additionalProperties": {"enum": [0, 1, True, False]}},
            "weights": {"type": "object", "additionalProperties": {"type": "integer", "minimum": 1, "maximum": 99_999}},
            "default_language": TEXT,
            "language_override": TEXT,
            "bits": {"type": "integer", "minimum": 1, "maximum": 32},
            "min": {"type": "number"},
            "max": {"type": "number"},
        },
    ),
    "IndexesInput": record(
        {"indexes": list_of(ref("IndexInput"), maxItems=63)},
        {
            "drop": {**_NAMES, "description": "Indexes to drop that are not among the wanted ones."},
            "rebuild": {**_NAMES, "description": "Wanted indexes that may be built anew."},
            "shorten_ttl": {
                **_NAMES,
                "description": "Wanted indexes that may let documents expire sooner than they do.",
            },
            "hide": {**_NAMES, "description": "Indexes that queries are to use no more."},
            "unhide": {**_NAMES, "description": "Indexes that queries are to use again."},
        },
    ),
    "Indexes": record(
        {
            "declared": list_of(ref("Index"), description="Those that there should be."),
            "actual": list_of(ref("Index"), description="Those that there are, less the one on `_id`."),
            "plan": ref("IndexPlan"),
        }
    ),
    "IndexPlan": record(
        {
            "is_empty": {"type": "boolean", "description": "All is as it should be."},
            "changes": list_of(ref("IndexChange")),
        }
    ),
    "IndexChange": record(
        {
            "action": {"enum": list(map(str, Action))},
            "name": TEXT,
            "declared": {"anyOf": [ref("Index"), {"type": "null"}]},
            "actual": {"anyOf": [ref("Index"), {"type": "null"}]},
            "differences": list_of({"type": "object"}),
            "blocked": {"type": ["string", "null"], "description": "Why it will not be done."},
            "needs": list_of({"enum": list(map(str, Permission))}, description="What would have to be allowed."),
            "note": {"type": ["string", "null"]},
        }
    ),
    **CONTRACT_SCHEMAS,
    **JOB_SCHEMAS,
    **PROFILE_SCHEMAS,
    **FILTER_SCHEMAS,
    **UPDATE_SCHEMAS,
    **PIPELINE_SCHEMAS,
    "Key": {
        "type": "string",
        "description": "The name of a field: not empty, without a `$` at its beginning, dots and NUL.",
        "pattern": NAME_PATTERN,
    },
    "Value": {
        "type": ["null", "boolean", "string", "number", "array", "object"],
        "description": "Any JSON. Integers have 64 bits at most; nothing nests deeper than 100 levels.",
        **INT64,
        "items": ref("Value"),
        "propertyNames": ref("Key"),
        "additionalProperties": ref("Value"),
    },
    "Operand": {
        "type": ["null", "boolean", "string", "number", "array", "object"],
        "description": "A value to compare with.",
        **INT64,
        "items": ref("Operand"),
        "propertyNames": {"pattern": r"^(?!\$)[^\u0000]*$"},
        "additionalProperties": ref("Operand"),
    },
    "Document": {
        "type": "object",
        "description": "A document of any shape.",
        "properties": {"_id": {}},
        "required": ["_id"],
        "examples": [{"_id": "65a1f0c2d4b5e6f708192a3b", "title": "Anything goes", "tags": ["new"]}],
    },
    "DocumentInput": {
        "type": "object",
        "description": "A document of any shape. Without an `_id` it gets one.",
        "properties": {"_id": ANY_ID},
        "propertyNames": ref("Key"),
        "additionalProperties": ref("Value"),
        "examples": [{"title": "Anything goes", "tags": ["new"]}],
    },
    "DocumentPatch": {
        "type": "object",
        "description": "What to change (RFC 7396). A null removes a field. The `_id` stays.",
        "propertyNames": ref("Key"),
        "additionalProperties": ref("Value"),
        "examples": [{"tags": ["used"]}],
    },
    "DocumentPage": page_of(ref("Document")),
    "Rows": record(
        {"items": list_of({"type": "object"}), "truncated": {"type": "boolean", "description": "There were more."}}
    ),
    "Count": record({"count": COUNT, "count_kind": COUNT_KIND}),
    "Modified": record({"matched": COUNT, "modified": COUNT}),
    "Deleted": record({"matched": COUNT, "deleted": COUNT}),
    "Outcomes": record({"items": list_of(ref("Outcome"))}),
    "Outcome": record(
        {"index": COUNT, "status": _STATUS, "outcome": {"enum": list(_OUTCOMES)}},
        {
            "_id": {},
            "etag": {"type": "string", "pattern": ETAG},
            "discarded": list_of(TEXT, description="What a contract had left out, as JSON pointers."),
            "problem": ref("Problem"),
        },
        description="What became of one operation; `index` is its place in the request.",
    ),
    "Collections": record({"items": list_of(ref("Collection")), "next": CURSOR}),
    "Collection": record(
        {
            "name": COLLECTION,
            "declared": {"type": "boolean", "description": "Whether a model says what its documents look like."},
            "id_type": {
                "enum": [*map(str, IdType), None],
                "description": "null until a first document fixes it, and of views.",
            },
            "estimated_count": {
                "type": ["integer", "null"],
                "minimum": 0,
                "description": "null where MongoDB would have to read every document, as of a view.",
            },
        },
        {
            "kind": {
                "enum": [str(kind) for kind in Kind if kind is not Kind.COLLECTION],
                "description": "What sort of collection it is, where it is no ordinary one.",
            },
            "problem": ref("Problem") | {"description": "Why nothing more is known of this collection."},
        },
    ),
    "Health": record(
        {"status": {"enum": ["live", "started", "ready", "stopping", "no-database", "no-primary"]}},
        {"reasons": list_of({"enum": ["disk-full"]}, description="What is not served, though most requests are.")},
    ),
    "Problem": _PROBLEM,
    "Fault": record(
        {"code": TEXT, "detail": TEXT},
        {
            "pointer": {"type": "string", "format": "json-pointer", "description": "Where in the body (RFC 6901)."},
            "parameter": {"type": "string", "description": "Or which parameter or header."},
        },
        description="One thing wrong at one spot.",
    ),
}


def operation_of(document: Schema, patch: Schema, *, collection: bool) -> Schema:
    """Return the schema of one operation of a bulk request, or of a transaction, which names its collection."""
    where = {"collection": COLLECTION} if collection else {}
    conditions = {name: {"type": "string", "pattern": ETAGS} for name in ("if_match", "if_none_match")}
    one: Schema = {**where, "id": {"type": ["string", "integer"], **INT64, "maxLength": 255}}
    on = {
        "description": "The natural key: `_id`, or fields under a unique index.",
        "anyOf": [ref("FieldList"), list_of(ref("Path"), minItems=1, maxItems=8), {"type": "null"}],
    }
    changes = {"merge": patch, "json_patch": ref("JsonPatch"), "update": ref("Update")}
    return {
        "oneOf": [
            _named("insert", {**where, "document": document}, {}),
            _named("replace", {**one, "document": document}, conditions),
            *(_named("patch", {**one, name: change}, conditions) for name, change in changes.items()),
            _named("delete", one, conditions),
            _named("upsert", {**where, "document": document}, {"on": on}),
            _named("merge", {**where, "document": document}, {"on": on}),
        ]
    }


def _named(name: str, required: Schema, optional: Schema) -> Schema:
    return record({"op": {"const": name}, **required}, optional)
