"""Bind policies to a principal and a collection: what it may do there, and with which documents and fields.

Several roles of one principal add up: the union of their rows and actions, and only the fields that all of them hide
stay hidden. A rule whose variables the principal lacks gives nothing.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from documents.access.actions import Action
from documents.access.fields import FieldRights, intersect
from documents.access.principal import Principal
from documents.access.rules import Feature, Policies, Rule
from documents.access.variables import UnboundVariableError, substitute, variables_in, with_now
from documents.types import EMPTY

ALL: Final[Mapping[str, Any]] = {}
"""A filter that every document matches."""

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Grant:
    """One action that is allowed.

    Args:
        rows: Templates of filters; the documents that match any of them are there for the caller.
        checks: Templates of filters; a written document matches any of them.
    """

    rows: tuple[Mapping[str, Any], ...] = (ALL,)
    checks: tuple[Mapping[str, Any], ...] = (ALL,)


@dataclass(frozen=True)
class Rights:
    """What one principal may do with one collection.

    Args:
        grants: The allowed actions.
        variables: The principal's.
        fields: Those it may not see or change.
        filled: What the server sets on each write, as templates.
        page: Most documents on a page; None for the general limit.
        features: Which of the dearer routes are allowed.
        rates: Limits of requests, each with the rule that makes it, such as `clerk/orders*` and `100/minute`.
        fingerprint: Equal for rights that are equal in every respect, whoever has them.
    """

    grants: Mapping[Action, Grant]
    variables: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    fields: FieldRights = field(default_factory=FieldRights)
    filled: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    page: int | None = None
    features: frozenset[Feature] = frozenset(Feature)
    rates: tuple[tuple[str, str], ...] = ()
    fingerprint: bytes = b""

    def rows(self, action: Action, *, now: Clock = lambda: datetime.now(UTC)) -> Mapping[str, Any]:
        """Return the filter, as JSON, of the documents that there are for this action."""
        return self._any_of(self.grants[action].rows, now)

    def check(self, action: Action, *, now: Clock = lambda: datetime.now(UTC)) -> Mapping[str, Any]:
        """Return the filter, as JSON, that a document written by this action matches."""
        return self._any_of(self.grants[action].checks, now)

    def fill(self, *, now: Clock = lambda: datetime.now(UTC)) -> Mapping[str, Any]:
        """Return the values, by path, that the server sets on a write."""
        return substitute(self.filled, with_now(self.variables, now()))

    def _any_of(self, templates: Sequence[Mapping[str, Any]], now: Clock) -> Mapping[str, Any]:
        if ALL in templates:
            return ALL
        variables = with_now(self.variables, now())
        filters = [substitute(template, variables) for template in templates]
        return filters[0] if len(filters) == 1 else {"$or": filters}


EVERYTHING: Final = Rights({action: Grant() for action in Action}, fingerprint=b"everything")
READING: Final = Rights({Action.READ: Grant()}, fingerprint=b"reading")
NOTHING: Final = Rights({}, fingerprint=b"nothing")


def bind(policies: Policies, principal: Principal, collection: str) -> Rights:
    """Return what `principal` may do with `collection`."""
    if principal.is_trusted:
        return EVERYTHING
    named = [(role, found) for role in principal.roles if (found := policies.rule_for(role, collection))]
    rules = {f"{role}/{pattern}": rule for role, (pattern, rule) in named if _is_bound(rule, principal)}
    return _union(rules, principal) if rules else NOTHING


def _is_bound(rule: Rule, principal: Principal) -> bool:
    """Return whether the principal has a value for each variable of the rule."""
    try:
        substitute([rule.rows, rule.check, rule.set], with_now(principal.variables, datetime.now(UTC)))
    except UnboundVariableError:
        return False
    return True


def _union(rules: Mapping[str, Rule], principal: Principal) -> Rights:
    every = list(rules.values())
    readers = [rule for rule in every if Action.READ in rule.actions]
    writers = [rule for rule in every if {Action.CREATE, Action.UPDATE} & set(rule.actions)]
    used = variables_in([[rule.rows, rule.check, rule.set] for rule in every])
    variables = {name: principal.variables[name] for name in sorted(used) if name in principal.variables}
    return Rights(
        grants={action: _grant(action, every) for action in Action if any(action in rule.actions for rule in every)},
        variables=variables,
        fields=FieldRights(
            intersect(rule.hidden for rule in readers or every),
            intersect(rule.read_only for rule in writers) if writers else frozenset(),
        ),
        filled=_shared(rule.set for rule in writers),
        page=_most(rule.limits.page for rule in readers),
        features=_features(readers, writers),
        rates=tuple((name, rule.limits.rate) for name, rule in rules.items() if rule.limits.rate),
        fingerprint=_fingerprint(every, variables),
    )


def _grant(action: Action, rules: Sequence[Rule]) -> Grant:
    granting = [rule for rule in rules if action in rule.actions]
    return Grant(
        rows=tuple(ALL if rule.rows is None else rule.rows for rule in granting),
        checks=tuple(_check(rule) for rule in granting),
    )


def _check(rule: Rule) -> Mapping[str, Any]:
    """Return what a written document must match: the rows themselves unless the rule says something else."""
    return rule.check if rule.check is not None else ALL if rule.rows is None else rule.rows


def _shared(sets: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return what all of them set alike."""
    first, *others = [*sets] or [EMPTY]
    return {path: value for path, value in first.items() if all(other.get(path) == value for other in others)}


def _most(limits: Iterable[int | None]) -> int | None:
    known = list(limits)
    return None if not known or None in known else max(limit for limit in known if limit is not None)


def _features(readers: Sequence[Rule], writers: Sequence[Rule]) -> frozenset[Feature]:
    allowed = {
        Feature.AGGREGATE: any(rule.limits.aggregate for rule in readers),
        Feature.EXPORT: any(rule.limits.export for rule in readers),
        Feature.INGEST: any(rule.limits.ingest for rule in writers),
    }
    return frozenset(feature for feature, is_allowed in allowed.items() if is_allowed)


def _fingerprint(rules: Sequence[Rule], variables: Mapping[str, Any]) -> bytes:
    parts = sorted(orjson.dumps(rule.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS) for rule in rules)
    return hashlib.sha256(b"\0".join([*parts, orjson.dumps(variables, option=orjson.OPT_SORT_KEYS)])).digest()
