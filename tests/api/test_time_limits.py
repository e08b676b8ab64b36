"""Every command that a request sends to MongoDB has a time limit there: `maxTimeMS`."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final

import httpx
import pytest
from pymongo import AsyncMongoClient
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from api.app import create_app
from documents.database import connection
from documents.settings import Settings
from tests.conftest import serving

WITHIN_ANOTHER: Final = frozenset({"getMore"})
"""MongoDB counts its time towards that of the command that opened the cursor."""

UNBOUNDED: Final = frozenset({"endSessions", "killCursors", "killSessions", "saslStart", "saslContinue"})
"""They end work, or open a connection."""

LONG_WORK: Final = ("/v1/t:export", "/v1/t:ingest")
"""They last as long as there is something to send, and end with their client or their lease."""

LIMIT_MS: Final = 10_000


class Sent(CommandListener):
    """The commands that were sent since it was last cleared."""

    def __init__(self) -> None:
        self.commands: list[tuple[str, dict[str, Any]]] = []

    def started(self, event: CommandStartedEvent) -> None:
        self.commands.append((event.command_name, dict(event.command)))

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Nothing to do."""

    def failed(self, event: CommandFailedEvent) -> None:
        """Nothing to do."""


@pytest.fixture(scope="module")
def sent() -> Sent:
    return Sent()


@pytest.fixture(scope="module")
async def watched(settings: Settings, sent: Sent) -> AsyncGenerator[httpx.AsyncClient]:
    with pytest.MonkeyPatch.context() as patch:

        def connect(*args: Any, event_listeners: Sequence[Any] = (), **options: Any) -> AsyncMongoClient[Any]:
            return AsyncMongoClient(*args, event_listeners=[*event_listeners, sent], **options)

        patch.setattr(connection, "AsyncMongoClient", connect)
        own = settings.model_copy(update={"database": f"{settings.database}_limits"})
        async with serving(create_app(own)) as client:
            yield client


DOCUMENTS: Final = [{"_id": f"d{number}", "n": number, "tags": ["a", "b"]} for number in range(300)]
NDJSON: Final = {"content-type": "application/x-ndjson"}
UPDATE: Final = {"content-type": "application/vnd.sheaf.update+json"}

REQUESTS: Final[list[tuple[str, str, dict[str, Any]]]] = [
    ("POST", "/v1/t", {"json": DOCUMENTS}),
    ("POST", "/v1/t", {"json": {"n": 1}}),
    ("GET", "/v1", {}),
    ("GET", "/v1/t?n[gte]=5&sort=-n&limit=200", {"headers": {"prefer": "count=exact"}}),
    ("GET", "/v1/t?n[gte]=5&limit=3", {"headers": {"prefer": "count=bounded"}}),
    ("GET", "/v1/t?limit=3", {"headers": {"prefer": "count=estimated"}}),
    ("POST", "/v1/t:query", {"json": {"filter": {"n": {"$gt": 3}}}}),
    ("POST", "/v1/t:count", {"json": {"filter": {"n": {"$gt": 3}}}}),
    ("POST", "/v1/t:aggregate", {"json": {"pipeline": [{"$match": {"n": {"$gt": 3}}}, {"$sort": {"n": 1}}]}}),
    ("GET", "/v1/t/d1", {}),
    ("HEAD", "/v1/t/d1", {}),
    ("PUT", "/v1/t/d1", {"json": {"n": 7}}),
    ("PUT", "/v1/t/d1", {"json": {"n": 8}, "headers": {"if-match": "*"}}),
    ("PATCH", "/v1/t/d1", {"json": {"m": 8}, "headers": {"content-type": "application/merge-patch+json"}}),
    ("DELETE", "/v1/t/d1", {}),
    ("PATCH", "/v1/t?n=2", {"json": {"m": 8}, "headers": {"content-type": "application/merge-patch+json"}}),
    ("PATCH", "/v1/t?n=2", {"json": {"m": 9}, "headers": {"content-type": "application/merge-patch+json", "prefer": "max-affected=5"}}),
    ("DELETE", "/v1/t?n=2", {}),
    ("DELETE", "/v1/t?n=3", {"headers": {"prefer": "max-affected=5"}}),
    ("POST", "/v1/t:bulk", {"content": b'{"insert": {"_id": "x"}}\n{"delete": {"_id": "x"}}\n', "headers": NDJSON}),
    ("POST", "/v1:transaction", {"json": {"operations": [{"collection": "t", "insert": {"_id": "y"}}]}}),
    ("GET", "/v1/t:export?format=ndjson", {}),
    ("GET", "/v1/t:schema", {}),
    ("GET", "/v1/t:contract", {}),
    ("PUT", "/v1/t:contract", {"json": {"mode": "quarantine", "schema": {"type": "object"}}}),
    ("GET", "/v1/t:indexes", {}),
    ("GET", "/v1/t:quarantine", {}),
    ("POST", "/v1/t:ingest?format=ndjson", {"content": b'{"_id": "z"}\n', "headers": NDJSON}),
    ("GET", "/jobs", {}),
    ("GET", "/openapi.json?collections=all", {}),
]  # fmt: skip


async def test_every_command_of_every_route_has_a_time_limit(watched: httpx.AsyncClient, sent: Sent) -> None:
    unlimited: dict[str, set[str]] = {}
    seen = set[str]()
    for method, path, how in REQUESTS:
        sent.commands.clear()
        answer = await watched.request(method, path, **how)
        assert answer.status_code < 500, (method, path, answer.text)
        seen |= {name for name, _ in sent.commands}
        missing = {
            name
            for name, command in sent.commands
            if name not in WITHIN_ANOTHER | UNBOUNDED and not 0 < command.get("maxTimeMS", 0) <= LIMIT_MS
        }
        if missing and not path.startswith(LONG_WORK):
            unlimited[f"{method} {path} {answer.status_code}"] = missing
    assert not unlimited
    assert seen >= {"find", "aggregate", "insert", "update", "delete", "listIndexes", "listCollections"}
