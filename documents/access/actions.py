"""What can be done to a collection and its documents."""

from enum import StrEnum


class ServerAction(StrEnum):
    """What concerns the server as a whole, and no collection."""

    METRICS = "metrics"
    """Read what `/metrics` counts."""


class Action(StrEnum):
    """What a rule allows or denies."""

    READ = "read"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    CONFIGURE = "configure"
    """Change what belongs to no document, such as indexes and contracts."""
