"""The accumulator: what it counts, that parts merge into the whole, and that nothing makes it fail or grow."""

import json
import sys
from typing import Any, cast

import pytest
from bson.binary import Binary
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from hypothesis import given, settings
from hypothesis import strategies as st

from documents.profile.accumulator import Profile
from documents.profile.limits import Limits
from documents.profile.report import Field, Report, read_profile
from documents.profile.storage import from_dict, to_dict
from documents.profile.table import report_to_dict, row_to_dict, rows
from tests.documents.profile.messy import DOCUMENTS, EPOCH, ODDITIES, UNPRINTABLE, load

pytestmark = pytest.mark.slow

SMALL = Limits(keys=6, id_keys=3, depth=3, examples=3, choices=4)


def profile_of(documents: list[dict[str, Any]], limits: Limits = SMALL, **options: Any) -> Profile:
    profile = Profile(limits, **options)
    profile.add_all(documents)
    return profile


def report_of(documents: list[dict[str, Any]], limits: Limits | None = None, **options: Any) -> Report:
    return read_profile(profile_of(documents, limits or Limits(), **options))


def field_at(report: Report, path: str) -> Field:
    return next(field for field in report.fields if field.path == path)


def settled(profile: Profile) -> str:
    """Return all of a profile but the order in which fields and choices were first seen."""

    def settle(value: Any) -> Any:
        if isinstance(value, dict):
            fields = cast("dict[str, Any]", value)
            return {key: settle(item) for key, item in fields.items()}
        if isinstance(value, list):
            return sorted((settle(item) for item in cast("list[Any]", value)), key=repr)
        return value

    return json.dumps(settle(to_dict(profile)), sort_keys=True)


@settings(deadline=None)
@given(one=DOCUMENTS, two=DOCUMENTS, three=DOCUMENTS, redact=st.booleans())
def test_parts_merge_into_the_whole(
    one: list[dict[str, Any]], two: list[dict[str, Any]], three: list[dict[str, Any]], *, redact: bool
) -> None:
    whole = settled(profile_of([*one, *two, *three], redact=redact))
    left = profile_of(one, redact=redact)
    left.merge(profile_of(two, redact=redact))
    left.merge(profile_of(three, redact=redact))
    right = profile_of(three, redact=redact)
    tail = profile_of(two, redact=redact)
    tail.merge(profile_of(one, redact=redact))
    right.merge(tail)
    assert settled(left) == whole
    assert settled(right) == whole


@settings(max_examples=40, deadline=None)
@given(DOCUMENTS)
def test_one_by_one_is_the_same(documents: list[dict[str, Any]]) -> None:
    profile = Profile(SMALL)
    for document in documents:
        profile.add(document)
    assert settled(profile) == settled(profile_of(documents))


@settings(max_examples=40, deadline=None)
@given(DOCUMENTS)
def test_it_can_be_written_down(documents: list[dict[str, Any]]) -> None:
    profile = profile_of(documents)
    again = from_dict(json.loads(json.dumps(to_dict(profile))))
    assert to_dict(again) == to_dict(profile)
    again.merge(profile_of(documents))
    assert settled(again) == settled(profile_of(documents * 2))


@pytest.mark.parametrize("name", ["movies.json", "cars.json"])
def test_parts_of_real_data_merge(name: str) -> None:
    documents = load(name)
    parts = [profile_of(documents[start::3], Limits()) for start in range(3)]
    for part in parts[1:]:
        parts[0].merge(part)
    assert settled(parts[0]) == settled(profile_of(documents, Limits()))


@pytest.mark.parametrize("damage", [{"version": 2}, {"root": {}}, {"limits": {"x": 1}}, {"seed": None}, {"root": 5}])
def test_what_is_damaged_is_refused(damage: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="profile"):
        from_dict({**to_dict(profile_of([{"a": 1}])), **damage})


@pytest.mark.parametrize(
    "other", [Profile(), Profile(SMALL, seed=1), Profile(SMALL, redact=True)], ids=["limits", "seed", "redact"]
)
def test_unlike_profiles_do_not_merge(other: Profile) -> None:
    with pytest.raises(ValueError, match="same limits"):
        Profile(SMALL).merge(other)


def test_all_oddities_together_and_alone() -> None:
    values = [*ODDITIES, *UNPRINTABLE]
    together = report_of([{"value": value} for value in values])
    assert field_at(together, "value").count == len(values)
    for value in values:
        report = report_of([{"value": value, "in": [value]}])
        assert field_at(report, "value").count == 1
        json.dumps([report_to_dict(report), [row_to_dict(row) for row in rows(report)]]).encode("ascii")


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (1, "int"),
        (2**31, "long"),
        (Int64(1), "long"),
        (1.0, "double"),
        (True, "bool"),
        ("", "string"),
        (None, "null"),
        ({}, "object"),
        ([], "array"),
        (EPOCH, "date"),
        (Decimal128("1"), "decimal"),
        (Binary(b"1" * 16, 4), "uuid"),
        (Binary(b"1" * 16, 3), "binData"),
    ],
)
def test_types(value: object, kind: str) -> None:
    assert field_at(report_of([{"a": value}]), "a").types == {kind: 1}


def test_missing_null_and_empty_are_told_apart() -> None:
    field = field_at(report_of([{}, {"a": None}, {"a": ""}, {"a": "x"}, {"a": []}]), "a")
    assert (field.parents, field.present, field.missing) == (5, 4, 1)
    assert field.types == {"null": 1, "string": 2, "array": 1}
    assert field.empty == {"string": 1, "array": 1}
    assert field.presence == 0.8
    assert not field.is_required


def test_presence_is_of_the_parent() -> None:
    report = report_of([{"lines": [{"sku": "a"}, {}]}, {"lines": [{"sku": "b"}]}, {"lines": []}, {}])
    assert field_at(report, "lines").presence == 0.75
    assert field_at(report, "lines[]").presence == pytest.approx(2 / 3)
    assert (field_at(report, "lines[].sku").present, field_at(report, "lines[].sku").parents) == (2, 3)
    assert field_at(report, "lines").extents == {"array": (0, 2, 3)}


def test_ranges_lengths_and_formats() -> None:
    report = report_of([{"n": 3, "s": "a@b.co"}, {"n": 2.5, "s": "a@b.com"}, {"n": float("nan"), "s": "x"}])
    assert field_at(report, "n").bounds == {"int": (3, 3), "double": (2.5, 2.5)}
    assert field_at(report, "n").odd == {"double": 1}
    assert field_at(report, "s").extents == {"string": (1, 7, 14)}
    assert field_at(report, "s").formats == {"email": 2}


def test_few_values_are_listed_and_many_counted() -> None:
    report = report_of([{"few": "ab"[i % 2], "many": i, "mixed": i or None} for i in range(21)])
    assert field_at(report, "few").enum == {("string", "a"): 11, ("string", "b"): 10}
    assert field_at(report, "many").enum is None
    assert field_at(report, "many").distinct == 21
    assert len(field_at(report, "mixed").enum or ()) == 20


def test_equal_numbers_of_two_types_are_one_value() -> None:
    assert field_at(report_of([{"a": 1}, {"a": 1.0}, {"a": Int64(1)}]), "a").distinct == 1


def test_examples_of_equal_numbers_do_not_depend_on_the_order() -> None:
    documents = [{"a": 1}, {"a": 1.0}]
    assert settled(profile_of(documents)) == settled(profile_of(documents[::-1]))
    ahead = profile_of(documents[:1])
    ahead.merge(profile_of(documents[1:]))
    assert settled(ahead) == settled(profile_of(documents))


def test_examples_depend_on_the_seed_alone() -> None:
    documents = [{"a": f"value {i}"} for i in range(500)]
    first, again = (field_at(report_of(docs), "a").examples for docs in (documents, documents[::-1]))
    assert first == again
    assert len(set(first)) == 5
    assert first != field_at(report_of(documents, seed=2**63 + 12345), "a").examples


def test_redacted_profiles_have_no_values() -> None:
    secrets = ["hunter2", "65920080090dc4cfcb0320c3"]
    profile = profile_of([{"a": secrets[0], "id": secrets[1], "n": [b"hunter2"]}], redact=True)
    report = read_profile(profile)
    text = json.dumps([to_dict(profile), report_to_dict(report)])
    assert not any(secret in text for secret in secrets)
    assert all(not field.examples and field.enum is None for field in report.fields)
    assert any("on purpose" in note for note in report.notes)


@pytest.mark.parametrize(
    "keys",
    [
        [str(number) for number in range(30)],
        [f"2024-01-{day:02d}" for day in range(1, 31)],
        [f"65920080090dc4cfcb0320{number:02x}" for number in range(30)],
        [f"user {number}" for number in range(300)],
    ],
    ids=["numbers", "dates", "ids", "any names"],
)
def test_maps_collapse(keys: list[str]) -> None:
    report = report_of([{"map": {key: {"n": 1}, keys[0]: {"n": 2}}} for key in keys])
    assert {field.path for field in report.fields} == {"map", "map.*", "map.*.n"}
    assert field_at(report, "map.*").presence == 1
    assert any("maps" in note for note in report.notes)


def test_rare_keys_are_shown_as_a_map() -> None:
    report = report_of([{"map": {f"user {number}": 1}} for number in range(70)])
    assert {field.path for field in report.fields} == {"map", "map.*"}


def test_wide_objects_are_no_maps() -> None:
    report = report_of([{"wide": {f"name {number}": 1 for number in range(100)}} for _ in range(2)])
    assert len(report.fields) == 101


def test_the_top_is_never_a_map() -> None:
    assert len(report_of([{str(number): 1 for number in range(300)}]).fields) == 300


def test_paths_are_capped_and_the_cap_is_told() -> None:
    documents = [{f"{part} {number}": 1 for number in range(60)} for part in "abc"]
    report = report_of(documents, Limits(paths=30))
    assert len(report.fields) == 30
    # 120 paths are kept, of which the top is one; the others are counted.
    assert any("61 values at 61 paths were not recorded" in note for note in report.notes)
    assert any("89 paths beyond the limit of 30" in note for note in report.notes)


def test_the_cap_holds_when_profiles_merge() -> None:
    limits = Limits(paths=5)
    profile = profile_of([{f"a{number}": {"x": 1} for number in range(9)}], limits)
    profile.merge(profile_of([{f"b{number}": [{"y": 1}] for number in range(9)}], limits))
    assert profile.growth.paths <= limits.kept_paths
    assert profile.growth.unrecorded_values
    assert profile.root.size() == profile.growth.paths


def test_depth_is_bounded() -> None:
    value: Any = 1
    for _ in range(sys.getrecursionlimit() * 2):
        value = {"a": [value]}
    report = report_of([value])
    assert any("deeper than 32 levels" in note for note in report.notes)


def test_the_sample_is_told() -> None:
    profile = profile_of([{"a": 1}] * 300)
    assert "300 documents were looked at; nothing is known of others." in read_profile(profile).notes
    assert "All 300 documents were looked at." in read_profile(profile, population=300).notes
    notes = " ".join(read_profile(profile, population=30_000).notes)
    assert "300 of about 30,000 documents" in notes
    assert "fewer than 1 in 100 documents" in notes


def test_memory_is_bounded_by_the_limits() -> None:
    profile = Profile(Limits(paths=50))
    sizes: list[int] = []
    for start in range(0, 3000, 1000):
        profile.add_all(
            {f"k{i % 400}": {f"v{i}": "x" * 50 + str(i)}, "t": f"text {i}"} for i in range(start, start + 1000)
        )
        sizes.append(len(json.dumps(to_dict(profile))))
    assert profile.growth.paths <= 200
    assert sizes[-1] < 2 * sizes[0]
