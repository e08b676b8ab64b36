"""Which paths an operation may have."""

import pytest

from documents.migrations.errors import InvalidPathError
from documents.migrations.paths import check_member, parse_member, parse_path


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("price", ("price",)),
        ("a.b.c", ("a", "b", "c")),
        ("lines.[].price", ("lines", "[]", "price")),
        ("tags.[]", ("tags", "[]")),
        ("grid.[].[].x", ("grid", "[]", "[]", "x")),
        ("a._id", ("a", "_id")),
        ("0.1", ("0", "1")),
        ("größe", ("größe",)),
    ],
)
def test_a_path_has_steps(text: str, steps: tuple[str, ...]) -> None:
    assert parse_path(text) == steps


@pytest.mark.parametrize(
    "text",
    ["", ".", "a.", ".a", "a..b", "_id", "_id.x", "[]", "[].a", "$a", "a.$b", "a.$[]", "a\0", ".".join("a" * 101)],
)
def test_a_path_that_cannot_be_meant_is_refused(text: str) -> None:
    with pytest.raises(InvalidPathError):
        parse_path(text)


def test_a_field_has_a_name() -> None:
    assert parse_member("lines.[].price") == (("lines", "[]"), "price")
    with pytest.raises(InvalidPathError, match="names no field"):
        parse_member("tags.[]")


@pytest.mark.parametrize("name", ["", "a.b", "[]", "$a", "a\0b"])
def test_a_new_name_is_one_name(name: str) -> None:
    with pytest.raises(InvalidPathError):
        check_member(name)
    assert check_member("b") == "b"
