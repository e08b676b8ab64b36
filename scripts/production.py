"""What a command asks for before it changes data that look like somebody's production."""

import ipaddress
from typing import Annotated, TypeAlias

import typer

from documents.database.connect import hosts_of
from documents.settings import Environment, Settings

Yes: TypeAlias = Annotated[bool, typer.Option("--yes", "-y", help="Go on, although the target looks like production.")]


class ProductionError(Exception):
    """The target looks like production, and nobody said `--yes`."""


def require_yes(settings: Settings, *, yes: bool) -> None:
    """Let a command go on that changes data, unless the target looks like production and `--yes` was not given.

    Raises:
        ProductionError: Says why it looks like production. Nothing was changed.
    """
    reason = None if yes else _looks_like_production(settings)
    if reason:
        raise ProductionError(f"{reason}, which looks like production. Nothing was changed. Add --yes to go on.")


def _looks_like_production(settings: Settings) -> str | None:
    if settings.environment is Environment.PRODUCTION:
        return "SHEAF_ENVIRONMENT is production"
    if settings.mongodb_uri is None:
        return None
    uri = settings.mongodb_uri.get_secret_value()
    if uri.startswith("mongodb+srv://"):
        return "The deployment is found by DNS"
    elsewhere = [host for host, _ in hosts_of(uri) if not _is_local(host)]
    return f"The deployment is on {', '.join(elsewhere)}" if elsewhere else None


def _is_local(host: str) -> bool:
    if host == "localhost" or host.startswith("/"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
