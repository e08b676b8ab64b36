"""Aggregation pipelines: read from JSON against allow-lists of stages and expressions, and built anew.

Nothing here can write, reach another collection or run JavaScript: $out, $merge, $lookup, $unionWith, $graphLookup,
$function, $accumulator and all that the tables do not name are refused, wherever they stand.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from documents.errors import InvalidFilterError, InvalidPipelineError
from documents.query.filter.filter import MAX_SEARCH, parse_filter
from documents.query.filter.geometry import geometry, position
from documents.query.filter.values import bounded, encoded
from documents.query.paths import is_storable
from documents.query.pipeline.copies import has_pattern, refuse_copies
from documents.query.pipeline.expressions import field_name, field_path, listed
from documents.query.pipeline.grouping_stages import (
    bucket,
    bucket_auto,
    densify,
    fill,
    group,
    set_window_fields,
    sort_by_count,
)
from documents.query.pipeline.operators import OPERATORS
from documents.query.pipeline.reshaping_stages import (
    Reshaped,
    add_fields,
    changed,
    project,
    replace_root,
    replace_with,
    undeclared,
    unset,
    unwind,
)
from documents.query.pipeline.shapes import (
    MAX_SORT_KEYS,
    choice,
    direction,
    filled_object,
    flag,
    members,
    not_negative,
    whole,
)
from documents.query.pipeline.spot import ExpressionSpot, PipelineCompilation, Read
from documents.query.refusal import RefusedError, refusing_as, shown
from documents.query.shapes import is_array, is_object
from documents.types import FieldTypes

MAX_STAGES: Final = 50
MAX_SAMPLE: Final = 10_000
MAX_LEVELS: Final = 150
"""Levels of arrays and objects. MongoDB takes no more than 180 or so."""

Compile: TypeAlias = Callable[[object, ExpressionSpot, FieldTypes], Reshaped]


def parse_pipeline(
    stages: object, types: FieldTypes, *, pointer: str = "/pipeline", max_stages: int = MAX_STAGES
) -> list[dict[str, Any]]:
    """Compile an aggregation pipeline that only reads.

    Args:
        stages: Decoded JSON, with BSON values where the caller decoded Extended JSON.
        types: How declared fields read their operands in $match, up to the stage that gives a field a new value.
        pointer: Where in the request it was sent.
        max_stages: Stages it may have, those inside $facet counted.

    Raises:
        InvalidPipelineError: With one fault, at the first spot that is not allowed.

    Source:
        MongoDB manual, Aggregation Stages and Aggregation Pipeline Operators (6.0).
    """
    with refusing_as(InvalidPipelineError, "pipeline"):
        bounded(stages, pointer)
        _refuse_deep(stages, pointer)
        spot = ExpressionSpot(PipelineCompilation(OPERATORS, max_stages), pointer)
        compiled = _stages(stages, spot, types, STAGES)
        refuse_copies(compiled, spot)
        encoded({"pipeline": compiled}, pointer)
        return compiled


def _refuse_deep(value: object, pointer: str) -> None:
    waiting = [(value, 0)]
    while waiting:
        part, level = waiting.pop()
        if level > MAX_LEVELS:
            raise RefusedError(pointer, "too-deep", f"It is nested more than {MAX_LEVELS} levels deep.")
        below = list(part.values()) if is_object(part) else part if is_array(part) else []
        waiting.extend((member, level + 1) for member in below)


def _stages(
    stages: object, spot: ExpressionSpot, types: FieldTypes, table: Mapping[str, Compile]
) -> list[dict[str, Any]]:
    if not is_array(stages):
        raise spot.refused("wrong-type", f"A pipeline is an array of stages, not {shown(stages)}.")
    compiled: list[dict[str, Any]] = []
    for number, stage in enumerate(stages):
        known = {**table, **FIRST_STAGES} if number == 0 and table is STAGES else table
        name, reshaped = _stage(stage, spot.at(number), types, known)
        compiled.append({name: reshaped.operand})
        types = reshaped.types
    return compiled


def _stage(
    stage: object, spot: ExpressionSpot, types: FieldTypes, table: Mapping[str, Compile]
) -> tuple[str, Reshaped]:
    spot.spend_stage()
    if not is_object(stage) or len(stage) != 1:
        raise spot.refused("wrong-type", f"A stage is an object of one member, such as $match; not {shown(stage)}.")
    [(name, operand)] = stage.items()
    if name in table:
        return name, table[name](operand, spot.at(name), types)
    if name in FIRST_STAGES:
        raise spot.at(name).refused("misplaced-stage", f"{name} is the first stage of a pipeline, and in no $facet.")
    if name in STAGES:
        raise spot.at(name).refused("misplaced-stage", f"{name} is not allowed here. There are {listed(table)}.")
    known = listed({*STAGES, *FIRST_STAGES})
    raise spot.at(name).refused("unknown-stage", f"{shown(name)} is not an allowed stage. There are {known}.")


def _match(operand: object, spot: ExpressionSpot, types: FieldTypes) -> Reshaped:
    query = _filter(operand, spot, types)
    if spot.compilation.looped and has_pattern(query):
        raise spot.refused("unbounded-growth", "No pattern is matched after a loop that makes texts. Match before.")
    return Reshaped(query, types)


def _filter(operand: object, spot: ExpressionSpot, types: FieldTypes) -> dict[str, Any]:
    try:
        return parse_filter(operand, types, pointer=spot.pointer).to_mongo()
    except InvalidFilterError as error:
        [fault] = error.faults
        raise RefusedError(fault.pointer, fault.code, fault.detail) from None


def _first_match(operand: object, spot: ExpressionSpot, types: FieldTypes) -> Reshaped:
    """Compile a $match that may use the text index."""
    if not is_object(operand) or "$text" not in operand:
        return _match(operand, spot, types)
    rest = {name: member for name, member in operand.items() if name != "$text"}
    read = members({"$search": _search}, {"$language": _search, "$caseSensitive": flag, "$diacriticSensitive": flag})
    return Reshaped({"$text": read(operand["$text"], spot.at("$text")), **_filter(rest, spot, types)}, types)


def _search(operand: object, spot: ExpressionSpot) -> str:
    if isinstance(operand, str) and operand.strip() and len(operand) <= MAX_SEARCH and is_storable(operand):
        return str(operand)
    raise spot.refused("invalid-search", f"A search is 1 to {MAX_SEARCH} characters of text.")


def _geo_near(operand: object, spot: ExpressionSpot, types: FieldTypes) -> Reshaped:
    optional: dict[str, Read] = {
        **dict.fromkeys(("minDistance", "maxDistance", "distanceMultiplier"), not_negative),
        **dict.fromkeys(("key", "includeLocs"), field_path),
        "spherical": flag,
        "query": lambda member, there: _filter(member, there, types),
    }
    compiled = members({"near": _near, "distanceField": field_path}, optional)(operand, spot)
    written = [compiled[name] for name in ("distanceField", "includeLocs") if name in compiled]
    return Reshaped(compiled, changed(types, written))


def _near(operand: object, spot: ExpressionSpot) -> Any:  # noqa: ANN401  # GeoJSON or a pair
    if not is_object(operand):
        return position(operand, spot.pointer)
    choice("Point")(operand.get("type"), spot.at("type"))
    return geometry(operand, spot.pointer, area=False)


def _facet(operand: object, spot: ExpressionSpot, types: FieldTypes) -> Reshaped:
    given = filled_object(operand, spot)
    inner = {name: compile_ for name, compile_ in STAGES.items() if name != "$facet"}
    compiled = {
        field_name(name, spot.at(name)): _stages(stages, spot.at(name), types, inner) for name, stages in given.items()
    }
    return Reshaped(compiled, undeclared)


def _sort(operand: object, spot: ExpressionSpot) -> dict[str, Any]:
    given = filled_object(operand, spot)
    if len(given) > MAX_SORT_KEYS:
        raise spot.refused("too-large", f"A sort has at most {MAX_SORT_KEYS} keys.")
    return {field_path(path, spot.at(path)): _direction(member, spot.at(path)) for path, member in given.items()}


def _direction(operand: object, spot: ExpressionSpot) -> Any:  # noqa: ANN401  # a number or an object
    if is_object(operand):
        return members({"$meta": choice("textScore")})(operand, spot)
    return direction(operand, spot)


def _count(operand: object, spot: ExpressionSpot, _types: FieldTypes) -> Reshaped:
    name = field_name(operand, spot)
    if name == "_id":
        raise spot.refused("invalid-name", "The count has another name than _id.")
    return Reshaped(name, undeclared)


def _keeping(read: Read) -> Compile:
    """Return the compiler of a stage that lets documents through as they are."""

    def compile_(operand: object, spot: ExpressionSpot, types: FieldTypes) -> Reshaped:
        return Reshaped(read(operand, spot), types)

    return compile_


STAGES: Final[Mapping[str, Compile]] = {
    "$match": _match,
    "$project": project,
    "$addFields": add_fields,
    "$set": add_fields,
    "$unset": unset,
    "$unwind": unwind,
    "$replaceRoot": replace_root,
    "$replaceWith": replace_with,
    "$group": group,
    "$bucket": bucket,
    "$bucketAuto": bucket_auto,
    "$sortByCount": sort_by_count,
    "$count": _count,
    "$facet": _facet,
    "$setWindowFields": set_window_fields,
    "$densify": densify,
    "$fill": fill,
    "$sort": _keeping(_sort),
    "$limit": _keeping(whole(1)),
    "$skip": _keeping(whole(0)),
    "$sample": _keeping(members({"size": whole(1, MAX_SAMPLE)})),
}
FIRST_STAGES: Final[Mapping[str, Compile]] = {"$geoNear": _geo_near, "$match": _first_match}
"""Those that only the first stage of a pipeline can be, and what $match can be there."""
