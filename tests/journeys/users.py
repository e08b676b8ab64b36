"""MongoDB users of few rights, as a careful administrator makes them."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from pymongo import MongoClient

from documents.database.mongod import REPLICA_SET


@contextmanager
def user_of(admin_uri: str, database: str, roles: Sequence[str]) -> Generator[str]:
    """Make a user that has the roles on one database; yield its URI, and drop it in the end."""
    name, password = f"u{uuid4().hex}", uuid4().hex
    with MongoClient[dict[str, Any]](admin_uri) as client:
        granted = [{"role": role, "db": database} for role in roles]
        client[database].command("createUser", name, pwd=password, roles=granted)
        try:
            host = urlsplit(admin_uri).netloc.rpartition("@")[2]
            yield f"mongodb://{name}:{password}@{host}/{database}?replicaSet={REPLICA_SET}"
        finally:
            client[database].command("dropUser", name)
