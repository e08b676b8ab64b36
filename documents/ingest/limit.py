"""A limit that is a number, or a share of something. Pure."""

import re
from dataclasses import dataclass
from typing import Final, Self

from documents.errors import Fault, InvalidParameterError

_LIMIT: Final = re.compile(r"([0-9]{1,15})|([0-9]{1,3}(?:\.[0-9]{1,6})?)%")
_EXAMPLES: Final = {
    "max_bad": "a number of records, such as 100, or a share of them, such as 1%",
    "max_drift": "a number of fields, such as 2, or a share of those that are there, such as 10%",
}


@dataclass(frozen=True, slots=True)
class Limit:
    """How many there may be.

    Args:
        number: So many.
        share: Such a part of all, from 0 to 1.
    """

    number: int | None = None
    share: float | None = None

    @classmethod
    def parse(cls, parameter: str, text: str) -> Self:
        """Read `100` or `1%`.

        Raises:
            InvalidParameterError: It is neither.
        """
        match = _LIMIT.fullmatch(text)
        if match is None or (match[2] and float(match[2]) > 100):  # noqa: PLR2004  # percent
            detail = f"This is {_EXAMPLES[parameter]}."
            raise InvalidParameterError(detail, [Fault(f"?{parameter}", "invalid", detail)])
        return cls(int(match[1])) if match[1] else cls(share=float(match[2]) / 100)

    def is_exceeded_by(self, count: int, total: int) -> bool:
        """Say whether so many of so many are too many."""
        return count > (total * (self.share or 0.0) if self.number is None else self.number)
