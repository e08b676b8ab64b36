"""A contract as MongoDB's own validator, as far as that can say the same, so that others' writes are judged, too.

What Sheaf admits, the mirror must not refuse. So it says only what no mode lets evolve, and of the rules those that
both read alike.
"""

from collections.abc import Mapping
from typing import Any, Final, cast

from documents.contracts.contract import Contract
from documents.contracts.node import kinds_of
from documents.contracts.verdict import Mode
from documents.database.connection import Connection
from documents.profile.kinds import BINARY, UNDEFINED, UNKNOWN, UUID

_LIMITS: Final = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
_MONGO_NAMES: Final = {UUID: BINARY}
_UNSAYABLE: Final = frozenset({UNDEFINED, UNKNOWN})


async def has_foreign_validator(connection: Connection, name: str) -> bool:
    """Say whether a collection has a validator. Asked before a mirror is put in its place."""
    cursor = await connection.database.list_collections(filter={"name": name})
    return any([bool(found.get("options", {}).get("validator")) async for found in cursor])


async def apply_mirror(connection: Connection, name: str, contract: Contract | None) -> None:
    """Give a collection the validator of a contract, or take it off. Makes the collection where there is none.

    Documents that were there before and do not pass may be changed all the same: `validationLevel: moderate`.

    Source:
        MongoDB manual, collMod and Schema Validation.
    """
    database = connection.database
    exists = bool(await database.list_collection_names(filter={"name": name}))
    if contract is None or not contract.mirror:
        if exists:
            await database.command("collMod", name, validator={}, validationLevel="strict")
        return
    validator = {"$jsonSchema": mirror_of(contract)}
    if exists:
        await database.command("collMod", name, validator=validator, validationLevel="moderate")
    else:
        await database.create_collection(name, validator=validator, validationLevel="moderate")


def mirror_of(contract: Contract) -> dict[str, Any]:
    """Return a contract as `$jsonSchema`.

    Source:
        MongoDB manual, $jsonSchema: draft 4, with `bsonType`.
    """
    return _mirrored(contract.schema, contract, is_root=True)


def _mirrored(schema: Any, contract: Contract, *, is_root: bool = False) -> dict[str, Any]:  # noqa: ANN401  # a schema
    if not isinstance(schema, dict):
        return {}
    members = cast("Mapping[str, Any]", schema)
    mirrored: dict[str, Any] = {"bsonType": "object"} if is_root else {}
    if contract.modes.types is not Mode.EVOLVE and not is_root:
        mirrored |= _types(members)
    if contract.modes.required is not Mode.EVOLVE and members.get("required"):
        mirrored["required"] = list(members["required"])
    fields: Mapping[str, Any] = members.get("properties", {})
    said = {name: _mirrored(inner, contract) for name, inner in fields.items()}
    if is_root:
        said = {"_id": {}, **said}
    if said:
        mirrored["properties"] = said
    is_closed = "properties" in members or is_root or members.get("additionalProperties") is False
    if is_closed and contract.modes.fields is not Mode.EVOLVE and not members.get("patternProperties"):
        rest = members.get("additionalProperties", False)
        mirrored |= {"additionalProperties": False} if rest is False else {}
    if isinstance(members.get("items"), dict) and not members.get("prefixItems"):
        mirrored["items"] = _mirrored(members["items"], contract)
    return mirrored | _limits(members)


def _types(schema: Mapping[str, Any]) -> dict[str, Any]:
    kinds = kinds_of(schema)
    if kinds is None or kinds & _UNSAYABLE:
        return {}
    return {"bsonType": sorted({_MONGO_NAMES.get(kind, kind) for kind in kinds})} if kinds else {"not": {}}


def _limits(schema: Mapping[str, Any]) -> dict[str, Any]:
    found = {keyword: int(schema[keyword]) for keyword in _LIMITS if keyword in schema}
    for limit, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if limit in schema and exclusive not in schema:
            found[limit] = schema[limit]
        elif exclusive in schema and limit not in schema:  # in draft 4 it says how the limit is meant
            found |= {limit: schema[exclusive], exclusive: True}
    return found
