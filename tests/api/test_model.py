"""The API and a dict, side by side: whatever is done to both, they say the same."""

import asyncio
import json
import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias, cast
from uuid import uuid4

import httpx
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.api import oracle
from tests.api.answers import ids, items
from tests.api.oracle import CONFLICT, Document

Ask: TypeAlias = Callable[..., httpx.Response]

POOL = [f"{number:024x}" for number in (1, 2**40, 2**90)]
KINDS = {"json_patch": "application/json-patch+json", "update": "application/vnd.sheaf.update+json"}

numbers = st.integers(-9, 9) | st.sampled_from([2**31, -(2**63), 2**63 - 1, 0.5, -1.5, 2.0, 1e300, 5e-324])
scalars = (
    numbers | st.none() | st.booleans() | numbers | st.text(max_size=4) | st.sampled_from(["a", "B", "ä", "💡", "10"])
)
lists = st.lists(scalars, max_size=3)
nested = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("xy"), inner)
)
bodies = st.fixed_dictionaries({"c": numbers | scalars}, optional={"a": scalars | lists, "b": scalars, "d": nested})
patches = st.fixed_dictionaries({}, optional={"a": scalars | lists, "b": scalars, "c": scalars, "d": nested})
chosen = st.sampled_from(POOL)
conditions = st.sampled_from(["", "", "", "right", "right", "stale", "any", "none"])
operations: st.SearchStrategy[list[dict[str, Any]]] = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {
                "op": st.sampled_from(["add", "replace", "test"]),
                "path": st.sampled_from(["/b", "/c"]),
                "value": scalars,
            }
        ),
        st.fixed_dictionaries({"op": st.just("remove"), "path": st.sampled_from(["/a", "/b", "/c", "/d"])}),
    ),
    max_size=3,
)
updates = st.one_of(
    st.tuples(st.just("$set"), st.sampled_from("bc"), scalars),
    st.tuples(st.just("$set"), st.just("a"), lists),
    st.tuples(st.just("$unset"), st.sampled_from("abcd"), st.just("")),
    st.tuples(st.just("$inc"), st.sampled_from("ab"), st.integers(-5, 5)),
    st.tuples(st.just("$push"), st.sampled_from("ab"), scalars),
)
filters = st.none() | st.one_of(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["$eq", "$ne"]), scalars),
    st.tuples(st.sampled_from("abc"), st.sampled_from(["$gt", "$lt"]), numbers | st.sampled_from(["", "a", "b"])),
    st.tuples(st.sampled_from("abcd"), st.just("$exists"), st.booleans()),
    st.tuples(st.sampled_from("abc"), st.just("$in"), st.lists(scalars, min_size=1, max_size=3)),
)
sorts = st.sampled_from(["", "-_id", "a", "-a", "b", "-b,c", "c,-a", "-c,-b"])


class Documents(RuleBasedStateMachine):
    """Both stores.

    Args:
        ask: Sends a request to the API.
    """

    def __init__(self, ask: Ask) -> None:
        super().__init__()
        self._ask = ask
        self._url = f"/v1/m{uuid4().hex}"
        self._model: dict[str, Document] = {}
        self._etags: dict[bytes, str] = {}
        self._old: dict[str, str] = {}

    @initialize(documents=st.tuples(bodies, bodies, bodies))
    def begin(self, documents: tuple[Document, ...]) -> None:
        self.insert_many(list(zip(POOL, documents, strict=True)))

    @rule(document=bodies, document_id=st.none() | chosen)
    def insert(self, document: Document, document_id: str | None) -> None:
        body = document if document_id is None else {"_id": document_id, **document}
        answer = self._ask("POST", self._url, json=body)
        if document_id in self._model:
            assert (answer.status_code, answer.json()["code"]) == (409, "unique-violation")
        else:
            assert answer.status_code == 201
            self._keep(answer, {"_id": answer.json()["_id"], **document})

    @rule(documents=st.lists(st.tuples(st.none() | chosen, bodies), max_size=4))
    def insert_several(self, documents: list[tuple[str | None, Document]]) -> None:
        self.insert_many(documents)

    def insert_many(self, documents: Sequence[tuple[str | None, Document]]) -> None:
        body = [document if key is None else {"_id": key, **document} for key, document in documents]
        answer = self._ask("POST", self._url, json=body)
        # Of two with one id, either may be the first.
        for document, outcome in zip(body, items(answer), strict=True):
            if outcome["status"] == 201:
                assert outcome["_id"] not in self._model
                self._model[outcome["_id"]] = {"_id": outcome["_id"], **document}
                self._note(self._model[outcome["_id"]], outcome["etag"])
            else:
                assert outcome["status"] == 409
        assert all(document["_id"] in self._model for document in body if "_id" in document)

    @rule(document_id=chosen, document=bodies, condition=conditions)
    def replace(self, document_id: str, document: Document, condition: str) -> None:
        answer = self._ask("PUT", self._at(document_id), json=document, headers=self._headers(document_id, condition))
        if self._is_allowed(answer, document_id, condition):
            assert answer.status_code == (200 if document_id in self._model else 201)
            named = {"_id": document_id, **document}
            self._keep(answer, oracle.in_width(self._model.get(document_id), named))

    @rule(document_id=chosen, patch=patches, condition=conditions)
    def merge(self, document_id: str, patch: Document, condition: str) -> None:
        self._change(document_id, patch, "application/merge-patch+json", condition, partial(_merged, patch))

    @rule(document_id=chosen, patch=operations, condition=conditions)
    def json_patch(self, document_id: str, patch: list[Document], condition: str) -> None:
        self._change(document_id, patch, KINDS["json_patch"], condition, lambda before: oracle.patched(before, patch))

    @rule(document_id=chosen, update=updates, condition=conditions)
    def update(self, document_id: str, update: tuple[str, str, Any], condition: str) -> None:
        self._update(document_id, *update, condition)

    @rule(document_id=chosen, by=st.integers(1, 9) | st.just(0.25), condition=conditions)
    def increment(self, document_id: str, by: float, condition: str) -> None:
        self._update(document_id, "$inc", "c", by, condition)

    def _update(self, document_id: str, operator: str, key: str, value: Any, condition: str) -> None:
        body = {operator: {key: value}}
        self._change(
            document_id, body, KINDS["update"], condition, lambda before: oracle.updated(before, operator, key, value)
        )

    @rule(document_id=chosen, condition=conditions)
    def delete(self, document_id: str, condition: str) -> None:
        answer = self._ask("DELETE", self._at(document_id), headers=self._headers(document_id, condition))
        if self._is_allowed(answer, document_id, condition):
            assert answer.status_code == (204 if document_id in self._model else 404)
            self._model.pop(document_id, None)

    @rule(document_id=chosen, condition=conditions)
    def read(self, document_id: str, condition: str) -> None:
        answer = self._ask("GET", self._at(document_id), headers=self._headers(document_id, condition))
        before = self._model.get(document_id)
        if before is None:
            assert answer.status_code == 404
        elif condition == "none":
            assert answer.status_code == 304
        elif self._is_allowed(answer, document_id, condition):
            assert oracle.text(answer.json()) == oracle.text(before)
            self._note(before, answer.headers["etag"])

    @rule(condition=filters, sort=sorts, limit=st.integers(1, 4))
    def walk(self, condition: tuple[str, str, Any] | None, sort: str, limit: int) -> None:
        """List page by page to the end, and unless lists were sorted by, back again."""
        parameters: dict[str, Any] = {"sort": sort, "limit": limit}
        expected = oracle.in_order(self._model.values(), sort)
        if condition is not None:
            key, operator, operand = condition
            parameters["filter"] = json.dumps({key: {operator: operand}})
            expected = [document for document in expected if oracle.matches(document, key, operator, operand)]
        forward = self._pages(self._ask("GET", self._url, params=parameters), "next")
        assert [oracle.text(document) for page in forward for document in items(page)] == [*map(oracle.text, expected)]
        if "a" not in sort:
            backward = self._pages(forward[-1], "prev")
            assert [ids(page) for page in backward] == [ids(page) for page in reversed(forward)]

    @rule(condition=filters)
    def count(self, condition: tuple[str, str, Any] | None) -> None:
        key, operator, operand = condition or ("a", "$exists", True)
        answer = self._ask("POST", f"{self._url}:count", json={"filter": {key: {operator: operand}}})
        expected = sum(oracle.matches(document, key, operator, operand) for document in self._model.values())
        assert answer.json() == {"count": expected, "count_kind": "exact"}

    @invariant()
    def contents_are_equal(self) -> None:
        listed = items(self._ask("GET", f"{self._url}?limit=1000"))
        assert {document["_id"]: oracle.text(document) for document in listed} == {
            key: oracle.text(document) for key, document in self._model.items()
        }

    def _change(
        self, document_id: str, body: object, media: str, condition: str, change: Callable[[Document], Any]
    ) -> None:
        headers = {"Content-Type": media, **self._headers(document_id, condition)}
        answer = self._ask("PATCH", self._at(document_id), json=body, headers=headers)
        if not self._is_allowed(answer, document_id, condition):
            return
        before = self._model.get(document_id)
        after = None if before is None else change(before)
        if isinstance(before, dict) and isinstance(after, dict):
            if media != KINDS["update"]:  # operators take each number for what it is
                after = oracle.in_width(before, cast("Document", after))
            after = oracle.as_added(before, cast("Document", after))
        if after is None:
            assert answer.status_code == 404
        elif after is CONFLICT:
            assert (answer.status_code, answer.json()["code"]) == (409, "patch-conflict"), answer.text
        else:
            assert answer.status_code == 200, answer.text
            self._keep(answer, after)

    def _at(self, document_id: str) -> str:
        return f"{self._url}/{document_id}"

    def _headers(self, document_id: str, condition: str) -> dict[str, str]:
        now = self._etag(document_id) or '"none"'
        stale = self._old.get(document_id, '"older"')
        match condition:
            case "right":
                return {"If-Match": f'"other", {now}'}
            case "stale":
                return {"If-Match": stale if stale != now else '"older"'}
            case "any":
                return {"If-Match": "*"}
            case "none":
                return {"If-None-Match": "*"}
            case _:
                return {}

    def _is_allowed(self, answer: httpx.Response, document_id: str, condition: str) -> bool:
        """Tell whether the precondition holds; where it does not, the answer must be 412 with the present tag."""
        there = document_id in self._model
        holds = {"": True, "right": there, "stale": False, "any": there, "none": not there}[condition]
        if not holds:
            assert (answer.status_code, answer.json()["code"]) == (412, "precondition-failed")
            assert answer.headers.get("etag") == self._etag(document_id)
        return holds

    def _etag(self, document_id: str) -> str | None:
        document = self._model.get(document_id)
        return None if document is None else self._etags[oracle.text(document)]

    def _keep(self, answer: httpx.Response, document: Document) -> None:
        assert oracle.text(answer.json()) == oracle.text(document)
        previous = self._etag(document["_id"])
        if previous is not None:
            self._old[document["_id"]] = previous
        self._model[document["_id"]] = document
        self._note(document, answer.headers["etag"])

    def _note(self, document: Document, etag: str) -> None:
        """Hold that equal contents have equal tags, and other contents others."""
        assert self._etags.setdefault(oracle.text(document), etag) == etag
        assert list(self._etags.values()).count(etag) == 1

    def _pages(self, page: httpx.Response, relation: str) -> list[httpx.Response]:
        pages = [page]
        while following := pages[-1].links.get(relation):
            assert len(pages) <= len(self._model)
            pages.append(self._ask("GET", following["url"]))
        return pages


def _merged(patch: Document, before: Document) -> Document:
    return oracle.merged(before, patch)


@pytest.mark.timeout(600)  # to find the shortest way to a failure takes a few minutes
async def test_is_a_dict(client: httpx.AsyncClient) -> None:
    loop = asyncio.get_running_loop()

    def ask(method: str, url: str, **options: Any) -> httpx.Response:
        return asyncio.run_coroutine_threadsafe(client.request(method, url, **options), loop).result(20)

    limits = settings(
        max_examples=60,
        stateful_step_count=30,
        deadline=None,
        derandomize="CI" in os.environ,
        suppress_health_check=[HealthCheck.too_slow],
    )
    await asyncio.to_thread(
        run_state_machine_as_test,
        partial(Documents, ask),  # pyright: ignore[reportArgumentType]  # it asks for a class, and calls it
        settings=limits,
    )
