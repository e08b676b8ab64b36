"""A report as a table, for a terminal, and as plain JSON values."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

from documents.profile import kinds
from documents.profile.report import Field, Report
from documents.profile.summary import Bound, Choice

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RANGED: Final = (kinds.INT, kinds.LONG, kinds.DOUBLE, kinds.DECIMAL, kinds.DATE)
_MEASURED: Final = (kinds.STRING, kinds.ARRAY, kinds.BINARY)
_WHOLE: Final = 100
_WRAPPED: Final = frozenset({"$oid", "$uuid", "$numberInt", "$numberLong", "$numberDouble", "$numberDecimal", "$date"})


@dataclass(frozen=True, slots=True)
class Row:
    """One path, as texts.

    Args:
        path: Such as `lines[].sku`.
        presence: Such as `98.2 %`; of the parents, not of the documents.
        types: Such as `string 90 %, null 10 %`.
        formats: Such as `email 100 %`: shares of the strings.
        distinct: Such as `12` or `≈ 48,822`.
        range: Least and greatest number or date; else lengths.
        example: One value, in Extended JSON.
    """

    path: str
    presence: str
    types: str
    formats: str
    distinct: str
    range: str
    example: str


def rows(report: Report) -> list[Row]:
    """Return a row for each path, each before those inside it."""
    return [_row(field) for field in report.fields]


def percent(share: float) -> str:
    """Return a share as percents. Only what is whole says 100, and only what is nothing says 0."""
    percents = share * _WHOLE
    if percents in (0, _WHOLE):
        return f"{percents:.0f} %"
    if percents < 0.1:  # noqa: PLR2004  # below the digits that are shown
        return "< 0.1 %"
    return f"{min(percents, 99.9):.1f} %"


def show_bound(kind: str, bound: Bound) -> str:
    """Return a least or greatest value as text."""
    if kind == kinds.DATE:
        return _show_date(bound)
    if kind == kinds.DECIMAL:
        return cast("str", bound[1])
    if kind == kinds.DOUBLE:
        return repr(bound).removesuffix(".0")
    return json.dumps(bound) if kind == kinds.STRING else str(bound)


def plain_example(example: str) -> str:
    """Return an example as plain JSON has it: the id, number or time alone, without the name of its type."""
    try:
        value = json.loads(example)
    except ValueError:  # a text that was cut
        return example
    if not isinstance(value, dict):
        return example
    members = cast("dict[str, Any]", value)
    if len(members) != 1:
        return example
    [(name, inner)] = members.items()
    if name == "$date" and isinstance(inner, dict):
        return _show_date(int(cast("dict[str, str]", inner)["$numberLong"]))
    if name == "$binary" and isinstance(inner, dict):
        return str(cast("dict[str, str]", inner)["base64"])
    return inner if name in _WRAPPED and isinstance(inner, str) else example


def report_to_dict(report: Report) -> dict[str, Any]:
    """Return a report as plain JSON values; bounds and examples are texts."""
    return {
        "documents": report.documents,
        "population": report.population,
        "notes": list(report.notes),
        "fields": [_field_to_dict(field) for field in report.fields],
    }


def row_to_dict(row: Row) -> dict[str, str]:
    """Return a row for JSON."""
    return asdict(row)


def _row(field: Field) -> Row:
    strings = field.types.get(kinds.STRING, 0)
    return Row(
        path=field.path,
        presence=percent(field.presence),
        types=", ".join(f"{kind} {percent(field.share(kind))}" for kind in field.types),
        formats=", ".join(f"{name} {percent(count / strings)}" for name, count in field.formats.items()),
        distinct=f"{'' if field.is_exact else '≈ '}{field.distinct:,}" if field.distinct else "",
        range="; ".join(_ranges(field)),
        example=field.examples[0] if field.examples else "",
    )


def _ranges(field: Field) -> list[str]:
    shown = [_between(show_bound(kind, low), show_bound(kind, high)) for kind, (low, high) in _ranged(field)]
    for kind in _MEASURED:
        if kind in field.extents:
            least, greatest, _ = field.extents[kind]
            shown.append(f"length {_between(f'{least:,}', f'{greatest:,}')}")
    return shown


def _ranged(field: Field) -> list[tuple[str, tuple[Bound, Bound]]]:
    return [(kind, field.bounds[kind]) for kind in _RANGED if kind in field.bounds]


def _between(least: str, greatest: str) -> str:
    return least if least == greatest else f"{least} to {greatest}"


def _show_date(milliseconds: int) -> str:
    try:
        moment = _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return f"{milliseconds} ms"
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _field_to_dict(field: Field) -> dict[str, Any]:
    return {
        "path": field.path,
        "parts": list(field.parts),
        "count": field.count,
        "parents": field.parents,
        "present": field.present,
        "missing": field.missing,
        "presence": field.presence,
        "types": dict(field.types),
        "not_representable": dict(field.odd),
        "empty": dict(field.empty),
        "lengths": {kind: _length(field, kind) for kind in field.extents},
        "range": {kind: [show_bound(kind, low), show_bound(kind, high)] for kind, (low, high) in field.bounds.items()},
        "formats": dict(field.formats),
        "distinct": field.distinct,
        "distinct_is_exact": field.is_exact,
        "examples": list(field.examples),
        "enum": None if field.enum is None else [_choice(choice, count) for choice, count in field.enum.items()],
    }


def _length(field: Field, kind: str) -> dict[str, float]:
    least, greatest, total = field.extents[kind]
    count = field.types.get(kind, 0)
    return {"min": least, "max": greatest, "mean": total / count if count else 0.0}


def _choice(choice: Choice, count: int) -> dict[str, Any]:
    return {"type": choice[0], "value": choice[1], "count": count}
