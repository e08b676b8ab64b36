"""The page: complete in itself, and nothing in a document can become part of it."""

import re
from html.parser import HTMLParser
from typing import Any

from hypothesis import given, settings

from documents.profile.accumulator import Profile
from documents.profile.html import render_page
from documents.profile.report import read_profile
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
    assert page.tags.count("rect") == 5
    assert [value for name, value in page.attributes if name == "width"][:3] == ["50.000", "50.000", "50.000"]


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
