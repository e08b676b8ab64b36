import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from documents.access.actions import Action
from documents.access.grants import ALL, EVERYTHING, NOTHING, bind
from documents.access.policy_file import parse_policies
from documents.access.principal import ANONYMOUS, SYSTEM, Principal
from documents.access.rules import Feature

POLICIES = parse_policies("""\
roles:
  clerk:
    orders:
      actions: [read, update]
      rows: {owner: $sub}
      hidden: [cost, card]
      read_only: [status]
      set: {changed_by: $sub, changed: $now}
      limits: {page: 20, aggregate: false}
  auditor:
    orders:
      actions: [read]
      hidden: [card.pin]
      limits: {page: 100}
  member:
    "*":
      actions: [read, create]
      rows: {team: {$in: $teams}}
      check: {team: {$in: $teams}, state: new}
""")
NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
CLERK = Principal("k", ("clerk",), {"sub": "ann"})


def test_a_trusted_principal_may_everything() -> None:
    assert bind(POLICIES, SYSTEM, "orders") is EVERYTHING


@pytest.mark.parametrize(
    "principal", [ANONYMOUS, Principal("x"), Principal("x", ("nobody",)), Principal("x", ("clerk",))]
)
def test_who_has_no_rule_or_no_value_for_its_variables_may_nothing(principal: Principal) -> None:
    assert bind(POLICIES, principal, "orders") is NOTHING


@pytest.mark.parametrize("value", [None, {"$ne": 1}, [{"$gt": 0}], [["a"]]])
def test_a_variable_is_never_an_operator(value: Any) -> None:
    assert bind(POLICIES, Principal("x", ("clerk",), {"sub": value}), "orders") is NOTHING


def test_a_rule_is_bound() -> None:
    rights = bind(POLICIES, CLERK, "orders")
    assert set(rights.grants) == {Action.READ, Action.UPDATE}
    assert rights.rows(Action.READ) == {"owner": "ann"}
    assert rights.check(Action.UPDATE) == {"owner": "ann"}
    assert rights.fill(now=lambda: NOW) == {
        "changed_by": "ann",
        "changed": NOW.replace(tzinfo=None, microsecond=678000),
    }
    assert rights.page == 20
    assert Feature.AGGREGATE not in rights.features
    assert rights.fields.hidden == {"cost", "card"}


def test_roles_add_up() -> None:
    rights = bind(POLICIES, Principal("k", ("clerk", "auditor"), {"sub": "ann"}), "orders")
    assert rights.rows(Action.READ) is ALL
    assert rights.rows(Action.UPDATE) == {"owner": "ann"}
    assert rights.fields.hidden == {"card.pin"}
    assert rights.fields.read_only == {"status"}
    assert rights.page == 100
    assert Feature.AGGREGATE in rights.features


def test_rows_of_two_roles_are_either() -> None:
    rights = bind(POLICIES, Principal("k", ("clerk", "member"), {"sub": "ann", "teams": ["x"]}), "orders")
    assert rights.rows(Action.READ) == {"$or": [{"owner": "ann"}, {"team": {"$in": ["x"]}}]}
    assert rights.check(Action.CREATE) == {"team": {"$in": ["x"]}, "state": "new"}


def test_a_text_that_begins_with_two_dollars_is_a_text() -> None:
    policies = parse_policies("roles: {r: {c: {actions: [read], rows: {a: $$sub}}}}")
    assert bind(policies, Principal("x", ("r",)), "c").rows(Action.READ) == {"a": "$sub"}


def test_a_fingerprint_is_of_rules_and_used_values() -> None:
    other = Principal("other", ("clerk",), {"sub": "ann", "unused": 1})
    assert bind(POLICIES, CLERK, "orders").fingerprint == bind(POLICIES, other, "orders").fingerprint
    bob = Principal("k", ("clerk",), {"sub": "bob"})
    assert bind(POLICIES, CLERK, "orders").fingerprint != bind(POLICIES, bob, "orders").fingerprint


def test_a_fingerprint_is_the_same_in_every_process() -> None:
    code = "from tests.documents.access.test_grants import *\nprint(bind(POLICIES, CLERK, 'orders').fingerprint.hex())"
    shown = {
        subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    }
    assert len(shown) == 1
