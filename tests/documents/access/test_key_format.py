import hashlib

import pytest

from documents.access.key_format import PREFIX, ApiKey, make_key, read_key_or_none


def test_a_key_reads_back() -> None:
    key = make_key()
    assert read_key_or_none(key.text) == key
    assert key.text.startswith(f"{PREFIX}_{key.lookup}_")
    assert len(key.text) == 49


def test_keys_differ() -> None:
    assert len({make_key().text for _ in range(100)}) == 100


def test_its_digest_is_that_of_the_whole_text() -> None:
    key = make_key()
    assert key.digest == hashlib.sha256(key.text.encode()).digest()


def test_its_secret_is_not_shown() -> None:
    key = make_key()
    assert key.text not in repr(key)
    assert key.text[14:] not in f"{key!r} {key!s}"


@pytest.mark.parametrize("place", [4, 13, 20, 43, 48])
def test_a_typo_is_refused(place: int) -> None:
    text = make_key().text
    other = "A" if text[place] != "A" else "B"
    assert read_key_or_none(text[:place] + other + text[place + 1 :]) is None


@pytest.mark.parametrize("text", ["", "shf_", "shf_12345678_", "x" * 49])
def test_anything_else_is_refused(text: str) -> None:
    assert read_key_or_none(text) is None


def test_a_key_is_taken_whole_or_not_at_all() -> None:
    text = make_key().text
    assert read_key_or_none(f"{text}\n") is None
    assert read_key_or_none(text[:-1]) is None


def test_a_key_is_what_its_holder_has() -> None:
    assert ApiKey("a", "b") != ApiKey("a", "c")
