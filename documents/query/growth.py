"""How far an update may let arrays grow: MongoDB fills an array with nulls up to the position that a path names."""

from collections.abc import Iterator
from itertools import accumulate

from documents.errors import Fault, InvalidDocumentError
from documents.query.paths import is_position
from documents.query.shapes import is_object
from documents.types import child


def check_growth(operators: object, most: int) -> None:
    """Refuse an update that could add more than `most` nulls to a document.

    Whether a number in a path is a position or a name is only known where the document is, so both count.

    Args:
        operators: An update with operators, as it came. What is wrong with its form is for others to tell.
        most: Nulls. Of the positions of one array the highest counts, and the arrays add up.

    Raises:
        InvalidDocumentError: With a fault at the path that is too much.
    """
    highest: dict[str, int] = {}
    for pointer, path in _paths(operators):
        for array, position in _positions(path):
            highest[array] = max(highest.get(array, 0), position)
        if sum(highest.values()) > most:
            detail = f"The positions in the paths of an update add up to {most} at most. Send the array as a whole."
            raise InvalidDocumentError(detail, [Fault(pointer, "position-too-high", detail)])


def _paths(operators: object) -> Iterator[tuple[str, str]]:
    if is_object(operators):
        for name, fields in operators.items():
            if is_object(fields):
                yield from ((child("", name, path), path) for path in fields)


def _positions(path: str) -> Iterator[tuple[str, int]]:
    """Yield where in a path a position stands, and which. A number with a zero before it is a name."""
    names = path.split(".")
    for array, name in zip(accumulate(names, lambda above, below: f"{above}.{below}"), names[1:], strict=False):
        if is_position(name) and (name == "0" or not name.startswith("0")):
            yield array, int(name) if len(name) < len(str(2**63)) else 2**63
