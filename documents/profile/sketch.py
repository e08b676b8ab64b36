"""Estimates how many different values there are, in a few kilobytes, however many they are."""

import math
from base64 import b64decode, b64encode
from collections.abc import Iterable
from typing import Final
from zlib import compress, decompressobj, error

PRECISION: Final = 12
"""The estimate's standard error is 1.04 / sqrt(2 ** PRECISION), that is 1.6 %."""

EXACT: Final = 64
"""Up to so many different values are counted exactly."""

HASH_BITS: Final = 64

_REGISTERS: Final = 1 << PRECISION
_INDEX_MASK: Final = _REGISTERS - 1
_RANK_BITS: Final = HASH_BITS - PRECISION
_HASH_BYTES: Final = HASH_BITS // 8
_ALPHA: Final = 1 / (2 * math.log(2))
_SPARSE_MARK: Final = "s"
_DENSE_MARK: Final = "d"


class HyperLogLog:
    """The number of different hashes it was given, exact while they are few.

    What it holds depends only on which hashes it has seen, not on how often, in which order or in how many parts.

    Attributes:
        hashes: Those seen, while they are few.
        registers: Once they are many, for each of 4,096 groups of hashes the longest run of zeros that one begins with.

    Source:
        Flajolet, Fusy, Gandouet, Meunier, HyperLogLog, 2007; Ertl, New cardinality estimation algorithms for
        HyperLogLog sketches, 2017, section 4 (the estimator used here, which needs no correction of its bias).
    """

    __slots__ = ("hashes", "registers")

    def __init__(self) -> None:
        self.hashes: set[int] = set()
        self.registers: bytearray | None = None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, HyperLogLog):
            return NotImplemented
        return self.hashes == other.hashes and self.registers == other.registers

    __hash__ = None  # pyright: ignore[reportAssignmentType]  # it changes

    def add_all(self, hashes: Iterable[int]) -> None:
        """Take in hashes of 64 bits, evenly distributed."""
        if self.registers is None:
            self.hashes.update(hashes)
            if len(self.hashes) <= EXACT:
                return
            hashes, self.hashes = self.hashes, set()
            self.registers = bytearray(_REGISTERS)
        _raise_ranks(self.registers, hashes)

    def merge(self, other: "HyperLogLog") -> None:
        """Take in what another has seen; the other stays as it is."""
        if other.registers is None:
            self.add_all(other.hashes)
        elif self.registers is None:
            hashes, self.hashes = self.hashes, set()
            self.registers = bytearray(other.registers)
            _raise_ranks(self.registers, hashes)
        else:
            self.registers = bytearray(map(max, self.registers, other.registers))

    @property
    def is_exact(self) -> bool:
        """Whether `estimate` is a count."""
        return self.registers is None

    def estimate(self) -> int:
        """Return how many different hashes there were: exact up to 64, and then with a standard error of 1.6 %."""
        if self.registers is None:
            return len(self.hashes)
        counts = [0] * (_RANK_BITS + 2)
        for rank in self.registers:
            counts[rank] += 1
        below = _REGISTERS * _tau(1 - counts[_RANK_BITS + 1] / _REGISTERS)
        for rank in range(_RANK_BITS, 0, -1):
            below = 0.5 * (below + counts[rank])
        return round(_ALPHA * _REGISTERS**2 / (below + _REGISTERS * _sigma(counts[0] / _REGISTERS)))

    def dump(self) -> str:
        """Return it as a text that `load` reads."""
        if self.registers is not None:
            return _DENSE_MARK + b64encode(compress(self.registers, 1)).decode()
        packed = b"".join(value.to_bytes(_HASH_BYTES, "big") for value in sorted(self.hashes))
        return _SPARSE_MARK + b64encode(packed).decode()

    @classmethod
    def load(cls, text: str) -> "HyperLogLog":
        """Return what `dump` wrote down.

        Raises:
            ValueError: It did not.
        """
        sketch = cls()
        data = b64decode(text[1:], validate=True)
        if text[:1] == _DENSE_MARK:
            sketch.registers = _unpack(data)
        if text[:1] not in (_DENSE_MARK, _SPARSE_MARK) or not sketch._is_sound():
            raise ValueError("This is no estimate of different values.")
        if sketch.registers is None:
            starts = range(0, len(data), _HASH_BYTES)
            sketch.add_all(int.from_bytes(data[start : start + _HASH_BYTES], "big") for start in starts)
        return sketch

    def _is_sound(self) -> bool:
        registers = self.registers
        return registers is None or (len(registers) == _REGISTERS and max(registers) <= _RANK_BITS + 1)


def _unpack(data: bytes) -> bytearray:
    try:
        return bytearray(decompressobj().decompress(data, _REGISTERS))
    except error:
        raise ValueError("This is no estimate of different values.") from None


def _raise_ranks(registers: bytearray, hashes: Iterable[int]) -> None:
    for value in hashes:
        index = value & _INDEX_MASK
        rank = _RANK_BITS + 1 - (value >> PRECISION).bit_length()
        if rank > registers[index]:  # noqa: PLR1730  # a call of max() takes three times as long
            registers[index] = rank


def _sigma(share: float) -> float:
    """Return share + sum of share ** (2 ** k) * 2 ** (k - 1); infinite at 1, where nothing was seen."""
    if share == 1:
        return math.inf
    power, total, before = 1.0, share, -1.0
    while total != before:
        share *= share
        before = total
        total += share * power
        power += power
    return total


def _tau(share: float) -> float:
    if share in (0.0, 1.0):
        return 0.0
    power, total, before = 1.0, 1 - share, -1.0
    while total != before:
        share = math.sqrt(share)
        before = total
        power *= 0.5
        total -= (1 - share) ** 2 * power
    return total / 3
