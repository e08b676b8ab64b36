"""What can be set, and to what by default. Read once by an entry point and passed in, never at import."""

import os
from collections.abc import Iterable, Mapping
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from dotenv import dotenv_values
from pydantic import BeforeValidator, Field, SecretStr, StringConstraints, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "SHEAF_"
ENV_FILE = ".env"
FILE_SUFFIX = "_FILE"
"""Behind the name of a setting: the variable that names a file with its value."""


class Environment(StrEnum):
    """What kind of place this is."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class AtStart(StrEnum):
    """What a server does when the database is not at its migrations."""

    WARN = "warn"
    REFUSE = "refuse"
    IGNORE = "ignore"


class SettingsError(Exception):
    """A setting is misspelt, or has a value it cannot have."""


def _seconds(value: object) -> object:
    """Read a plain number as seconds, besides the forms that Pydantic knows, such as PT5S."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


class LogFormat(StrEnum):
    """How a line of the log is written."""

    JSON = "json"
    TEXT = "text"


class LogLevel(StrEnum):
    """Which events are logged: this level and those above it."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


Duration = Annotated[timedelta, BeforeValidator(_seconds)]


def _listed(value: object) -> object:
    """Read a text as a list, with commas between its items."""
    return [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value


WebOrigin = Annotated[str, StringConstraints(to_lower=True, pattern=r"^https?://[^/?#@,\s*]+$")]
WebOrigins = Annotated[tuple[WebOrigin, ...], NoDecode, BeforeValidator(_listed)]


class Settings(BaseSettings):
    """Every setting, its default and its meaning."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=ENV_FILE, env_ignore_empty=True, frozen=True, extra="ignore"
    )

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    workers: int = Field(1, ge=1, le=64, description="Processes that serve.")
    data_dir: Path = Field(Path(".sheaf"), description="Folder of the embedded MongoDB.")
    database: str = Field("sheaf", pattern=r"^[A-Za-z0-9_-]{1,63}$", description="Database to serve.")
    mongodb_uri: SecretStr | None = Field(
        None,
        description="External MongoDB 6.0 or later, a replica set or sharded cluster; turns the embedded one off.",
    )
    mongod: Path | None = Field(
        None, description="Program to start as the embedded MongoDB, 6.0 or later; else the installed one."
    )
    project: Path | None = Field(
        None,
        description="Folder of the project: models, seeds, migrations. Else the current one, if it has a `sheaf.toml`.",
    )
    environment: Environment = Field(
        Environment.DEVELOPMENT,
        description="`development` or `production`: which seeds are meant, and whether commands ask before they write.",
    )
    prepare: bool | None = Field(
        None,
        description="Build declared indexes and plant the project's seeds at start. "
        "Unset: only on the embedded MongoDB, in development.",
    )
    migrations: AtStart = Field(
        AtStart.WARN,
        description="When migrations are pending at start: `warn`, `refuse` to serve, or `ignore` it. "
        "Servers never migrate.",
    )
    open: bool | None = Field(
        None,
        description="Let every caller do everything, without credentials. Unset: where the project has no "
        "`policies.yaml`.",
    )
    allow_unauthenticated: bool = Field(False, description="Serve other addresses than loopback, without keys.")
    cors_origins: WebOrigins = Field(
        (),
        description="Origins whose pages may change something here, such as `https://app.example`; commas between.",
    )
    read_only: bool = Field(
        False, description="Refuse every write of a client. Commands such as `sheaf seed` still write."
    )
    request_timeout: Duration = Field(
        timedelta(seconds=10),
        gt=timedelta(0),
        le=timedelta(minutes=10),
        description="Longest a request may take; `Prefer: wait=N` asks for less.",
    )
    drain_timeout: Duration = Field(
        timedelta(seconds=15),
        ge=timedelta(0),
        description="Longest to wait for running requests when stopping.",
    )
    drain_delay: Duration = Field(
        timedelta(seconds=0.5),
        ge=timedelta(0),
        description="How long to go on accepting after SIGTERM, while readiness says no.",
    )
    disk_reserve_bytes: int = Field(
        512 * 1024 * 1024,
        ge=0,
        description="What is kept free on the disk of the embedded MongoDB, a tenth of it at most."
        " With less, nothing is added.",
    )
    max_body_bytes: int = Field(16 * 1024 * 1024, ge=1024, description="Largest request body.")
    max_upload_bytes: int = Field(
        16 * 1024 * 1024 * 1024,
        ge=1024,
        description="Largest upload to `:ingest`, as it comes, and decompressed if it is compressed.",
    )
    quarantine_load_records: int = Field(
        50_000, ge=0, description="Records that one load may put aside; then it stops, and can go on later."
    )
    quarantine_load_bytes: int = Field(256 * 1024 * 1024, ge=0, description="Bytes of such records of one load.")
    quarantine_collection_records: int = Field(
        500_000, ge=0, description="Records that may be in the quarantine of one collection."
    )
    quarantine_collection_bytes: int = Field(
        2 * 1024 * 1024 * 1024, ge=0, description="Bytes of such records of one collection."
    )
    max_array_position: int = Field(
        10_000,
        ge=0,
        description="What positions in the paths of an update, such as 7 in `items.7`, may add up to: MongoDB fills "
        "arrays with nulls up to them.",
    )
    hash_key: SecretStr | None = Field(
        None, min_length=16, description="Secret key of the hashes that mappings put in place of personal data."
    )
    max_concurrency: int = Field(256, ge=1, description="Requests served at once by a process; more get 503.")
    max_exports: int = Field(
        32, ge=1, description="Long answers, such as exports, sent at once by a process; more get 503."
    )
    max_uploads: int = Field(32, ge=1, description="Loads and uploads received at once by a process; more get 503.")
    client_share: float = Field(
        0.75, gt=0, le=1, description="Part of each of these three that one address may take; more get 429."
    )
    max_connections: int = Field(
        1024, ge=1, description="Connections open at once to a process; one address may have its share."
    )
    max_unsent_bytes: int = Field(
        64 * 1024 * 1024,
        ge=1024,
        description="Answers that wait for their readers in a process; beyond it, the oldest are cut off.",
    )
    min_bytes_per_second: int = Field(
        1024, ge=0, description="Slower readers and uploads are cut off, after some seconds."
    )
    log_format: LogFormat | None = Field(
        None, description="`json`, or `text` for people. Unset: `text` on a terminal, else `json`."
    )
    log_level: LogLevel = Field(LogLevel.INFO, description="`debug`, `info`, `warning` or `error`, and what is above.")
    access_log: bool = Field(True, description="Log a line for each request.")
    slow_query_seconds: float = Field(
        1.0, ge=0, description="Queries that take so long are logged, without their values; 0 logs none."
    )
    max_pool_size: int = Field(100, ge=1, description="Connections to MongoDB for each process.")

    @property
    def prepares(self) -> bool:
        """Whether a start builds declared indexes and plants seeds: never unasked on somebody's own MongoDB."""
        if self.read_only:
            return False
        if self.prepare is not None:
            return self.prepare
        return self.mongodb_uri is None and self.environment is Environment.DEVELOPMENT


def load_settings(**overrides: object) -> Settings:
    """Return the settings of the environment and of `.env`; `overrides` that are not None win, then the environment.

    `.env` is read in the current folder, and in that of the project where one is named; the latter wins.

    `SHEAF_MONGODB_URI_FILE` names a file that holds the value of `SHEAF_MONGODB_URI`, and so for every setting.

    Raises:
        SettingsError: A `SHEAF_*` variable does not exist, or a value is not allowed.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    files = _env_files(given.get("project") or os.environ.get(f"{PREFIX}PROJECT"))
    environ = _environ(files)
    _refuse_unknown(environ)
    try:
        return Settings(_env_file=files, **{**_read_files(environ), **given})  # pyright: ignore[reportArgumentType, reportCallIssue]  # Pydantic checks them
    except ValidationError as error:
        raise SettingsError(
            "\n".join(
                f"{PREFIX}{str(fault['loc'][0]).removeprefix(PREFIX.lower()).upper()}: {fault['msg']}"
                for fault in error.errors()
            )
        ) from None


def _env_files(project: object) -> list[Path]:
    return [Path(folder, ENV_FILE) for folder in ("", str(project or ""))]


def _environ(files: Iterable[Path]) -> dict[str, str]:
    """Return the environment over what stands in files; of those, what is meant for Sheaf."""
    values = [(name, value) for file in files for name, value in dotenv_values(file).items()]
    return {name: value for name, value in values if value and name.startswith(PREFIX)} | dict(os.environ)


def _read_files(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the settings whose values lie in files, as secrets do where containers run."""
    values: dict[str, str] = {}
    for name in Settings.model_fields:
        variable = f"{PREFIX}{name}".upper()
        path = environ.get(f"{variable}{FILE_SUFFIX}")
        if path and environ.get(variable):
            raise SettingsError(f"{variable} and {variable}{FILE_SUFFIX} are both set. Set one of them.")
        if path:
            values[name] = _read_file(f"{variable}{FILE_SUFFIX}", path)
    return values


def _read_file(variable: str, path: str) -> str:
    try:
        return Path(path).read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise SettingsError(f"{variable}: {path} cannot be read: {reason}.") from None


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields}
    unknown = sorted(
        name for name in environ if name.startswith(PREFIX) and not {name, name.removesuffix(FILE_SUFFIX)} & known
    )
    if unknown:
        raise SettingsError(f"No such setting: {', '.join(unknown)}. There are {', '.join(sorted(known))}.")


def describe_settings() -> list[tuple[str, str, str]]:
    """Return a row for each setting: variable, default, meaning."""
    return [
        (f"{PREFIX}{name}".upper(), "none" if field.default == () else str(field.default), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
