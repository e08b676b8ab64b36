"""Who asks: the principal that every view is opened for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from documents.types import EMPTY, Json


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller, as authentication found it.

    Args:
        id: Stable and unique, such as `key:8Hk2mQ4z` or `jwt:https://issuer#subject`; for logs, limits and jobs.
        roles: Whose rules apply to it.
        variables: What `$name` stands for in rows, checks and set values: text, numbers, booleans, or lists of these.
        expires: When it stops being valid, in seconds of Unix time; None for never.
        is_trusted: Whether no policy applies: commands, tests and a server that was told to be open.
    """

    id: str
    roles: tuple[str, ...] = ()
    variables: Mapping[str, Json] = field(default_factory=lambda: EMPTY)
    expires: float | None = None
    is_trusted: bool = False


SYSTEM: Final = Principal("full", is_trusted=True)
"""Commands, background work of Sheaf's own, and every caller of a server that is open."""

ANONYMOUS: Final = Principal("anonymous", roles=("anonymous",))
"""A caller without credentials. It may do nothing until a policy names the role."""
