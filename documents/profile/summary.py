"""What a profile keeps of the values at one path, besides what lies inside them."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from documents.profile.kinds import STRING
from documents.profile.limits import Limits
from documents.profile.sketch import HyperLogLog

Bound: TypeAlias = Any
"""A value that can be compared with those of its BSON type: see `columns.py` for which it is."""

Choice: TypeAlias = tuple[str, "str | int | bool"]
"""A BSON type and a value of it."""

Extent: TypeAlias = tuple[int, int, int]
"""The least, the greatest, and the sum."""

EVERY_HASH: Final = 1 << 64


class Summary:
    """Counts, ranges and samples of the values at one path.

    Everything in it depends on the values alone, not on their order or on how they were divided, so that
    summaries of parts merge into the summary of the whole.

    Args:
        seed: Decides which values become examples.
        limits: How many are kept.
        redact: Keep no examples, no choices, and no bounds that are texts or ids.

    Attributes:
        count: Values seen.
        types: Values by BSON type.
        odd: Values, by BSON type, that Python's type for it cannot hold: NaN, dates before year 1 or after 9999,
            binary data of another subtype than 0.
        empty: Empty strings, objects, arrays and binary data, by BSON type.
        extents: Characters of strings, elements of arrays, fields of objects, bytes of binary data.
        bounds: The least and the greatest value, by BSON type; NaN is neither.
        formats: Strings by what they are written like.
        distinct: How many different values there are, of those that hold no others.
        examples: Canonical Extended JSON by hash: the values whose hashes are the lowest, so that each different
            value is as likely as another.
        choices: All different values with their counts; None when there are too many for that.
    """

    __slots__ = (
        *("bounds", "choices", "count", "distinct", "empty", "examples", "extents", "formats", "limits", "odd"),
        *("redact", "seed", "types"),
    )

    def __init__(self, limits: Limits, *, seed: int, redact: bool) -> None:
        self.limits: Final = limits
        self.seed: Final = seed
        self.redact: Final = redact
        self.count = 0
        self.types: Counter[str] = Counter()
        self.odd: Counter[str] = Counter()
        self.empty: Counter[str] = Counter()
        self.formats: Counter[str] = Counter()
        self.extents: dict[str, Extent] = {}
        self.bounds: dict[str, tuple[Bound, Bound]] = {}
        self.distinct = HyperLogLog()
        self.examples: dict[int, str] = {}
        self.choices: dict[Choice, int] | None = None if redact else {}

    def add_extent(self, kind: str, least: int, greatest: int, total: int) -> None:
        """Take in sizes of values of one type."""
        known = self.extents.get(kind)
        if known is None:
            self.extents[kind] = (least, greatest, total)
        else:
            self.extents[kind] = (min(known[0], least), max(known[1], greatest), known[2] + total)

    def add_bounds(self, kind: str, least: Bound, greatest: Bound) -> None:
        """Take in the least and the greatest of some values of one type."""
        known = self.bounds.get(kind)
        if known is not None:
            least, greatest = min(known[0], least), max(known[1], greatest)
        self.bounds[kind] = (least, greatest)

    def add_hashed(self, hashes: Sequence[int], values: Iterable[Any], show: Callable[[Any], str]) -> None:
        """Take in different values with their hashes.

        Args:
            hashes: One for each value.
            values: In the same order.
            show: Returns a value as an example.
        """
        self.distinct.add_all(hashes)
        if self.redact:
            return
        worst, seed = self._worst(), self.seed
        chosen = [pair for pair in zip(hashes, values, strict=True) if pair[0] ^ seed <= worst]
        if chosen:
            chosen.sort(key=lambda pair: pair[0] ^ seed)
            for value_hash, value in chosen[: self.limits.examples]:
                self._add_example(value_hash ^ seed, show(value))
            self._keep_lowest()

    def add_choices(self, kind: str, counts: Mapping[Any, int]) -> None:
        """Take in all values of one type with their counts."""
        if self.choices is None:
            return
        if len(counts) > self.limits.choices or (kind == STRING and self._has_long(counts)):
            self.choices = None
            return
        for value, count in counts.items():
            choice = (kind, value)
            self.choices[choice] = self.choices.get(choice, 0) + count
        self._bound_choices()

    def refuse_choices(self) -> None:
        """Give up the list of all values, as there are some that it cannot have."""
        self.choices = None

    def merge(self, other: "Summary") -> None:
        """Take in what another summary has; the other stays as it is."""
        self.count += other.count
        self.types.update(other.types)
        self.odd.update(other.odd)
        self.empty.update(other.empty)
        self.formats.update(other.formats)
        for kind, extent in other.extents.items():
            self.add_extent(kind, *extent)
        for kind, bounds in other.bounds.items():
            self.add_bounds(kind, *bounds)
        self.distinct.merge(other.distinct)
        for value_hash, text in other.examples.items():
            self._add_example(value_hash, text)
        self._keep_lowest()
        if self.choices is not None and other.choices is not None:
            for choice, count in other.choices.items():
                self.choices[choice] = self.choices.get(choice, 0) + count
            self._bound_choices()
        else:
            self.choices = None

    def _add_example(self, value_hash: int, text: str) -> None:
        # 1 and 1.0 have one hash; which of them is shown must not depend on which came first.
        self.examples[value_hash] = min(text, self.examples.get(value_hash, text))

    def _worst(self) -> int:
        """Return the hash up to which a value becomes an example."""
        if not self.limits.examples:
            return -1
        return EVERY_HASH if len(self.examples) < self.limits.examples else max(self.examples)

    def _keep_lowest(self) -> None:
        for value_hash in sorted(self.examples)[self.limits.examples :]:
            del self.examples[value_hash]

    def _has_long(self, texts: Iterable[str]) -> bool:
        longest = self.limits.choice_characters
        return any(len(text) > longest for text in texts)

    def _bound_choices(self) -> None:
        if self.choices is not None and len(self.choices) > self.limits.choices:
            self.choices = None
