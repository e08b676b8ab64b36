"""Mappings: each operation as a row, what every mapping holds to as properties, and faults that say where they are."""

import copy
import hashlib
import hmac
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents.codec.strict import check_keys
from documents.errors import Fault
from documents.mapping.escaping import escape_key, unescape_key, with_keys
from documents.mapping.mapping import Mapping, MappingError, key_id, mapping_from_text, read_mapping
from documents.mapping.operations import OPERATIONS, Context
from documents.mapping.paths import parse_path

CONTEXT = Context("a.csv", 7, b"0123456789abcdef")
TEXTS = st.text(alphabet=st.sampled_from("a.$%\0E250é"), max_size=6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(TEXTS, JSON, max_size=4)


def digest(text: str) -> str:
    return hmac.new(b"0123456789abcdef", text.encode(), hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("rename: {a: b, b: a}", {"a": 1, "b": 2}, {"b": 1, "a": 2}),
        ("rename: {x.a: b}", {"x": [{"a": 1}, {"c": 2}, 3]}, {"x": [{"b": 1}, {"c": 2}, 3]}),
        (r"rename: {'io\.x': io}", {"io.x": 1}, {"io": 1}),
        ("drop: [a, x.y]", {"a": 1, "x": {"y": 1, "z": 2}}, {"x": {"z": 2}}),
        ("drop: a", {"b": 1}, {"b": 1}),
        ("hash: [a, b, c]", {"a": "x", "b": 5, "c": None}, {"a": digest("x"), "b": digest("5"), "c": None}),
        ("hash: a", {"a": ["x", "y"]}, {"a": [digest("x"), digest("y")]}),
        ("set: {a: no, x.y: 1}", {"a": 5}, {"a": "no", "x": {"y": 1}}),
        ("json: [a]", {"a": '{"b": [1]}'}, {"a": {"b": [1]}}),
        ('split: {a: ";"}', {"a": "x; y"}, {"a": ["x", "y"]}),
        ('split: {a: ";"}', {"a": " "}, {"a": []}),
        ("escape: true", {"a.b": {"$ref": 1, "": 2}}, {"a%2Eb": {"%24ref": 1, "%": 2}}),
        ("- escape: true\n- unescape: true\n- nest: true", {"a.b": 1, "a.c": 2}, {"a": {"b": 1, "c": 2}}),
        (
            "records: {p: cur}",
            {"p": {"EUR": 1, "USD": {"v": 2}}},
            {"p": [{"cur": "EUR", "value": 1}, {"cur": "USD", "v": 2}]},
        ),
        ("records: {p: {key: c, value: v}}", {"p": {"EUR": {"n": 2}}}, {"p": [{"c": "EUR", "v": {"n": 2}}]}),
        ("source: _source\nline: _line", {"a": 1}, {"a": 1, "_source": "a.csv", "_line": 7}),
    ],
)
def test_each_operation_does_what_it_says(text: str, before: Any, after: Any) -> None:
    kept = copy.deepcopy(before)
    changed = read_mapping(text).apply(before, CONTEXT)
    assert changed == after
    assert not isinstance(changed, Fault)
    assert list(changed) == list(after)
    assert before == kept


@pytest.mark.parametrize(
    ("text", "document", "pointer", "code"),
    [
        ("rename: {a: b}", {"a": 1, "b": 2}, "/b", "name-taken"),
        ("hash: a", {"a": {"b": 1}}, "/a", "wrong-type"),
        ("json: x.a", {"x": [{"a": "{"}]}, "/x/0/a", "malformed-json"),
        ("json: a", {"a": 5}, "/a", "wrong-type"),
        ('split: {a: ";"}', {"a": 5}, "/a", "wrong-type"),
        ("records: {a: k}", {"a": [1]}, "/a", "wrong-type"),
        ("records: {a: k}", {"a": 1}, "/a", "wrong-type"),
        ("records: {a: k}", {"a": {"x": {"k": 1}}}, "/a/x/k", "name-taken"),
        ("set: {a.b: 1}", {"a": 5}, "/a", "wrong-type"),
        ("nest: true", {"a": 5, "a.b": 1}, "/a.b", "name-taken"),
        ("nest: true", {"a.b": 1, "a": 5}, "/a", "name-taken"),
        ("drop: x", {"$ref": 1}, "/$ref", "key-refused"),
    ],
)
def test_what_a_step_cannot_do_is_a_fault_of_the_record(text: str, document: Any, pointer: str, code: str) -> None:
    fault = read_mapping(text).apply(document, CONTEXT)
    assert isinstance(fault, Fault)
    assert (fault.pointer, fault.code) == (pointer, code)


@pytest.mark.parametrize(
    ("text", "line", "pointer"),
    [
        ("", None, ""),
        ("a: [", 1, ""),
        ("- drop: [a]\n- dorp: [b]", 2, "/1/dorp"),
        ("- drop: []", 1, "/0/drop"),
        ("drop:\n  - a\n  - 5", 3, "/drop/1"),
        ("- rename:\n    a: c\n    b: c", 3, "/0/rename/b"),
        ("- drop: a\n- text", 2, "/1"),
        ("escape: false", 1, "/escape"),
        ("records:\n  a: {key: k, valeu: v}", 2, "/records/a/valeu"),
        (r"drop: 'a\b'", 1, "/drop"),
        ("a: &x [1]\nb: *x", 2, "/b"),
        ("drop: a\ndrop: b", 2, ""),
        ("set:\n  a: {$date: x}", 2, "/set/a"),
        ("[]", None, ""),
    ],
)
def test_what_cannot_be_meant_names_the_line(text: str, line: int | None, pointer: str) -> None:
    with pytest.raises(MappingError) as raised:
        read_mapping(text)
    assert raised.value.pointer == pointer
    if line is not None:
        assert raised.value.detail.startswith(f"Line {line}: ")


@given(TEXTS)
def test_unescape_gives_back_what_escape_was_given(key: str) -> None:
    assert unescape_key(escape_key(key)) == key
    assert check_keys({escape_key(key): 1}) == []


@given(st.text(alphabet="abc%é", min_size=1).filter(lambda key: key != "%"))
def test_plain_keys_stay_as_they_are(key: str) -> None:
    assert escape_key(key) == key


@given(DOCUMENTS)
def test_escaped_documents_come_back_whole(document: Any) -> None:
    escaped = Mapping({"escape": True}).apply(document)
    assert with_keys(escaped, unescape_key) == document


@given(DOCUMENTS, st.permutations(["a", ".", "%"]))
def test_renaming_loses_nothing(document: Any, names: list[str]) -> None:
    renames = dict(zip(["a", r"\.", "%"], names, strict=True))
    back = {("\\." if new == "." else new): old.replace("\\", "") for old, new in renames.items()}
    steps = [{"unescape": True}, {"rename": renames}, {"rename": back}, {"escape": True}]
    start = Mapping({"escape": True}).apply(document)
    assert isinstance(start, dict)
    assert Mapping(steps).apply(start) == start


@given(TEXTS, TEXTS)
def test_hashes_are_stable_and_tell_values_apart(left: str, right: str) -> None:
    mapping = Mapping({"hash": "a"})
    hashed = [mapping.apply({"a": text}, CONTEXT) for text in (left, left, right)]
    assert hashed[0] == hashed[1]
    assert (hashed[0] == hashed[2]) == (left == right)
    other = mapping.apply({"a": left}, Context(hash_key=b"another key here"))
    assert other != hashed[0]


@given(DOCUMENTS)
def test_no_document_makes_a_mapping_fail_otherwise_than_by_a_fault(document: Any) -> None:
    for name, operation in OPERATIONS.items():
        mapping = read_mapping(f"{name}: {operation.example}")
        changed = mapping.apply(document, CONTEXT)
        assert isinstance(changed, Fault) or check_keys(changed) == []
        assert mapping_from_text(mapping.to_text()).apply(document, CONTEXT) == changed


def test_types_are_found_by_the_names_that_columns_have_before() -> None:
    mapping = read_mapping("- escape: true\n- rename: {preis: price}\n- hash: email\n- split: {tags: ','}")
    types = {"price": "decimal", "email": "string", "tags": "json", "a%2Eb": "int"}
    assert mapping.types_before(types) == {"preis": "decimal", "a.b": "int"}


def test_a_revision_can_rewrite_documents_with_a_mapping() -> None:
    assert read_mapping("records: {p: k}").rewrite({"_id": 1, "p": {"a": 1}}) == {
        "_id": 1,
        "p": [{"k": "a", "value": 1}],
    }
    with pytest.raises(ValueError, match="/p"):
        read_mapping("records: {p: k}").rewrite({"_id": 1, "p": 5})


def test_the_id_of_a_key_tells_keys_apart() -> None:
    assert key_id(b"0123456789abcdef") == key_id(b"0123456789abcdef") != key_id(b"0123456789abcdeg")


@pytest.mark.parametrize(
    ("text", "path"), [("a.b", ("a", "b")), (r"a\.b", ("a.b",)), (r"a\\.b", ("a\\", "b")), ("$a", ("$a",))]
)
def test_paths_are_names_with_dots_between(text: str, path: tuple[str, ...]) -> None:
    assert parse_path(text) == path


def test_the_guide_lists_every_step() -> None:
    guide = Path("docs/ingest.md").read_text("utf-8")
    for name, operation in OPERATIONS.items():
        assert f"| `{name}` | {operation.does} | `{name}: {operation.example}` |\n" in guide
