"""Contracts without a database: what they admit, what they make of it, and what they cannot be."""

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from bson import Binary, Code, Decimal128, Int64, MinKey, ObjectId, Regex, Timestamp

from documents.contracts.contract import Contract, parse_contract
from documents.contracts.grammar import MAX_DEPTH
from documents.contracts.kinds import BY_BSON_TYPE
from documents.contracts.mirror import mirror_of
from documents.contracts.verdict import Admitted, Lesson, Mode, Rejected
from documents.contracts.view import plain_view
from documents.errors import InvalidContractError

Json = dict[str, Any]

ID = ObjectId("6751f0c0a1b2c3d4e5f60718")
ONE = UUID("73ffd264-44b3-4c69-90e8-e7d1dfc035d4")
MOMENT = datetime(2026, 1, 31, 12, 0, 0, 123000)  # noqa: DTZ001  # as stored


def contract_of(schema: Json, **members: Any) -> Contract:
    return parse_contract({"schema": schema, **members})


def field(schema: Json, **members: Any) -> Contract:
    return contract_of({"properties": {"a": schema}}, **members)


def admitted(contract: Contract, document: Json, before: Json | None = None) -> Admitted:
    verdict = contract.admit(document, before)
    assert isinstance(verdict, Admitted), verdict
    return verdict


def reasons(contract: Contract, document: Json, before: Json | None = None) -> set[tuple[str, str]]:
    verdict = contract.admit(document, before)
    assert isinstance(verdict, Rejected), verdict
    return {(misfit.pointer, misfit.code) for misfit in verdict.misfits}


VALUES: dict[str, Any] = {
    "string": "x",
    "int": 5,
    "long": 2**40,
    "double": 1.5,
    "decimal": Decimal128("1.5"),
    "bool": True,
    "null": None,
    "date": MOMENT,
    "objectId": ID,
    "uuid": ONE,
    "binData": b"x",
    "object": {"b": 1},
    "array": [1],
    "timestamp": Timestamp(1, 1),
    "regex": Regex("a"),
    "javascript": Code("x"),
    "minKey": MinKey(),
}
TAKES: dict[str, set[str]] = {
    **{name: {name} for name in VALUES},
    "long": {"int", "long"},
    "number": {"int", "long", "double", "decimal"},
    "binData": {"binData", "uuid"},
}


class TestTypes:
    @pytest.mark.parametrize("name", TAKES)
    def test_bson_types(self, name: str) -> None:
        for keyword in ("bsonType", "x-bsonType"):
            contract = field({keyword: name})
            fitting = {kind for kind, value in VALUES.items() if isinstance(contract.admit({"a": value}), Admitted)}
            assert fitting == TAKES[name]

    def test_the_table_is_whole(self) -> None:
        rare = {"symbol", "dbPointer", "undefined", "maxKey"}
        assert set(BY_BSON_TYPE) - rare == set(TAKES)

    @pytest.mark.parametrize(
        ("name", "kinds"),
        [
            ("string", {"string", "objectId", "date", "uuid", "binData"}),
            ("number", {"int", "long", "double", "decimal"}),
            ("integer", {"int", "long"}),
            ("boolean", {"bool"}),
            ("null", {"null"}),
            ("array", {"array"}),
            ("object", {"object", "timestamp", "regex", "javascript", "minKey"}),
        ],
    )
    def test_json_types_are_of_the_plain_form(self, name: str, kinds: set[str]) -> None:
        contract = field({"type": name})
        assert {kind for kind, value in VALUES.items() if isinstance(contract.admit({"a": value}), Admitted)} == kinds

    def test_both_have_to_agree(self) -> None:
        contract = field({"type": "string", "bsonType": "date"})
        assert admitted(contract, {"a": MOMENT})
        assert reasons(contract, {"a": "x"}) == {("/a", "wrong-type")}

    def test_whole_doubles_are_integers_in_json_alone(self) -> None:
        assert admitted(field({"type": "integer"}), {"a": 1.0})
        assert reasons(field({"bsonType": "int"}), {"a": 1.0}) == {("/a", "wrong-type")}

    def test_other_binary_data_is_no_uuid(self) -> None:
        assert admitted(field({"bsonType": "uuid"}), {"a": Binary.from_uuid(ONE)})
        assert reasons(field({"bsonType": "uuid"}), {"a": Binary(b"x")}) == {("/a", "wrong-type")}

    def test_an_id_is_always_allowed(self) -> None:
        assert admitted(contract_of({}), {"_id": ID})
        assert reasons(contract_of({"properties": {"_id": {"bsonType": "int"}}}), {"_id": ID}) == {
            ("/_id", "wrong-type")
        }


class TestCoercion:
    @pytest.mark.parametrize(
        ("name", "value", "expected"),
        [
            ("date", "2026-01-31T13:00:00.1239+01:00", MOMENT),
            ("date", "2026-01-31t12:00:00.123z", MOMENT),
            ("decimal", "19.90", Decimal128("19.90")),
            ("decimal", 19.9, Decimal128("19.9")),
            ("decimal", Int64(7), Decimal128("7")),
            ("objectId", str(ID), ID),
            ("uuid", str(ONE), ONE),
            ("binData", "eA==", b"x"),
            ("int", "-7", -7),
            ("long", str(2**40), 2**40),
            ("long", 3.0, 3),
            ("double", 3, 3.0),
            ("double", "1e3", 1000.0),
            ("bool", "false", False),
        ],
    )
    def test_reads(self, name: str, value: object, expected: object) -> None:
        contract = field({"bsonType": [name, "null"], "coerce": True})
        document = {"a": value, "_id": 1}
        stored = admitted(contract, document).document["a"]
        assert (stored, type(stored)) == (expected, type(expected))
        assert document["a"] == value, "what was sent is not touched"
        assert admitted(contract, {"a": None}).document == {"a": None}
        read = contract.coerce("a")
        assert read is not None
        assert read(value) == read(expected) == expected

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("date", "2026-01-31"),
            ("date", "2026-01-31T12:00:00"),
            ("date", "2026-02-30T12:00:00Z"),
            ("date", "0001-01-01T00:00:00+14:00"),
            ("decimal", "1" * 35),
            ("decimal", "NaN"),
            ("decimal", "1_000"),
            ("objectId", "x"),
            ("uuid", "x"),
            ("binData", "not base64!"),
            ("int", str(2**31)),
            ("int", 1.5),
            ("int", "٣"),
            ("long", str(2**63)),
            ("double", 2**53 + 1),
            ("bool", "yes"),
        ],
    )
    @pytest.mark.parametrize("types", ["freeze", "evolve", "quarantine", "discard-field"])
    def test_what_cannot_be_read_is_a_fault(self, name: str, value: object, types: str) -> None:
        contract = field({"bsonType": name, "coerce": True}, types=types)
        verdict = contract.admit({"a": value})
        assert isinstance(verdict, Rejected)
        assert [misfit.code for misfit in verdict.misfits] == ["not-coercible"]
        assert verdict.is_quarantined is (types == "quarantine")
        assert repr(value) not in verdict.misfits[0].detail

    @pytest.mark.parametrize(("name", "value"), [("date", 5), ("objectId", 1.5), ("bool", 1), ("int", True)])
    def test_other_types_are_not_tried(self, name: str, value: object) -> None:
        assert reasons(field({"bsonType": name, "coerce": True}), {"a": value}) == {("/a", "wrong-type")}

    def test_nothing_is_coerced_unasked(self) -> None:
        contract = contract_of({"additionalProperties": True, "properties": {"a": {"bsonType": ["date", "string"]}}})
        document = {"a": "2026-01-31T12:00:00Z", "b": "19.90", "c": str(ID)}
        assert admitted(contract, document).document is document

    def test_inside_arrays_and_maps(self) -> None:
        date = {"bsonType": "date", "coerce": True}
        contract = contract_of(
            {
                "properties": {
                    "list": {"items": date},
                    "map": {"additionalProperties": date},
                    "one": {"prefixItems": [{}, date]},
                }
            }
        )
        text = "2026-01-31T12:00:00.123Z"
        document: Json = {"list": [text, MOMENT], "map": {"x": text}, "one": [text, text, text]}
        assert admitted(contract, document).document == {
            "list": [MOMENT, MOMENT],
            "map": {"x": MOMENT},
            "one": [text, MOMENT, text],
        }
        for path in ("list", "map.y"):
            assert contract.coerce(path) is not None
        for path in ("one", "list.x.y", "none", "map"):
            assert contract.coerce(path) is None


class TestModes:
    def test_each_way_has_its_own(self) -> None:
        contract = contract_of(
            {"properties": {"a": {"type": "string"}}, "required": ["b"]}, fields="quarantine", required="quarantine"
        )
        verdict = contract.admit({"a": 5, "x": 1})
        assert isinstance(verdict, Rejected)
        modes = {misfit.aspect: misfit.mode for misfit in verdict.misfits}
        assert modes == {"types": Mode.FREEZE, "fields": Mode.QUARANTINE, "required": Mode.QUARANTINE}
        assert not verdict.is_quarantined, "one part of it is refused"
        aside = contract.admit({"a": "s", "x": 1})
        assert isinstance(aside, Rejected)
        assert aside.is_quarantined

    def test_a_rule_points_into_the_schema(self) -> None:
        verdict = field({"minimum": 5, "type": "integer"}).admit({"a": 1})
        assert isinstance(verdict, Rejected)
        [misfit] = verdict.misfits
        assert (misfit.pointer, misfit.code, misfit.rule) == ("/a", "rule-failed", "/properties/a/minimum")
        assert misfit.detail == "The contract's rule /properties/a/minimum does not hold: 5."

    def test_discards(self) -> None:
        contract = contract_of(
            {"properties": {"a": {"type": "string"}, "list": {"items": {"type": "integer"}}}},
            fields="discard-field",
            types="discard-field",
        )
        verdict = admitted(contract, {"a": 5, "list": [1, "x", 2], "x": {"y": 1}, "_id": 1})
        assert (verdict.document, verdict.discarded) == ({"list": [1, 2], "_id": 1}, ("/a", "/list/1", "/x"))

    def test_what_is_required_cannot_be_discarded(self) -> None:
        contract = contract_of({"properties": {"a": {"type": "string"}}, "required": ["a"]}, types="discard-field")
        assert reasons(contract, {"a": 5}) == {("/a", "missing-field")}

    def test_evolves_inside(self) -> None:
        line: Json = {"type": "object", "properties": {"sku": {"type": "string"}}, "required": ["sku"]}
        modes = dict.fromkeys(("fields", "types", "required"), "evolve")
        contract = contract_of({"properties": {"lines": {"items": line}}}, **modes)
        document: Json = {"lines": [{"sku": 5, "n": 1}, {"n": "x"}]}
        verdict = admitted(contract, document)
        at = ("properties", "lines", "items")
        assert set(verdict.learned) == {
            Lesson("type", (*at, "properties", "sku"), "", ("long",)),
            Lesson("field", at, "n", ("long", "string")),
            Lesson("required", at, "sku"),
        }
        taught = contract.taught(verdict.learned)
        assert taught.learned_fields == 1
        assert taught.schema["properties"]["lines"]["items"] == {
            "type": "object",
            "properties": {"sku": {"type": ["string", "integer"]}, "n": {"bsonType": ["long", "string"]}},
            "required": [],
        }
        assert contract.schema["properties"]["lines"]["items"] == line, "the earlier version stays as it was"
        assert not admitted(taught, document).learned

    def test_the_budget_is_kept(self) -> None:
        contract = contract_of({}, fields="evolve", max_new_fields=2)
        assert reasons(contract, {"a": 1, "b": 1, "c": 1}) == {("/c", "unknown-field")}
        lessons = [Lesson("field", (), name, ("long",)) for name in "abc"]
        taught = contract.taught(lessons)
        assert (list(taught.schema["properties"]), taught.learned_fields) == (["a", "b"], 2)
        assert taught.taught(lessons) is taught
        assert reasons(taught, {"c": 1}) == {("/c", "unknown-field")}

    def test_long_names_are_not_learned(self) -> None:
        name = "x" * 256
        assert reasons(contract_of({}, fields="evolve"), {name: 1}) == {(f"/{name}", "unknown-field")}

    def test_a_coerced_field_keeps_its_type(self) -> None:
        contract = field({"bsonType": "date", "coerce": True}, types="evolve")
        assert reasons(contract, {"a": 5}) == {("/a", "wrong-type")}
        taught = contract.taught(admitted(contract, {"a": None}).learned)
        assert taught.schema["properties"]["a"] == {"bsonType": ["date", "null"], "coerce": True}
        assert admitted(taught, {"a": "2026-01-31T12:00:00.123Z"}).document == {"a": MOMENT}

    def test_lessons_about_what_is_gone_are_passed_over(self) -> None:
        contract = contract_of({"properties": {"a": {"prefixItems": [{"type": "string"}]}}})
        for at in (
            ("properties", "b"),
            ("properties", "a", "prefixItems", "7"),
            ("properties", "a", "prefixItems", "x"),
        ):
            assert contract.taught([Lesson("type", at, "", ("long",))]) is contract


class TestBefore:
    @pytest.mark.parametrize("mode", ["freeze", "quarantine", "discard-field"])
    def test_what_is_left_alone_is_not_judged(self, mode: str) -> None:
        schema: Json = {
            "properties": {"a": {"type": "string", "minLength": 2}, "b": {"minLength": 2}},
            "required": ["r"],
        }
        contract = contract_of(schema, fields=mode, types=mode)
        before: Json = {"_id": 1, "a": 5, "b": "x", "old": {"deep": [1]}}
        verdict = admitted(contract, {**before, "a": 5}, before)
        assert verdict.document == before
        assert verdict.discarded == ()

    def test_what_is_changed_is(self) -> None:
        contract = contract_of({"properties": {"a": {"type": "string"}, "b": {"minLength": 2}}, "required": ["r"]})
        before: Json = {"a": 5, "b": "x", "r": 1}
        assert reasons(contract, {"a": 6, "b": "x", "r": 1}, before) == {("/a", "wrong-type")}
        assert reasons(contract, {"a": 5.0, "b": "x", "r": 1}, before) == {("/a", "wrong-type")}
        assert reasons(contract, {"a": 5, "b": "y", "r": 1}, before) == {("/b", "rule-failed")}
        assert reasons(contract, {"a": 5, "b": "x"}, before) == {("/r", "missing-field")}

    def test_elements_may_move(self) -> None:
        contract = contract_of({"properties": {"a": {"items": {"type": "string"}}}})
        assert admitted(contract, {"a": ["new", 1, 2]}, {"a": [1, 2]})
        assert reasons(contract, {"a": ["new", 1, 3]}, {"a": [1, 2]}) == {("/a/2", "wrong-type")}


FAULTY: list[tuple[Any, tuple[str, str]]] = [
    (True, ("", "wrong-type")),
    ({"type": "string"}, ("/type", "wrong-type")),
    ({"bsonType": "array"}, ("/bsonType", "wrong-type")),
    ({"minimun": 5}, ("/minimun", "unknown-keyword")),
    ({"$id": "x"}, ("/$id", "unknown-keyword")),
    ({"unevaluatedProperties": False}, ("/unevaluatedProperties", "unknown-keyword")),
    ({"$schema": "http://json-schema.org/draft-07/schema#"}, ("/$schema", "unknown-dialect")),
    ({"properties": {"a": {"$defs": {}}}}, ("/properties/a/$defs", "misplaced")),
    ({"properties": {"a": {"bsonType": "text"}}}, ("/properties/a/bsonType", "unknown-type")),
    ({"properties": {"a": {"bsonType": []}}}, ("/properties/a/bsonType", "unknown-type")),
    ({"properties": {"a": {"bsonType": ["int", "int"]}}}, ("/properties/a/bsonType", "unknown-type")),
    ({"properties": {"a": {"bsonType": [{}]}}}, ("/properties/a/bsonType", "unknown-type")),
    ({"properties": {"a": {"bsonType": "int", "x-bsonType": "int"}}}, ("/properties/a/x-bsonType", "duplicate")),
    ({"properties": {"a": {"coerce": 1}}}, ("/properties/a/coerce", "wrong-type")),
    ({"properties": {"a": {"coerce": True, "bsonType": "object"}}}, ("/properties/a/coerce", "not-coercible")),
    ({"properties": {"a": {"coerce": True, "bsonType": ["int", "date"]}}},
     ("/properties/a/coerce", "not-coercible")),
    ({"properties": {"a": {"not": {"coerce": False}}}}, ("/properties/a/not/coerce", "misplaced")),
    ({"patternProperties": {"^a": {"bsonType": "int"}}}, ("/patternProperties/^a/bsonType", "misplaced")),
    ({"patternProperties": {"(a+)+": {}}}, ("/patternProperties/(a+)+", "unsafe-regex")),
    ({"$ref": "#/$defs/a/b"}, ("/$ref", "unknown-reference")),
    ({"$ref": 5}, ("/$ref", "unknown-reference")),
    ({"$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}}, ("/$defs/a/items/$ref", "circular-reference")),
    ({"properties": 5}, ("/properties", "not-a-schema")),
    ({"allOf": {}}, ("/allOf", "not-a-schema")),
    ({"required": [5]}, ("/required/0", "not-a-schema")),
]  # fmt: skip


class TestParse:
    @pytest.mark.parametrize(("schema", "expected"), FAULTY)
    def test_faults(self, schema: Any, expected: tuple[str, str]) -> None:
        with pytest.raises(InvalidContractError) as refused:
            parse_contract({"schema": schema})
        pointer, code = expected
        assert ("/schema" + pointer, code) in {(fault.pointer, fault.code) for fault in refused.value.faults}

    def test_depth_and_weight_are_bounded(self) -> None:
        deep: Json = {}
        for _ in range(MAX_DEPTH):
            deep = {"not": deep}
        doubling = {f"a{n}": {"anyOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(40)}
        wide: Json = {"properties": {"a": {"items": {"anyOf": [{"const": n} for n in range(100)]}}}}
        choices: Json = {"properties": {"a": {"enum": [[n] for n in range(101)]}}}
        heavy: Json = {"$defs": {**doubling, "a40": {}}, "$ref": "#/$defs/a0"}
        refused = ((deep, "too-deep"), (wide, "too-large"), (choices, "too-large"), (heavy, "too-large"))
        for schema, code in refused:
            with pytest.raises(InvalidContractError) as error:
                parse_contract({"schema": schema})
            assert [fault.code for fault in error.value.faults] == [code]

    def test_many_fields_are_not_many_tries(self) -> None:
        assert contract_of({"properties": {f"a{n}": {"anyOf": [{}, {}]} for n in range(1000)}})
        assert contract_of({"properties": {"a": {"enum": list(range(5000))}}})

    def test_many_references_are_read_in_time(self) -> None:
        chain = {f"a{n}": {"$ref": f"#/$defs/a{n + 1}"} for n in range(90)}
        many = {f"b{n}": {"$ref": "#/$defs/a0"} for n in range(1500)}
        with pytest.raises(InvalidContractError) as error:
            parse_contract({"schema": {"$defs": {**chain, **many, "a90": {}}, "allOf": [{"$ref": "#/$defs/a0"}] * 2}})
        assert [fault.code for fault in error.value.faults] == ["too-large"]

    def test_faults_are_bounded(self) -> None:
        with pytest.raises(InvalidContractError) as refused:
            parse_contract({"schema": {f"k{n}": 1 for n in range(1000)}})
        assert len(refused.value.faults) == 100

    def test_reads_what_it_writes(self) -> None:
        contract = contract_of({"properties": {"a": {"x-bsonType": "date"}}}, fields="evolve", mirror=True)
        assert parse_contract(contract.to_dict()) == contract

    def test_definitions_serve_rules(self) -> None:
        schema = {
            "$defs": {"short": {"maxLength": 2}},
            "properties": {"a": {"$ref": "#/$defs/short", "bsonType": "string"}},
        }
        assert reasons(contract_of(schema), {"a": "xyz"}) == {("/a", "rule-failed")}


def test_the_plain_view_copies_only_what_it_changes() -> None:
    plain: Json = {"a": [1, {"b": None}], "c": 1.5}
    assert plain_view(plain) is plain
    document: Json = {"id": ID, "at": MOMENT, "n": Int64(5), "d": Decimal128("1.5"), "i": Decimal128("NaN"), "p": plain}
    viewed = plain_view(document)
    assert viewed["p"] is plain
    assert viewed == {
        "id": str(ID), "at": "2026-01-31T12:00:00.123Z", "n": 5, "d": Decimal128("1.5").to_decimal(), "i": "NaN", "p": plain,
    }  # fmt: skip
    assert document["id"] is ID


class TestMirror:
    def test_says_what_mongodb_can_say(self) -> None:
        schema: Json = {
            "properties": {
                "a": {"type": "integer", "exclusiveMinimum": 0, "maximum": 9},
                "u": {"bsonType": "uuid"},
                "n": {"type": "null"},
                "o": {"type": "object", "properties": {"x": {"maxLength": 5, "pattern": "a"}}, "required": ["x"]},
            },
            "required": ["a"],
        }
        assert mirror_of(contract_of(schema)) == {
            "bsonType": "object",
            "required": ["a"],
            "additionalProperties": False,
            "properties": {
                "_id": {},
                "a": {"bsonType": ["double", "int", "long"], "minimum": 0, "exclusiveMinimum": True, "maximum": 9},
                "u": {"bsonType": ["binData"]},
                "n": {},
                "o": mirror_of(contract_of(schema))["properties"]["o"],
            },
        }

    def test_evolving_is_left_out(self) -> None:
        modes = dict.fromkeys(("fields", "types", "required"), "evolve")
        contract = contract_of({"properties": {"a": {"type": "string"}}, "required": ["a"]}, **modes)
        assert mirror_of(contract) == {"bsonType": "object", "properties": {"_id": {}, "a": {}}}
