"""`sheaf serve`: make everything ready, then serve."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from enum import StrEnum
from typing import Annotated, Final

import typer
from rich.markup import escape

from api.gate import LOOPBACK
from api.observe.log_lines import LineWriter, send_records
from api.project_routes import project_routers
from api.server import run_granian, run_server
from documents.access.key_store import ADMIN, KeyStore
from documents.database.deadline import Deadline, Running
from documents.database.embedded import EmbeddedMongo, acquire
from documents.lifecycle import Store, open_store, read_policies
from documents.project.project import find_project
from documents.settings import FILE_SUFFIX, PREFIX, Settings, SettingsError
from documents.version import VERSION
from scripts.commands.seed import seed_once
from scripts.console import MESSAGES, announce
from scripts.options import Database, DataDir, MongodbUri, settings_of


class Server(StrEnum):
    """What serves."""

    UVICORN = "uvicorn"
    GRANIAN = "granian"


KEY_SECONDS: Final = 30.0
SERVERS: Final = {Server.UVICORN: run_server, Server.GRANIAN: run_granian}


def serve(  # noqa: PLR0913  # each is a flag
    host: Annotated[
        str | None, typer.Option(help="Address to listen on. [SHEAF_HOST, 127.0.0.1]", show_default=False)
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on; 0 takes a free one. [SHEAF_PORT, 8000]", show_default=False)
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes that serve. [SHEAF_WORKERS, 1]", show_default=False)
    ] = None,
    *,
    data_dir: DataDir = None,
    mongodb_uri: MongodbUri = None,
    database: Database = None,
    server: Annotated[
        Server, typer.Option(help="uvicorn, or granian where it is installed: faster, but without draining.")
    ] = Server.UVICORN,
    read_only: Annotated[
        bool | None, typer.Option("--read-only", help="Refuse every write.", show_default=False)
    ] = None,
    allow_unauthenticated: Annotated[
        bool | None,
        typer.Option(
            "--allow-unauthenticated",
            help="Serve other addresses than loopback, although anyone who reaches them may do anything.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Serve the collections over HTTP, on a MongoDB of its own or on the one that --mongodb-uri names.

    On the embedded MongoDB in development (the default), the project's indexes are built first and its seeds
    planted once. On another MongoDB neither is done unless SHEAF_PREPARE says so. Stop it with Ctrl-C; on
    SIGTERM it finishes what has begun.

    Examples:
      sheaf serve
      sheaf serve --port 9000 --data-dir /var/lib/sheaf
      SHEAF_MONGODB_URI='mongodb://user:secret@db1/?replicaSet=rs0' sheaf serve --workers 4
    """
    settings = settings_of(
        data_dir,
        mongodb_uri,
        database,
        host=host,
        port=port,
        workers=workers,
        read_only=read_only,
        allow_unauthenticated=allow_unauthenticated,
    )
    is_open = read_policies(settings) is None
    _refuse_exposure(settings, is_open=is_open)
    settings = _with_port(settings)
    send_records(settings, LineWriter().write)
    MESSAGES.print(f"[bold]Sheaf {VERSION}[/bold]")
    # This lease outlives every process that serves, so MongoDB runs from the first announcement to the end.
    with _unwinding_on_sigterm(), lease_of(settings):
        asyncio.run(_prepare(settings, is_open=is_open))
        _hand_over(settings)
        SERVERS[server](settings, on_listening=lambda: _show_addresses(settings, is_open=is_open))
    announce("Stopped.")


def _refuse_exposure(settings: Settings, *, is_open: bool) -> None:
    if is_open and settings.host not in LOOPBACK and not settings.allow_unauthenticated:
        raise SettingsError(
            f"{settings.host} can be reached from other machines, and there is no authentication. "
            "Ask for keys (SHEAF_OPEN=false, or a policies.yaml in the project), listen on 127.0.0.1, or say "
            "--allow-unauthenticated (SHEAF_ALLOW_UNAUTHENTICATED=true) where something in front of Sheaf decides "
            "who may come in."
        )


@contextmanager
def _unwinding_on_sigterm() -> Generator[None]:
    """Make SIGTERM end the process by an exception, as Ctrl-C does, so that the lease on MongoDB is given back.

    So it is before the server runs, and where a second signal cuts the draining short: uvicorn raises that once more.
    """
    previous = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _with_port(settings: Settings) -> Settings:
    """Find out now whether the port can be had, before anything is started."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise SettingsError(
                f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}. "
                "Choose another one with --port (SHEAF_PORT)."
            ) from None
        return settings.model_copy(update={"port": probe.getsockname()[1]})


def lease_of(settings: Settings) -> "AbstractContextManager[EmbeddedMongo | None]":
    """Return what keeps the embedded MongoDB running, if the settings want one."""
    if settings.mongodb_uri is not None:
        return nullcontext()
    return acquire(settings.data_dir, announce=announce, mongod=settings.mongod)


async def _prepare(settings: Settings, *, is_open: bool) -> None:
    project = find_project(settings)
    list(project_routers(settings))  # what is wrong with them is told here, and not by each process
    migrations = project and project.migrations
    async with open_store(settings, migrations=migrations, prepares=settings.prepares) as store:
        if project and project.seeds.is_dir() and settings.prepares:
            await seed_once(store, project.seeds)
        if not is_open:
            await _first_key(store, settings)


async def _first_key(store: Store, settings: Settings) -> None:
    """Make a key for the administrator where there is none; on a MongoDB of somebody's own, say how."""
    keys = KeyStore(store.connection)
    with Running(Deadline(KEY_SECONDS), writes=True):
        if await keys.list_all():
            return
        if settings.mongodb_uri is not None:
            MESSAGES.print("[yellow]There is no API key yet.[/yellow] Make one: sheaf keys create me --role admin")
            return
        key, _ = await keys.create("first administrator", [ADMIN])
    file = settings.data_dir / "admin-key"
    file.touch(mode=0o600)
    file.write_text(f"{key.text}\n", "utf-8")
    MESSAGES.print(f"A key for the administrator, which is not shown again; it is also in {escape(str(file))}:")
    MESSAGES.print(f"  {key.text}", soft_wrap=True)


def _hand_over(settings: Settings) -> None:
    """Put the settings where the processes that serve will read them."""
    for name in settings.model_fields_set:
        value = getattr(settings, name)
        if name == "mongodb_uri":
            value = None if value is None else value.get_secret_value()
        if value is not None and not name.endswith(("_timeout", "_delay")):
            variable = f"{PREFIX}{name}".upper()
            os.environ[variable] = str(value)
            os.environ.pop(f"{variable}{FILE_SUFFIX}", None)  # of which it came


def _show_addresses(settings: Settings, *, is_open: bool) -> None:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    base = f"http://{host}:{settings.port}"
    rows = (
        ("API", f"{base}/v1"),
        ("Try", f"{base}/v1/products?limit=3"),
        ("Docs", f"{base}/docs"),
        ("Health", f"{base}/health/ready"),
    )
    MESSAGES.print(f"[green]Ready.[/green] Data in {escape(_place(settings))}. Ctrl-C stops.")
    for label, address in rows:
        MESSAGES.print(f"  {label:<7}{escape(address)}")
    if is_open:
        MESSAGES.print(
            "[dim]Open: whoever reaches this address may do everything. SHEAF_OPEN=false asks for keys.[/dim]"
        )


def _place(settings: Settings) -> str:
    return "the external MongoDB" if settings.mongodb_uri else str(settings.data_dir)
