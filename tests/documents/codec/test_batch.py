import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from documents.codec.batch import parse_batch
from documents.codec.strict import check_keys, parse_json
from documents.errors import Fault, InputError

KEYS = st.sampled_from(["a", "b", "a.b", "$a", "", "a$", "\0", ".", "a\\", 'q"', ".:", 'x".', "é", "a:", "…"])
SCALARS = st.sampled_from(
    [0, -1, 2**53, 2**63 - 1, 2**63, 2**64, 10**30, 0.5, 1e300, None, True, "", ".", "$", '":', "1" * 20]
)
VALUES = st.recursive(
    SCALARS | KEYS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=6
)
PAIRS = st.lists(st.tuples(KEYS, VALUES), max_size=4)


def write(pairs: list[tuple[str, object]], *, ensure_ascii: bool, spaced: bool) -> bytes:
    """Return an object that may have a key twice."""
    colon, comma = (" : ", " , ") if spaced else (":", ",")

    def dump(value: object) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, separators=(comma, colon))

    return ("{" + comma.join(f"{dump(key)}{colon}{dump(value)}" for key, value in pairs) + "}").encode()


def strictly(text: bytes) -> object:
    """Return what a text says by the rules that go through it one by one."""
    try:
        value = parse_json(text)
    except InputError as error:
        return error.faults[0]
    refused = check_keys(value)
    if refused:
        return refused[0]
    return value if isinstance(value, dict) else "wrong-type"


TEXTS = st.builds(write, PAIRS, ensure_ascii=st.booleans(), spaced=st.booleans()) | st.sampled_from(
    [
        b"[]",
        b"1",
        b'{"a":1',
        b'{"a":NaN}',
        b'{"\\u0024a":1}',
        b'{"a\\u002eb":1}',
        b'{"a":"\\u003a","a":1}',
        b'{"a":"\xff"}',
        b"{},{}",
        b'{"a":' * 101 + b"1" + b"}" * 101,
        b'{"a":' * 100 + b"1" + b"}" * 100,
        b"[" * 2000,
    ]
)


@given(st.lists(TEXTS, max_size=5))
@example([b'{"a.\\"b":1}'])
@example([b'{"a":1.5,"b":"x. y","c.":1}'])
@example([b'{"a":1', b'"b":2}', b"{},{}"])
def test_a_batch_says_what_each_text_says_alone(texts: list[bytes]) -> None:
    for text, value in zip(texts, parse_batch(texts), strict=True):
        expected = strictly(text)
        if expected == "wrong-type":
            assert isinstance(value, Fault)
            assert value.code == "wrong-type"
        else:
            assert repr(value) == repr(expected)  # which tells 1 from 1.0


@pytest.mark.parametrize("depth", [100, 101])
def test_depth_among_many_brackets(depth: int) -> None:
    deep = b'{"a":' * depth + b"1" + b"}" * depth
    wide = b'{"a":[' + b",".join([b"[]"] * 200) + b"]}"
    first, second = parse_batch([wide, deep])
    assert isinstance(first, dict)
    assert isinstance(second, dict) is (depth == 100)
