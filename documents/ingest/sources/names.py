"""Names that stand for several sources: wildcards, and folders."""

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Final

from documents.codec.sniff import stands_for_format

_WILDCARDS: Final = frozenset("*?[")
_UNFINISHED: Final = (".tmp", ".part", ".partial", ".crdownload", ".swp", "~")
"""How the names of files end that are still being written."""


def has_wildcard(name: str) -> bool:
    """Tell whether a name stands for several."""
    return not _WILDCARDS.isdisjoint(name)


def chosen(paths: Sequence[str], *, root: str, takes_any: bool) -> tuple[list[str], list[str]]:
    """Return which files of a folder are loaded, and which are passed over; hidden and unfinished ones are neither.

    Args:
        paths: All that are in it.
        root: Of the folder.
        takes_any: Whether names need not stand for a format.
    """
    taken: list[str] = []
    passed: list[str] = []
    for path in sorted(paths):
        below = PurePosixPath(path.replace("\\", "/")[len(root) :].lstrip("/"))
        if any(part.startswith(".") for part in below.parts) or path.endswith(_UNFINISHED):
            continue
        (taken if takes_any or stands_for_format(path) else passed).append(path)
    return taken, passed
