"""What a contract admits is what JSON Schema admits, by another implementation of it, on the plain view."""

from datetime import datetime
from typing import Any, cast

import pytest
from bson import Decimal128, ObjectId
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from documents.contracts.contract import Contract, parse_contract
from documents.contracts.grammar import KEYWORDS
from documents.contracts.mirror import mirror_of
from documents.contracts.verdict import Admitted, Rejected
from documents.contracts.view import plain_view
from documents.errors import InvalidContractError

pytestmark = pytest.mark.slow

Schema = dict[str, Any]

NAMES = st.sampled_from(["a", "b", "c", "d"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.0, 1.0, 1.5, -2.5]),
    st.text("ab1", max_size=4),
    st.sampled_from([ObjectId("6751f0c0a1b2c3d4e5f60718"), datetime(2026, 1, 1), Decimal128("1.5")]),  # noqa: DTZ001  # as stored
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=6
)
DOCUMENTS = st.dictionaries(NAMES, VALUES, max_size=4)
TYPE_NAMES = ["string", "number", "integer", "boolean", "null", "array", "object"]
TYPES = st.one_of(st.sampled_from(TYPE_NAMES), st.lists(st.sampled_from(TYPE_NAMES), min_size=1, unique=True))
PLAIN = st.sampled_from([None, True, 0, 1, "a", "ab", 1.5, [], [1], {}, {"a": 1}])
RULES = st.fixed_dictionaries(
    {},
    optional={
        "type": TYPES,
        "minimum": st.integers(-2, 2),
        "exclusiveMaximum": st.integers(-2, 2),
        "minLength": st.integers(0, 3),
        "maxLength": st.integers(0, 25),
        "pattern": st.sampled_from(["a", "^a", "b$", "^[0-9a-f]{24}$"]),
        "enum": st.lists(PLAIN, min_size=1, max_size=3),
        "const": PLAIN,
        "minItems": st.integers(0, 2),
        "maxProperties": st.integers(0, 2),
    },
)


def nested(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    either = inner | st.booleans()
    shapes = st.fixed_dictionaries(
        {},
        optional={
            "type": TYPES,
            "properties": st.dictionaries(NAMES, either, max_size=3),
            "required": st.lists(NAMES, max_size=2, unique=True),
            "additionalProperties": either,
            "patternProperties": st.dictionaries(st.sampled_from(["^a", "b|c"]), either, max_size=1),
            "items": either,
            "prefixItems": st.lists(either, min_size=1, max_size=2),
            "propertyNames": st.just({"maxLength": 1}),
            "contains": inner,
        },
    )
    combined = st.fixed_dictionaries(
        {},
        optional={
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "allOf": st.lists(inner, min_size=1, max_size=2),
            "oneOf": st.lists(inner, min_size=1, max_size=2),
            "not": inner,
            "if": inner,
            "then": inner,
            "else": inner,
        },
    )
    return st.builds(merged, shapes, combined)


def merged(one: Schema, other: Schema) -> Schema:
    return {**one, **other}


SCHEMAS = st.builds(merged, nested(st.recursive(RULES, nested, max_leaves=8)), st.just({"type": "object"}))


def closed(schema: Any, *, is_root: bool = False) -> Any:
    """Return a schema that refuses what the mode `freeze` does: fields that are not named where some are."""
    if not isinstance(schema, dict):
        return schema
    found = {**cast("Schema", schema)}
    if "properties" in found or is_root:
        found.setdefault("additionalProperties", False)
        found["properties"] = {name: closed(inner) for name, inner in found.get("properties", {}).items()}
    for keyword in ("items", "additionalProperties"):
        if keyword in found:
            found[keyword] = closed(found[keyword])
    if "prefixItems" in found:
        found["prefixItems"] = [closed(inner) for inner in found["prefixItems"]]
    return found


@settings(max_examples=80, deadline=None)
@given(SCHEMAS, st.lists(DOCUMENTS, min_size=1, max_size=4))
def test_admits_what_json_schema_does(schema: Schema, documents: list[dict[str, Any]]) -> None:
    contract = parse_contract({"schema": schema})
    reference: Any = Draft202012Validator(closed(schema, is_root=True))
    for document in documents:
        verdict = contract.admit(document)
        assert isinstance(verdict, Admitted) is reference.is_valid(plain_view(document)), verdict
        if isinstance(verdict, Admitted):
            assert verdict.document is document
        else:
            assert verdict.misfits


@settings(max_examples=30, deadline=None)
@given(SCHEMAS, DOCUMENTS, DOCUMENTS)
def test_what_a_write_leaves_alone_is_not_held_against_it(
    schema: Schema, document: dict[str, Any], added: dict[str, Any]
) -> None:
    """Whatever a patch adds, nothing that it does not touch is among its faults, but for rules about the whole."""
    contract = parse_contract({"schema": schema})
    after = {**document, **added}
    verdict = contract.admit(after, before=document)
    if isinstance(verdict, Rejected):
        touched = {name for name in after if name not in document or after[name] is not document[name]}
        at_the_top = {misfit.pointer.split("/")[1] for misfit in verdict.misfits if misfit.pointer}
        assert at_the_top <= touched


@settings(max_examples=30, deadline=None)
@given(SCHEMAS, st.lists(DOCUMENTS, min_size=1, max_size=4))
def test_what_was_learned_is_admitted(schema: Schema, documents: list[dict[str, Any]]) -> None:
    modes = dict.fromkeys(("fields", "types", "required"), "evolve")
    contract = parse_contract({"schema": schema, **modes, "max_new_fields": 1000})
    for document in documents:
        verdict = contract.admit(document)
        if isinstance(verdict, Rejected):
            assert {misfit.aspect for misfit in verdict.misfits} == {"rules"}
            continue
        taught = contract.taught(verdict.learned)
        assert (taught is contract) == (not verdict.learned)
        again = parse_contract({**taught.to_dict()}).admit(document)
        assert isinstance(again, Admitted)
        assert not again.learned
        contract = taught


JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=5),
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "$ref", "type"]) | st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)
TOLD = st.sampled_from(["int", "date", "object", "array", "#/$defs/a", "#/$defs/b", "^a+$", "date-time", "freeze"])
RUBBISH = st.recursive(
    JSON | TOLD,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(sorted(KEYWORDS)), inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "$defs", "^a"]), inner, max_size=2)
    ),
    max_leaves=8,
)
MEMBERS = ["fields", "types", "required", "max_new_fields", "mirror", "more"]


def parsed(value: Any) -> Contract | None:
    """Return the contract, or None where the value is refused with its faults."""
    try:
        return parse_contract(value)
    except InvalidContractError as error:
        if not error.faults:
            raise
        return None


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.sampled_from(sorted(KEYWORDS)), RUBBISH, max_size=3) | RUBBISH,
    st.dictionaries(st.sampled_from(MEMBERS), JSON | TOLD, max_size=1),
    DOCUMENTS,
)
def test_rubbish_is_refused_or_means_something(schema: Any, members: dict[str, Any], document: dict[str, Any]) -> None:
    contract = parsed({"schema": schema, **members})
    if contract is None:
        return
    assert isinstance(contract.admit(document), Admitted | Rejected)
    assert mirror_of(contract)["bsonType"]
    assert parse_contract(contract.to_dict()) == contract
