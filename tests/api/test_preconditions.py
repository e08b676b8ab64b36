"""If-Match and If-None-Match on each verb of one document."""

from typing import Any

import httpx
import pytest
import pytest_asyncio

from documents.lifecycle import Store
from tests.api.answers import faults, refusal, stored

Client = httpx.AsyncClient
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
UPDATE = "application/vnd.sheaf.update+json"
OTHER = '"0123456789abcdef01234567"'

WRITES: list[tuple[str, str, Any]] = [
    ("PUT", "application/json", {"n": 2}),
    ("PATCH", MERGE, {"n": 2}),
    ("PATCH", JSON_PATCH, [{"op": "replace", "path": "/n", "value": 2}]),
    ("PATCH", UPDATE, {"$set": {"n": 2}}),
    ("DELETE", "application/json", None),
]
writes = pytest.mark.parametrize(
    ("method", "media", "body"), WRITES, ids=lambda value: value if isinstance(value, str) else ""
)


class Subject:
    """A stored document, its address and its tag."""

    def __init__(self, client: Client, url: str, etag: str) -> None:
        self.client, self.url, self.etag = client, url, etag

    async def ask(self, method: str, media: str, body: object, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.request(method, self.url, headers={"Content-Type": media, **named}, json=body)

    async def now(self) -> str | None:
        return (await self.client.get(self.url)).headers.get("etag")


@pytest_asyncio.fixture
async def subject(client: Client, collection: str) -> Subject:
    await stored(client, collection, {"_id": "x", "n": 1})
    url = f"/v1/{collection}/x"
    return Subject(client, url, (await client.get(url)).headers["etag"])


class TestReads:
    async def test_anonymous(self, subject: Subject) -> None:
        assert (await subject.client.get(subject.url, headers={"If-Match": subject.etag})).status_code == 200

    @pytest.mark.parametrize("form", ["{0}", "*", "W/{0}", '"x", {0}', '"x",W/{0} ,"y"', ", {0},"])
    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    async def test_not_modified(self, subject: Subject, method: str, form: str) -> None:
        headers = {"If-None-Match": form.format(subject.etag)}
        response = await subject.client.request(method, subject.url, headers=headers)
        assert (response.status_code, response.content) == (304, b"")
        assert response.headers["etag"] == subject.etag
        assert response.headers["vary"] == "Accept"

    @pytest.mark.parametrize("form", [OTHER, f"W/{OTHER}", '"x", "y"', '""'])
    async def test_modified(self, subject: Subject, form: str) -> None:
        assert (await subject.client.get(subject.url, headers={"If-None-Match": form})).status_code == 200

    @pytest.mark.parametrize("form", [OTHER, '"x", "y"', "W/{0}"])
    async def test_if_match_fails(self, subject: Subject, form: str) -> None:
        response = await subject.client.get(subject.url, headers={"If-Match": form.format(subject.etag)})
        refusal(response, 412, "precondition-failed")
        assert response.headers["etag"] == subject.etag

    @pytest.mark.parametrize("header", ["If-Match", "If-None-Match"])
    @pytest.mark.parametrize("value", ["x", '"', '"a" "b"', "*, *", "", "W/", 'w/"a"'])
    async def test_refuses_what_is_no_tag(self, subject: Subject, header: str, value: str) -> None:
        response = await subject.client.get(subject.url, headers={header: value})
        refusal(response, 400, "invalid-parameter")
        assert faults(response) == {(f"?{header}", "malformed-etag")}

    async def test_unknown_is_404_whatever_the_precondition(self, subject: Subject) -> None:
        for headers in ({"If-Match": "*"}, {"If-None-Match": "*"}):
            refusal(await subject.client.get(subject.url + "y", headers=headers), 404, "document-not-found")


class TestWrites:
    async def test_anonymous(self, subject: Subject) -> None:
        response = await subject.ask("PUT", "application/json", {"n": 2}, if_match=subject.etag)
        assert response.status_code == 200
        assert response.headers["etag"] != subject.etag

    @writes
    @pytest.mark.parametrize("form", ["{0}", "*", '"x" , {0}', f"{OTHER}, {{0}}"])
    async def test_if_match_holds(self, subject: Subject, method: str, media: str, body: object, form: str) -> None:
        response = await subject.ask(method, media, body, if_match=form.format(subject.etag))
        assert response.status_code == (204 if method == "DELETE" else 200), response.text
        assert await subject.now() == response.headers.get("etag")

    @writes
    @pytest.mark.parametrize("form", [OTHER, '"x", "y"', "W/{0}"])
    async def test_if_match_fails(self, subject: Subject, method: str, media: str, body: object, form: str) -> None:
        response = await subject.ask(method, media, body, if_match=form.format(subject.etag))
        refusal(response, 412, "precondition-failed")
        assert response.headers["etag"] == await subject.now() == subject.etag

    @writes
    @pytest.mark.parametrize("form", ["{0}", "*", "W/{0}", '"x", {0}'])
    async def test_if_none_match_fails(
        self, subject: Subject, method: str, media: str, body: object, form: str
    ) -> None:
        response = await subject.ask(method, media, body, if_none_match=form.format(subject.etag))
        refusal(response, 412, "precondition-failed")
        assert response.headers["etag"] == await subject.now() == subject.etag

    @writes
    async def test_if_none_match_holds(self, subject: Subject, method: str, media: str, body: object) -> None:
        assert (await subject.ask(method, media, body, if_none_match=OTHER)).is_success
        assert await subject.now() != subject.etag

    @writes
    async def test_if_match_on_nothing(self, subject: Subject, method: str, media: str, body: object) -> None:
        subject.url += "y"
        response = await subject.ask(method, media, body, if_match="*")
        refusal(response, 412, "precondition-failed")
        assert "etag" not in response.headers
        assert await subject.now() is None

    async def test_create_only(self, subject: Subject) -> None:
        subject.url += "y"
        first = await subject.ask("PUT", "application/json", {"n": 1}, if_none_match="*")
        second = await subject.ask("PUT", "application/json", {"n": 2}, if_none_match="*")
        assert first.status_code == 201
        refusal(second, 412, "precondition-failed")
        assert second.headers["etag"] == first.headers["etag"] == await subject.now()

    @writes
    async def test_a_tag_is_of_the_whole_document(
        self, subject: Subject, store: Store, method: str, media: str, body: object
    ) -> None:
        name = subject.url.split("/")[2]
        await store.connection.collection(name).replace_one({"_id": "x"}, {"n": 1.0})  # equal, but not the same
        refusal(await subject.ask(method, media, body, if_match=subject.etag), 412, "precondition-failed")

    async def test_of_a_document_too_wide_for_a_predicate(self, client: Client, collection: str) -> None:
        await stored(client, collection, {"_id": "x", "wide": "x" * 7_000_000})
        url = f"/v1/{collection}/x"
        etag = (await client.head(url)).headers["etag"]
        for headers, status in (({"If-Match": OTHER}, 412), ({"If-Match": etag}, 200), ({"If-Match": etag}, 412)):
            response = await client.patch(url, json={"n": 1}, headers={**headers, "Prefer": "return=minimal"})
            assert response.status_code == status
        etag = (await client.head(url)).headers["etag"]
        assert (await client.delete(url, headers={"If-Match": etag})).status_code == 204


class TestRepresentations:
    """Plain JSON, Extended JSON and what is compressed have tags of their own; each names the document."""

    async def test_each_has_its_tag(self, client: Client, collection: str) -> None:
        await stored(client, collection, {"_id": "x", "text": "long " * 1000})
        url = f"/v1/{collection}/x"
        forms = [{"Accept-Encoding": coding} for coding in ("identity", "gzip", "zstd")]
        forms.append({"Accept": "application/ejson", "Accept-Encoding": "identity"})
        tags = [(await client.get(url, headers=form)).headers["etag"] for form in forms]
        assert len(set(tags)) == len(tags)
        for form, tag in zip(forms, tags, strict=True):
            assert (await client.get(url, headers={**form, "If-None-Match": tag})).status_code == 304
            assert (await client.get(url, headers={**form, "If-Match": tag})).status_code == 200
            patched = await client.patch(
                url, json={"tag": tag}, headers={"If-Match": tag, "Accept-Encoding": "identity"}
            )
            assert patched.status_code == 200
            back = await client.patch(url, json={"tag": None}, headers={"If-Match": patched.headers["etag"]})
            assert back.status_code == 200

    async def test_none_match_compares_the_one_asked_for(self, subject: Subject) -> None:
        headers = {"If-None-Match": subject.etag, "Accept": "application/ejson"}
        answered = await subject.client.get(subject.url, headers=headers)
        assert answered.status_code == 200
        assert answered.headers["etag"] == f'{subject.etag[:-1]}-ejson"'

    async def test_a_write_answers_with_the_tag_of_its_form(self, subject: Subject) -> None:
        answered = await subject.ask("PUT", "application/json", {"n": 3}, Accept="application/ejson")
        assert answered.headers["etag"].endswith('-ejson"')


class TestManyDocuments:
    @pytest.mark.parametrize("header", ["If-Match", "If-None-Match"])
    @pytest.mark.parametrize("method", ["PATCH", "DELETE"])
    async def test_refused_by_filter(self, subject: Subject, collection: str, method: str, header: str) -> None:
        headers = {header: subject.etag, "Content-Type": MERGE}
        answered = await subject.client.request(method, f"/v1/{collection}?n=1", headers=headers, json={"n": 2})
        refusal(answered, 400, "invalid-parameter")
        assert faults(answered) == {(f"?{header}", "not-allowed")}
        assert await subject.now() == subject.etag
