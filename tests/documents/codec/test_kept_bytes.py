"""Whatever is stored and changed, the bytes of all other fields stay."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from documents.codec.difference import difference
from documents.codec.elements import Element, document_of, elements_of
from documents.codec.splice import splice
from documents.codec.stored import StoredDocument
from tests.bson_values import VALUES

NAMES = st.sampled_from([b"a", b"b", b"c", b"d.e", b"$f", b"", b"\xff"])
LEAVES = st.sampled_from(list(VALUES.values()))


def _inside(members: Any) -> Any:
    return st.lists(st.tuples(NAMES, members), max_size=4).map(
        lambda several: (0x03, document_of([Element(kind, name, data).to_bytes() for name, (kind, data) in several]))
    )


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
