"""Policies as data: for each role and collection pattern, one rule."""

from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from documents.access.actions import Action, ServerAction
from documents.access.issuer import Issuer
from documents.query.paths import is_field_path, is_position
from documents.types import COLLECTION_NAME

ROLE: Final = r"^[A-Za-z][A-Za-z0-9_-]{0,63}$"
PATTERN: Final = rf"^(\*|{COLLECTION_NAME}\*?)$"
RATE: Final = r"^[1-9][0-9]{0,6}/(second|minute|hour|day)$"
VARIABLE: Final = r"^\$[a-z][a-z0-9_]{0,63}$"


def _plain_path(path: str) -> str:
    if not is_field_path(path) or any(is_position(name) for name in path.split(".")):
        raise ValueError("a field path has no empty names, no $ and no array positions")
    if path.partition(".")[0] == "_id":
        raise ValueError("_id is always visible; rows decide which documents are")
    return path


def _sorted(actions: tuple[Action, ...]) -> tuple[Action, ...]:
    return tuple(sorted(set(actions)))  # so that equal rules are equal bytes in every process


Path = Annotated[str, AfterValidator(_plain_path)]
Actions = Annotated[tuple[Action, ...], Field(min_length=1), AfterValidator(_sorted)]
Rate = Annotated[str, Field(pattern=RATE)]
Name = Annotated[str, Field(pattern=ROLE)]
Pattern = Annotated[str, Field(pattern=PATTERN)]


class Feature(StrEnum):
    """What a rule may take away from those who may read or create."""

    AGGREGATE = "aggregate"
    EXPORT = "export"
    INGEST = "ingest"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RuleLimits(_Strict):
    """How much a rule allows."""

    page: int | None = Field(default=None, ge=1, le=1000, description="Documents on a page.")
    aggregate: bool = Field(default=True, description="Whether `:aggregate` is allowed to readers.")
    export: bool = Field(default=True, description="Whether `:export` is allowed to readers.")
    ingest: bool = Field(default=True, description="Whether `:ingest` is allowed to creators.")
    rate: Rate | None = Field(default=None, description="Requests in a time, such as `100/minute`.")


class Rule(_Strict):
    """What a role may do with the collections that a pattern names. What it does not name is denied."""

    actions: Actions = Field(description="read, create, update, delete, configure.")
    rows: dict[str, Any] | None = Field(None, description="A filter: the documents that there are for this role.")
    check: dict[str, Any] | None = Field(None, description="A filter that a written document matches; else `rows`.")
    hidden: tuple[Path, ...] = Field((), description="Fields that this role neither sees nor names.")
    read_only: tuple[Path, ...] = Field((), description="Fields that this role sees and cannot change.")
    set: dict[Path, JsonValue] = Field(default_factory=dict, description="Fields that the server fills on each write.")
    limits: RuleLimits = Field(default=RuleLimits(), description="How much.")

    @property
    def unenforced(self) -> tuple[str, ...]:
        """Return the members that this version of Sheaf reads and does not enforce yet."""
        members = ("rows", "check", "hidden", "read_only", "set")
        return (*(name for name in members if getattr(self, name)), *(["limits.rate"] if self.limits.rate else []))


class Policies(_Strict):
    """The content of `policies.yaml`."""

    version: int = Field(1, ge=1, le=1, description="Of this format.")
    issuers: tuple[Issuer, ...] = Field((), description="Identity providers whose tokens are taken.")
    server: dict[Name, tuple[ServerAction, ...]] = Field(
        default_factory=dict, description="Role, then what it may do with the server as a whole: metrics."
    )
    roles: dict[Name, dict[Pattern, Rule]] = Field(description="Role, then collection pattern, then rule.")

    def rule_for(self, role: str, collection: str) -> tuple[str, Rule] | None:
        """Return the pattern and rule that decide for a role: the exact name, else the longest pattern that fits."""
        rules = self.roles.get(role, {})
        fitting = [pattern for pattern in rules if _fits(pattern, collection)]
        best = max(fitting, key=lambda pattern: (not pattern.endswith("*"), len(pattern)), default=None)
        return None if best is None else (best, rules[best])


def _fits(pattern: str, collection: str) -> bool:
    return collection.startswith(pattern[:-1]) if pattern.endswith("*") else pattern == collection


NO_POLICIES: Final = Policies.model_validate({"roles": {}})
"""Denies everything to everyone but trusted principals."""
