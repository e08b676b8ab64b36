"""A user adds one file with a Beanie document, and has a typed collection: in the API, in OpenAPI, with its index."""

from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest

from tests.server import serve

MODEL: Final = '''
"""Things to read."""

from enum import StrEnum

from beanie import Document
from pydantic import BaseModel, Field
from pymongo import IndexModel

from documents.models.fields import Moment, Price


class Binding(StrEnum):
    """How the pages are held together."""

    HARD = "hardcover"
    SOFT = "paperback"


class Author(BaseModel):
    """Who wrote it."""

    name: str = Field(min_length=1)
    born: int | None = None


class Book(Document):
    """A thing to read."""

    isbn: str = Field(pattern=r"^[0-9]{13}$")
    title: str
    price: Price
    binding: Binding = Binding.SOFT
    authors: list[Author] = Field(default_factory=list[Author])
    published: Moment | None = None

    class Settings:
        """Where it is stored, and what is indexed."""

        name = "books"
        indexes = (IndexModel([("isbn", 1)], unique=True),)
'''
BOOK: Final[dict[str, Any]] = {
    "isbn": "9780262510875",
    "title": "Structure and Interpretation",
    "price": "72.50",
    "authors": [{"name": "Abelson"}, {"name": "Sussman", "born": 1947}],
    "published": "1996-07-25T00:00:00Z",
}


@pytest.fixture(scope="module")
def books(mongo_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Serve a project of one file, from its folder."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "sheaf.toml").touch()
    (folder / "models").mkdir()
    (folder / "models" / "book.py").write_text(MODEL)
    served = serve(folder, uri=mongo_uri, database=f"books_{folder.name}", project="")
    with served as server, server.client() as client:
        yield client


def test_is_listed(books: httpx.Client) -> None:
    found = {item["name"]: item for item in books.get("/v1").json()["items"]}
    assert found["books"] == {"name": "books", "declared": True, "id_type": "objectid", "estimated_count": 0}


def test_is_typed(books: httpx.Client) -> None:
    created = books.post("/v1/books", json=BOOK)
    assert created.status_code == 201, created.text
    assert created.json() == {
        "_id": created.json()["_id"],
        **BOOK,
        "binding": "paperback",
        "authors": [{"name": "Abelson", "born": None}, {"name": "Sussman", "born": 1947}],
        "published": "1996-07-25T00:00:00.000Z",
    }
    nobody: dict[str, Any] = {}
    bad = books.post("/v1/books", json={**BOOK, "price": "much", "binding": "spiral", "authors": [nobody], "pages": 5})
    assert bad.status_code == 422
    faults: list[dict[str, str]] = bad.json()["faults"]
    assert {fault["pointer"] for fault in faults} >= {"/price", "/binding", "/authors/0/name"}
    again = books.post("/v1/books", json=BOOK)
    assert (again.status_code, again.json()["fields"]) == (409, ["isbn"])
    for query in ("price[gt]=72.49", "published[lt]=2000-01-01T00:00:00Z", "authors.born=1947", "binding=paperback"):
        assert len(books.get(f"/v1/books?{query}").json()["items"]) == 1, query
    refused = books.patch(created.headers["location"], json={"binding": "spiral"})
    assert refused.status_code == 422
    assert books.delete(created.headers["location"]).status_code == 204


def test_is_described(books: httpx.Client) -> None:
    described: dict[str, Any] = books.get("/openapi.json").json()
    assert set(described["paths"]["/v1/books"]) >= {"get", "post", "patch", "delete"}
    assert set(described["paths"]["/v1/books/{id}"]) >= {"get", "put", "patch", "delete"}
    named = str(described["paths"]["/v1/books"]["post"]["requestBody"])
    schemas: dict[str, dict[str, Any]] = {
        name: schema for name, schema in described["components"]["schemas"].items() if f"/{name}'" in named
    }
    [book] = [schema for schema in schemas.values() if "isbn" in str(schema.get("properties"))]
    assert book["properties"]["isbn"]["pattern"] == "^[0-9]{13}$"
    assert set(book["required"]) == {"isbn", "title", "price"}
    assert "hardcover" in str(described)
