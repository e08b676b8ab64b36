"""Keys that no document may have, as keys that one may: reversibly, and only where it is needed.

A dot becomes `%2E`, a leading `$` becomes `%24`, NUL becomes `%00`, the empty key becomes `%`. A percent sign becomes
`%25` where it would else be read as one of these. All other keys stay as they are.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

_CODES: Final[Mapping[str, str]] = {".": "%2E", "$": "%24", "\0": "%00", "%": "%25"}
_CHARACTERS: Final[Mapping[str, str]] = {code: character for character, code in _CODES.items()}
_TO_ESCAPE: Final = re.compile(r"^\$|[.\0]|%(?=2E|24|00|25)")
_ESCAPED: Final = re.compile("|".join(_CHARACTERS))
_EMPTY: Final = "%"


def escape_key(key: str) -> str:
    """Return a key that a document may have; the same only for the same key."""
    if key in ("", _EMPTY):
        return _CODES[_EMPTY] if key else _EMPTY
    return _TO_ESCAPE.sub(lambda found: _CODES[found[0]], key)


def unescape_key(key: str) -> str:
    """Return the key that `escape_key` was given."""
    return "" if key == _EMPTY else _ESCAPED.sub(lambda found: _CHARACTERS[found[0]], key)


def with_keys(value: Any, change: Callable[[str], str]) -> Any:  # noqa: ANN401  # a value of any BSON type
    """Return a value with each key in it changed, at every depth."""
    if isinstance(value, dict):
        return {change(key): with_keys(item, change) for key, item in value.items()}  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    if isinstance(value, list):
        return [with_keys(item, change) for item in value]  # pyright: ignore[reportUnknownVariableType]
    return value
