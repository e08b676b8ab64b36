"""The way to a deep page of Sheaf: its cursors are opaque, so the pages before are walked, once, unmeasured."""

from typing import Any, Final

from benchmarks.client import Client
from benchmarks.process import BenchError
from benchmarks.request import Request

STEPS: Final = (1_000, 100)
"Page sizes to walk with, the first that is allowed."


def walk(client: Client, *, documents: int, path: str = "/v1/items") -> str:
    """Return the cursor of the page that begins after `documents` documents in the default order.

    Raises:
        BenchError: The collection ends before.
    """
    cursor = ""
    step = _find_step(client, path)
    while documents > 0:
        page = _get_page(client, path, min(step, documents), cursor)
        documents -= len(page["items"])
        cursor = page["next"] or ""
        if not cursor:
            raise BenchError(f"{path} ends {documents} documents before the page that was wanted.")
    return cursor


def _find_step(client: Client, path: str) -> int:
    for step in STEPS[:-1]:
        try:
            _get_page(client, path, step, "")
        except BenchError:
            continue  # too many for a page
        return step
    return STEPS[-1]


def _get_page(client: Client, path: str, limit: int, cursor: str) -> dict[str, Any]:
    # Ids only: where a page ends does not depend on the fields shown, and the way is shorter.
    return client.send(Request("GET", f"{path}?fields=_id&limit={limit}" + (f"&cursor={cursor}" if cursor else "")))
