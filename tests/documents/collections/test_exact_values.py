"""The place of a value of every BSON type in a list: what comes after it, and what is as far, in both directions."""

from typing import Any, Final

import pytest
from bson.raw_bson import RawBSONDocument

from documents.codec.elements import ARRAY, Element, document_of
from documents.codec.stored import StoredBatch, StoredDocument
from documents.collections.exact_values import exact_rows, packed, sendable, unpacked
from documents.lifecycle import Store
from documents.query.paging.cursor import Cursor, open_cursor, seal
from documents.query.paging.keyset import after, level
from documents.query.paging.sort import Sort, parse_sort
from documents.query.paging.sort_values import sort_key, sort_values
from documents.query.paging.ties import are_tied, is_counted, place_of
from tests.bson_values import VALUES

SINGLE: Final = [value for value in VALUES.values() if value[0] != ARRAY]
BSON_ARRAYS: Final = [[], *([one] for one in SINGLE), *list(zip(SINGLE, SINGLE[7:], strict=False))[::5]]


def _one(n: int, *, v: tuple[int, bytes] | None) -> RawBSONDocument:
    elements = [Element(0x10, b"_id", n.to_bytes(4, "little")).to_bytes()]
    return RawBSONDocument(document_of([*elements, *([Element(v[0], b"v", v[1]).to_bytes()] if v else [])]))


def _array(items: Any) -> tuple[int, bytes]:
    return ARRAY, document_of(Element(kind, b"%d" % at, payload).to_bytes() for at, (kind, payload) in enumerate(items))


SCENES: Final[dict[str, list[tuple[int, bytes] | None]]] = {
    "values": [None, *SINGLE, *SINGLE[::-6]],
    "arrays": [None, *map(_array, BSON_ARRAYS[::3])],
    "arrays in arrays": [_array([value]) for value in map(_array, BSON_ARRAYS)],
}


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("sort", ["v", "-v,_id"])
@pytest.mark.parametrize("indexed", [False, True])
async def test_what_comes_after(store: Store, collection: str, scene: str, sort: str, *, indexed: bool) -> None:
    raw = store.connection.raw_collection(collection)
    await raw.insert_many([_one(n, v=value) for n, value in enumerate(SCENES[scene])])
    if indexed:
        await raw.create_index("v")
    order = parse_sort(sort)
    stored = [bytes(each.raw) async for each in raw.find(sort=order.to_mongo())]
    batch = StoredBatch(b"".join(stored), limit=len(stored))
    rows = exact_rows(batch, order)
    ids = [row["_id"] for row in rows]
    assert sorted(rows, key=lambda row: sort_key(sort_values(row, order), order)) == rows
    for at, row in enumerate(rows):
        values = tuple(sort_values(row, order))
        if is_counted(place_of(values)):
            continue  # MongoDB does not compare with these
        cursor = open_cursor(seal(Cursor(packed(values)), secret=b"s", scope=b""), secret=b"s", scope=b"")
        read = unpacked(cursor.values)
        assert sort_key(read, order) == sort_key(values, order)
        found = await _ids(raw, sendable(after(order, read, id_type_is_uniform=False), read), order)
        assert found == ids[at + 1 :], values
        equal = [each["_id"] for each in rows if are_tied(each, row, order.leading)]
        assert await _ids(raw, sendable(level(order.leading, read[:-1]), read), order) == equal, values


async def _ids(raw: Any, where: Any, order: Sort) -> list[int]:
    return [StoredDocument(bytes(each.raw)).id async for each in raw.find(where, {"_id": 1}, sort=order.to_mongo())]
