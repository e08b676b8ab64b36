"""What has changed between two profiles: of loads, versions or environments."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any, Final

from documents.profile import kinds
from documents.profile.report import Field, Report
from documents.profile.summary import Bound
from documents.profile.table import percent, show_bound


class Severity(IntEnum):
    """How much a difference matters to who reads the documents."""

    INFO = 1
    """Nothing that worked can break."""
    WARNING = 2
    """Something is not as it was."""
    BREAKING = 3
    """What could be relied on cannot any more: a required field, a type."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Up to where a difference goes without saying. Shares are from 0 to 1.

    Args:
        presence: How far a path's presence may move.
        types: How far the share of a type may move.
        growth: How far a range of numbers may grow at either end, as a share of its width.
    """

    presence: float = 0.05
    types: float = 0.05
    growth: float = 0.5


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it was.

    Args:
        kind: `path-new`, `path-gone`, `type-new`, `type-gone`, `type-share`, `presence`, `enum-new` or `range`.
        path: Such as `lines[].sku`.
        severity: How much it matters.
        before: What was, as a text; "" for nothing.
        after: What is.
    """

    kind: str
    path: str
    severity: Severity
    before: str
    after: str

    def to_dict(self) -> dict[str, Any]:
        """Return the difference as JSON values."""
        return {**asdict(self), "severity": self.severity.name.lower()}

    def __str__(self) -> str:
        change = f"{self.before or 'nothing'} -> {self.after or 'nothing'}"
        return f"{self.severity.name.lower()}: {self.path}: {self.kind}: {change}"


USUAL: Final = Thresholds()
_RANGED: Final = (kinds.INT, kinds.LONG, kinds.DOUBLE, kinds.DATE)
_NUMERIC: Final = frozenset({kinds.INT, kinds.LONG, kinds.DOUBLE})


def diff(before: Report, after: Report, thresholds: Thresholds = USUAL) -> list[Difference]:
    """Return what has changed, the worst first.

    A path that appears or vanishes is told once, without the paths inside it.
    """
    old = {field.parts: field for field in before.fields}
    new = {field.parts: field for field in after.fields}
    found: list[Difference] = []
    for parts, field in old.items():
        if parts in new:
            found += _compare(field, new[parts], thresholds)
        elif parts[:-1] in new or len(parts) == 1:
            found.append(_gone(field, thresholds))
    for parts, field in new.items():
        if parts not in old and (parts[:-1] in old or len(parts) == 1):
            found.append(Difference("path-new", field.path, Severity.INFO, "", _described(field)))
    return sorted(found, key=lambda difference: -difference.severity)


def exit_code(differences: Iterable[Difference], *, fail_at: Severity = Severity.WARNING) -> int:
    """Return 2 if a difference is as severe as that or more, else 0; so that a pipeline stops."""
    return 2 if any(difference.severity >= fail_at for difference in differences) else 0


def _compare(old: Field, new: Field, thresholds: Thresholds) -> Iterator[Difference]:
    yield from _presence(old, new, thresholds)
    yield from _types(old, new, thresholds)
    yield from _choices(old, new)
    yield from _ranges(old, new, thresholds)


def _gone(field: Field, thresholds: Thresholds) -> Difference:
    # What few had may be missing by chance.
    is_rare = field.presence <= thresholds.presence
    return Difference("path-gone", field.path, Severity.INFO if is_rare else Severity.BREAKING, _described(field), "")


def _presence(old: Field, new: Field, thresholds: Thresholds) -> Iterator[Difference]:
    if not old.parents or not new.parents:
        return
    moved = abs(new.presence - old.presence) > thresholds.presence
    if old.is_required and not new.is_required:
        yield Difference("presence", old.path, Severity.BREAKING, percent(1), percent(new.presence))
    elif moved:
        severity = Severity.WARNING if new.presence < old.presence else Severity.INFO
        yield Difference("presence", old.path, severity, percent(old.presence), percent(new.presence))


def _types(old: Field, new: Field, thresholds: Thresholds) -> Iterator[Difference]:
    if not old.count or not new.count:
        return
    for kind in dict.fromkeys((*old.types, *new.types)):
        was, now = old.share(kind), new.share(kind)
        text = (f"{kind} {percent(was)}", f"{kind} {percent(now)}")
        if not was:
            yield Difference("type-new", old.path, _severity_of_new(kind, now, thresholds), "", text[1])
        elif not now:
            severity = Severity.WARNING if was > thresholds.types else Severity.INFO
            yield Difference("type-gone", old.path, severity, text[0], "")
        elif abs(now - was) > thresholds.types:
            yield Difference("type-share", old.path, Severity.WARNING, *text)


def _severity_of_new(kind: str, share: float, thresholds: Thresholds) -> Severity:
    if kind == kinds.NULL:
        return Severity.WARNING
    return Severity.BREAKING if share > thresholds.types else Severity.WARNING


def _choices(old: Field, new: Field) -> Iterator[Difference]:
    """Report values that are new where only a few different ones had been seen."""
    if not _is_choice(old):
        return
    known = {value for _, value in old.choices or ()}
    if new.choices is None:
        yield Difference("enum-new", old.path, Severity.WARNING, f"{len(known)} values", f"{new.distinct:,} values")
        return
    for _, value in new.choices:
        if value not in known:
            yield Difference("enum-new", old.path, Severity.WARNING, "", repr(value))


def _is_choice(field: Field) -> bool:
    """Say whether values look chosen from a list: texts, few of them, and each more than once on average."""
    enum = field.enum
    return enum is not None and all(kind == kinds.STRING for kind, _ in enum) and field.count > 2 * len(enum)


def _ranges(old: Field, new: Field, thresholds: Thresholds) -> Iterator[Difference]:
    for kind in _RANGED:
        if kind in old.bounds and kind in new.bounds and _has_grown(old.bounds[kind], new.bounds[kind], thresholds):
            severity = Severity.WARNING if kind in _NUMERIC else Severity.INFO
            yield Difference("range", old.path, severity, _range(kind, old.bounds), _range(kind, new.bounds))


def _has_grown(old: tuple[Bound, Bound], new: tuple[Bound, Bound], thresholds: Thresholds) -> bool:
    if old == new:
        return False
    allowed = (old[1] - old[0]) * thresholds.growth
    return new[0] < old[0] - allowed or new[1] > old[1] + allowed


def _range(kind: str, bounds: Mapping[str, tuple[Bound, Bound]]) -> str:
    low, high = bounds[kind]
    return f"{kind} {show_bound(kind, low)} to {show_bound(kind, high)}"


def _described(field: Field) -> str:
    return f"{', '.join(field.types) or 'no values'} in {percent(field.presence)}"
