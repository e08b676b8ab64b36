"""Two readings of one declared model: what it takes, and what the wire shows of what it stores."""

from decimal import Decimal
from typing import Final

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

INT64: Final[JsonSchemaValue] = {"format": "int64", "minimum": -(2**63), "maximum": 2**63 - 1}
DATE_TIME: Final[JsonSchemaValue] = {"type": "string", "format": "date-time"}
STORED_DECIMAL: Final = r"^(-?[0-9]+(\.[0-9]+)?(E[+-]?[0-9]+)?|NaN|-?Infinity)$"


class InputSchema(GenerateJsonSchema):
    """What a model takes, with the limits that the store adds."""

    def int_schema(self, schema: core_schema.IntSchema) -> JsonSchemaValue:
        """Bound integers to what BSON holds."""
        return {"type": "integer", **INT64, **super().int_schema(schema)}

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        """Take a decimal as text, which is exact, or as a number."""
        places, digits = schema.get("decimal_places"), schema.get("max_digits")
        number = self.float_schema(_limits_of(schema))
        if places is not None:
            number["multipleOf"] = 10.0**-places
        if digits is not None:
            bound = 10 ** (digits - (places or 0)) - 1
            number = {"minimum": -bound, "maximum": bound, **number}
        signed = number.get("minimum", number.get("exclusiveMinimum", -1)) < 0
        return {"anyOf": [{"type": "string", "pattern": _decimal_pattern(places, digits, signed=signed)}, number]}


def _limits_of(schema: core_schema.DecimalSchema) -> core_schema.FloatSchema:
    return core_schema.float_schema(
        ge=_float(schema.get("ge")),
        gt=_float(schema.get("gt")),
        le=_float(schema.get("le")),
        lt=_float(schema.get("lt")),
    )


def _float(limit: Decimal | None) -> float | None:
    return None if limit is None else float(limit)


def _decimal_pattern(places: int | None, digits: int | None, *, signed: bool) -> str:
    more = "[0-9]*" if digits is None else f"[0-9]{{0,{digits - (places or 0) - 1}}}"
    fraction = {None: r"(\.[0-9]+)?", 0: ""}.get(places, rf"(\.[0-9]{{1,{places}}})?")
    return f"^{'-?' if signed else ''}(0|[1-9]{more}){fraction}$"


class StoredSchema(GenerateJsonSchema):
    """What plain JSON makes of the BSON that a model's values are stored as; see `documents.codec.plain`."""

    def int_schema(self, schema: core_schema.IntSchema) -> JsonSchemaValue:
        """Integers are those of BSON."""
        return {"type": "integer", **INT64, **super().int_schema(schema)}

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:  # noqa: ARG002  # Pydantic passes it; it is text, whatever its limits
        """Decimals are text."""
        return {"type": "string", "pattern": STORED_DECIMAL}

    def date_schema(self, schema: core_schema.DateSchema) -> JsonSchemaValue:  # noqa: ARG002  # Pydantic passes it; BSON knows no days
        """Days are stored as their first moment."""
        return dict(DATE_TIME)

    def timedelta_schema(self, schema: core_schema.TimedeltaSchema) -> JsonSchemaValue:  # noqa: ARG002  # Pydantic passes it; Beanie stores all spans alike
        """Spans are stored as seconds."""
        return {"type": "number"}

    def bytes_schema(self, schema: core_schema.BytesSchema) -> JsonSchemaValue:  # noqa: ARG002  # Pydantic passes it; limits count bytes, and this is text
        """Binary is base64."""
        return {"type": "string", "contentEncoding": "base64"}
