"""What an API key looks like: `shf_<lookup>_<secret><checksum>`.

The prefix lets scanners of secrets know it, the checksum refuses a typo without a look-up, and the lookup finds the
stored key. The secret has 178 bits, so a plain SHA-256 of the key is enough at rest.
"""

import hashlib
import re
import secrets
import string
import zlib
from dataclasses import dataclass
from typing import Final

PREFIX: Final = "shf"
LOOKUP_LENGTH: Final = 8
SECRET_LENGTH: Final = 30
CHECKSUM_LENGTH: Final = 6
_ALPHABET: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_FORM: Final = re.compile(
    rf"{PREFIX}_([0-9A-Za-z]{{{LOOKUP_LENGTH}}})_([0-9A-Za-z]{{{SECRET_LENGTH + CHECKSUM_LENGTH}}})"
)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as its holder has it.

    Args:
        lookup: The part that finds it; not secret.
        text: The whole key. Never logged, never stored.
    """

    lookup: str
    text: str

    def __repr__(self) -> str:
        return f"ApiKey({self.lookup})"

    @property
    def digest(self) -> bytes:
        """Return what is stored of it: SHA-256, 32 bytes."""
        return hashlib.sha256(self.text.encode()).digest()


def make_key() -> ApiKey:
    """Return a new key."""
    lookup, secret = _random(LOOKUP_LENGTH), _random(SECRET_LENGTH)
    return ApiKey(lookup, f"{PREFIX}_{lookup}_{secret}{_checksum(lookup + secret)}")


def read_key_or_none(text: str) -> ApiKey | None:
    """Return the key that a text is, or None where its form or its checksum is wrong. No I/O."""
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    lookup, rest = found.groups()
    secret, checksum = rest[:SECRET_LENGTH], rest[SECRET_LENGTH:]
    return ApiKey(lookup, text) if secrets.compare_digest(checksum, _checksum(lookup + secret)) else None


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _checksum(text: str) -> str:
    """Return the CRC-32 of a text in base 62."""
    rest, digits = zlib.crc32(text.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        rest, digit = divmod(rest, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
