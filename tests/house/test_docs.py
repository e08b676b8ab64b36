"""The guides name everything that there is, and nothing that there is not."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, cast

import pytest
import typer

from api import bodies, exchange, parse, preferences, problems, server
from api.loads import parse as parse_jobs
from api.loads import uploads
from api.problems import PROBLEMS
from api.routes import ROUTES
from documents.catalog import ids
from documents.codec import json_patch, patch_shape
from documents.collections import plan, read
from documents.ingest import reading
from documents.query import paths, projection, spot, update
from documents.query.filter import filter as filters
from documents.query.filter import operands, parameters, values
from documents.query.paging import cursor, sort
from documents.query.pipeline import accumulators, aggregate
from documents.query.pipeline import loops as expression_loops
from documents.query.pipeline import operators as expression_operators
from documents.query.pipeline import spot as expression_spot
from documents.query.regex import pattern as regex
from documents.query.regex import work as regex_work
from documents.settings import FILE_SUFFIX, Settings, describe_settings
from documents.types import MAX_DEPTH, MAX_DOCUMENT_BYTES
from scripts.cli import app

ROOT: Final = Path(__file__).parent.parent.parent
GUIDES: Final = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES: Final = [*GUIDES, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs" / "decisions").glob("*.md"))]
NOT_SETTINGS: Final = {"SHEAF_", "SHEAF_MONGO_PASSWORD", "SHEAF_MONGO_ROOT_PASSWORD", "SHEAF_BENCH_RESTHEART"}
"""All of them, and what only compose.yaml and the benchmark read."""

_FENCE: Final = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_LINK: Final = re.compile(r"\]\((?P<target>[^)\s]+)\)")
_HEADING: Final = re.compile(r"^#+ (?P<title>.+)$", re.MULTILINE)
_INLINE: Final = re.compile(r"`(?P<code>[^`\n]+)`")
_CODE: Final = re.compile(r"[a-z]+(-[a-z]+)+")
_QUOTED_CODE: Final = re.compile(r"\"([a-z]+(?:-[a-z]+)+)\"")


def text_of(name: str) -> str:
    return (ROOT / "docs" / name).read_text("utf-8")


def prose_of(page: Path) -> str:
    """Return a page without its code blocks."""
    return _FENCE.sub("", page.read_text("utf-8"))


def rows_of(text: str, heading: str) -> list[list[str]]:
    """Return the cells of the first table below a heading, without its head."""
    section = re.split(rf"^#+ {re.escape(heading)}$", text, maxsplit=1, flags=re.MULTILINE)[1]
    tables = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)
    assert tables, heading
    return [re.split(r"(?<!\\) \| ", line.strip("| \n")) for line in tables[0].splitlines()[2:]]


def names_in(rows: Iterable[list[str]], column: int = 0) -> list[str]:
    """Return what stands in backticks in one column, in order."""
    return [found["code"] for row in rows for found in _INLINE.finditer(row[column])]


def inline_code(page: Path) -> Iterator[str]:
    yield from (found["code"] for found in _INLINE.finditer(prose_of(page)))


def slug(title: str) -> str:
    """Return the anchor that GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def test_every_setting_is_documented_as_it_is() -> None:
    documented = [
        (row[0].strip("`"), row[1].strip("`"), row[2]) for row in rows_of(text_of("operations.md"), "Settings")
    ]
    assert documented == describe_settings()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_setting_is_made_up(page: Path) -> None:
    mentioned = {name.removesuffix(FILE_SUFFIX) for name in re.findall(r"SHEAF_[A-Z_]*", page.read_text("utf-8"))}
    assert mentioned - {variable for variable, _, _ in describe_settings()} <= NOT_SETTINGS


def test_every_error_code_is_documented_with_its_status() -> None:
    documented = [(int(row[0]), row[1].strip("`")) for row in rows_of(text_of("api.md"), "Errors")]
    assert documented == sorted((problem.status.value, error.code) for error, problem in PROBLEMS.items())


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_no_code_is_made_up(page: Path) -> None:
    sources = [path.read_text("utf-8") for part in ("api", "documents") for path in (ROOT / part).rglob("*.py")]
    known = {code for source in sources for code in _QUOTED_CODE.findall(source)}
    mentioned = {code for code in inline_code(page) if _CODE.fullmatch(code)}
    assert mentioned <= known
    linked = set(re.findall(r"/problems/([a-z-]+)", page.read_text("utf-8")))
    assert linked <= {error.code for error in PROBLEMS}


def test_every_route_is_documented_with_what_it_needs_and_no_other() -> None:
    routes = {f"`{route.method} {route.address.replace('{collection}', '{c}')}`": route.actions for route in ROUTES}
    rows = rows_of(text_of("api.md"), "Routes")
    assert {row[0]: "".join(row[2:]) for row in rows} == {
        route: ", ".join(actions) for route, actions in routes.items()
    }


def commands_below(group: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield each command that does something, under the words that call it."""
    for name, command in group.commands.items():
        words = f"{path} {name}"
        if hasattr(command, "commands"):
            yield from commands_below(command, words)
        else:
            yield words, command


COMMANDS: Final = dict(commands_below(cast("Any", typer.main.get_command(app)), "sheaf"))
FLAGS: Final = {
    flag for command in COMMANDS.values() for option in command.params for flag in option.opts if flag.startswith("--")
}


def test_every_command_is_documented_and_no_other() -> None:
    assert names_in(rows_of(text_of("operations.md"), "The command")) == list(COMMANDS)


@pytest.mark.parametrize("words", COMMANDS)
def test_every_flag_is_documented(words: str) -> None:
    guide = text_of("operations.md")
    for option in COMMANDS[words].params:
        assert option.help, f"{words} {option.opts[0]} has no help"
        assert f"`{option.opts[0]}`" in guide, f"{words} {option.opts[0]} is not in operations.md"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_command_and_no_flag_is_made_up(page: Path) -> None:
    for code in inline_code(page):
        command = re.match(r"(?:\.venv/bin/)?(sheaf(?: [a-z]+)*)", code)
        if command and " " in command[1]:
            assert any(words.startswith(command[1]) for words in COMMANDS), code
            assert set(re.findall(r" (--[a-z-]+)", code)) <= FLAGS | {"--help"}, code
        elif code.startswith("--"):
            assert code.split()[0] in FLAGS | {"--help", "--version", "--noscripting"}, code


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in _LINK.finditer(prose_of(page)):
        target, _, anchor = link["target"].partition("#")
        if "://" in target:
            continue
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), link["target"]
        if anchor:
            titles = [found["title"] for found in _HEADING.finditer(_FENCE.sub("", file.read_text("utf-8")))]
            assert anchor in map(slug, titles), link["target"]


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_lines_are_short_enough_to_read(page: Path) -> None:
    lines = prose_of(page).splitlines()
    assert not [line for line in lines if len(line) > 120 and not line.startswith("|")]


def test_the_operators_of_urls_are_documented() -> None:
    assert names_in(rows_of(text_of("api.md"), "Filters in the URL")) == [*parameters.OPERATORS]


def test_the_operators_of_filters_are_documented() -> None:
    known = {*filters.LOGICAL, *operands.OPERATORS, "$not", "$all", "$elemMatch", "$regex", "$options"}
    documented = names_in(rows_of(text_of("api.md"), "Filters in JSON"))
    assert len(documented) == len(set(documented))
    assert set(documented) == known


def test_the_operators_of_updates_are_documented() -> None:
    section = text_of("api.md").partition("The update operators that are known")[2]
    documented = names_in(rows_of("# Known\n" + section, "Known"))
    assert sorted(documented) == sorted(update.OPERATORS)


@pytest.mark.parametrize(
    ("lead", "known"),
    [
        ("These stages are known", [*aggregate.STAGES, "$geoNear", "$text", "$match"]),
        ("These operators are known in expressions", [*expression_operators.OPERATORS]),
        (
            "And these where several documents become one value",
            {**accumulators.ACCUMULATORS, **accumulators.WINDOWED, **accumulators.UNWINDOWED},
        ),
    ],
)
def test_what_pipelines_may_use_is_documented(lead: str, known: Iterable[str]) -> None:
    section = text_of("api.md").partition(lead)[2]
    assert sorted(names_in(rows_of("# Known\n" + section, "Known"), 1)) == sorted(known)


def _default(setting: str) -> Any:
    return Settings.model_fields[setting].default


MIB: Final = 1024 * 1024
LIMITS: Final = {
    "Body": f"{_default('max_body_bytes') // MIB} MiB (`SHEAF_MAX_BODY_BYTES`)",
    "Body of a load": f"{_default('max_upload_bytes') // (1024 * MIB)} GiB (`SHEAF_MAX_UPLOAD_BYTES`)",
    "Body of a load that is waited for": f"{uploads.SMALL_BYTES // MIB} MiB",
    "Record of a load": f"{reading.RECORD_BYTES // MIB} MiB",
    "Name or key of a load": f"{parse_jobs.MAX_NAME} characters",
    "Jobs, or records in quarantine, on a page": f"{parse_jobs.MAX_LISTED}",
    "Records that a replay names": f"{parse_jobs.MAX_IDS:,}",
    f"Weight of a body of {bodies.AWAY_BYTES // 1024} KiB or more": f"{bodies.MAX_WEIGHT:,}",
    "Document": f"{MAX_DOCUMENT_BYTES // MIB} MiB as BSON",
    "Nesting of a document": f"{MAX_DEPTH} levels",
    "`_id` that is a string or binary": f"{ids.MAX_ID_BYTES:,} bytes",
    "Documents or operations in a request": f"{bodies.MAX_OPERATIONS:,}",
    "Operations in a transaction": f"{parse.MAX_TRANSACTION:,}",
    "Documents on a page, rows of an aggregation": f"{plan.MAX_LIMIT:,}",
    "Parameters in a URL": f"{exchange.MAX_PARAMETERS}",
    "First line and headers of a request": f"{server.HEADER_BYTES // 1024} KiB, within {server.HEADER_SECONDS:.0f} s",
    "Operators in a filter": f"{spot.MAX_NODES}",
    "Nesting of a filter": f"{spot.MAX_DEPTH} levels",
    "Values in a list of a filter": f"{operands.MAX_LIST:,}",
    "Values in a filter or pipeline": f"{values.MAX_PARTS:,}",
    "A filter or pipeline, compiled": f"{values.MAX_COMPILED_BYTES // MIB} MiB",
    "Regular expression": f"{regex.MAX_LENGTH} characters",
    "Regular expressions of a filter together": f"{regex_work.MAX_WORK} steps for each character of a text",
    "Search text in `q`": f"{filters.MAX_SEARCH:,} characters",
    "Sort keys": f"{sort.MAX_KEYS}",
    "Fields asked for or left out": f"{projection.MAX_FIELDS}",
    "Sort values at the end of a page": f"{cursor.MAX_CURSOR_BYTES // 1024} KiB",
    "Names in a path": f"{paths.MAX_SEGMENTS}",
    "Fields in the key of an upsert": f"{parse.MAX_KEYS}",
    "Operations in a JSON Patch": f"{patch_shape.MAX_OPERATIONS:,}",
    "What the `copy` operations of a JSON Patch add": f"{json_patch.MAX_COPIED // 1024} KiB",
    "Stages in a pipeline": f"{aggregate.MAX_STAGES}",
    "Nesting of an expression": f"{expression_spot.MAX_DEPTH} levels",
    "Parts of the expressions in a pipeline": f"{expression_spot.MAX_NODES:,}",
    "Loops inside one another in an expression": f"{expression_loops.MAX_NESTED}",
    "Documents that `$sample` takes": f"{aggregate.MAX_SAMPLE:,}",
    "Count of `Prefer: count=bounded`": f"{read.BOUND:,}",
    "Documents that `max-affected` can allow": f"{preferences.MAX_AFFECTED:,}",
    "Time for a request": f"{_default('request_timeout').total_seconds():.0f} s (`SHEAF_REQUEST_TIMEOUT`)",
    "Requests served at once by a process": f"{_default('max_concurrency')} (`SHEAF_MAX_CONCURRENCY`)",
    "Faults that an error lists": f"{problems.MAX_FAULTS}",
}


def test_every_limit_is_documented_as_it_is() -> None:
    assert {row[0]: row[1] for row in rows_of(text_of("api.md"), "Limits")} == LIMITS
