"""How each contender is asked for the same thing, and where in its answer the documents are."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Final
from urllib.parse import quote

from benchmarks.dataset import insert_body
from benchmarks.request import JSON, Request
from benchmarks.workload import DEEP_PAGE, FILTERED_PAGE, MIX, PAGE, Action

PATCH_BODY: Final = '{"stock": @n@}'
SKIPPED: Final = (DEEP_PAGE - 1) * PAGE


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """The requests of one contender."""

    ready: str
    "Path that answers 200 when it can serve."
    requests: Mapping[Action, Request]
    items: Callable[[Any], list[dict[str, Any]]] = field(default=lambda payload: payload)
    "Takes the documents out of the answer to a list."
    needs_cursor: bool = False
    "Whether the deep page is reached by a cursor, to be found before the measurement."

    def templates(self, action: Action) -> tuple[tuple[int, Request], ...]:
        """Return the requests that make up an action, each with its share of a hundred."""
        parts = MIX if action is Action.MIX else ((100, action),)
        return tuple((share, self.requests[part]) for share, part in parts)


def _json(value: object) -> str:
    return quote(json.dumps(value, separators=(",", ":")), safe="@")


def _requests(
    collection: str,
    *,
    lists: Mapping[Action, str],
    patch: tuple[str, Mapping[str, str]] = ("PATCH", JSON),
    **extra: str,
) -> dict[Action, Request]:
    method, patch_headers = patch
    return {
        Action.GET: Request("GET", f"{collection}/@id@", headers=extra),
        Action.INSERT: Request("POST", collection, insert_body(), headers={**JSON, **extra}),
        Action.PATCH: Request(method, f"{collection}/@id@", PATCH_BODY, headers={**patch_headers, **extra}),
        **{action: Request("GET", f"{collection}?{query}", headers=extra) for action, query in lists.items()},
    }


SHEAF: Final = Dialect(
    ready="/health/ready",
    requests=_requests(
        "/v1/items",
        lists={
            Action.LIST: f"limit={PAGE}",
            Action.FILTERED: f"category=@category@&sort=-price&limit={FILTERED_PAGE}",
            Action.DEEP: f"limit={PAGE}&cursor=@cursor@",
        },
        patch=("PATCH", {"Content-Type": "application/merge-patch+json"}),
    ),
    items=itemgetter("items"),
    needs_cursor=True,
)

TEXTBOOK: Final = Dialect(
    ready="/items?limit=1",
    requests=_requests(
        "/items",
        lists={
            Action.LIST: f"limit={PAGE}",
            Action.FILTERED: f"category=@category@&sort=-price&limit={FILTERED_PAGE}",
            Action.DEEP: f"limit={PAGE}&skip={SKIPPED}",
        },
    ),
)

EVE: Final = Dialect(
    ready="/items?max_results=1",
    requests=_requests(
        "/items",
        lists={
            Action.LIST: f"max_results={PAGE}",
            Action.FILTERED: f"where={_json({'category': '@category@'})}&sort=-price&max_results={FILTERED_PAGE}",
            Action.DEEP: f"max_results={PAGE}&page={DEEP_PAGE}",
        },
    ),
    items=itemgetter("_items"),
)

EXPRESS: Final = Dialect(
    ready="/api/v1/Item?limit=1",
    requests=_requests(
        "/api/v1/Item",
        lists={
            Action.LIST: f"limit={PAGE}",
            Action.FILTERED: f"query={_json({'category': '@category@'})}&sort=-price&limit={FILTERED_PAGE}",
            Action.DEEP: f"limit={PAGE}&skip={SKIPPED}",
        },
    ),
)

PARSE: Final = Dialect(
    ready="/parse/health",
    requests=_requests(
        "/parse/classes/Item",
        lists={
            Action.LIST: f"limit={PAGE}",
            Action.FILTERED: f"where={_json({'category': '@category@'})}&order=-price&limit={FILTERED_PAGE}",
            Action.DEEP: f"limit={PAGE}&skip={SKIPPED}",
        },
        patch=("PUT", JSON),
        **{"X-Parse-Application-Id": "bench"},
    ),
    items=itemgetter("results"),
)

# RESTHeart lists the newest first unless told otherwise.
RESTHEART: Final = Dialect(
    ready="/ping",
    requests=_requests(
        "/items",
        lists={
            Action.LIST: f"pagesize={PAGE}&sort={_json({'_id': 1})}",
            Action.FILTERED: (
                f"filter={_json({'category': '@category@'})}&sort={_json({'price': -1})}&pagesize={FILTERED_PAGE}"
            ),
            Action.DEEP: f"pagesize={PAGE}&page={DEEP_PAGE}&sort={_json({'_id': 1})}",
        },
    ),
)
