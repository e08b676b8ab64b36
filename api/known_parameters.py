"""URL parameters that a route does not read are refused, so that no typing mistake is passed over."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Final

from documents.errors import Fault, UnknownParameterError

ELSEWHERE: Final[Mapping[str, str]] = {
    **dict.fromkeys(("page", "offset", "skip", "_page", "_start", "_end", "pageToken", "after", "before"),
                    "Pages go on by cursor: limit=50, then cursor= with `next` of the answer."),
    **dict.fromkeys(("per_page", "perPage", "page_size", "pageSize", "_limit", "Limit", "size", "count", "top", "max"),
                    "The size of a page is limit=50."),
    **dict.fromkeys(("_sort", "_order", "order", "orderBy", "order_by", "sortBy", "sort_by"),
                    "The order is sort=-price,name."),
    **dict.fromkeys(("select", "_fields", "projection"), "Fields are chosen with fields=name,price."),
}  # fmt: skip
"""What other APIs call paging, sorting and choosing fields, and how it is said here."""

ALWAYS: Final = frozenset({"per_page", "perPage", "page_size", "pageSize", "_sort", "_order", "orderBy", "order_by",
                           "sortBy", "sort_by", "_start", "_end", "_limit", "_page", "pageToken"})  # fmt: skip
"""Hardly the names of fields; the others are taken for a mistake only where their value is a whole number."""


def refuse_unknown(parameters: Sequence[tuple[str, str]], known: Iterable[str]) -> None:
    """Return when every parameter is known.

    Raises:
        UnknownParameterError: One is not.
    """
    names = sorted(known)
    for name, _ in parameters:
        if name not in names:
            raise _unknown(name, f"This route does not read it. {_offer(name, names)}")


def refuse_names_of_others(parameters: Sequence[tuple[str, str]]) -> None:
    """Return when no filter by field looks like another API's way to page or sort.

    Raises:
        UnknownParameterError: One does. A field of that name is reached through `filter=`.
    """
    for name, value in parameters:
        hint = ELSEWHERE.get(name)
        if hint is not None and (name in ALWAYS or value.isdecimal()):
            raise _unknown(name, f"{hint} A field of that name is reached through filter=.")


def _unknown(name: str, detail: str) -> UnknownParameterError:
    return UnknownParameterError(detail, [Fault(f"?{name}", "unknown", detail)])


def _offer(name: str, names: Sequence[str]) -> str:
    nearest = get_close_matches(name, names, n=3)
    if nearest:
        return f"Did you mean {', '.join(nearest)}?"
    return f"It reads {', '.join(names)}." if names else "It has no parameters."
