"""Decimals of files as MongoDB stores them."""

from decimal import Decimal, DecimalException
from typing import Final

from bson.decimal128 import Decimal128

_DIGITS: Final = 34


def stored_decimal(value: Decimal) -> Decimal128:
    """Return a decimal as BSON has it, exactly.

    Raises:
        ValueError: It has more digits than BSON can hold.
    """
    try:
        return Decimal128(value)
    except DecimalException:
        raise ValueError(f"A decimal has at most {_DIGITS} digits, and one is {value}.") from None
