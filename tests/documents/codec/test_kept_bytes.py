"""Whatever is stored and changed, the bytes of all other fields stay."""

from itertools import pairwise
from typing import Any

import orjson
from hypothesis import example, given, settings
from hypothesis import strategies as st

from documents.codec.difference import difference
from documents.codec.elements import ARRAY, DOCUMENT, Element, document_of, elements_of
from documents.codec.plain import dump
from documents.codec.splice import splice
from documents.codec.stored import StoredDocument
from documents.codec.stored_types import StoredTypes, keep_widths
from documents.codec.strict import check_keys
from tests.bson_values import VALUES

NAMES = st.sampled_from([b"a", b"b", b"c", b"d.e", b"$f", b"", b"\xff"])
LEAVES = st.sampled_from(list(VALUES.values()))


def _inside(members: Any) -> Any:
    return st.lists(st.tuples(NAMES, members), max_size=4).map(
        lambda several: (0x03, document_of([Element(kind, name, data).to_bytes() for name, (kind, data) in several]))
    )


def raw_of(members: dict[bytes, tuple[int, bytes]]) -> bytes:
    return document_of(Element(kind, name, payload).to_bytes() for name, (kind, payload) in members.items())


STORED = st.lists(
    st.tuples(NAMES, st.recursive(LEAVES, _inside, max_leaves=6)), max_size=6, unique_by=lambda member: member[0]
).map(lambda several: document_of([Element(kind, name, data).to_bytes() for name, (kind, data) in several]))


@settings(max_examples=60, deadline=None)
@given(STORED, st.sampled_from(["a", "b", "new"]), st.sampled_from([1, "x", None, {"y": [1]}]))
def test_fields_that_are_not_named_keep_their_bytes(stored: bytes, name: str, value: Any) -> None:
    before = StoredDocument(stored).decode()
    after = splice(stored, {**before, name: value}, replaces=True)
    kept = [each for each in elements_of(stored) if each.name != name.encode()]
    assert [each for each in elements_of(after) if each.name != name.encode()] == kept
    assert StoredDocument(after).decode()[name] == value


@settings(max_examples=60, deadline=None)
@given(STORED)
def test_what_was_not_changed_is_the_same_bytes(stored: bytes) -> None:
    assert splice(stored, StoredDocument(stored).decode()) == stored
    assert difference(stored, stored) == {}


@settings(max_examples=60, deadline=None)
@given(STORED)
@example(raw_of({b"a": VALUES["UUID"], b"b": VALUES["short UUID"]}))
def test_what_was_shown_and_sent_back_is_the_same_bytes(stored: bytes) -> None:
    before = StoredDocument(stored).decode()
    shown = orjson.loads(dump(before))
    read = StoredTypes(lambda _: None).read_document(before, shown)
    assert splice(stored, keep_widths(before, read), replaces=True) == stored


@settings(max_examples=60, deadline=None)
@given(STORED, STORED)
def test_a_value_that_is_sent_for_another_is_of_its_type_or_as_json_has_it(one: bytes, other: bytes) -> None:
    stored, sent = StoredDocument(one).decode(), orjson.loads(dump(StoredDocument(other).decode()))
    sent = {name: value for name, value in sent.items() if name in stored and not check_keys({"": value})}
    read = StoredTypes(lambda _: None).read_document(stored, sent)
    assert read.keys() == sent.keys()
    for name, value in read.items():
        is_kept = type(value) is type(stored.get(name)) or (name in stored and value == stored[name])
        assert is_kept or orjson.loads(dump(value)) == sent[name]


Tree = dict[bytes, Any]


def tree_of(raw: bytes) -> Tree:
    """Return a document as a tree whose leaves are types and bytes, without the order of its fields."""
    return {
        each.name: (each.kind, tree_of(each.payload)) if each.kind in (DOCUMENT, ARRAY) else (each.kind, each.payload)
        for each in elements_of(raw)
    }


def carry_out(tree: Tree, operators: dict[str, Any]) -> None:
    """Change a tree as MongoDB changes a document by `$set` and `$unset`."""
    for element in elements_of(bytes(operators["$set"].raw)) if "$set" in operators else ():
        parent, name = parent_of(tree, element.name)
        parent[name] = tree_of(document_of([element.to_bytes(b"x")]))[b"x"]
    for path in operators.get("$unset", ()):
        parent, name = parent_of(tree, path.encode())
        del parent[name]


def parent_of(tree: Tree, path: bytes) -> tuple[Tree, bytes]:
    *above, name = path.split(b".")
    for each in above:
        tree = tree[each][1]
    return tree, name


def object_with(leaf: tuple[int, bytes]) -> tuple[int, bytes]:
    kind, payload = leaf
    return DOCUMENT, document_of([Element(kind, b"a", payload).to_bytes(), Element(kind, b"d.e", payload).to_bytes()])


LEAVES_ONCE = st.sampled_from([value for name, value in VALUES.items() if name != "key twice"])
MEMBERS_ONCE = st.dictionaries(NAMES, st.one_of(LEAVES_ONCE, LEAVES_ONCE.map(object_with)), max_size=6)


@settings(max_examples=200, deadline=None)
@given(MEMBERS_ONCE, MEMBERS_ONCE, st.sets(NAMES))
def test_the_difference_leads_from_one_to_the_other(
    before: dict[bytes, Any], changed: dict[bytes, Any], gone: set[bytes]
) -> None:
    one = raw_of(before)
    after = raw_of({name: value for name, value in (before | changed).items() if name not in gone})
    operators = difference(one, after)
    if operators is None:
        differing = {each.name for each in {*elements_of(one)} ^ {*elements_of(after)}}
        assert any(not name or name.startswith(b"$") or b"." in name or name == b"\xff" for name in differing)
        return
    tree = tree_of(one)
    carry_out(tree, operators)
    assert tree == tree_of(after)
    named = set(operators.get("$unset", ()))
    sets = [each.name.decode() for each in elements_of(bytes(operators["$set"].raw))] if "$set" in operators else []
    paths = sorted([*named, *sets])
    assert not any(later.startswith(f"{path}.") for path, later in pairwise(paths)), "MongoDB refuses both"
