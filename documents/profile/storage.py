"""A profile as plain JSON values and back, for checkpoints and files."""

import json
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, cast

from documents.profile import kinds
from documents.profile.accumulator import Profile
from documents.profile.limits import Limits
from documents.profile.node import Growth, Node
from documents.profile.sketch import HyperLogLog
from documents.profile.summary import Bound, Summary

VERSION: Final = 1


def to_dict(profile: Profile) -> dict[str, Any]:
    """Return a profile for JSON, or for a document in MongoDB: texts, integers, objects and arrays.

    A path takes up to 4 KB, and few take more than one. Only with thousands of paths of many different values each
    could it be too large for one document.
    """
    growth = profile.growth
    return {
        "version": VERSION,
        "limits": growth.limits.to_dict(),
        "seed": str(growth.seed),
        "redact": growth.redact,
        "too_deep": growth.too_deep,
        "unrecorded_values": growth.unrecorded_values,
        "unrecorded_paths": growth.unrecorded_paths.dump(),
        "root": _dump_node(profile.root),
    }


def from_dict(data: Mapping[str, Any]) -> Profile:
    """Return the profile that `to_dict` wrote down.

    Raises:
        ValueError: It is of another version, or damaged.
    """
    if data.get("version") != VERSION:
        raise ValueError(f"This is no profile of version {VERSION}.")
    try:
        profile = Profile(Limits(**data["limits"]), seed=int(data["seed"]), redact=data["redact"])
        profile.growth.too_deep = int(data["too_deep"])
        profile.growth.unrecorded_values = int(data["unrecorded_values"])
        profile.growth.unrecorded_paths = HyperLogLog.load(data["unrecorded_paths"])
        _load_node(profile.root, data["root"], profile.growth)
    except (KeyError, TypeError, AttributeError, ArithmeticError) as error:
        raise ValueError(f"The profile is damaged: {type(error).__name__}: {error}") from error
    return profile


def _dump_node(node: Node) -> dict[str, Any]:
    data = _dump_summary(node.summary)
    if node.fields:
        data["fields"] = [[name, _dump_node(field)] for name, field in node.fields.items()]
    if node.values is not None:
        data["values"] = _dump_node(node.values)
    if node.items is not None:
        data["items"] = _dump_node(node.items)
    return data


def _dump_summary(summary: Summary) -> dict[str, Any]:
    return {
        "count": summary.count,
        "types": _dump_counts(summary.types),
        "odd": _dump_counts(summary.odd),
        "empty": _dump_counts(summary.empty),
        "formats": _dump_counts(summary.formats),
        "extents": {kind: list(extent) for kind, extent in summary.extents.items()},
        "bounds": {kind: [_dump_bound(kind, bound) for bound in pair] for kind, pair in summary.bounds.items()},
        "distinct": summary.distinct.dump(),
        "examples": [[str(value_hash), text] for value_hash, text in sorted(summary.examples.items())],
        "choices": _dump_choices(summary),
    }


def _dump_counts(counts: Counter[str]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count}


def _dump_choices(summary: Summary) -> list[list[Any]] | None:
    if summary.choices is None:
        return None
    return [[kind, json.dumps(value), count] for (kind, value), count in summary.choices.items()]


def _dump_bound(kind: str, bound: Bound) -> str:
    if kind == kinds.DECIMAL:
        return cast("str", bound[1])
    return json.dumps(bound) if kind == kinds.STRING else str(bound)


def _load_bound(kind: str, text: str) -> Bound:
    if kind == kinds.STRING:
        return json.loads(text)
    if kind == kinds.DECIMAL:
        return Decimal(text), text
    if kind == kinds.DOUBLE:
        return float(text)
    return text if kind == kinds.OBJECTID else int(text)


def _load_node(node: Node, data: Mapping[str, Any], growth: Growth) -> None:
    _load_summary(node.summary, data)
    for name, field in data.get("fields", ()):
        node.fields[name] = growth.sprout()
        _load_node(node.fields[name], field, growth)
    if "values" in data:
        node.values = growth.sprout()
        _load_node(node.values, data["values"], growth)
    if "items" in data:
        node.items = growth.sprout()
        _load_node(node.items, data["items"], growth)


def _load_summary(summary: Summary, data: Mapping[str, Any]) -> None:
    summary.count = int(data["count"])
    for name in ("types", "odd", "empty", "formats"):
        counts: Counter[str] = getattr(summary, name)
        counts.update(data[name])
    for kind, (least, greatest, total) in data["extents"].items():
        summary.add_extent(kind, least, greatest, total)
    for kind, (least, greatest) in data["bounds"].items():
        summary.add_bounds(kind, _load_bound(kind, least), _load_bound(kind, greatest))
    summary.distinct.merge(HyperLogLog.load(data["distinct"]))
    summary.examples.update((int(value_hash), text) for value_hash, text in data["examples"])
    if data["choices"] is None:
        summary.refuse_choices()
    elif summary.choices is not None:
        summary.choices.update(((kind, json.loads(value)), count) for kind, value, count in data["choices"])
