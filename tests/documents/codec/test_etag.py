from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents.codec.etag import Etags, parse_etags
from documents.errors import Fault, InvalidParameterError

OPAQUE = st.text(st.characters(codec="latin-1", categories=["L", "N", "P", "S"], exclude_characters='"'))


@pytest.mark.parametrize(
    ("text", "etags"),
    [
        ("*", Etags(any=True)),
        ("  * ", Etags(any=True)),
        ('"a"', Etags(strong=frozenset({'"a"'}))),
        ('""', Etags(strong=frozenset({'""'}))),
        ('"a,b", W/"c" ,,\t"d"', Etags(strong=frozenset({'"a,b"', '"d"'}), weak=frozenset({'"c"'}))),
        (', "a",', Etags(strong=frozenset({'"a"'}))),
        ('"*"', Etags(strong=frozenset({'"*"'}))),
        ('W/"a", "a"', Etags(strong=frozenset({'"a"'}))),
    ],
)
def test_parsed(text: str, etags: Etags) -> None:
    assert parse_etags(text) == etags


@pytest.mark.parametrize("text", ["", " ", ",", "abc", '"a', 'a"', '"a" "b"', '"a";', 'w/"a"', '*, "a"', '"a b"', "**"])
def test_malformed(text: str) -> None:
    with pytest.raises(InvalidParameterError) as caught:
        parse_etags(text, header="If-None-Match")
    assert caught.value.faults == (Fault("?If-None-Match", "malformed-etag", caught.value.detail),)


@pytest.mark.parametrize(
    ("text", "etag", "strongly", "weakly"),
    [
        ("*", '"a"', True, True),
        ("*", None, False, False),
        ('"a"', '"a"', True, True),
        ('"a"', '"b"', False, False),
        ('"a"', None, False, False),
        ('W/"a"', '"a"', False, True),
        ('W/"a"', '"b"', False, False),
    ],
)
def test_matches(*, text: str, etag: str | None, strongly: bool, weakly: bool) -> None:
    assert parse_etags(text).matches(etag) is strongly
    assert parse_etags(text).matches(etag, weakly=True) is weakly


@given(st.lists(st.tuples(st.booleans(), OPAQUE), min_size=1))
def test_a_list_is_read_as_it_was_written(tags: list[tuple[bool, str]]) -> None:
    etags = parse_etags(" ,".join(f'{"W/" if weak else ""}"{tag}"' for weak, tag in tags))
    assert etags.strong == {f'"{tag}"' for weak, tag in tags if not weak}
    assert etags.weak | etags.strong == {f'"{tag}"' for _, tag in tags}


@given(st.text() | st.text('W/"*, ab'))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(InvalidParameterError):
        parse_etags(text)
