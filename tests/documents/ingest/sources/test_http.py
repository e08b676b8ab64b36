"""What is read over HTTP, from servers of every kind."""

import base64

import pytest

from documents.codec.sniff import HEAD_BYTES
from documents.ingest.sources import source as sources
from documents.ingest.sources.http import HttpPlace
from documents.ingest.sources.source import PlaceSource, SourceChangedError, SourceError
from tests.documents.ingest.sources.web import Page, serving

BODY = b"".join(b'{"n": %d}\n' % number for number in range(60_000))
TAG = {"ETag": '"one"'}


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "FIRST_PAUSE_SECONDS", 0.001)


async def read(place: HttpPlace) -> bytes:
    source = PlaceSource(place, await place.look())
    return b"".join([chunk async for chunk in source.chunks()])


@pytest.mark.parametrize("headers", [TAG, {"Last-Modified": "Tue, 01 Dec 2026 00:00:00 GMT"}, {}], ids=str)
@pytest.mark.parametrize("knows_ranges", [True, False], ids=["ranges", "no ranges"])
async def test_all_of_it_is_read(headers: dict[str, str], knows_ranges: bool) -> None:  # noqa: FBT001  # a parameter
    with serving(Page(BODY, headers, knows_ranges=knows_ranges)) as url:
        place = HttpPlace(url)
        seen = await place.look()
        assert (seen.head, seen.size_bytes) == (BODY[:HEAD_BYTES], len(BODY))
        assert await read(place) == BODY


@pytest.mark.parametrize("knows_ranges", [True, False], ids=["ranges", "no ranges"])
async def test_what_breaks_off_goes_on_at_that_byte(knows_ranges: bool) -> None:  # noqa: FBT001  # a parameter
    page = Page(BODY, TAG, knows_ranges=knows_ranges, cuts=[100_000, 300_000, 300_000])
    with serving(page) as url:
        assert await read(HttpPlace(url)) == BODY
    assert page.cuts == []
    assert page.asked[2] == "bytes=100000-"


async def test_what_breaks_off_again_and_again_is_given_up() -> None:
    told = "cannot be read any further: It ended after 100,000 of"
    with serving(Page(BODY, TAG, cuts=[100_000, *[0] * 10])) as url, pytest.raises(SourceError, match=told):
        await read(HttpPlace(url))


async def test_a_server_that_is_busy_is_asked_again() -> None:
    page = Page(BODY, TAG)
    with serving(page) as url:
        place = HttpPlace(url)
        source = PlaceSource(place, await place.look())
        page.refusals = [503, 429]
        assert b"".join([chunk async for chunk in source.chunks()]) == BODY


async def test_what_has_changed_is_not_taken_for_the_rest() -> None:
    page = Page(BODY, dict(TAG))
    with serving(page) as url:
        place = HttpPlace(url)
        source = PlaceSource(place, await place.look())
        page.headers["ETag"] = '"two"'
        with pytest.raises(SourceChangedError):
            await anext(source.chunks())


async def test_the_digest_goes_by_the_validator_or_else_by_the_bytes() -> None:
    async def digest(page: Page) -> str | None:
        with serving(page) as url:
            place = HttpPlace(url)
            return await place.digest(await place.look())

    page = Page(BODY, dict(TAG))
    with serving(page) as url:

        async def digest_of(query: str = "") -> str | None:
            place = HttpPlace(url + query)
            return await place.digest(await place.look())

        first = await digest_of()
        assert first == await digest_of()
        assert first == await digest_of("?X-Amz-Signature=abc&X-Amz-Date=1")
        assert first != await digest_of("?day=2")
        page.headers["ETag"] = '"two"'
        assert first != await digest_of()
    assert await digest(Page(BODY)) == await digest(Page(BODY))
    assert await digest(Page(BODY)) != await digest(Page(BODY + b"{}\n"))


async def test_names_have_no_secrets_and_users_are_sent() -> None:
    told = f"Basic {base64.b64encode(b'ada:p@ss').decode()}"
    with serving(Page(b"{}\n", TAG, auth=told)) as url:
        place = HttpPlace(url.replace("http://", "http://ada:p%40ss@") + "?X-Amz-Signature=secret")
        assert await read(place) == b"{}\n"
        assert place.name == url
        with pytest.raises(SourceError, match="The server answered 401"):
            await HttpPlace(url).look()


async def test_moved_empty_absent_and_gone() -> None:
    with serving(Page(BODY, TAG)) as url:
        assert await read(HttpPlace(url.replace("/data.ndjson", "/moved"))) == BODY
    with serving(Page(b"", TAG)) as url:
        assert await read(HttpPlace(url)) == b""
    with serving(Page(BODY, refusals=[404])) as url, pytest.raises(SourceError, match="answered 404"):
        await HttpPlace(url).look()
    with pytest.raises(SourceError, match="Connection refused"):
        await HttpPlace(url).look()


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1:1/a"])
async def test_no_other_scheme_is_followed(target: str) -> None:
    page = Page(b"", leads_to=target)
    with serving(page) as url, pytest.raises(SourceError, match="cannot be read"):
        await HttpPlace(url.replace("/data.ndjson", "/moved")).look()
