"""Names of columns: what field each is of, and what a field can be called where a name is none."""

import re
from collections.abc import Sequence
from typing import Final

_TOKENS: Final = re.compile(r"\\.|.|\\", re.DOTALL)


def path_of_column(name: str, *, nested: bool) -> list[str]:
    """Return the keys that lead to the field of a column.

    Args:
        name: Of the column. An export puts a backslash before a dot in a key where two columns would be named alike.
        nested: Whether dots mean objects.
    """
    if not nested:
        return [name]
    return split_column(name) if "\\." in name else name.split(".")


def split_column(name: str) -> list[str]:
    """Return the keys of a name in which dots and backslashes that are part of a key are escaped."""
    keys = [""]
    for token in _TOKENS.findall(name):
        if token.startswith("."):
            keys.append("")
        else:
            keys[-1] += token[-1]
    return keys


def fix_names(names: Sequence[str], *, nested: bool) -> list[str]:
    """Return names that fields can have, each once: those that could be used already stay.

    Args:
        names: As a header has them.
        nested: Whether dots mean objects, and so may stay.
    """
    fixed: list[str] = []
    taken = set(names)
    for place, name in enumerate(names):
        plain = _plain(name, nested=nested) or f"column_{place + 1}"
        if plain != name or plain in fixed:
            plain = _free(plain, {*taken, *fixed})
        fixed.append(plain)
    return fixed


def _plain(name: str, *, nested: bool) -> str:
    plain = name.strip().replace("\0", "")
    while plain.startswith("$"):
        plain = plain[1:]
    if nested:
        return ".".join(filter(None, plain.split(".")))
    return plain.replace(".", "_")


def _free(name: str, taken: set[str]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free
