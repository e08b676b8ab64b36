import pytest

from documents.access.policy_file import parse_policies
from documents.errors import InvalidPolicyError

GOOD = """\
version: 1
roles:
  clerk:
    "orders*":
      actions: [update, read]
      rows: {owner: $sub}
      hidden: [cost, supplier.iban]
    orders:
      actions: [read]
      rows: {$or: [{team: {$in: $teams}}, {public: true}, {until: {$gte: $now}}]}
      limits: {page: 20, rate: 100/minute}
"""


def test_reads_rules() -> None:
    policies = parse_policies(GOOD)
    pattern, rule = policies.rule_for("clerk", "orders") or ("", None)
    assert pattern == "orders"
    assert rule is not None
    assert rule.limits.page == 20


@pytest.mark.parametrize(
    ("collection", "pattern"), [("orders", "orders"), ("orders2", "orders*"), ("order", None), ("x", None)]
)
def test_the_closest_pattern_decides(collection: str, pattern: str | None) -> None:
    found = parse_policies(GOOD).rule_for("clerk", collection)
    assert (found and found[0]) == pattern


def test_nobody_else_has_a_rule() -> None:
    assert parse_policies(GOOD).rule_for("admin", "orders") is None


def test_equal_rules_are_equal_however_they_are_written() -> None:
    other = parse_policies(GOOD.replace("[update, read]", "[read, update, read]"))
    assert other == parse_policies(GOOD)


@pytest.mark.parametrize(
    ("text", "pointer", "line"),
    [
        ("roles: [", "", 1),
        ("version: 2\nroles: {}", "/version", 1),
        ("roles:\n  a:\n    orders:\n      actions: [write]", "/roles/a/orders/actions/0", 4),
        ("roles:\n  a:\n    orders:\n      actions: []", "/roles/a/orders/actions", 4),
        ("roles:\n  a:\n    orders:\n      actions: [read]\n      hide: [x]", "/roles/a/orders/hide", 5),
        ("roles:\n  a:\n    orders:\n      actions: [read]\n      hidden: [a.0.b]", "/roles/a/orders/hidden/0", 5),
        ("roles:\n  a:\n    orders:\n      actions: [read]\n      hidden: [_id]", "/roles/a/orders/hidden/0", 5),
        ("roles:\n  a:\n    'o*s':\n      actions: [read]", "/roles/a/o*s", 3),
        ("roles:\n  a:\n    orders:\n      actions: [read]\n      rows: {$where: x}", "/roles/a/orders/rows/$where", 5),
        ("roles:\n  a:\n    o:\n      actions: [read]\n      rows:\n        x: {$regex: y}", "/roles/a/o/rows", 5),
        ("roles:\n  a:\n    o:\n      actions: [read]\n      limits: {rate: fast}", "/roles/a/o/limits/rate", 5),
        ("roles: &r {}\nx: *r", "", 2),
    ],
)
def test_a_fault_says_where_it_stands(text: str, pointer: str, line: int) -> None:
    with pytest.raises(InvalidPolicyError) as refused:
        parse_policies(text)
    fault = refused.value.faults[0]
    assert fault.pointer == pointer
    assert fault.detail.startswith(f"Line {line}: ")


@pytest.mark.parametrize("text", ["", "a", "[1]", "roles: 1", "? [1]\n: 2", "\0", "a: !!python/object:x.y {}"])
def test_what_is_no_policy_is_refused(text: str) -> None:
    with pytest.raises(InvalidPolicyError):
        parse_policies(text)
