from dataclasses import FrozenInstanceError
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import orjson
import pytest
from bson import Decimal128, Int64
from hypothesis import given
from hypothesis import strategies as st
from pymongo import IndexModel

from documents.errors import InvalidIndexError
from documents.indexes.actual import parse_actual
from documents.indexes.changes import Action, IndexPlan, Permission, Permissions
from documents.indexes.declared import declared_indexes, parse_declared
from documents.indexes.equality import freeze, freeze_filter
from documents.indexes.names import find_unknown
from documents.indexes.plan import plan_indexes
from documents.indexes.spec import IndexSpec, fill_collation, parse_index
from tests.shop import shop_models

A = IndexModel([("a", 1)])


def declare(*models: IndexModel) -> list[IndexSpec]:
    return parse_declared(models)


def have(*documents: dict[str, Any]) -> list[IndexSpec]:
    return parse_actual([{"v": 2, "key": {"_id": 1}, "name": "_id_"}, *documents])


def actions(plan: IndexPlan) -> list[tuple[str, str]]:
    return [(str(change.action), change.name) for change in plan.changes]


def test_create_keep_extra() -> None:
    plan = plan_indexes(
        declare(A, IndexModel([("b", -1)])),
        have({"v": 2, "key": {"a": 1}, "name": "a_1"}, {"v": 2, "key": {"c": 1}, "name": "c_1"}),
    )
    assert actions(plan) == [("keep", "a_1"), ("create", "b_-1"), ("extra", "c_1")]
    assert not plan.is_empty
    assert [change.name for change in plan.pending] == ["b_-1"]


def test_nothing_to_do() -> None:
    assert plan_indexes([], have()).is_empty
    assert plan_indexes(declare(A), have({"key": {"a": 1}, "name": "a_1"})).is_empty
    assert plan_indexes([], have({"key": {"a": 1}, "name": "a_1"})).is_empty


def test_a_matching_index_is_adopted_whatever_its_name() -> None:
    plan = plan_indexes(declare(A), have({"key": {"a": 1}, "name": "mine"}))
    assert actions(plan) == [("keep", "mine")]
    assert plan.changes[0].note == "It is declared as 'a_1'; the name makes no difference."


def test_a_taken_name_is_left_to_its_owner() -> None:
    plan = plan_indexes(
        declare(A, IndexModel([("x", 1)], name="a_1_2")),
        have({"key": {"b": 1}, "name": "a_1"}, {"key": {"c": 1}, "name": "a_1_2"}),
    )
    assert actions(plan) == [("create", "a_1_3"), ("create", "a_1_2_2"), ("extra", "a_1"), ("extra", "a_1_2")]
    assert plan.changes[0].note == "Another index has the name 'a_1'."


def test_what_beanie_loses_is_planned_whole() -> None:
    declared = declare(
        IndexModel([("tenant", 1), ("created", -1)]),
        IndexModel([("created", -1), ("tenant", 1)]),
        IndexModel([("email", 1)], unique=True),
        IndexModel([("email", "text")]),
    )
    assert actions(plan_indexes(declared, have())) == [
        ("create", "tenant_1_created_-1"),
        ("create", "created_-1_tenant_1"),
        ("create", "email_1"),
        ("create", "email_text"),
    ]


def test_drop_only_what_is_told() -> None:
    actual = have({"key": {"a": 1}, "name": "a_1"}, {"key": {"b": 1}, "name": "b_1"})
    plan = plan_indexes([], actual, permissions=Permissions(drop={"b_1", "never_there"}))
    assert actions(plan) == [("extra", "a_1"), ("drop", "b_1")]
    declared_stays = plan_indexes(declare(A), actual, permissions=Permissions(drop={"a_1"}))
    assert actions(declared_stays) == [("keep", "a_1"), ("extra", "b_1")]


def test_hide_and_unhide_what_is_not_declared() -> None:
    actual = have({"key": {"a": 1}, "name": "a_1"}, {"key": {"b": 1}, "name": "b_1", "hidden": True})
    both = Permissions(hide={"a_1", "b_1"}), Permissions(unhide={"a_1", "b_1"})
    assert [actions(plan_indexes([], actual, permissions=each)) for each in both] == [
        [("hide", "a_1"), ("extra", "b_1")],
        [("extra", "a_1"), ("unhide", "b_1")],
    ]
    assert actions(plan_indexes(declare(A), actual, permissions=both[0]))[0] == ("keep", "a_1")


def test_what_an_interrupted_rebuild_has_left_goes_when_it_is_named_again() -> None:
    declared = declare(IndexModel([("a", 1)], sparse=True))
    actual = have({"key": {"a": 1}, "name": "a_1"}, {"key": {"a": 1}, "name": "a_1_2", "sparse": True})
    assert actions(plan_indexes(declared, actual)) == [("keep", "a_1_2"), ("extra", "a_1")]
    named = plan_indexes(declared, actual, permissions=Permissions(rebuild={"a_1"}))
    assert actions(named) == [("keep", "a_1_2"), ("drop", "a_1")]
    other = have({"key": {"z": 1}, "name": "z_1"})
    assert actions(plan_indexes([], other, permissions=Permissions(rebuild={"z_1"}))) == [("extra", "z_1")]


def test_what_is_blocked_says_what_it_needs() -> None:
    actual = have({"key": {"a": 1}, "name": "a_1", "expireAfterSeconds": 9})
    (change,) = plan_indexes(declare(IndexModel([("a", 1)], sparse=True, expireAfterSeconds=5)), actual).changes
    assert change.needs == (Permission.REBUILD, Permission.SHORTEN_TTL)
    (change,) = plan_indexes(declare(IndexModel([("a", 1)], expireAfterSeconds=5)), actual).changes
    assert change.needs == (Permission.SHORTEN_TTL,)


def test_unknown_names_are_found() -> None:
    actual = have({"key": {"a": 1}, "name": "mine"}, {"key": {"b": 1}, "name": "b_1"})
    permissions = Permissions(drop=["b_1", "mine", "x"], rebuild=["mine", "a_1", "y"], hide=["z"])
    found = find_unknown(plan_indexes(declare(A), actual, permissions=permissions), permissions)
    assert [(fault.pointer, fault.code) for fault in found] == [
        ("/drop/1", "declared-index"),
        ("/drop/2", "unknown-index"),
        ("/rebuild/2", "unknown-index"),
        ("/hide/0", "unknown-index"),
    ]
    assert "There are: a_1, b_1, mine." in found[2].detail


def test_ignored_names_are_not_reported() -> None:
    actual = have({"key": {"a": 1}, "name": "tmp_a"}, {"key": {"b": 1}, "name": "b_1"})
    assert actions(plan_indexes([], actual, ignore=["tmp_*"])) == [("extra", "b_1")]


def test_an_unfinished_build_is_waited_for() -> None:
    actual = have({"buildUUID": "x", "spec": {"v": 2, "key": {"a": 1}, "name": "mine"}})
    plan = plan_indexes(declare(A), actual)
    assert actions(plan) == [("create", "mine")]
    assert plan.changes[0].note == "It is being built already."


@pytest.mark.parametrize(
    ("options", "stored", "action", "blocked"),
    [
        ({"expireAfterSeconds": 60}, {"expireAfterSeconds": 30}, Action.MODIFY, False),
        ({"expireAfterSeconds": 60}, {"expireAfterSeconds": 90}, Action.MODIFY, True),
        ({"expireAfterSeconds": 60}, {}, Action.MODIFY, True),
        ({}, {"expireAfterSeconds": 60}, Action.REBUILD, True),
        ({"hidden": True}, {}, Action.MODIFY, False),
        ({}, {"hidden": True}, Action.MODIFY, False),
        ({"unique": True}, {}, Action.MODIFY, False),
        ({"unique": True}, {"prepareUnique": True}, Action.MODIFY, False),
        ({}, {"prepareUnique": True}, Action.MODIFY, False),
        ({}, {"unique": True}, Action.REBUILD, True),
        ({"sparse": True}, {}, Action.REBUILD, True),
        ({"sparse": True, "hidden": True}, {}, Action.REBUILD, True),
        ({"storageEngine": {"wiredTiger": {"configString": ""}}}, {}, Action.REBUILD, True),
    ],
)
def test_options(options: dict[str, Any], stored: dict[str, Any], action: Action, *, blocked: bool) -> None:
    plan = plan_indexes(declare(IndexModel([("a", 1)], **options)), have({"key": {"a": 1}, "name": "a_1", **stored}))
    (change,) = plan.changes
    assert (change.action, change.blocked is not None) == (action, blocked)
    assert not plan.is_empty
    assert change.differences


@pytest.mark.parametrize(
    ("options", "stored"),
    [
        ({"unique": False, "sparse": False, "hidden": False, "background": True}, {"v": 2}),
        ({"expireAfterSeconds": 60}, {"expireAfterSeconds": 60.0}),
        ({"expireAfterSeconds": 60}, {"expireAfterSeconds": Int64(60)}),
        ({"collation": {"locale": "fr"}}, {"collation": fill_collation({"locale": "fr"}) | {"version": "57.1"}}),
        ({"collation": {"locale": "simple"}}, {}),
        ({"partialFilterExpression": {"b": 1, "c": {"$gt": 1, "$lt": 9}}},) * 2,
        (
            {"partialFilterExpression": {"b": 1, "c": {"$gt": 1, "$lt": 9}}},
            {"partialFilterExpression": {"c": {"$lt": 9.0, "$gt": 1}, "b": {"$eq": Int64(1)}}},
        ),
        (
            {"partialFilterExpression": {"at": {"$gt": datetime(2026, 1, 1, tzinfo=UTC)}, "id": UUID(int=7)}},
            {"partialFilterExpression": {"at": {"$gt": datetime(2026, 1, 1)}, "id": UUID(int=7)}},  # noqa: DTZ001
        ),
    ],
)
def test_the_same_in_other_words(options: dict[str, Any], stored: dict[str, Any]) -> None:
    plan = plan_indexes(declare(IndexModel([("a", 1)], **options)), have({"key": {"a": 1.0}, "name": "a_1", **stored}))
    assert actions(plan) == [("keep", "a_1")]


@pytest.mark.parametrize(
    "other",
    [
        IndexModel([("a", -1)]),
        IndexModel([("a", "hashed")]),
        IndexModel([("a", 1)], collation={"locale": "fr"}),
        IndexModel([("a", 1)], collation={"locale": "fr", "strength": 2}),
        IndexModel([("a", 1)], partialFilterExpression={"b": 1}),
        IndexModel([("a", 1)], partialFilterExpression={"b": True}),
        IndexModel([("a", 1)], partialFilterExpression={"b": {"$in": [1, 2]}}),
        IndexModel([("a", 1), ("b", 1)]),
        IndexModel([("b", 1), ("a", 1)]),
        IndexModel([("$**", 1)]),
        IndexModel([("$**", 1)], wildcardProjection={"a": 1}),
    ],
)
def test_another_identity_is_another_index(other: IndexModel) -> None:
    plan = plan_indexes(declare(other), have({"key": {"a": 1}, "name": "there"}))
    assert [str(change.action) for change in plan.changes] == ["create", "extra"]


def test_permissions_are_by_name() -> None:
    declared = declare(IndexModel([("a", 1)], sparse=True, expireAfterSeconds=5))
    actual = have({"key": {"a": 1}, "name": "old", "expireAfterSeconds": 9})
    for allowed in ("old", "a_1"):
        both = Permissions(rebuild={allowed}, shorten_ttl={allowed})
        assert plan_indexes(declared, actual, permissions=both).pending
    for short in (Permissions(rebuild={"old"}), Permissions(shorten_ttl={"old"}), Permissions(rebuild={"other"})):
        plan = plan_indexes(declared, actual, permissions=short)
        assert not plan.pending
        assert not plan.is_empty
        assert plan.blocked[0].name == "old"


def test_a_rebuild_keeps_the_old_one_until_the_new_one_is_there_if_it_can() -> None:
    allowed = Permissions(rebuild={"a_1"})
    actual = have({"key": {"a": 1}, "name": "a_1"})
    (sparse,) = plan_indexes(declare(IndexModel([("a", 1)], sparse=True)), actual, permissions=allowed).changes
    assert sparse.side_by_side
    assert sparse.declared
    assert sparse.declared.name == "a_1_2"
    ttl = have({"key": {"a": 1}, "name": "a_1", "expireAfterSeconds": 9})
    (plain,) = plan_indexes(declare(A), ttl, permissions=allowed).changes
    assert not plain.side_by_side
    assert plain.declared
    assert plain.declared.name == "a_1"


@pytest.mark.parametrize(
    "change",
    [
        IndexModel([("b", "text")]),
        IndexModel([("a", "text"), ("b", "text")]),
        IndexModel([("a", "text")], weights={"a": 2}),
        IndexModel([("a", "text")], default_language="french"),
        IndexModel([("a", "text")], language_override="lang"),
        IndexModel([("tenant", 1), ("a", "text")]),
        IndexModel([("a", "text")], partialFilterExpression={"b": 1}),
        IndexModel([("$**", "text")]),
    ],
)
def test_there_is_one_text_index(change: IndexModel) -> None:
    stored = {"key": {"_fts": "text", "_ftsx": 1}, "name": "t", "weights": {"a": 1}, "default_language": "english"}
    plan = plan_indexes(declare(change), have(stored))
    assert actions(plan) == [("rebuild", "t")]
    assert not plan.changes[0].side_by_side


def test_the_nearest_of_several_is_adopted() -> None:
    actual = have({"key": {"a": 1}, "name": "plain"}, {"key": {"a": 1}, "name": "unique", "unique": True})
    plan = plan_indexes(declare(IndexModel([("a", 1)], unique=True)), actual)
    assert actions(plan) == [("keep", "unique"), ("extra", "plain")]


def test_a_default_collation() -> None:
    default = fill_collation({"locale": "fr"})
    actual = have(
        {"key": {"a": 1}, "name": "a_1", "collation": {**default, "version": "57.1"}},
        {"key": {"b": 1}, "name": "b_1"},
        {"key": {"_fts": "text", "_ftsx": 1}, "name": "t_text", "weights": {"t": 1}},
    )
    declared = declare(A, IndexModel([("b", 1)], collation={"locale": "simple"}), IndexModel([("t", "text")]))
    assert plan_indexes(declared, actual, default_collation=default).is_empty
    explicit = declare(IndexModel([("a", 1)], collation={"locale": "fr"}))
    assert plan_indexes(explicit, actual, default_collation=default).is_empty
    creates = plan_indexes(
        declare(IndexModel([("b", 1)]), IndexModel([("g", "2d")])), actual, default_collation=default
    )
    assert [str(change.action) for change in creates.changes][:2] == ["create", "create"]
    assert creates.changes[1].declared
    assert creates.changes[1].declared.options["collation"] == {"locale": "simple"}


def test_declared_twice() -> None:
    assert actions(plan_indexes(declare(A, IndexModel([("a", 1)], name="again")), [])) == [("create", "a_1")]
    with pytest.raises(InvalidIndexError, match="Declared twice, and differently"):
        plan_indexes(declare(A, IndexModel([("a", 1)], unique=True)), [])
    with pytest.raises(InvalidIndexError, match="have one name"):
        plan_indexes(declare(A, IndexModel([("b", 1)], name="a_1")), [])
    with pytest.raises(InvalidIndexError, match="Declared twice"):
        plan_indexes(declare(IndexModel([("a", "text")]), IndexModel([("b", "text")])), [])


def test_the_id_index_is_not_declared() -> None:
    assert declare(IndexModel([("_id", 1)]), IndexModel([("_id", "hashed")]))[0].name == "_id_hashed"


def test_an_option_without_bson_form() -> None:
    with pytest.raises(InvalidIndexError, match="'a_1' has an option with no BSON form"):
        declare(IndexModel([("a", 1)], partialFilterExpression={"b": {1, 2}}))


def test_text_fields_stand_together() -> None:
    with pytest.raises(InvalidIndexError, match="text fields"):
        declare(IndexModel([("a", "text"), ("b", 1), ("c", "text")]))


def test_an_enumeration_is_its_value() -> None:
    class Kind(StrEnum):
        ONE = "one"

    (spec,) = declare(IndexModel([("a", 1)], partialFilterExpression={"b": Kind.ONE}))
    assert spec.options == {"partialFilterExpression": {"b": "one"}}


def test_plans_are_json_and_frozen() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    declared = declare(
        IndexModel([("a", 1)], partialFilterExpression={"at": {"$gt": at}, "price": {"$gt": Decimal128("1.5")}}),
        IndexModel([("t", 1), ("n", "text")], weights={"m": 3}),
        IndexModel([("c", 1)], unique=True),
    )
    plan = plan_indexes(declared, have({"key": {"c": 1}, "name": "c"}, {"key": {"x": 1}, "name": "x"}))
    whole = orjson.loads(orjson.dumps(plan.to_dict()))
    assert whole["is_empty"] is False
    assert whole["changes"][0]["declared"]["partialFilterExpression"] == {
        "at": {"$gt": {"$date": "2026-01-01T00:00:00Z"}},
        "price": {"$gt": {"$numberDecimal": "1.5"}},
    }
    assert whole["changes"][1]["declared"]["keys"] == {"t": 1, "m": "text", "n": "text"}
    assert whole["changes"][2]["differences"] == [{"option": "unique", "declared": True, "actual": None}]
    with pytest.raises(FrozenInstanceError):
        plan.changes[0].note = "changed"  # pyright: ignore[reportAttributeAccessIssue]  # that is the point
    assert str(declared[2]) == "c_1 (c: 1; unique=True)"


def test_the_shop_declares_nothing_contradictory() -> None:
    for model in shop_models():
        assert plan_indexes(declared_indexes(model), []).of(Action.CREATE)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1, max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(values)
def test_equality_is_reflexive_and_hashable(value: object) -> None:
    assert hash(freeze(value)) == hash(freeze(value))
    assert freeze(value) == freeze(value)
    assert freeze_filter(value) == freeze_filter(value)


@given(st.dictionaries(st.text("abc", min_size=1, max_size=2), values, min_size=2, max_size=4))
def test_conditions_have_no_order(predicate: dict[str, Any]) -> None:
    turned = dict(reversed(predicate.items()))
    assert freeze_filter(predicate) == freeze_filter(turned)
    assert freeze(predicate) != freeze(turned)


@given(
    st.lists(
        st.tuples(st.text("abc", min_size=1, max_size=3), st.sampled_from([1, -1, "hashed", "2dsphere"])), min_size=1
    ),
    st.fixed_dictionaries(
        {},
        optional={
            "unique": st.booleans(),
            "sparse": st.booleans(),
            "hidden": st.booleans(),
            "expireAfterSeconds": st.integers(0, 10**9),
            "collation": st.sampled_from([{"locale": "fr"}, {"locale": "fr_CA", "strength": 2}]),
            "partialFilterExpression": st.dictionaries(st.sampled_from("xyz"), values, min_size=1, max_size=2),
        },
    ),
)
def test_what_is_created_is_what_was_declared(keys: list[tuple[str, Any]], options: dict[str, Any]) -> None:
    spec = parse_index(IndexModel(dict(keys), **options).document)
    again = parse_index(spec.to_document())
    assert again.identity == spec.identity
    assert plan_indexes([spec], [again]).is_empty
