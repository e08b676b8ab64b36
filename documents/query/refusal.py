"""How a compiler says no: deep inside with the spot and the reason, at its edge with an error of the store."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from documents.errors import Fault, InputError

MAX_SHOWN: Final = 60


class RefusedError(Exception):
    """What was sent is refused at one spot. Never leaves this package: see `refusing_as`."""

    def __init__(self, pointer: str, code: str, detail: str) -> None:
        super().__init__(detail)
        self.fault = Fault(pointer, code, detail)


@contextmanager
def refusing_as(error: type[InputError], what: str) -> Generator[None, None, None]:
    """Turn a refusal into `error`, the one that callers of this package know."""
    try:
        yield
    except RefusedError as refused:
        raise error(f"The {what} is not allowed: {refused.fault.detail}", [refused.fault]) from None


def shown(value: object) -> str:
    """Return a short form of what was sent, for a fault's detail."""
    text = ascii(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."
