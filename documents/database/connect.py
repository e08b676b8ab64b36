"""Connects to a deployment for the first time, and says in a sentence why that fails: never with a secret in it."""

import asyncio
import logging
import re
import socket
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pymongo
from pymongo import AsyncMongoClient
from pymongo.errors import ConfigurationError, OperationFailure, PyMongoError, ServerSelectionTimeoutError
from pymongo.server_description import ServerDescription
from pymongo.uri_parser import parse_uri

from documents.database.connection import Connection
from documents.database.failures import UNAUTHORIZED
from documents.errors import DatabaseUnavailableError
from documents.settings import SettingsError

VARIABLE: Final = "SHEAF_MONGODB_URI"
SELECT_SECONDS: Final = 3.0
PROBE_SECONDS: Final = 1.0
SHORTEST_SECRET: Final = 3
_USER_INFO: Final = re.compile(r"//(.*)@", re.DOTALL)

NOT_AUTHENTICATED: Final = frozenset({18, 8000})
"""AuthenticationFailed; AtlasError, of which it is the common one."""

REASONS: Final[Sequence[tuple[type[BaseException], str]]] = (
    (socket.gaierror, "is a name that nobody knows"),
    (ConnectionRefusedError, "refuses connections"),
    (FileNotFoundError, "does not exist"),
    (TimeoutError, "does not answer"),
)
"""What a failure to reach a server says of it. Tried in this order."""

HANDSHAKES: Final[Sequence[tuple[str, str]]] = (
    ("certificate has expired", "has a certificate that has expired"),
    ("certificate is not valid for", "has a certificate for another name than the URI has"),
    (
        "CERTIFICATE_VERIFY_FAILED",
        "has a certificate of an issuer that is not trusted (tlsCAFile in the URI names one that is)",
    ),
    ("SSL", "does not speak TLS as the URI wants it"),
    ("closed", "closes connections (it may want TLS, or a certificate: tls=true or tlsCertificateKeyFile in the URI)"),
)
"""What the words of the driver say of a server that takes connections. Tried in this order."""

_log = logging.getLogger("sheaf")


async def connect(uri: str, *, database: str, max_pool_size: int) -> Connection:
    """Return a connection that has been used once.

    Raises:
        SettingsError: The URI, or what it says of the deployment, is wrong.
        DatabaseUnavailableError: The deployment does not answer, or takes no writes.
    """
    connection = _make(uri, database=database, max_pool_size=max_pool_size)
    try:
        with pymongo.timeout(SELECT_SECONDS):
            await _try_out(connection)
    except (PyMongoError, OSError) as error:
        explained = await _explain(error, uri, connection)
        await connection.close()
        raise explained from error
    except BaseException:
        await connection.close()
        raise
    return connection


def hosts_of(uri: str) -> list[tuple[str, int | None]]:
    """Return the hosts that a URI names, with their ports. Asks nobody.

    Raises:
        SettingsError: It is malformed.
    """
    try:
        return parse_uri(uri, validate=False)["nodelist"]
    except (PyMongoError, ValueError, TypeError) as error:
        raise _malformed(uri, error) from None


def _make(uri: str, *, database: str, max_pool_size: int) -> Connection:
    with warnings.catch_warnings(record=True) as complaints:
        warnings.simplefilter("always")
        try:
            connection = Connection(uri, database=database, max_pool_size=max_pool_size)
        except (PyMongoError, ValueError, TypeError, OSError) as error:
            raise _malformed(uri, error) from None
    for complaint in {str(complaint.message) for complaint in complaints}:
        _log.warning("%s: %s", VARIABLE, _without_secrets(uri, complaint))
    return connection


async def _try_out(connection: Connection) -> None:
    """Do what takes a primary, and a user who may do something. Changes nothing."""
    hello = await connection.ping()
    if hello.get("msg") != "isdbgrid" and not hello.get("setName"):
        raise SettingsError(
            f"{VARIABLE} names a standalone MongoDB, and Sheaf needs a replica set, even of one node: it has no "
            "transactions otherwise."
        )
    nothing: Mapping[str, Any] = {"filter": {"name": ""}, "nameOnly": True, "authorizedCollections": True}
    await connection.database.command({"listCollections": 1, **nothing})


async def _explain(error: Exception, uri: str, connection: Connection) -> Exception:
    """Return the error that says which of all is wrong."""
    if isinstance(error, OperationFailure):
        return _of_refusal(error, uri)
    if isinstance(error, ConfigurationError):
        return _malformed(uri, error)
    if not isinstance(error, ServerSelectionTimeoutError) and not (isinstance(error, PyMongoError) and error.timeout):
        return DatabaseUnavailableError("MongoDB closed the connection.")
    if connection.lacks_primary:
        return DatabaseUnavailableError("MongoDB answers, but its replica set has no primary.")
    return await _of_names(uri) or await _of_servers(uri, connection)


def _of_refusal(error: OperationFailure, uri: str) -> Exception:
    if error.code in NOT_AUTHENTICATED:
        return SettingsError(f"MongoDB does not accept the user name or the password in {VARIABLE}.")
    if error.code != UNAUTHORIZED:
        return SettingsError(f"MongoDB refuses to be used as {VARIABLE} says (code {error.code}).")
    if _USER_INFO.search(uri):
        return SettingsError(f"The user in {VARIABLE} may not use this database; it needs the role read or readWrite.")
    return SettingsError(f"MongoDB wants a user name and a password, and {VARIABLE} has none.")


async def _of_names(uri: str) -> SettingsError | None:
    """Return what is wrong if a server is there, but of a replica set with another name."""
    if not uri.startswith("mongodb://"):
        return None
    parsed = parse_uri(uri, validate=False)
    options = {name.lower(): value for name, value in parsed["options"].items()}
    for host, port in parsed["nodelist"] if "replicaset" in options else ():
        name = await _ask_name(host, port, secured=str(options.get("tls", options.get("ssl"))).lower() == "true")
        if name is not None and name != options["replicaset"]:
            found = f"is of the replica set {name!r}" if name else "is a standalone MongoDB"
            return SettingsError(
                f"{VARIABLE} names the replica set {options['replicaset']!r}, but {host}:{port} {found}."
            )
    return None


async def _ask_name(host: str, port: int | None, *, secured: bool) -> str | None:
    """Return the name of a server's replica set, "" if it has none; None if it does not answer."""
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(host, port, directConnection=True, tls=secured)
    try:
        with pymongo.timeout(PROBE_SECONDS / 2):
            return str((await client.admin.command("hello")).get("setName", ""))
    except (PyMongoError, OSError):
        return None
    finally:
        await client.close()


async def _of_servers(uri: str, connection: Connection) -> DatabaseUnavailableError:
    servers = sorted(connection.client.topology_description.server_descriptions().items())
    reasons = await asyncio.gather(*(_probe(host, port, server) for (host, port), server in servers))
    said = "; ".join(
        f"{host}{f':{port}' if port else ''} {reason}"
        for ((host, port), _), reason in zip(servers, reasons, strict=True)
    )
    return DatabaseUnavailableError(f"MongoDB cannot be reached: {_without_secrets(uri, said or 'no server is left')}.")


async def _probe(host: str, port: int | None, server: ServerDescription) -> str:
    """Say what is wrong with a server. The driver keeps only the words of what it met, so look once more."""
    opening = asyncio.open_connection(host, port) if port else asyncio.open_unix_connection(host)
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            _, writer = await opening
    except OSError as error:
        return next((reason for kind, reason in REASONS if isinstance(error, kind)), "cannot be connected to")
    writer.close()
    words = str(server.error)
    return next((reason for part, reason in HANDSHAKES if part in words), "does not answer")


def _malformed(uri: str, error: Exception) -> SettingsError:
    return SettingsError(f"{VARIABLE} cannot be used: {_without_secrets(uri, str(error)).rstrip('.')}.")


def _without_secrets(uri: str, text: str) -> str:
    """Return a text of the driver's, or something dull where it repeats a part of what stands before the host."""
    found = _USER_INFO.search(uri)
    parts = re.split(r"[:@/]", found[1]) if found else []
    repeats = any(len(part) >= SHORTEST_SECRET and part in text for part in parts)
    return "it is not as MongoDB's drivers want it" if repeats else text
