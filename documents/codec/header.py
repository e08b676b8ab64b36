"""Names of columns that no field can have, and those that it can have in their place."""

from collections.abc import Sequence


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
