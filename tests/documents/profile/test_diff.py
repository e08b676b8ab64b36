from typing import Any

import pytest

from documents.profile.accumulator import Profile
from documents.profile.diff import Severity, Thresholds, diff, exit_code
from documents.profile.report import Report, read_profile
from tests.documents.profile.messy import load


def report_of(documents: list[dict[str, Any]]) -> Report:
    profile = Profile()
    profile.add_all(documents)
    return read_profile(profile)


def values(*items: Any) -> list[dict[str, Any]]:
    return [{"a": item} for item in items]


CASES: list[tuple[list[dict[str, Any]], list[dict[str, Any]], list[tuple[str, str, Severity]]]] = [
    (values(1), values(1), []),
    ([], values(1), [("path-new", "a", Severity.INFO)]),
    (values(1), [{}], [("path-gone", "a", Severity.BREAKING)]),
    ([*values(1), *[{}] * 30], [{}], [("path-gone", "a", Severity.INFO)]),
    (values({"b": {"c": 1}}), values({}), [("path-gone", "a.b", Severity.BREAKING)]),
    (values({}), values({"b": {"c": 1}}), [("path-new", "a.b", Severity.INFO)]),
    (values(1, 1), [{"a": 1}, {}], [("presence", "a", Severity.BREAKING)]),
    ([*values(1, 1, 1), {}], [*values(1), {}], [("presence", "a", Severity.WARNING)]),
    ([*values(1), {}], [*values(1, 1, 1), {}], [("presence", "a", Severity.INFO)]),
    ([*values(*[1] * 97), {}, {}, {}], [*values(*[1] * 98), {}, {}], []),
    (values(1), values(1, None), [("type-share", "a", Severity.WARNING), ("type-new", "a", Severity.WARNING)]),
    (values(*[1] * 99), values(*[1] * 99, "x"), [("type-new", "a", Severity.WARNING)]),
    (values(1), values("x"), [("type-new", "a", Severity.BREAKING), ("type-gone", "a", Severity.WARNING)]),
    (values(*"aaabbb"), values(*"abc"), [("enum-new", "a", Severity.WARNING)]),
    (values(*"aaabbb"), values(*map(str, range(30))), [("enum-new", "a", Severity.WARNING)]),
    (values(*"abc"), values(*"abcd"), []),
    (values(0, 10), values(0, 15), []),
    (values(0, 10), values(0, 16), [("range", "a", Severity.WARNING)]),
    (values(0, 10), values(-6, 10), [("range", "a", Severity.WARNING)]),
    (values(0.0, 1.0), values(float("-inf"), 1.0), [("range", "a", Severity.WARNING)]),
    (values(float("-inf"), float("inf")), values(0.0), []),
    (values([1]), values(["x"]), [("type-new", "a[]", Severity.BREAKING), ("type-gone", "a[]", Severity.WARNING)]),
]


@pytest.mark.parametrize(("before", "after", "found"), CASES)
def test_differences(
    before: list[dict[str, Any]], after: list[dict[str, Any]], found: list[tuple[str, str, Severity]]
) -> None:
    differences = diff(report_of(before), report_of(after))
    assert [(difference.kind, difference.path, difference.severity) for difference in differences] == found


def test_thresholds_say_what_goes_without_saying() -> None:
    before, after = report_of([*values(1, 1), {}]), report_of([*values(1), {}])
    assert diff(before, after, Thresholds(presence=0.1))
    assert not diff(before, after, Thresholds(presence=0.2))


def test_the_exit_code_stops_a_pipeline() -> None:
    differences = diff(report_of(values(1)), report_of([{"a": 1, "b": 1}]))
    assert exit_code(differences) == 0
    assert exit_code(differences, fail_at=Severity.INFO) == 2
    assert exit_code(diff(report_of(values(1)), report_of(values("x")))) == 2


def test_a_difference_reads_as_a_line_and_as_json() -> None:
    difference = diff(report_of(values(1)), report_of([{}]))[0]
    assert str(difference) == "breaking: a: path-gone: int in 100 % -> nothing"
    assert difference.to_dict() == {
        "kind": "path-gone",
        "path": "a",
        "severity": "breaking",
        "before": "int in 100 %",
        "after": "",
    }


@pytest.mark.parametrize("name", ["movies.json", "cars.json"])
def test_real_data_does_not_differ_from_itself(name: str) -> None:
    assert diff(report_of(load(name)), report_of(load(name)[::-1])) == []


def test_real_data_that_lost_a_column() -> None:
    before, after = load("cars.json"), load("cars.json")
    for car in after:
        car["Horses"] = car.pop("Horsepower")
    found = diff(report_of(before), report_of(after))
    assert [(difference.kind, difference.path) for difference in found] == [
        ("path-gone", "Horsepower"),
        ("path-new", "Horses"),
    ]
