"""The only wiring: from settings to a store that works, and back to nothing left running."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from beanie import Document as BeanieDocument
from beanie import init_beanie  # pyright: ignore[reportUnknownVariableType]  # its database is generic, untold

from documents.access.authenticator import Authenticator, watching
from documents.access.key_store import KeyStore
from documents.access.policy import CLOSED, FULL, READ_ONLY, Policy
from documents.access.policy_file import parse_policies
from documents.access.rules import NO_POLICIES, Policies
from documents.catalog.catalog import Catalog
from documents.catalog.declared import DeclaredModel
from documents.collections.committer import Committer
from documents.collections.finder import Finder
from documents.collections.loader import Loader
from documents.collections.plan import Planner
from documents.collections.services import Services
from documents.collections.shapes import ShapeLog
from documents.collections.slow_queries import SlowQueries
from documents.database.connect import connect
from documents.database.connection import Connection
from documents.database.cursor_secret import CursorSecret
from documents.database.deadline import Deadline, Running
from documents.database.disk import watch_disk
from documents.database.embedded import EmbeddedMongo, acquire
from documents.database.keeper import await_lease, keep_running
from documents.errors import StoreError
from documents.indexes.apply import State, apply_plan
from documents.indexes.compare import compare_indexes
from documents.indexes.declared import declared_indexes
from documents.indexes.planner import IndexPlanner
from documents.ingest.gates import Budget
from documents.ingest.ingestion import Ingestion
from documents.ingest.mapped import Mappings
from documents.migrations.errors import MigrationError, MigrationsPendingError
from documents.migrations.revisions import load_revisions
from documents.migrations.state import read_state
from documents.models.declarations import collection_name
from documents.project.models import load_models
from documents.project.project import find_project
from documents.settings import AtStart, Settings, SettingsError
from documents.types import SYSTEM_PREFIX

START_SECONDS: Final = 30.0
MIGRATE: Final = "To look closer: sheaf migrate check. To do it: sheaf migrate upgrade."
_log = logging.getLogger("sheaf")

Announce = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Store:
    """An open store.

    Args:
        settings: What it was opened with.
        connection: To MongoDB.
        catalog: What is known of each collection.
        planner: Plans what is asked of it.
        indexes: Plans what is to become of indexes.
        ingestion: Plans and runs loads.
        policy: What callers without credentials may do.
        authenticator: Finds out who a caller is; None where nobody is asked.
    """

    settings: Settings
    connection: Connection
    catalog: Catalog
    planner: Planner
    indexes: IndexPlanner
    ingestion: Ingestion
    policy: Policy
    authenticator: Authenticator | None = None


@asynccontextmanager
async def open_store(
    settings: Settings,
    *,
    announce: Announce = lambda _: None,
    migrations: Path | None = None,
    prepares: bool = False,
    counts_queries: bool = False,
    policies: Policies | None = None,
) -> AsyncGenerator[Store]:
    """Open a store: on the deployment that the settings name, or on the data folder's own MongoDB. Writes nothing.

    Args:
        settings: Where and how.
        announce: Told, in a few words, of each step that takes time.
        migrations: The folder of the revisions that the database should be at, for whoever is about to serve; it is
            only looked at, and nothing is migrated. None looks at none.
        prepares: Build the declared indexes that lack.
        counts_queries: Record the shapes of queries now and then, for `sheaf indexes advise`.
        policies: What callers are held to, for a server; None lets everybody do everything.

    Raises:
        EmbeddedMongoError: The embedded MongoDB cannot be started here.
        SettingsError: The URI of the deployment, or what it says, is wrong.
        DatabaseUnavailableError: The deployment does not answer.
        MigrationsPendingError: The database is not at those revisions, and the settings say to refuse.
        InvalidRevisionError: The revisions cannot be read, and the settings say to refuse.
    """
    async with (
        open_connection(settings, announce=announce) as connection,
        _open_store(connection, settings, policies, prepares=prepares, counts_queries=counts_queries) as store,
    ):
        if migrations is not None and settings.migrations is not AtStart.IGNORE:
            await _check_migrations(store.connection, migrations, refuses=settings.migrations is AtStart.REFUSE)
        yield store


@asynccontextmanager
async def open_connection(settings: Settings, *, announce: Announce = lambda _: None) -> AsyncGenerator[Connection]:
    """Open a connection alone, for what needs no models. Writes nothing.

    Args:
        settings: Where and how.
        announce: Told, in a few words, of each step that takes time.

    Raises:
        EmbeddedMongoError: The embedded MongoDB cannot be started here.
    """
    async with _reach(settings, announce) as (uri, lease):
        connection = await connect(uri, database=settings.database, max_pool_size=settings.max_pool_size)
        watches = [keep_running(lease, connection), _disk_watch(settings, connection)] if lease else []
        tasks = [asyncio.create_task(watch) for watch in watches]
        try:
            yield connection
        finally:
            for task in tasks:
                task.cancel()
            await connection.close()


def _disk_watch(settings: Settings, connection: Connection) -> Coroutine[None, None, None]:
    return watch_disk(settings.data_dir, connection, settings.disk_reserve_bytes)


@asynccontextmanager
async def _reach(settings: Settings, announce: Announce) -> AsyncGenerator[tuple[str, EmbeddedMongo | None]]:
    """Give the URI of the deployment, which runs at least as long as this, and the lease on it if it is embedded."""
    if settings.mongodb_uri is not None:
        yield settings.mongodb_uri.get_secret_value(), None
        return
    take = partial(acquire, settings.data_dir, announce=announce, mongod=settings.mongod)
    lease = await await_lease(lambda gives_up: take(gives_up=gives_up))
    try:
        yield lease.uri, lease
    finally:
        await asyncio.to_thread(lease.release)


@asynccontextmanager
async def _open_store(
    connection: Connection,
    settings: Settings,
    policies: Policies | None,
    *,
    prepares: bool,
    counts_queries: bool,
) -> AsyncGenerator[Store]:
    loader, finder, committer = Loader(connection), Finder(), Committer(connection)
    shapes = ShapeLog(SlowQueries(connection, settings.slow_query_seconds) if counts_queries else None)
    try:
        with Running(Deadline(START_SECONDS), writes=False):
            models = load_models(find_project(settings))
            # Beanie would send every index at every start and lose some of them; documents.indexes plans them.
            await init_beanie(connection.database, document_models=models, skip_indexes=True)
        if prepares:
            await _create_indexes(connection, models)
        if counts_queries:
            shapes.start(connection)
        catalog = Catalog(connection, map(DeclaredModel, models))
        indexes = IndexPlanner(connection, catalog)
        services = Services(
            connection,
            catalog,
            loader,
            finder,
            committer,
            CursorSecret(connection),
            shapes,
            settings.max_array_position,
        )
        authenticator = policies and Authenticator(KeyStore(connection), policies, read_only=settings.read_only)
        policy = CLOSED if authenticator else READ_ONLY if settings.read_only else FULL
        try:
            ingestion = Ingestion(services, Budget.of(settings), _mappings_of(settings))
            async with watching(authenticator):
                yield Store(settings, connection, catalog, Planner(services), indexes, ingestion, policy, authenticator)
        finally:
            await indexes.close()
    finally:
        await loader.close()
        await finder.close()
        await committer.close()
        await shapes.close()


def read_policies(settings: Settings) -> Policies | None:
    """Return the policies that callers of a server are held to; None where it is open to everybody.

    Raises:
        SettingsError: The file cannot be read, or asks for what this version does not enforce.
        InvalidPolicyError: What it says cannot be meant.
    """
    project = find_project(settings)
    file = project.policies if project is not None and project.policies.is_file() else None
    if settings.open or (settings.open is None and file is None):
        return None
    try:
        policies = NO_POLICIES if file is None else parse_policies(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} cannot be read: {error}.") from None
    for role, rules in policies.roles.items():
        for pattern, rule in rules.items():
            if rule.unenforced:
                raise SettingsError(
                    f"{file}: {role}/{pattern} has {', '.join(rule.unenforced)}, which this version of Sheaf does not "
                    "enforce yet. Nothing is served under a rule that is not kept."
                )
    return policies


async def _check_migrations(connection: Connection, folder: Path, *, refuses: bool) -> None:
    """Say what the database lacks. In an empty one nothing is waiting to be migrated."""
    try:
        state = await read_state(connection, load_revisions(folder))
        if state.is_current or await _is_empty(connection):
            return
        troubles = "; ".join(f"{word}: {revision}" for word, revision, _ in state.troubles())
        raise MigrationsPendingError(f"The database is not as the migrations want it. {troubles}. {MIGRATE}")
    except MigrationError as error:
        if refuses:
            raise
        _log.warning("%s", error.detail)


async def _is_empty(connection: Connection) -> bool:
    with Running(Deadline(START_SECONDS), writes=False):
        for name in await connection.database.list_collection_names(filter={"type": "collection"}):
            if not name.startswith((SYSTEM_PREFIX, "system.")) and await connection.collection(name).find_one():
                return False
    return True


async def _create_indexes(connection: Connection, models: Sequence[type[BeanieDocument]]) -> None:
    """Create the declared indexes that lack. One that cannot be built now keeps nobody from serving."""
    for model in models:
        collection = connection.collection(collection_name(model))
        try:
            plan = await compare_indexes(collection, declared_indexes(model))
            async for event in apply_plan(collection, plan):
                if event.state is State.BLOCKED:
                    _log.warning("Index %s is not as declared: %s", ", ".join(event.names), event.detail)
        except StoreError as error:
            _log.warning("Indexes of %s are not as declared: %s", collection.name, error.detail)


def _mappings_of(settings: Settings) -> Mappings:
    project, secret = find_project(settings), settings.hash_key
    return Mappings(project and project.mappings, None if secret is None else secret.get_secret_value().encode())
