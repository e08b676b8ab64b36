"""The `Prefer` header (RFC 7240)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from documents.collections.operations import CountMode
from documents.errors import Fault, InvalidParameterError

MAX_AFFECTED: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Preferences:
    """What a request prefers.

    Args:
        count: Count the whole list, too.
        minimal: Answer a write without the document.
        max_affected: Refuse to change or delete more documents than this.
        wait: Seconds the client will wait.
        respond_async: Answer with a job, and do not wait for it.
        literal: Take each value for what JSON says, whatever is stored.
    """

    count: CountMode | None = None
    minimal: bool = False
    max_affected: int | None = None
    wait: float | None = None
    respond_async: bool = False
    literal: bool = False

    @property
    def is_impatient(self) -> bool:
        """Whether the client will not wait at all for a job."""
        return self.respond_async and self.wait is None


NONE: Final = Preferences()


def parse_preferences(header: str | None) -> Preferences:
    """Return what a header says. Preferences that Sheaf does not know are passed over, as RFC 7240 wants it.

    Raises:
        InvalidParameterError: One that it knows has a value that it cannot have.
    """
    if header is None:
        return NONE
    known: dict[str, Any] = {}
    for part in header.replace(";", ",").split(","):
        name, _, value = (piece.strip() for piece in part.partition("="))
        read = _READ.get(name.lower())
        if read is not None:
            field, parse = read
            known.setdefault(field, _parsed(name.lower(), value.strip('"'), parse))
    return Preferences(**known)


def _parsed(name: str, value: str, parse: Callable[[str], object]) -> object:
    try:
        return parse(value)
    except ValueError:
        detail = f"Prefer: {name} cannot be {value[:40]!r}."
        raise InvalidParameterError(detail, [Fault("?Prefer", "invalid-preference", detail)]) from None


def _count(value: str) -> CountMode:
    if value not in ("exact", "estimated", "bounded"):
        raise ValueError
    return value


def _minimal(value: str) -> bool:
    if value not in ("minimal", "representation"):
        raise ValueError
    return value == "minimal"


def _max_affected(value: str) -> int:
    if not value.isascii() or not value.isdecimal() or int(value[:8]) > MAX_AFFECTED or len(value) > len("1000000"):
        raise ValueError
    return int(value)


def _types(value: str) -> bool:
    if value not in ("stored", "literal"):
        raise ValueError
    return value == "literal"


def _wait(value: str) -> float:
    if not value.isascii() or not value.isdecimal() or len(value) > len("100000") or int(value) < 1:
        raise ValueError
    return float(value)


_READ: Final[Mapping[str, tuple[str, Callable[[str], object]]]] = {
    "count": ("count", _count),
    "return": ("minimal", _minimal),
    "max-affected": ("max_affected", _max_affected),
    "wait": ("wait", _wait),
    "types": ("literal", _types),
    "respond-async": ("respond_async", lambda _: True),
}
