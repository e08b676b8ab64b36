"""`sheaf doctor`: look at everything a working installation needs, and say what is found."""

import platform
import shutil
from collections.abc import AsyncIterator
from dataclasses import asdict
from importlib.metadata import version
from typing import Final

import typer
from rich.markup import escape

from documents.database.deadline import Deadline, Running
from documents.database.disk import kept_free
from documents.database.embedded import EmbeddedMongoError
from documents.errors import StoreError
from documents.indexes.compare import compare_indexes
from documents.indexes.declared import declared_indexes
from documents.lifecycle import Store, open_store
from documents.models.discovery import ModelError
from documents.project.project import find_project
from documents.settings import Settings
from documents.version import VERSION
from scripts.console import RESULTS, announce, print_json
from scripts.doctor_checks import Finding, check_clock, check_migrations, check_policies
from scripts.exits import FAILED
from scripts.options import AsJson, Database, DataDir, MongodbUri, settings_of
from scripts.running import run

MARKS: Final = {"ok": "[green]ok[/green]     ", "warning": "[yellow]warning[/yellow]", "error": "[red]error[/red]  "}
PACKAGES: Final = ("fastapi", "beanie", "pymongo", "pydantic", "uvicorn")
GIB: Final = 1024**3
SCARCE: Final = 4
"""Times what is kept free: with less, it is time to do something."""

OLDEST_SERVER: Final = (6, 0)
MENDED_SERVERS: Final = {6: None, 7: (7, 0, 35), 8: (8, 0, 24)}
"""The first release of each line without the holes that can be used before logging in; 6.0 has none any more."""


def doctor(
    data_dir: DataDir = None, mongodb_uri: MongodbUri = None, database: Database = None, *, as_json: AsJson = False
) -> None:
    """Check versions, policies, connection, replica set, clock, migrations, models and indexes. Changes no data.

    Exits with 0 when all is well or there are only warnings, with 1 when something would not work.
    """
    settings = settings_of(data_dir, mongodb_uri, database)
    findings = run(_examine(settings, as_json=as_json))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    if any(finding.verdict == "error" for finding in findings):
        raise typer.Exit(FAILED)


async def _examine(settings: Settings, *, as_json: bool) -> list[Finding]:
    findings: list[Finding] = []
    async for finding in _findings(settings):
        findings.append(finding)
        if not as_json:
            RESULTS.print(f"{MARKS[finding.verdict]} {finding.subject:<12} {escape(finding.detail)}", soft_wrap=True)
    return findings


async def _findings(settings: Settings) -> AsyncIterator[Finding]:
    yield Finding("python", "ok", f"{platform.python_version()} on {platform.platform()}")
    yield Finding("packages", "ok", ", ".join((f"sheaf {VERSION}", *(f"{name} {version(name)}" for name in PACKAGES))))
    yield check_policies(settings)
    try:
        async with open_store(settings, announce=announce) as store:
            async for finding in _of_store(store):
                yield finding
    except ModelError as error:
        yield Finding("models", "error", str(error))
    except (EmbeddedMongoError, StoreError) as error:
        yield Finding("connection", "error", str(error))


async def _of_store(store: Store) -> AsyncIterator[Finding]:
    place = "external" if store.settings.mongodb_uri else f"embedded, in {store.settings.data_dir}"
    with Running(Deadline(10), writes=False):
        hello = await store.connection.ping()
        found = await store.connection.server_version()
    yield Finding("connection", "ok", f"{place}, database {store.settings.database}")
    yield _of_version(found)
    yield _of_topology(hello)
    if store.settings.mongodb_uri is None:
        yield _of_disk(store.settings)
    for finding in await check_clock(store.connection):
        yield finding
    for finding in await check_migrations(store.connection, find_project(store.settings)):
        yield finding
    yield Finding("models", "ok", ", ".join(sorted(store.catalog.models)) or "none")
    for name, model in sorted(store.catalog.models.items()):
        plan = await compare_indexes(store.connection.collection(name), declared_indexes(model.model))
        if not plan.is_empty:
            lacking = ", ".join(change.name for change in (*plan.pending, *plan.blocked))
            yield Finding("indexes", "warning", f"{name}: {lacking}. To mend it: sheaf indexes apply")


def _of_disk(settings: Settings) -> Finding:
    total, _, free = shutil.disk_usage(settings.data_dir)
    reserve = kept_free(total, settings.disk_reserve_bytes)
    left = f"{free / GIB:,.1f} of {total / GIB:,.1f} GiB are free; below {reserve / GIB:,.1f} GiB nothing is added"
    return Finding("disk", "warning" if free < reserve * SCARCE else "ok", left)


def _of_version(text: str) -> Finding:
    parts = tuple(int(part) for part in text.split("-", maxsplit=1)[0].split("."))
    if parts < OLDEST_SERVER:
        return Finding("mongodb", "error", f"{text}; Sheaf needs 6.0 or later")
    mended = MENDED_SERVERS.get(parts[0], parts)
    if mended is None or parts < mended:
        wanted = "7.0.35 or 8.0.24" if mended is None else ".".join(map(str, mended))
        return Finding("mongodb", "warning", f"{text} has known holes; fine on loopback, else use {wanted} or later")
    return Finding("mongodb", "ok", text)


def _of_topology(hello: dict[str, object]) -> Finding:
    if hello.get("msg") == "isdbgrid":
        return Finding("topology", "ok", "sharded cluster")
    name = hello.get("setName")
    if name is None:
        return Finding("topology", "error", "a standalone server; Sheaf needs a replica set, even of one node")
    if not hello.get("isWritablePrimary"):
        return Finding("topology", "error", f"replica set {name} has no primary here")
    return Finding("topology", "ok", f"replica set {name}, primary {hello.get('me')}")
