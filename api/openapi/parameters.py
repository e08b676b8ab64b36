"""Parameters: those that every collection knows, and the filters that a model's fields make."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from api.documents.collections import DEFAULT_LIMIT as DEFAULT_COLLECTIONS
from api.documents.collections import MAX_LIMIT as MAX_COLLECTIONS
from api.export.handlers import MEDIA_TYPES
from api.openapi.filters import LISTED, MAX_KEYS
from api.openapi.job_parameters import JOB_PARAMETERS
from api.openapi.places import in_header as _header
from api.openapi.places import in_query as _query
from api.openapi.schemas import OBJECT_ID, Schema, ref
from api.openapi.shapes import COLLECTION
from api.parse import PROFILE_FORMATS
from documents.codec.compressed import Compression
from documents.collections.profiling import DEFAULT_SAMPLE, MAX_SAMPLE
from documents.collections.selected import DEFAULT_LIMIT, MAX_LIMIT
from documents.query.filter.parameters import OPERATORS, RESERVED

_IDENTIFIER: Final = "[A-Za-z_][A-Za-z0-9_]*"
_FIELD: Final = rf"(?!({'|'.join(sorted(RESERVED))})([\[.]|$)){_IDENTIFIER}(\.{_IDENTIFIER})*"
_SCALAR: Final[Schema] = {"type": ["string", "number", "boolean"]}
_TAG: Final = r'(W/)?"[!#-~\u0080-\u00ff]*"'
_TAGS: Final[Schema] = {
    "type": "string",
    "pattern": rf"^[ \t]*(\*|[ \t,]*{_TAG}([ \t]*(,[ \t]*)+{_TAG})*[ \t,]*)$",
}
_COMMAS: Final[Schema] = {"type": "string", "pattern": '^[^"]*$'}


def _filter(*, required: bool) -> Schema:
    return {
        "name": "filter",
        "in": "query",
        "required": required,
        "description": "A filter in JSON, where parameters for single fields do not say enough."
        + (" Those work here, too, and then this one may be left out. `{}` means every document." if required else ""),
        "content": {"application/json": {"schema": ref("FilterParameter"), "example": {}}},
    }


# Examples are what the page of the API fills in, so there are none that would change what a request does.
PARAMETERS: Final[dict[str, Schema]] = {
    "collection": {
        "name": "collection",
        "in": "path",
        "required": True,
        "description": "The collection. Posting a document to a new name makes one.",
        "schema": COLLECTION,
    },
    "sort": _query(
        "sort",
        "Fields to sort by, with commas between; `-` turns the order round.",
        {
            "type": "array",
            "maxItems": MAX_KEYS,
            "uniqueItems": True,
            "items": {"type": "string", "pattern": f"^[+-]?{LISTED}$"},
        },
        style="form",
        explode=False,
    ),
    "fields": _query(
        "fields",
        "At most 200 fields to have, with commas between; or to leave out, each after a `-`. The `_id` always stays.",
        {
            "type": "array",
            "uniqueItems": True,
            "anyOf": [{"items": {"type": "string", "pattern": f"^{sign}{LISTED}$"}} for sign in ("", "-")],
        },
        style="form",
        explode=False,
    ),
    "limit": _query(
        "limit",
        "Documents on a page.",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    ),
    "cursor": _query(
        "cursor", "`next` or `prev` of another page of the same list.", {"type": "string", "maxLength": 12_000}
    ),
    "q": _query(
        "q",
        'Words to search the text index for. `"a phrase"` in quotes; `-word` for what must not be there.',
        {"type": "string", "minLength": 1, "maxLength": 1000, "pattern": r"\S"},
    ),
    "limit-collections": _query(
        "limit",
        "Collections on a page.",
        {"type": "integer", "minimum": 1, "maximum": MAX_COLLECTIONS, "default": DEFAULT_COLLECTIONS},
    ),
    "cursor-collections": _query("cursor", "`next` of the page before.", COLLECTION),
    "filter": _filter(required=False),
    "filter-required": _filter(required=True),
    "field-filters": _query(
        "field-filters",
        "Every field is a filter: `tags=red` asks for equality, `price[gte]=10` for more. In brackets stands one of "
        f"{', '.join(f'`{name}`' for name in OPERATORS)}; a dotted path leads inside, as in `address.city=Berlin`. "
        "Lists have commas between their elements.",
        {
            "type": "object",
            "patternProperties": {
                rf"^{_FIELD}(\[(eq|ne|gt|gte|lt|lte)\])?$": _SCALAR,
                rf"^{_FIELD}\[(in|nin|all)\]$": _COMMAS,
                rf"^{_FIELD}\[exists\]$": {"type": "boolean"},
                rf"^{_FIELD}\[size\]$": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
                rf"^{_FIELD}\[(regex|elemMatch|near|within)\]$": {"type": "string"},
            },
            "additionalProperties": False,
        },
        style="form",
        explode=True,
        example={},
    ),
    "if-match": _header(
        "If-Match",
        "Do it only if the document has one of these ETags; `*` if there is one.",
        _TAGS,
    ),
    "if-none-match": _header(
        "If-None-Match",
        "Do it only if the document has none of these ETags; `*` if there is none. Of a read: answer 304 otherwise.",
        _TAGS,
    ),
    "prefer": _header(
        "Prefer",
        "`return=minimal`: answer a write with the `_id` alone. `count=exact`, `estimated` or `bounded`: count a "
        "list, too. `max-affected=N`: refuse to change more documents. `wait=N`: wait N seconds at most. "
        "`types=literal`: take each value for what JSON says. `respond-async`: do not wait for a job.",
        {"type": "string"},
    ),
    "version": _query(
        "version", "An earlier version of the contract.", {"type": "integer", "minimum": 1, "maximum": 9_999_999_999}
    ),
    "schema-format": _query(
        "format",
        "`profile`: what was seen at each path. `json-schema`: a schema of the plain JSON. `mongo`: one for a "
        "validator in MongoDB. `contract`: the body of a request that sets a contract. `html`: a page to look at.",
        {"enum": list(PROFILE_FORMATS), "default": PROFILE_FORMATS[0]},
    ),
    "sample": _query(
        "sample",
        "Documents to look at, chosen at random if there are more.",
        {"type": "integer", "minimum": 1, "maximum": MAX_SAMPLE, "default": DEFAULT_SAMPLE},
    ),
    "examples": _query("examples", "Whether to show values as examples.", {"type": "boolean", "default": False}),
    "limit-export": _query(
        "limit", "Documents at most; all of them without it.", {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}
    ),
    "format": _query(
        "format",
        "Of the file. Without it, what `Accept` says, or else `ndjson`. `parquet` needs an extra.",
        {"enum": list(map(str, MEDIA_TYPES))},
    ),
    "compress": _query(
        "compress",
        "Compress the file, which stays so when it is stored. Not of `parquet`, which is compressed inside.",
        {"enum": list(map(str, Compression))},
    ),
    "trailer": _query(
        "trailer",
        "Of `ndjson` and `ejson`: add a last line that says how many documents there are.",
        {"type": "boolean", "default": False},
    ),
    "unescape": _query(
        "unescape",
        "Of `ndjson` and `json`: give keys that a mapping has escaped their own form, such as `$ref`.",
        {"type": "boolean", "default": False},
    ),
    "mode": _query(
        "mode",
        "`unordered`: each operation on its own. `ordered`: stop at the first that fails. `atomic`: all or none.",
        {"enum": ["unordered", "ordered", "atomic"], "default": "unordered"},
    ),
    "on": _query("on", "The natural key of upserts and merges that name none.", ref("FieldList")),
    **JOB_PARAMETERS,
}


ANY_FIELD: Final = frozenset({"field-filters", "filter-required"})
"""Stand among a route's parameters for a filter by any field."""


def query_names(parameters: Sequence[str]) -> frozenset[str] | None:
    """Return the names of the URL parameters among them; None where any name may be a field."""
    if not ANY_FIELD.isdisjoint(parameters):
        return None
    described = [PARAMETERS[name] for name in parameters]
    return frozenset(parameter["name"] for parameter in described if parameter["in"] == "query")


def field_filters(model: Schema, schemas: Mapping[str, Schema]) -> list[Schema]:
    """Return the filter parameters that the fields of a model make, those that hold single values or lists of them.

    Args:
        model: The schema of the model's documents.
        schemas: Where references lead.
    """
    return [
        parameter
        for name, member in model["properties"].items()
        if name not in RESERVED
        for parameter in _filters_of(name, member, schemas)
    ]


def _filters_of(name: str, member: Schema, schemas: Mapping[str, Schema]) -> Iterable[Schema]:
    resolved = _resolved(member, schemas)
    is_list = resolved.get("type") == "array" and "items" in resolved
    value = _filter_value(_resolved(resolved["items"], schemas) if is_list else resolved)
    if value is None:
        return
    about = member.get("description") or resolved.get("description", "")
    yield _query(name, f"Equal to this. {about}".strip(), value)
    if _is_ordered(value):
        yield _query(f"{name}[gte]", "This or more.", value)
        yield _query(f"{name}[lte]", "This or less.", value)
    elif value["type"] == "string":
        yield _query(f"{name}[in]", "One of these, with commas between.", _several(value))


def _several(value: Schema) -> Schema:
    """Return the schema of values with commas between."""
    if "pattern" not in value:
        return {"type": "string"}
    one = value["pattern"].removeprefix("^").removesuffix("$")
    return {"type": "string", "pattern": f"^{one}(,{one})*$"}


def _resolved(schema: Schema, schemas: Mapping[str, Schema]) -> Schema:
    """Return what a schema refers to; of one that allows null the rest."""
    while "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    members = [member for member in schema.get("anyOf", ()) if member != {"type": "null"}]
    return _resolved(members[0], schemas) if len(members) == 1 else schema


def _filter_value(schema: Schema) -> Schema | None:
    """Return what a filter on such a field takes. Limits do not bind it: what cannot be is just not found."""
    kinds = frozenset(member.get("type") for member in schema.get("anyOf", [schema]))
    match sorted(map(str, kinds)):
        case ["number", "string"] | ["integer"] | ["number"]:
            return {"type": ["number", "null"]}
        case ["boolean"]:
            return {"type": ["boolean", "null"]}
        case ["string"] if schema.get("format") in ("date-time", "date"):
            return {"type": ["string", "null"], "format": "date-time"}
        case ["string"]:
            choices: dict[str, Any] = {"examples": schema["enum"]} if "enum" in schema else {}
            exact = {"pattern": "^([0-9a-fA-F]{24}|null)$"} if schema.get("pattern") == OBJECT_ID["pattern"] else {}
            return {"type": "string", **exact, **choices}
        case _:
            return None


def _is_ordered(value: Schema) -> bool:
    return "number" in value["type"] or value.get("format") == "date-time"
