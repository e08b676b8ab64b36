"""Mappings over HTTP: records changed as the URL says, and given back as they were."""

import json

import httpx
import pytest

from tests.api.loading import NDJSON

Client = httpx.AsyncClient


async def test_records_are_mapped_as_the_url_says(client: Client, collection: str) -> None:
    steps = json.dumps([{"escape": True}, {"rename": {"nom": "name"}}, {"set": {"n": {"a": 1}}}])
    answer = await client.post(
        f"/v1/{collection}:ingest",
        params={"mapping": steps},
        content=b'{"nom": "Ada", "$ref": 1}\n',
        headers=NDJSON,
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["mapping"] == json.loads(steps)
    listed = (await client.get(f"/v1/{collection}")).json()["items"]
    assert [{key: value for key, value in each.items() if key != "_id"} for each in listed] == [
        {"name": "Ada", "%24ref": 1, "n": {"a": 1}}
    ]
    out = await client.get(f"/v1/{collection}:export", params={"format": "ndjson", "unescape": "true"})
    assert out.json()["$ref"] == 1
    refused = await client.get(f"/v1/{collection}:export", params={"format": "csv", "unescape": "true"})
    assert refused.status_code == 400


@pytest.mark.parametrize(
    "mapping",
    [
        "",
        "none",
        "../x",
        "[",
        "[]",
        "{}",
        '[{"drop": 5}]',
        '[{"hash": "a"}]',
        "[" * 5000,
        '{"set": {"a": {"$date": 1.5}}}',
        '{"nest": 1}',
    ],
)
async def test_a_mapping_that_cannot_be_meant_is_refused(client: Client, collection: str, mapping: str) -> None:
    answer = await client.post(
        f"/v1/{collection}:ingest", params={"mapping": mapping}, content=b'{"a": 1}\n', headers=NDJSON
    )
    assert answer.status_code == 400, answer.text
    assert answer.json()["code"] == "invalid-parameter"
    assert (await client.get(f"/v1/{collection}")).status_code == 404
