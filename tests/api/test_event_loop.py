"""No single request holds the event loop: large values are worked on in threads, or refused."""

import time
from collections.abc import Iterator
from functools import cache
from statistics import median
from typing import Any, Final

import orjson
import pytest

from documents.codec.encode import encode
from tests.api.hostile.attack import Answer, Attack, as_json
from tests.api.hostile.scene import Scene, check_problem, under_watch

pytestmark = [pytest.mark.xdist_group("event_loop"), pytest.mark.alone]

MANY: Final = 1_600_000
SECONDS: Final = 20.0
PATCH: Final = "application/json-patch+json"
EJSON: Final = {"Accept": "application/ejson"}
MOVES: Final = [{"op": "move", "from": f"/a/{at}", "path": f"/a/{at}"} for at in range(900)]
"""A document with these is as it was."""

CHOICES: Final = [[0] * 300 + [at] for at in range(99)]
CONTRACTS: Final[dict[str, tuple[dict[str, Any], Any]]] = {
    "arrays_to_compare": ({"contains": {"enum": CHOICES}}, [[0] * 300 + [200]] * 900),
    "objects_to_compare": ({"items": {"enum": [{"b": at} for at in range(99)]}}, [{"b": 200}] * 50_000),
    "choices": ({"items": {"anyOf": [{"const": at} for at in range(90)]}}, [89] * 100_000),
    "patterns": ({"items": {"allOf": [{"pattern": f"^a+{at}$"} for at in range(90)]}}, ["a" * 4000] * 900),
    "one_pattern": ({"allOf": [{"pattern": f"^a+{at}$"} for at in range(90)]}, "a" * 4_000_000),
    "behind_a_reference": ({"items": {"$ref": "#/$defs/n"}}, [{"b": 200}] * 50_000),
}
DEFINITIONS: Final = {"n": {"enum": [{"b": at} for at in range(99)]}}


@pytest.fixture(scope="module", autouse=True)
def large(scene: Scene) -> Iterator[None]:
    """Store documents that are large, and contracts that have much to say."""
    scene.ledger.database["large"].insert_one({"_id": "nulls", "a": [None] * MANY})
    scene.ledger.database["rows"].insert_many([{"_id": at, "a": [at] * 500} for at in range(1000)])
    with scene.server.client() as client:
        for name, (schema, _) in CONTRACTS.items():
            contract = {"schema": {"properties": {"a": schema}, "$defs": DEFINITIONS}}
            assert client.put(f"/v1/{name}:contract", json=contract).status_code == 201
    yield
    scene.ledger.database["large"].drop()


@cache
def one_call() -> float:
    """Return what it takes to encode the largest document, which is one call into C: no thread makes that shorter."""
    times: list[float] = []
    for _ in range(5):
        began = time.monotonic()
        encode({"_id": "nulls", "a": [None] * MANY})
        times.append(time.monotonic() - began)
    return 2 * median(times)


def is_ok(answer: Answer) -> None:
    assert answer.status == 200, answer.body[:500]


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_contract_judges_within_bounds(scene: Scene, name: str) -> None:
    attack = Attack(name, 422, "invalid-document", f"/v1/{name}", body=as_json({"a": CONTRACTS[name][1]}))

    def check(answer: Answer) -> None:
        check_problem(answer, 422, "invalid-document")
        assert [fault["code"] for fault in answer.problem["faults"]] == ["too-much-to-check"]

    under_watch(scene, attack.to_bytes(), check, seconds=SECONDS, stall_seconds=one_call())


@pytest.mark.parametrize(
    "request_",
    [
        Attack("900 moves", 200, "", "/v1/large/nulls", "PATCH", orjson.dumps(MOVES), PATCH),
        Attack("a large document", 200, "", "/v1/large/nulls", "GET"),
        Attack("a large document in Extended JSON", 200, "", "/v1/large/nulls", "GET", headers=EJSON),
        Attack("a page of much", 200, "", "/v1/rows?limit=1000", "GET"),
        Attack("a page of much in Extended JSON", 200, "", "/v1/rows?limit=1000", "GET", headers=EJSON),
        Attack("rows of much", 200, "", "/v1/rows:aggregate", body=as_json({"pipeline": [], "limit": 1000})),
        Attack("rows of much in Extended JSON", 200, "", "/v1/rows:aggregate",
               body=as_json({"pipeline": [], "limit": 1000}), headers=EJSON),
    ],
    ids=str,
)  # fmt: skip
def test_large_values_hold_up_nobody(scene: Scene, request_: Attack) -> None:
    under_watch(scene, request_.to_bytes(), is_ok, seconds=SECONDS, stall_seconds=one_call())
