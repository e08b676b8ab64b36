"""Declared models as named JSON Schemas: `Product` is read, `ProductInput` written, `ProductPatch` merged."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from api.openapi.generators import InputSchema, StoredSchema
from api.openapi.names import Names
from documents.catalog.declared import DeclaredModel

Schema: TypeAlias = dict[str, Any]

REF: Final = "#/components/schemas/"
OBJECT_ID: Final[Schema] = {
    "type": "string",
    "pattern": "^[0-9a-fA-F]{24}$",
    "examples": ["65a1f0c2d4b5e6f708192a3b"],
}
_OBJECT_ID_KEY: Final = "PydanticObjectId"
_PARTIAL: Final = frozenset({"required", "additionalProperties", "minItems", "minProperties", "default"})
"""What says nothing of an answer, from which `fields` may leave out anything but the `_id`."""

_ABOUT: Final = ("description", "examples", "deprecated")
_SAYS_TYPE: Final = frozenset({"type", "$ref", "anyOf", "oneOf", "allOf", "enum", "const", "not"})


def _each_member(members: dict[str, Schema], change: "Change") -> object:
    return {key: change(member) for key, member in members.items()}


def _each_item(items: list[Schema], change: "Change") -> object:
    return [change(item) for item in items]


def _itself(schema: "Schema | bool", change: "Change") -> object:
    return schema if isinstance(schema, bool) else change(schema)


Change: TypeAlias = Callable[[Schema], Schema]
_NESTED: Final[Mapping[str, Callable[[Any, Change], object]]] = {
    **dict.fromkeys(("properties", "patternProperties"), _each_member),
    **dict.fromkeys(("anyOf", "oneOf", "allOf", "prefixItems"), _each_item),
    **dict.fromkeys(("items", "additionalProperties", "propertyNames", "contains", "not"), _itself),
}
"""The keywords that hold schemas, and how to change those."""


def ref(name: str) -> Schema:
    """Return a reference to a named schema."""
    return {"$ref": REF + name}


def rewrite(schema: Schema, change: Change) -> Schema:
    """Return a schema with every schema in it changed, the inner ones first. Examples and defaults stay."""
    nested = {
        key: _NESTED[key](value, lambda inner: rewrite(inner, change)) if key in _NESTED else value
        for key, value in schema.items()
    }
    return change(nested)


def model_schemas(models: Sequence[DeclaredModel], names: Names) -> tuple[dict[str, str], dict[str, Schema]]:
    """Return the schemas of declared models and of what is nested in them.

    Args:
        models: The declared models.
        names: Where the names of schemas are claimed.

    Returns:
        For each collection the name of its schema; then all schemas by name, those for writing under the same names
        with `Input` behind it, and those for merge patches with `Patch`.
    """
    key_of, stored = _generate(models, StoredSchema)
    _, inputs = _generate(models, InputSchema)
    collections = {key: collection for collection, key in key_of.items()}
    # Models choose before what is nested in them.
    keys = sorted(stored.keys() | inputs.keys(), key=lambda key: (key not in collections, key))
    name_of = {
        key: names.claim(key, for_collection=collections.get(key, key)) for key in keys if not _is_object_id(key)
    }
    schemas: dict[str, Schema] = {}
    for key, name in name_of.items():
        if key in stored:
            schemas[name] = rewrite(_renamed(stored[key], name_of, ""), _partial)
        if key in inputs:
            schemas[f"{name}Input"] = rewrite(_renamed(inputs[key], name_of, "Input"), _closed)
    for key in collections:
        _complete(schemas, name_of[key])
    return {collection: name_of[key] for key, collection in collections.items()}, schemas


def _generate(
    models: Sequence[DeclaredModel], generator: type[GenerateJsonSchema]
) -> tuple[dict[str, str], dict[str, Schema]]:
    """Return each collection's key, and the schemas by key."""
    mode: JsonSchemaMode = "validation"  # Beanie stores fields as they are, whatever a model's serializers say
    classes: dict[str, type[BaseModel]] = {model.name: model.model for model in models}
    asked: list[tuple[type[BaseModel], JsonSchemaMode]] = [(each, mode) for each in classes.values()]
    references, generated = models_json_schema(asked, ref_template=f"{REF}{{model}}", schema_generator=generator)
    keys = {name: str(references[each, mode]["$ref"]).removeprefix(REF) for name, each in classes.items()}
    return keys, generated.get("$defs", {})


def _is_object_id(key: str) -> bool:
    return key.startswith(_OBJECT_ID_KEY)


def _renamed(schema: Schema, name_of: Mapping[str, str], suffix: str) -> Schema:
    """Return a schema with references under their final names, ObjectIds written out, and made-up titles left off."""

    def change(node: Schema) -> Schema:
        rest = {key: value for key, value in node.items() if key not in ("$ref", "title")}
        key = str(node.get("$ref", "")).removeprefix(REF)
        if _is_object_id(key):
            return {**OBJECT_ID, **rest}
        return {"$ref": f"{REF}{name_of[key]}{suffix}", **rest} if key in name_of else rest

    return rewrite(schema, change)


def _partial(node: Schema) -> Schema:
    return {
        key: value
        for key, value in node.items()
        if key not in _PARTIAL or (key == "additionalProperties" and value is not False)
    }


def _closed(node: Schema) -> Schema:
    """Say that unknown fields are refused, and that free-form parts are what can be stored."""
    if not _SAYS_TYPE & node.keys():
        return {**node, **ref("Value")}
    if node.get("type") != "object":
        return node
    further = node.get("additionalProperties", "properties" not in node)
    if further is False:
        return {**node, "additionalProperties": False}
    free = {} if "properties" in node else {"propertyNames": ref("Key")}
    return {**node, **free, "additionalProperties": further if isinstance(further, dict) else ref("Value")}


def _complete(schemas: dict[str, Schema], name: str) -> None:
    """Say of a collection's documents what holds only for them."""
    stored, taken = schemas[name], schemas[f"{name}Input"]
    stored["required"] = ["_id"]
    for schema in (stored, taken):
        schema["properties"]["_id"] = _not_null(schema["properties"]["_id"])
    required = set(taken.get("required", ()))
    schemas[f"{name}Patch"] = {
        "type": "object",
        "description": "What to change. A null removes a field.",
        "properties": {
            key: member if key in required else nullable(member)
            for key, member in taken["properties"].items()
            if key != "_id"
        },
        "additionalProperties": taken["additionalProperties"],
    }


def _not_null(schema: Schema) -> Schema:
    members = [member for member in schema.get("anyOf", ()) if member != {"type": "null"}]
    rest = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
    return schema if not members else {**members[0], **rest} if len(members) == 1 else {"anyOf": members, **rest}


def nullable(schema: Schema) -> Schema:
    """Return the schema of what a schema describes, or null."""
    about = {key: value for key, value in schema.items() if key in _ABOUT}
    rest = {key: value for key, value in schema.items() if key not in (*_ABOUT, "default")}
    null: Schema = {"type": "null"}
    members: list[Schema] = rest["anyOf"] if rest.keys() == {"anyOf"} else [rest]
    return {"anyOf": members if null in members else [*members, null], **about}
