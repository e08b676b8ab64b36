"""Lists: which documents, in what order, and how much of each."""

import json
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.api.answers import faults, ids, items, refusal, stored

Client = httpx.AsyncClient

PEOPLE: list[dict[str, Any]] = [
    {"_id": 1, "name": "Ada", "age": 36, "tags": ["a", "b"], "at": {"city": "London", "pos": [0, 51.5]}},
    {"_id": 2, "name": "Bob", "age": 7.5, "tags": [], "at": {"city": "Paris"}, "zip": "01234"},
    {"_id": 3, "name": "ada", "age": None, "tags": ["b", "c"], "pets": [{"k": "cat", "n": 1}, {"k": "dog", "n": 2}]},
    {"_id": 4, "name": "Æon", "tags": "a", "age": "36", "zip": 1234, "sort": "x"},
    {"_id": 5, "name": "a,b", "age": 100, "ok": True, "pets": [{"k": "cat", "n": 2}]},
]

FILTERED: list[tuple[str, list[int]]] = [
    ("name=Ada", [1]),
    ("name[eq]=Ada", [1]),
    ("name[ne]=Ada", [2, 3, 4, 5]),
    ("age=36", [1]),
    ('age="36"', [4]),
    ("age[gt]=7.5", [1, 5]),
    ("age[gte]=7.5&age[lt]=100", [1, 2]),
    ("age[lte]=7.5", [2]),
    ("age=null", [3]),
    ("age[exists]=false", []),
    ("zip=01234", [2]),
    ("zip=1234", [4]),
    ("ok=true", [5]),
    ("ok[exists]=true", [5]),
    ("tags=a", [1, 4]),
    ("tags=b&tags=c", [3]),
    ("tags[all]=b,c", [3]),
    ("tags[size]=0", [2]),
    ("tags[in]=c,a", [1, 3, 4]),
    ("tags[nin]=a,b", [2, 5]),
    ('name[in]="a,b",Bob', [2, 5]),
    ("name[regex]=^[Aa]da$", [1, 3]),
    ("at.city=Paris", [2]),
    ('pets[elemMatch]={"k":"cat","n":2}', [5]),
    ("pets.k=dog", [3]),
    ("pets.0.n=2", [5]),
    ("_id[in]=2,3", [2, 3]),
    ('filter={"sort":"x"}', [4]),
    ('filter={"$or":[{"age":{"$gt":50}},{"name":"Bob"}]}', [2, 5]),
    ('filter={"age":{"$gt":5}}&name=Ada', [1]),
    ('filter={"age":{"$type":"string"}}', [4]),
    ("filter={}", [1, 2, 3, 4, 5]),
    ("nothing=1", []),
]

REFUSED: list[tuple[str, str, str]] = [
    ("age[above]=1", "invalid-parameter", "?age[above]"),
    ("$where=1", "invalid-parameter", "?$where"),
    ("a.$b=1", "invalid-parameter", "?a.$b"),
    ("name[regex]=(a%2B)%2B$", "invalid-parameter", "?name[regex]"),
    ("name[regex]=(", "invalid-parameter", "?name[regex]"),
    ("tags[size]=x", "invalid-parameter", "?tags[size]"),
    ("age[exists]=1", "invalid-parameter", "?age[exists]"),
    ("limit=0", "invalid-parameter", "?limit"),
    ("limit=1001", "invalid-parameter", "?limit"),
    ("limit=ten", "invalid-parameter", "?limit"),
    ("limit=--5", "invalid-parameter", "?limit"),
    ("limit=1&limit=2", "invalid-parameter", "?limit"),
    ("sort=a,a", "invalid-parameter", "?sort"),
    ("sort=$natural", "invalid-parameter", "?sort"),
    ("sort=a,b,c,d,e,f,g,h,i", "invalid-parameter", "?sort"),
    ("fields=a,-b", "invalid-parameter", "?fields"),
    ("fields=-_id", "invalid-parameter", "?fields"),
    ("fields=a,a.b", "invalid-parameter", "?fields"),
    ("cursor=x", "invalid-cursor", ""),
    ("a=%FF", "invalid-parameter", "?"),
    ('filter={"$where":"1"}', "invalid-filter", "/$where"),
    ('filter={"a":{"$function":{}}}', "invalid-filter", "/a/$function"),
    ('filter={"$expr":{"$eq":[1,1]}}', "invalid-filter", "/$expr"),
    ('filter={"$and":[{"a":1},{"b":{"$regex":1}}]}', "invalid-filter", "/$and/1/b/$regex"),
    ("filter={", "invalid-filter", ""),
    ('filter={"a":1,"a":2}', "invalid-filter", "/a"),
    ("q=" + "x" * 1001, "invalid-parameter", "?q"),
]

SORTED: list[tuple[str, list[int]]] = [
    ("", [1, 2, 3, 4, 5]),
    ("-_id", [5, 4, 3, 2, 1]),
    ("name", [1, 2, 5, 3, 4]),
    ("-name", [4, 3, 5, 2, 1]),
    ("age", [3, 2, 1, 5, 4]),
    ("-age", [4, 5, 1, 2, 3]),
    ("at.city,-_id", [5, 4, 3, 1, 2]),
    ("ok,name", [1, 2, 3, 4, 5]),
]


@pytest_asyncio.fixture
async def people(client: Client, collection: str) -> str:
    await stored(client, collection, *PEOPLE)
    return collection


class TestListDocuments:
    async def test_anonymous(self, client: Client, people: str) -> None:
        response = await client.get(f"/v1/{people}")
        assert response.json() == {"items": PEOPLE, "next": None, "prev": None}
        assert response.headers["content-type"] == "application/json"
        assert response.headers["vary"] == "Accept"
        assert "link" not in response.headers

    @pytest.mark.parametrize(("query", "expected"), FILTERED)
    async def test_filters(self, client: Client, people: str, query: str, expected: list[int]) -> None:
        assert ids(await client.get(f"/v1/{people}?{query}")) == expected

    @pytest.mark.parametrize(("query", "code", "pointer"), REFUSED)
    async def test_refuses(self, client: Client, people: str, query: str, code: str, pointer: str) -> None:
        response = await client.get(f"/v1/{people}?{query}")
        refusal(response, 400, code)
        if pointer:
            assert {where for where, _ in faults(response)} == {pointer}

    @pytest.mark.parametrize(("sort", "expected"), SORTED)
    async def test_sorts(self, client: Client, people: str, sort: str, expected: list[int]) -> None:
        assert ids(await client.get(f"/v1/{people}", params={"sort": sort})) == expected

    @pytest.mark.parametrize(
        ("fields", "expected"),
        [
            ("name", {"_id": 1, "name": "Ada"}),
            ("at.city,age", {"_id": 1, "age": 36, "at": {"city": "London"}}),
            ("-name,-tags,-at", {"_id": 1, "age": 36}),
            ("-at.pos", {**PEOPLE[0], "at": {"city": "London"}}),
            ("nothing", {"_id": 1}),
            ("_id", {"_id": 1}),
        ],
    )
    async def test_fields(self, client: Client, people: str, fields: str, expected: dict[str, Any]) -> None:
        for sort in ("_id", "age,_id", "-tags"):
            params = {"fields": fields, "_id": "1", "sort": sort}
            assert items(await client.get(f"/v1/{people}", params=params)) == [expected]

    @pytest.mark.parametrize(
        ("kind", "query", "expected"),
        [
            ("exact", "", {"count": 5, "count_kind": "exact"}),
            ("exact", "name=Ada", {"count": 1, "count_kind": "exact"}),
            ("estimated", "", {"count": 5, "count_kind": "estimated"}),
            ("estimated", "name=Ada", {"count": 1, "count_kind": "exact"}),
            ("bounded", "age[gt]=0", {"count": 3, "count_kind": "exact"}),
        ],
    )
    async def test_counts_when_asked(
        self, client: Client, people: str, kind: str, query: str, expected: dict[str, Any]
    ) -> None:
        response = await client.get(f"/v1/{people}?limit=1&{query}", headers={"Prefer": f"count={kind}"})
        body = response.json()
        assert {name: body[name] for name in expected} == expected
        assert response.headers["preference-applied"] == f"count={kind}"

    async def test_head(self, client: Client, people: str) -> None:
        got, head = await client.get(f"/v1/{people}?limit=2"), await client.head(f"/v1/{people}?limit=2")
        for answer in (got, head):
            del answer.headers["x-request-id"]  # each has its own
        assert (head.status_code, head.headers) == (got.status_code, got.headers)

    async def test_no_collection(self, client: Client, collection: str) -> None:
        refusal(await client.get(f"/v1/{collection}"), 404, "collection-not-found")

    async def test_json_decides_over_text(self, client: Client, people: str) -> None:
        found = await client.get(f"/v1/{people}", params={"filter": json.dumps({"zip": "01234"})})
        assert ids(found) == [2]


class TestHeaders:
    @pytest.mark.parametrize(
        "value", ["count=all", "count", "return=everything", "wait=0", "wait=x", "max-affected=-1"]
    )
    async def test_refuses_preferences_that_cannot_be(self, client: Client, people: str, value: str) -> None:
        refusal(await client.get(f"/v1/{people}", headers={"Prefer": value}), 400, "invalid-parameter")

    @pytest.mark.parametrize(
        "value", ["wait=5", "handling=strict", "respond-async, wait=10", "a=b; c=d, count=exact", ""]
    )
    async def test_passes_over_others(self, client: Client, people: str, value: str) -> None:
        assert (await client.get(f"/v1/{people}", headers={"Prefer": value})).status_code == 200
