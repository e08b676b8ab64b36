"""`sheaf keys`: the API keys of a server, made, listed, revoked and replaced."""

import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any, Final, TypeAlias

import typer
from rich.table import Table

from documents.access.key_format import ApiKey
from documents.access.key_store import ADMIN, KeyRecord, KeyStore
from documents.access.rules import ROLE
from documents.codec.strict import parse_json
from documents.database.deadline import Deadline, Running
from documents.errors import MalformedJsonError
from documents.lifecycle import open_connection
from documents.settings import Settings, SettingsError
from scripts.console import MESSAGES, RESULTS, announce, print_json, print_table
from scripts.options import AsJson, Commands, Database, DataDir, MongodbUri, settings_of
from scripts.running import run

SECONDS: Final = 30.0
_LIFETIME: Final = re.compile(r"([1-9][0-9]{0,5})([hdw])")
_UNITS: Final[Mapping[str, timedelta]] = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}

Lookup: TypeAlias = Annotated[
    str,
    typer.Argument(metavar="ID", help="The eight characters behind `shf_`, as `list` shows them.", show_default=False),
]
Roles: TypeAlias = Annotated[
    list[str],
    typer.Option("--role", help=f"Whose rules apply, as policies.yaml names it; `{ADMIN}` may everything. Repeatable."),
]
Variables: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--var", metavar="NAME=VALUE", help="What $NAME stands for in policies, as JSON or text. Repeatable."),
]
Expires: TypeAlias = Annotated[
    str | None, typer.Option(help="When it stops being valid: 12h, 90d, 52w.", show_default="never")
]

keys = Commands(
    help="API keys: what programs show to a server that is not open to everybody.\n\n"
    "A key is shown once, when it is made. Only its SHA-256 is stored.",
    no_args_is_help=True,
)


@keys.command()
def create(  # each is a flag
    name: Annotated[str, typer.Argument(help="What it is for, such as `checkout service`.", show_default=False)],
    role: Roles,
    var: Variables = None,
    *,
    expires: Expires = None,
    data_dir: DataDir = None,
    mongodb_uri: MongodbUri = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Make a key, and print it. It cannot be shown again.

    Examples:
      sheaf keys create "checkout service" --role clerk --var tenant=acme --expires 90d
      sheaf keys create me --role admin
    """
    roles, variables, lifetime = _roles(role), _variables(var or []), _lifetime(expires)
    settings = settings_of(data_dir, mongodb_uri, database)
    _show_made(*run(_create(settings, name, roles, variables, lifetime)), as_json=as_json)


@keys.command(name="list")
def list_(
    data_dir: DataDir = None, mongodb_uri: MongodbUri = None, database: Database = None, *, as_json: AsJson = False
) -> None:
    """List the keys, the oldest first: revoked and expired ones, too."""
    records = run(_list(settings_of(data_dir, mongodb_uri, database)))
    if as_json:
        print_json([asdict(record) for record in records])
        return
    table = Table("id", "name", "roles", "created", "expires", "last used", "state")
    for record in records:
        moments = (record.created, record.expires, record.last_used)
        created, expires, used = ("" if moment is None else f"{moment:%Y-%m-%d %H:%M}" for moment in moments)
        table.add_row(record.id, record.name, ", ".join(record.roles), created, expires, used, _state(record))
    print_table(table)


@keys.command()
def show(
    key: Lookup,
    data_dir: DataDir = None,
    mongodb_uri: MongodbUri = None,
    database: Database = None,
) -> None:
    """Show what is known of a key, as JSON. The key itself is not."""
    print_json(asdict(run(_get(settings_of(data_dir, mongodb_uri, database), key))))


@keys.command()
def revoke(
    key: Lookup,
    data_dir: DataDir = None,
    mongodb_uri: MongodbUri = None,
    database: Database = None,
) -> None:
    """Revoke a key. Every server refuses it within a second."""
    record = run(_revoke(settings_of(data_dir, mongodb_uri, database), key))
    MESSAGES.print(f"Revoked {record.id}, {record.name}.")


@keys.command()
def rotate(
    key: Lookup,
    expires: Expires = None,
    data_dir: DataDir = None,
    mongodb_uri: MongodbUri = None,
    database: Database = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Make a key with the same name, roles and variables as another. The other one stays valid until you revoke it."""
    settings = settings_of(data_dir, mongodb_uri, database)
    _show_made(*run(_rotate(settings, key, _lifetime(expires))), as_json=as_json)


def _show_made(key: ApiKey, record: KeyRecord, *, as_json: bool) -> None:
    if as_json:
        print_json({"key": key.text, **asdict(record)})
        return
    MESSAGES.print(f"Made {record.id}, {record.name}, for {', '.join(record.roles)}. It is not shown again:")
    RESULTS.print(key.text, soft_wrap=True)


def _state(record: KeyRecord) -> str:
    return "revoked" if record.revoked else "valid" if record.is_valid else "expired"


def _roles(given: Sequence[str]) -> Sequence[str]:
    for role in given:
        if not re.fullmatch(ROLE, role):
            raise SettingsError(f"{role!r} cannot be the name of a role: letters, digits, - and _, a letter first.")
    return given


def _variables(given: Sequence[str]) -> dict[str, Any]:
    variables: dict[str, Any] = {}
    for pair in given:
        name, sign, text = pair.partition("=")
        if not sign or not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name):
            raise SettingsError(f"--var {pair}: write NAME=VALUE, the name in lower case.")
        try:
            variables[name] = parse_json(text.encode())
        except MalformedJsonError:
            variables[name] = text
    return variables


def _lifetime(text: str | None) -> timedelta | None:
    if text is None:
        return None
    found = _LIFETIME.fullmatch(text)
    if found is None:
        raise SettingsError(f"--expires {text}: write a number and h, d or w, such as 90d.")
    return int(found[1]) * _UNITS[found[2]]


@asynccontextmanager
async def _store(settings: Settings, *, writes: bool) -> AsyncGenerator[KeyStore]:
    async with open_connection(settings, announce=announce) as connection:
        with Running(Deadline(SECONDS), writes=writes):
            yield KeyStore(connection)


async def _create(
    settings: Settings, name: str, roles: Sequence[str], variables: Mapping[str, Any], lifetime: timedelta | None
) -> tuple[ApiKey, KeyRecord]:
    async with _store(settings, writes=True) as store:
        return await store.create(name, roles, variables=variables, lifetime=lifetime)


async def _list(settings: Settings) -> list[KeyRecord]:
    async with _store(settings, writes=False) as store:
        return await store.list_all()


async def _get(settings: Settings, key: str) -> KeyRecord:
    async with _store(settings, writes=False) as store:
        return await store.get(key)


async def _revoke(settings: Settings, key: str) -> KeyRecord:
    async with _store(settings, writes=True) as store:
        return await store.revoke(key)


async def _rotate(settings: Settings, key: str, lifetime: timedelta | None) -> tuple[ApiKey, KeyRecord]:
    async with _store(settings, writes=True) as store:
        old = await store.get(key)
        return await store.create(old.name, old.roles, variables=old.variables, lifetime=lifetime)
