"""Which indexes nobody uses, and which are missing (pure)."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import chain
from typing import Any, Final

from documents.indexes.spec import IndexSpec, Key
from documents.indexes.usage import AskedShape, IndexUse, Usage
from documents.query.filter.query_shape import QueryShape

MAX_MISSING: Final = 5
MIN_DOCUMENTS: Final = 1000
"""Below this a scan is as quick as an index, so that none is advised unless queries were slow."""

_ID: Final = "_id"
_COMPARED: Final = (1, -1)


class Verdict(StrEnum):
    """What is said of an index."""

    MISSING = "missing"
    UNUSED = "unused"
    TOO_YOUNG = "too-young"
    """It was not used, but has not been counted for long enough to tell."""


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing to consider.

    Args:
        verdict: What is the matter.
        name: Of the index, as it is or as MongoDB would call it.
        keys: Its fields and directions.
        why: What speaks for it, in a sentence.
        count: Of a missing one, the queries it would have served; of an unused one, the queries that used it: 0.
        since: Since when that was counted.
        is_declared: Whether a model declares it.
        is_hidden: Whether it is hidden already.
    """

    verdict: Verdict
    name: str
    keys: tuple[Key, ...]
    why: str
    count: int
    since: datetime
    is_declared: bool = False
    is_hidden: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the advice as JSON values."""
        return {
            "verdict": str(self.verdict),
            "name": self.name,
            "keys": dict(self.keys),
            "why": self.why,
            "count": self.count,
            "since": self.since.isoformat(),
            "is_declared": self.is_declared,
            "is_hidden": self.is_hidden,
        }


def advise(
    usage: Usage,
    actual: Sequence[IndexSpec],
    declared: Sequence[IndexSpec] = (),
    *,
    now: datetime,
    min_age: timedelta = timedelta(days=7),
    min_count: int = 10,
) -> list[Advice]:
    """Return what to consider about the indexes of one collection, the missing ones first.

    A missing index has the fields compared for equality first, then those of the sort, then those with a range.
    Shapes that one index serves are advised together, and those that an index serves already not at all.

    Args:
        usage: What was counted.
        actual: The indexes there are.
        declared: Those that the model declares.
        now: The moment to reckon ages from, with a time zone.
        min_age: An index that was counted for less time is too young to tell.
        min_count: Queries that it takes for a missing index; a slow one is enough by itself.

    Returns:
        At most five missing ones, those first that most queries speak for; then every unused one.
    """
    identities = {spec.identity for spec in declared}
    unused = [
        _of_unused(
            spec, usage.uses[spec.name], now - usage.uses[spec.name].since < min_age, spec.identity in identities
        )
        for spec in actual
        if spec.name in usage.uses and _is_unused(spec, usage.uses[spec.name])
    ]
    existing = [_Order(spec.keys, is_unique=spec.is_unique) for spec in (*actual, *declared) if _serves_all(spec)]
    missing = sorted(_missing(usage, existing, min_count), key=lambda advice: (-advice.count, advice.name))
    return [*missing[:MAX_MISSING], *unused]


def _is_unused(spec: IndexSpec, use: IndexUse) -> bool:
    """Say so of an index that nothing but queries could be there for: a unique one keeps duplicates out."""
    return use.count == 0 and not spec.is_unique and not spec.building and "expireAfterSeconds" not in spec.options


def _of_unused(spec: IndexSpec, use: IndexUse, is_young: bool, is_declared: bool) -> Advice:  # noqa: FBT001  # private
    is_hidden = bool(spec.options.get("hidden"))
    since = f"since {use.since:%Y-%m-%d %H:%M} UTC"
    why = f"No query has used it {since}."
    if is_hidden:
        why = f"It is hidden, and no query has used it {since}."
    if is_young:
        why += " That is too short a time to tell."
    verdict = Verdict.TOO_YOUNG if is_young else Verdict.UNUSED
    return Advice(verdict, spec.name, spec.keys, why, 0, use.since, is_declared, is_hidden)


@dataclass(frozen=True, slots=True)
class _Order:
    """An index as far as it finds and sorts documents."""

    keys: tuple[Key, ...]
    is_unique: bool = False

    def serves(self, shape: QueryShape) -> bool:
        """Say whether it finds what a shape asks for without looking at much else, and in its order."""
        paths = [path for path, _ in self.keys]
        if self.is_unique and set(paths) <= set(shape.equality):
            return True
        bound = len(shape.equality)
        if set(paths[:bound]) != set(shape.equality):
            return False
        rest = self.keys[bound:]
        sort = _sorted_by(shape)
        if sort and rest[: len(sort)] not in (sort, _turned(sort)):
            return False
        return set(shape.range) <= {path for path, _ in rest}


def _serves_all(spec: IndexSpec) -> bool:
    """Say whether an index serves whoever asks: it has every document, and compares as queries do."""
    partial = spec.options.keys() & {"partialFilterExpression", "collation", "sparse", "hidden"}
    return not partial and all(direction in _COMPARED for _, direction in spec.keys)


def _missing(usage: Usage, existing: Sequence[_Order], min_count: int) -> Iterator[Advice]:
    lacking = [asked for asked in usage.shapes if not any(order.serves(asked.shape) for order in existing)]
    popular = Counter[str]()
    for asked in lacking:
        popular.update(dict.fromkeys(asked.shape.equality, asked.count))
    # The longest first: what serves a long shape often serves the shorter ones.
    lacking.sort(key=lambda asked: (-len(_keys(asked.shape, popular)), -asked.count, str(asked.shape)))
    groups: dict[_Order, list[AskedShape]] = {}
    for asked in lacking:
        order = next((known for known in groups if known.serves(asked.shape)), _Order(_keys(asked.shape, popular)))
        groups.setdefault(order, []).append(asked)
    for order, together in groups.items():
        count, slow = sum(asked.count for asked in together), sum(asked.slow for asked in together)
        if slow or (count >= min_count and usage.documents >= MIN_DOCUMENTS):
            yield _of_missing(order.keys, together, count, slow)


def _of_missing(keys: tuple[Key, ...], together: Sequence[AskedShape], count: int, slow: int) -> Advice:
    since = min(asked.since for asked in together)
    slowly = f", {slow} of them slowly" if slow else ""
    why = f"{count} queries since {since:%Y-%m-%d %H:%M} UTC{slowly}: {_described(together)}."
    return Advice(Verdict.MISSING, "_".join(map(str, chain(*keys))), keys, why, count, since)


def _described(together: Sequence[AskedShape]) -> str:
    ranked = sorted(together, key=lambda asked: (-asked.count, str(asked.shape)))
    more = f", and {len(ranked) - 1} more shapes" if len(ranked) > 1 else ""
    return f"{ranked[0].shape}{more}"


def _keys(shape: QueryShape, popular: Mapping[str, int]) -> tuple[Key, ...]:
    """Equality, sort, range. What most queries compare comes first, so that they can share an index."""
    equality = sorted(shape.equality, key=lambda path: (-popular[path], path))
    sort = _sorted_by(shape)
    taken = {*equality, *(path for path, _ in sort)}
    ranged = [path for path in shape.range if path not in taken]
    keys: list[Key] = [*((path, 1) for path in equality), *sort, *((path, 1) for path in ranged)]
    if not sort and not ranged and shape.sort:
        keys.append(shape.sort[-1])  # a list in the order of `_id`
    return tuple(keys)


def _sorted_by(shape: QueryShape) -> tuple[Key, ...]:
    """Return the sort, unless it is the usual one by `_id`, which no index is needed for when few documents match."""
    return shape.sort if any(path != _ID for path, _ in shape.sort) else ()


def _turned(keys: Iterable[Key]) -> tuple[Key, ...]:
    return tuple((path, -direction if isinstance(direction, int) else direction) for path, direction in keys)


def model_line(keys: Sequence[Key]) -> str:
    """Return the line that declares an index in a model's `Settings.indexes`."""
    return f"IndexModel([{', '.join(f'({_quoted(path)}, {direction})' for path, direction in keys)}]),"


def _quoted(path: str) -> str:
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'
