"""The list of collections, page by page."""

import re
from typing import Final

from starlette.responses import Response

from api import render
from api.exchange import Exchange
from documents.access.actions import Action
from documents.database.deadline import Running
from documents.errors import Fault, InvalidCursorError, InvalidParameterError
from documents.types import COLLECTION_NAME

DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 1000
_NUMBER: Final = re.compile(r"[0-9]{1,9}")


async def list_collections(exchange: Exchange) -> Response:
    """List the collections that the caller may see, by name."""
    limit, after = _parse(exchange)
    with Running(exchange.deadline, writes=False):
        summaries = await exchange.store.catalog.summaries(
            after=after, limit=limit + 1, may_see=lambda name: exchange.policy.allows(name, Action.READ)
        )
    return render.collections(summaries, limit)


def _parse(exchange: Exchange) -> tuple[int, str]:
    """Read from the URL how many are wanted, and the name that they follow."""
    own: dict[str, str] = {}
    for name, value in exchange.parameters:
        if own.setdefault(name, value) is not value:
            raise _refused(name, "duplicate", f"{name} is given twice.")
    after, limit = own.get("cursor", ""), own.get("limit", str(DEFAULT_LIMIT))
    if "cursor" in own and not re.fullmatch(COLLECTION_NAME, after):
        raise InvalidCursorError("The cursor is damaged, or belongs to another list.")
    if not _NUMBER.fullmatch(limit) or not 1 <= int(limit) <= MAX_LIMIT:
        raise _refused("limit", "out-of-range", f"limit is from 1 to {MAX_LIMIT}.")
    return int(limit), after


def _refused(name: str, code: str, detail: str) -> InvalidParameterError:
    return InvalidParameterError(detail, [Fault(f"?{name}", code, detail)])
