"""What makes a running mongod ours: a replica set of one node, a writable primary, two users.

Each step looks at what is there first, so that a set-up that was killed anywhere is finished by running it again.
Sheaf speaks here as `__system`, the user that whoever holds the key file is. It exists before any user does and
cannot be lost, so MongoDB's exception for unauthenticated clients on localhost stays off.
"""

import time
from collections.abc import Mapping
from typing import Any

from pymongo import MongoClient
from pymongo.errors import AutoReconnect, NetworkTimeout, OperationFailure, ServerSelectionTimeoutError

from documents.database.data_folder import Endpoint
from documents.database.mongod import LOOPBACK, REPLICA_SET

ADMIN = "admin"
USER = "sheaf"
ROLES: Mapping[str, list[str]] = {
    ADMIN: ["root"],
    USER: ["readWriteAnyDatabase", "dbAdminAnyDatabase", "clusterMonitor"],
}
SETTINGS = {"electionTimeoutMillis": 2000, "heartbeatIntervalMillis": 500}
MECHANISM = "SCRAM-SHA-256"
DURABLE = {"w": "majority", "j": True}

ALREADY_INITIALIZED = 23
NOT_YET_INITIALIZED = 94
CONFIGURATION_IN_PROGRESS = 109
USER_EXISTS = 51003

AWAIT_MS = 500
ANSWER_MS = 60_000  # mongod itself waits half a minute where a stranger on its former port stays mute

PROBE_MS = 2_000
"""How long a mongod may take over a ping before it counts as one that does not answer."""

Client = MongoClient[dict[str, Any]]


class NoPrimaryError(Exception):
    """The mongod answers, but did not become a writable primary in time."""


def render_uri(user: str, password: str, port: int) -> str:
    """Return the URI under which drivers reach the replica set as `user`."""
    return (
        f"mongodb://{user}:{password}@{LOOPBACK}:{port}/"
        f"?authSource=admin&authMechanism={MECHANISM}&replicaSet={REPLICA_SET}"
    )


def prepare(endpoint: Endpoint, key: str, *, deadline: float) -> Endpoint:
    """Make the mongod at the port a writable primary with its users, and return its endpoint completed.

    Args:
        endpoint: Of the mongod that runs.
        key: The text of the key file.
        deadline: By `time.monotonic`, in seconds.

    Raises:
        NoPrimaryError: It takes longer.
        PyMongoError: It does not answer, or does not take the key.
    """
    with _connect(endpoint.port, key, answer_ms=ANSWER_MS) as client:
        _become_primary(client, endpoint.port, deadline)
        if not endpoint.ready:
            _ensure_user(client, ADMIN, endpoint.admin_password)
            _ensure_user(client, USER, endpoint.password)
        status = client.admin.command("serverStatus")
        return endpoint.model_copy(update={"ready": True, "pid": int(status["pid"]), "version": status["version"]})


def shut_down(endpoint: Endpoint, key: str, *, patience: float) -> None:
    """Tell the mongod at the port to end cleanly; it may take a moment more until it has.

    Args:
        endpoint: Of the mongod that runs.
        key: The text of the key file.
        patience: Seconds that it may take over the shutdown, once it has shown that it answers.

    Raises:
        AutoReconnect: It does not answer.
        PyMongoError: It does not take the key.
    """
    with _connect(endpoint.port, key, answer_ms=PROBE_MS) as client:
        client.admin.command("ping")
    with _connect(endpoint.port, key, answer_ms=int(patience * 1000)) as client:
        try:
            # There is no other node to hand over to, hence `force`; the shutdown is a clean one all the same.
            client.admin.command("shutdown", force=True, timeoutSecs=0)
        except (ServerSelectionTimeoutError, NetworkTimeout):
            raise
        except AutoReconnect:
            return  # the connection that closes is the answer


def _connect(port: int, key: str, *, answer_ms: int) -> Client:
    return MongoClient[dict[str, Any]](
        LOOPBACK,
        port,
        username="__system",
        password=key,
        authSource="local",
        authMechanism=MECHANISM,
        directConnection=True,
        serverSelectionTimeoutMS=1000,
        serverMonitoringMode="poll",
        socketTimeoutMS=answer_ms,
    )


def _become_primary(client: Client, port: int, deadline: float) -> None:
    hello = client.admin.command("hello")
    while not hello["isWritablePrimary"]:
        if time.monotonic() > deadline:
            raise NoPrimaryError
        if "setName" not in hello:  # it has no configuration, or one that names another port
            _configure(client, port)
        hello = client.admin.command(  # answers at once when something has changed
            {"hello": 1, "topologyVersion": hello["topologyVersion"], "maxAwaitTimeMS": AWAIT_MS}
        )


def _configure(client: Client, port: int) -> None:
    members = [{"_id": 0, "host": f"{LOOPBACK}:{port}"}]
    try:
        stored = client.admin.command("replSetGetConfig")["config"]
    except OperationFailure as error:
        if error.code != NOT_YET_INITIALIZED:
            raise
        configuration = {"_id": REPLICA_SET, "members": members, "settings": SETTINGS}
        _unless(ALREADY_INITIALIZED, client, {"replSetInitiate": configuration})
    else:
        moved = stored | {"members": members, "version": stored["version"] + 1}
        _unless(CONFIGURATION_IN_PROGRESS, client, {"replSetReconfig": moved, "force": True})


def _unless(code: int, client: Client, command: dict[str, Any]) -> None:
    """Run an admin command; an error of this code means that mongod is at it, and the next hello will tell."""
    try:
        client.admin.command(command)
    except OperationFailure as error:
        if error.code != code:
            raise


def _ensure_user(client: Client, name: str, password: str) -> None:
    account = {"pwd": password, "roles": ROLES[name], "mechanisms": [MECHANISM], "writeConcern": DURABLE}
    try:
        client.admin.command({"createUser": name, **account})
    except OperationFailure as error:
        if error.code != USER_EXISTS:
            raise
        client.admin.command({"updateUser": name, **account})
