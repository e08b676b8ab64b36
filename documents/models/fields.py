"""Types of fields that several models share. They read what JSON says and what MongoDB stored alike."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Literal

from bson import Decimal128
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, Field


def now() -> datetime:
    """Return the time as MongoDB can store it: UTC, whole milliseconds."""
    return _as_stored(datetime.now(UTC))


def _from_decimal128(value: object) -> object:
    return value.to_decimal() if isinstance(value, Decimal128) else value


def _from_stored(value: object) -> object:
    # BSON dates are UTC. A driver that is not told to say so leaves the zone out; a text must say it.
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


def _as_stored(value: datetime) -> datetime:
    try:
        moment = value.astimezone(UTC)
    except OverflowError:
        raise ValueError("this time is before the year 1 or after the year 9999 in UTC") from None
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


Price = Annotated[
    Decimal,
    Field(ge=0, max_digits=12, decimal_places=2, examples=["19.90"]),
    BeforeValidator(_from_decimal128),
]
"""An amount of money, exact: Decimal128 in MongoDB, a string in JSON."""

Moment = Annotated[
    AwareDatetime,
    AfterValidator(_as_stored),
    BeforeValidator(_from_stored),
    Field(examples=["2026-01-31T12:00:00Z"]),
]
"""A point in time, kept in UTC with milliseconds."""

Longitude = Annotated[float, Field(ge=-180, le=180)]
Latitude = Annotated[float, Field(ge=-90, le=90)]


class Point(BaseModel):
    """A place, as GeoJSON (RFC 7946, section 3.1.2)."""

    type: Literal["Point"] = "Point"
    coordinates: tuple[Longitude, Latitude] = Field(
        description="Longitude first, then latitude, in degrees.", examples=[[13.405, 52.52]]
    )


class Timestamps(BaseModel):
    """Mix in before Document for the two times that most documents have."""

    created_at: Moment = Field(default_factory=now, description="When it was made.")
    updated_at: Moment = Field(default_factory=now, description="When it was last changed, as its writer says.")
