"""Who is measured, how each is started, and what was set for it and why."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Final

from benchmarks import dialect, install
from benchmarks.dataset import Shape
from benchmarks.dialect import Dialect
from benchmarks.install import Environment

RESTHEART_JAR: Final = "SHEAF_BENCH_RESTHEART"
SHEAF: Final = "sheaf"


@dataclass(frozen=True, kw_only=True)
class Launch:
    """What a contender is told when it starts."""

    folder: Path
    port: int
    uri: str
    database: str

    def variables(self) -> dict[str, str]:
        """Return it as the peers of this folder read it."""
        return {
            "BENCH_MONGODB_URI": self.uri,
            "BENCH_DATABASE": self.database,
            "BENCH_PORT": str(self.port),
            "NODE_ENV": "production",
        }


@dataclass(frozen=True, kw_only=True)
class Command:
    """A program, its arguments and its variables."""

    arguments: list[str | Path]
    variables: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One column of the table."""

    name: str
    title: str
    launch: Callable[[Launch], Command]
    dialect: Dialect | None
    "None: it speaks no HTTP and makes the load itself."
    environment: Environment = Environment.PYTHON
    shape: Shape = Shape.PLAIN
    only: frozenset[str] | None = None
    "The workloads it is measured on; None for all."
    is_essential: bool = False
    "Whether a quick run has it."
    note: str = ""
    "What was chosen for it; printed below the table."

    def versions(self) -> dict[str, str]:
        """Return the versions of what it is made of."""
        if self.environment is Environment.OURS:
            return {name: version(name) for name in ("sheaf", "fastapi", "pymongo", "uvicorn", "uvloop")}
        return install.versions_of(self.name, self.environment)


def _sheaf(workers: int) -> Callable[[Launch], Command]:
    def launch(place: Launch) -> Command:
        program = Path(sys.executable).with_name("sheaf")
        flags = ["--host", "127.0.0.1", "--port", str(place.port), "--workers", str(workers)]
        variables = {"SHEAF_MONGODB_URI": place.uri, "SHEAF_DATABASE": place.database}
        return Command(arguments=[program, "serve", *flags], variables=variables)

    return launch


def _uvicorn(place: Launch) -> Command:
    flags = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    program = place.folder / "venv" / "bin" / "uvicorn"
    return Command(
        arguments=[program, "app:app", "--host", "127.0.0.1", "--port", str(place.port), *flags],
        variables=place.variables(),
    )


def _gunicorn(place: Launch) -> Command:
    flags = ["--workers", "1", "--worker-class", "gthread", "--threads", "4", "--log-level", "warning"]
    program = place.folder / "venv" / "bin" / "gunicorn"
    return Command(
        arguments=[program, "app:app", "--bind", f"127.0.0.1:{place.port}", *flags], variables=place.variables()
    )


def _node(place: Launch) -> Command:
    return Command(arguments=["node", "server.js"], variables=place.variables())


def _restheart(place: Launch) -> Command:
    overrides = {
        "/http-listener/host": '"127.0.0.1"',
        "/http-listener/port": str(place.port),
        "/mclient/connection-string": f'"{place.uri}"',
        "/mongo/mongo-mounts": f'[{{"what": "/{place.database}", "where": "/"}}]',
        "/fullAuthorizer/enabled": "true",
        "/fullAuthorizer/authentication-required": "false",
        "/mongoRealmAuthenticator/enabled": "false",
        "/mongoAclAuthorizer/enabled": "false",
        "/logging/log-level": '"ERROR"',
        "/logging/requests-log-mode": "0",
    }
    place.folder.mkdir(parents=True, exist_ok=True)
    settings = place.folder / "overrides.yml"
    settings.write_text("".join(f"{key}: {value}\n" for key, value in overrides.items()))
    return Command(arguments=["java", "-jar", os.environ[RESTHEART_JAR], "-o", settings])


def _raw_driver(place: Launch) -> Command:
    flags = ["--uri", place.uri, "--database", place.database]
    # Run by its file: the working directory is the peer's, where `benchmarks` is no package to be found.
    return Command(
        arguments=[sys.executable, "-m", "benchmarks.raw_driver", *flags],
        variables={"PYTHONPATH": str(install.HERE.parent)},
    )


CONTENDERS: Final = (
    Contender(
        name=SHEAF,
        title="Sheaf",
        launch=_sheaf(1),
        dialect=dialect.SHEAF,
        environment=Environment.OURS,
        is_essential=True,
        note="One worker. The collection is flexible: nothing is declared.",
    ),
    Contender(
        name="sheaf_two_workers",
        title="Sheaf, 2 workers",
        launch=_sheaf(2),
        dialect=dialect.SHEAF,
        environment=Environment.OURS,
        only=frozenset({"get-64", "insert-64"}),
    ),
    Contender(
        name="textbook_beanie",
        title="FastAPI + Beanie",
        launch=_uvicorn,
        dialect=dialect.TEXTBOOK,
        is_essential=True,
        note="Response models, `Document.get()`, `Document.insert()`, `find().skip().limit()`; uvicorn, one worker, "
        "uvloop, httptools, no access log.",
    ),
    Contender(
        name="textbook_motor",
        title="FastAPI + Motor",
        launch=_uvicorn,
        dialect=dialect.TEXTBOOK,
        note="Response models over the driver's dicts, `find_one_and_update` for the patch; served the same way.",
    ),
    Contender(
        name="eve",
        title="Eve",
        launch=_gunicorn,
        dialect=dialect.EVE,
        shape=Shape.EVE,
        is_essential=True,
        note="gunicorn, one gthread worker with 4 threads, as gunicorn's documentation has it: the default worker, "
        "sync, closes each connection. Pages are not counted, and a patch needs no If-Match.",
    ),
    Contender(
        name="express_restify_mongoose",
        title="express-restify-mongoose",
        launch=_node,
        dialect=dialect.EXPRESS,
        environment=Environment.NODE,
        note="Express 5, one process, NODE_ENV=production.",
    ),
    Contender(
        name="parse_server",
        title="Parse Server",
        launch=_node,
        dialect=dialect.PARSE,
        environment=Environment.NODE,
        shape=Shape.PARSE,
        note="One process, NODE_ENV=production, public class, the schema known beforehand.",
    ),
    Contender(
        name="restheart",
        title="RESTHeart",
        launch=_restheart,
        dialect=dialect.RESTHEART,
        environment=Environment.NONE,
        note=f"The jar that {RESTHEART_JAR} names; one JVM, with as many threads as it likes; no authentication.",
    ),
    Contender(
        name="raw_driver",
        title="raw driver",
        launch=_raw_driver,
        dialect=None,
        environment=Environment.OURS,
        is_essential=True,
        note="No HTTP: one process in which as many coroutines as there are connections call `AsyncMongoClient`, one "
        "document at a time, on uvloop. It shares its core with no load generator.",
    ),
)


def find_contenders() -> tuple[Contender, ...]:
    """Return those that can be had here: RESTHeart only where its jar is named."""
    return tuple(each for each in CONTENDERS if each.name != "restheart" or os.environ.get(RESTHEART_JAR))
