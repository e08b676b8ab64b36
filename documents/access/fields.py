"""Which fields a caller may see, name, compare and change."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from documents.errors import Fault, FieldForbiddenError
from documents.query.paths import declared_path
from documents.query.projection import Projection
from documents.types import Document


@dataclass(frozen=True)
class FieldRights:
    """The protected fields of one view. Paths are dotted and have no array positions.

    Args:
        hidden: Not to be seen, named, compared or changed; nor is anything below them.
        read_only: To be seen, and not to be changed.
    """

    hidden: frozenset[str] = frozenset()
    read_only: frozenset[str] = frozenset()
    _mask: Projection = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Prepare the mask."""
        object.__setattr__(self, "_mask", Projection(tuple(sorted(_highest(self.hidden))), excludes=True))

    @cached_property
    def protected(self) -> frozenset[str]:
        """Return what a write keeps as it is."""
        return self.hidden | self.read_only

    @property
    def is_open(self) -> bool:
        """Whether every field may be seen and changed."""
        return not self.hidden and not self.read_only

    def require_named(self, paths: Iterable[str], *, pointer: str) -> None:
        """Return when each path may be named, as in `fields`: neither hidden nor below a hidden one.

        Raises:
            FieldForbiddenError: One may not. Decided from the policy and the request alone.
        """
        for path in paths:
            if _is_covered(declared_path(path), self.hidden):
                raise _forbidden(path, pointer, "This caller may not name")

    def require_compared(self, paths: Iterable[str], *, pointer: str) -> None:
        """Return when each path may be compared, as in filters and sorts: no hidden field is it, below it or above it.

        Raises:
            FieldForbiddenError: One may not.
        """
        for path in paths:
            plain = declared_path(path)
            if _is_covered(plain, self.hidden) or _covers(plain, self.hidden):
                raise _forbidden(path, pointer, "This caller may not compare")

    def require_written(self, paths: Iterable[str], *, pointer: str) -> None:
        """Return when each path may be written. An ancestor may: what is protected below it is kept.

        Raises:
            FieldForbiddenError: One is hidden or read-only.
        """
        for path in paths:
            if _is_covered(declared_path(path), self.protected):
                raise _forbidden(path, pointer, "This caller may not change")

    def touches_protected(self, paths: Iterable[str]) -> bool:
        """Return whether a write of these paths could change a protected field."""
        return any(
            _is_covered(plain, self.protected) or _covers(plain, self.protected) for plain in map(declared_path, paths)
        )

    def mask(self, document: Document) -> Document:
        """Return a document without its hidden fields."""
        return self._mask.apply(document) if self.hidden else document

    @property
    def exclusions(self) -> tuple[str, ...]:
        """Return what MongoDB is told to leave out: the hidden paths, none of them below another."""
        return self._mask.fields


def intersect(sets: Iterable[Iterable[str]]) -> frozenset[str]:
    """Return the paths that every one of `sets` protects, by naming them or a field above them."""
    groups = [frozenset(group) for group in sets]
    every = frozenset[str]().union(*groups)
    return frozenset(path for path in every if all(_is_covered(path, group) for group in groups))


def _is_covered(path: str, protected: Iterable[str]) -> bool:
    return any(path == other or path.startswith(f"{other}.") for other in protected)


def _covers(path: str, protected: Iterable[str]) -> bool:
    return any(other.startswith(f"{path}.") for other in protected)


def _highest(paths: frozenset[str]) -> Iterable[str]:
    return (path for path in paths if not _is_covered(path, paths - {path}))


def _forbidden(path: str, pointer: str, what: str) -> FieldForbiddenError:
    detail = f"{what} {path!r}."
    return FieldForbiddenError(detail, [Fault(pointer, "field-forbidden", detail)])
