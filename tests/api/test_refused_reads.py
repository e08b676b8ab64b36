"""What MongoDB refuses of a query, after Sheaf has checked it, is said in words and never blamed on a document."""

from typing import Any

import httpx
import pytest

from documents.lifecycle import Store
from tests.api.answers import refusal

CROSSED = [[[0, 0], [1, 1], [0, 1], [1, 0], [0, 0]]]
HOLE_OUTSIDE = [[[0, 0], [1, 0], [1, 1], [0, 0]], [[5, 5], [6, 5], [6, 6], [5, 5]]]


@pytest.mark.parametrize("rings", [CROSSED, HOLE_OUTSIDE], ids=["crossed", "hole outside"])
@pytest.mark.parametrize("operator", ["$geoWithin", "$geoIntersects"])
@pytest.mark.parametrize("indexed", [False, True])
async def test_a_polygon_that_is_none(
    client: httpx.AsyncClient, store: Store, collection: str, rings: Any, operator: str, *, indexed: bool
) -> None:
    held = store.connection.collection(collection)
    await held.insert_one({"at": {"type": "Point", "coordinates": [0, 0]}})
    if indexed:
        await held.create_index([("at", "2dsphere")])
    asked = {"filter": {"at": {operator: {"$geometry": {"type": "Polygon", "coordinates": rings}}}}}
    for method in ("query", "count"):
        problem = refusal(await client.post(f"/v1/{collection}:{method}", json=asked), 400, "invalid-filter")
        assert "polygon" in problem["detail"]
