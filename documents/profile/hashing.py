"""Hashes of BSON values: 64 bits, evenly distributed, the same in every process."""

import math
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Final

HASH_BYTES: Final = 8


def hash_texts(texts: Iterable[str]) -> list[int]:
    """Return the hash of each text."""
    read, digest = int.from_bytes, blake2b
    return [
        read(digest(text.encode("utf-8", "surrogatepass"), digest_size=HASH_BYTES).digest(), "big") for text in texts
    ]


def hash_numbers(numbers: Iterable[float]) -> list[int]:
    """Return the hash of each number; 1 and 1.0 are the same one."""
    return [_hash(b"%x" % number if isinstance(number, int) else _double(number), b"number") for number in numbers]


def hash_bytes(values: Iterable[bytes], kind: str) -> list[int]:
    """Return the hash of each value of one BSON type, given as bytes that stand for it."""
    tag = kind.encode()[: blake2b.PERSON_SIZE]
    return [_hash(value, tag) for value in values]


def by_hash(values: Iterable[object], kind: str, encode: Callable[[object], bytes]) -> dict[int, object]:
    """Return values that may not be hashable in Python, by their hash."""
    known = list(values)
    return dict(zip(hash_bytes(map(encode, known), kind), known, strict=True))


def _hash(data: bytes, tag: bytes) -> int:
    return int.from_bytes(blake2b(data, digest_size=HASH_BYTES, person=tag).digest(), "big")


def _double(number: float) -> bytes:
    if math.isfinite(number) and number.is_integer():
        return b"%x" % int(number)
    return number.hex().encode()
