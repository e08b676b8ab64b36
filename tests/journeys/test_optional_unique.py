"""A model that keeps no nulls, with an optional field under a unique sparse index: any number may lack it."""

from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest

from tests.server import serve

MODEL: Final = '''
"""Members of a club."""

from beanie import Document
from pymongo import IndexModel


class Member(Document):
    """Has an email, or none."""

    name: str
    email: str | None = None

    class Settings:
        """Where it is."""

        name = "members"
        keep_nulls = False
        indexes = (IndexModel([("email", 1)], unique=True, sparse=True),)
'''


@pytest.fixture(scope="module")
def api(mongo_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("club")
    (folder / "sheaf.toml").touch()
    (folder / "models").mkdir()
    (folder / "models" / "member.py").write_text(MODEL)
    with serve(folder, uri=mongo_uri, database=f"club_{folder.name}", project="") as server, server.client() as client:
        yield client


@pytest.mark.parametrize("sent", [{"name": "Ada"}, {"name": "Ada", "email": None}])
def test_any_number_may_lack_it(api: httpx.Client, sent: dict[str, Any]) -> None:
    for _ in range(2):
        made = api.post("/v1/members", json=sent)
        assert (made.status_code, "email" in made.json()) == (201, False), made.text
        address = made.headers["location"]
        assert api.patch(address, json={"name": "Eve"}).status_code == 200
        put = api.put(address, json=sent)
        assert (put.status_code, "email" in put.json()) == (200, False), put.text
    operations = [{"op": "insert", "document": sent}] * 2
    assert [each["status"] for each in api.post("/v1/members:bulk", json=operations).json()["items"]] == [201, 201]


def test_and_those_who_have_it_differ(api: httpx.Client) -> None:
    sent = {"name": "Bob", "email": "bob@example.com"}
    assert [api.post("/v1/members", json=sent).status_code for _ in range(2)] == [201, 409]
