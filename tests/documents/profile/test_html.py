"""The page: complete in itself, and nothing in a document can become part of it."""

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings

from documents.profile.accumulator import Profile
from documents.profile.html import render_page
from documents.profile.report import read_profile
from documents.profile.table import plain_example
from tests.documents.profile.messy import DOCUMENTS, load

TAGS = {
    *("html", "head", "meta", "title", "style", "body", "h1", "ul", "li", "div", "table", "thead", "tbody", "tr", "th"),
    *("td", "code", "br", "small", "svg", "rect"),
}
ATTRIBUTES = {
    *("lang", "charset", "name", "content", "http-equiv", "class", "scope", "viewbox", "preserveaspectratio", "role"),
    *("aria-label", "x", "y", "width", "height"),
}


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def page_of(documents: list[dict[str, Any]], title: str = "things") -> str:
    profile = Profile()
    profile.add_all(documents)
    return render_page(read_profile(profile), title=title)


def parsed(source: str) -> Page:
    page = Page()
    page.feed(source)
    page.close()
    return page


def test_a_row_for_each_path_and_a_bar_for_each_type() -> None:
    page = parsed(page_of([{"a": 1, "b": [{"c": None}]}, {"a": "x"}]))
    assert page.tags.count("tr") == 5
    assert page.tags.count("rect") == 5 + 2  # and the two values of `a`
    assert [value for name, value in page.attributes if name == "width"][:3] == ["50.000", "50.000", "50.000"]


def test_frequent_values_are_shown_with_their_shares() -> None:
    page = parsed(page_of([{"city": "Rome"}] * 3 + [{"city": "Oslo"}]))
    assert page.text.index('"Rome" 75.0 %') < page.text.index('"Oslo" 25.0 %')
    many = parsed(page_of([{"n": n} for n in range(10)] + [{"n": 0}]))
    assert "0 18.2 %" in many.text
    assert "2 others, 18.2 %" in many.text


def test_examples_are_plain_and_ranges_exact() -> None:
    page = parsed(page_of([{"at": datetime(2026, 1, n + 1, tzinfo=UTC), "x": n + 1 / 3} for n in range(25)]))
    assert "$" not in page.text
    assert "2026-01-01T00:00:00.000Z to 2026-01-25T00:00:00.000Z" in page.text
    assert "0.3333333333333333 to 24.333333333333332" in page.text


@pytest.mark.parametrize(
    ("example", "shown"),
    [
        ('{"$oid":"65a1f0c2d4b5e6f708192a3b"}', "65a1f0c2d4b5e6f708192a3b"),
        ('{"$numberDecimal":"1.50"}', "1.50"),
        ('{"$numberInt":"5"}', "5"),
        ('{"$date":{"$numberLong":"0"}}', "1970-01-01T00:00:00.000Z"),
        ('{"$binary":{"base64":"YWJj","subType":"00"}}', "YWJj"),
        ('"a text"', '"a text"'),
        ('"a text that was cu', '"a text that was cu'),
        ('{"$minKey":1}', '{"$minKey":1}'),
        ("true", "true"),
    ],
)
def test_an_example_is_shown_plainly(example: str, shown: str) -> None:
    assert plain_example(example) == shown


def test_what_documents_say_is_text() -> None:
    hostile = "</style><script>alert(1)</script><img src=x onerror=alert(1)>'&"
    page = parsed(page_of([{hostile: hostile}], title=hostile))
    assert set(page.tags) <= TAGS
    assert page.text.count(hostile) >= 3


@settings(max_examples=25, deadline=None)
@given(DOCUMENTS)
def test_no_document_adds_tags_or_attributes(documents: list[dict[str, Any]]) -> None:
    source = page_of(documents)
    page = parsed(source)
    assert set(page.tags) <= TAGS
    assert {name for name, _ in page.attributes} <= ATTRIBUTES
    source.encode("utf-8")


def test_nothing_comes_from_elsewhere() -> None:
    source = page_of(load("movies.json"))
    style = source[source.index("<style>") : source.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    assert not re.search(r"<(script|link|img|iframe|a)\b|\ssrc=|\shref=|\sstyle=", source)
    assert "default-src &#x27;none&#x27;" in source
