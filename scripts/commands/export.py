"""`sheaf export`: the documents of a collection, as a file or to standard output."""

import os
import sys
import time
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, BinaryIO, Final

import typer
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from documents.access.policy import FULL
from documents.codec.compressed import Compression
from documents.codec.extended import decode_extended
from documents.codec.formats import is_written
from documents.codec.records import Format
from documents.codec.sniff import sniff
from documents.codec.strict import parse_json
from documents.collections.export import Export, ExportPlan, plan_export
from documents.collections.operations import Find, Selection
from documents.database.deadline import Deadline, Running
from documents.errors import InputError, InvalidFilterError
from documents.lifecycle import Store, open_store
from documents.settings import Settings
from scripts.console import MESSAGES, errors_to, print_json
from scripts.exits import BROKEN_PIPE, FAILED, INTERRUPTED
from scripts.options import AsJson, Database, DataDir, MongodbUri, settings_of
from scripts.running import run
from scripts.whole_file import whole_file

BATCH_SECONDS: Final = 300.0
"""Longest that MongoDB may take for one batch: as long as it keeps a snapshot."""

PLAN_SECONDS: Final = 30.0
STANDARD_OUTPUT: Final = Path("-")
_ENDINGS: Final[Mapping[str, Compression]] = {
    ".gz": Compression.GZIP,
    ".zst": Compression.ZSTD,
    ".zstd": Compression.ZSTD,
}


class ExportFileError(Exception):
    """The file cannot be written."""


@dataclass(frozen=True, slots=True)
class _Written:
    """What came of an export."""

    documents: int
    bytes: int
    seconds: float


def export(  # noqa: PLR0913  # each is a flag
    collection: Annotated[str, typer.Argument(help="The collection.", show_default=False)],
    file: Annotated[
        Path, typer.Argument(help="Where to write it; - is standard output. Its ending says in which format.")
    ] = STANDARD_OUTPUT,
    *,
    form: Annotated[
        Format | None,
        typer.Option("--format", help="Its format. \\[that of the ending, else ndjson]", show_default=False),
    ] = None,
    filter_: Annotated[
        str | None, typer.Option("--filter", metavar="JSON", help="Only documents that match.", show_default=False)
    ] = None,
    fields: Annotated[
        str | None, typer.Option(help="Only these fields: name,price; or all but these: -secret.", show_default=False)
    ] = None,
    sort: Annotated[
        str | None, typer.Option(help="In this order: -price,name. \\[as MongoDB finds them]", show_default=False)
    ] = None,
    limit: Annotated[int | None, typer.Option(help="At most so many documents. \\[all]", show_default=False)] = None,
    compress: Annotated[
        Compression | None,
        typer.Option(help="Compress it; not Parquet. \\[as the ending says: .gz, .zst]", show_default=False),
    ] = None,
    guard_formulas: Annotated[
        bool, typer.Option("--guard-formulas", help="In CSV, put ' before text that spreadsheets would run.")
    ] = False,
    unescape: Annotated[
        bool, typer.Option("--unescape", help="In JSON, give keys that a mapping has escaped their own form.")
    ] = False,
    data_dir: DataDir = None,
    mongodb_uri: MongodbUri = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Write the documents of a collection to a file, all as they are at one moment.

    The file gets its name once it is whole; until then it has another one beside it, and Ctrl-C leaves
    nothing behind. Extended JSON and BSON keep every type, so what is read from them is equal. Parquet has
    typed columns; it needs pyarrow: pip install 'sheaf-api[parquet]'.

    Examples:
      sheaf export products products.ndjson
      sheaf export orders orders.csv.gz --fields _id,total --filter '{"total": {"$gt": 100}}'
      sheaf export orders orders.parquet --sort _id
      sheaf export products --format ejson | ssh elsewhere 'cat > products.ejson'
    """
    if as_json and file == STANDARD_OUTPUT:
        raise typer.BadParameter("--json reports on standard output, where the documents go. Name a file.")
    form, compression = form or _form_of(file), compress or _ENDINGS.get(file.suffix.lower())
    if not is_written(form):
        raise typer.BadParameter(f"{form} is only loaded; say another --format.")
    find = Find(collection, Selection(filter=_parse_filter(filter_)), sort=sort, fields=fields, limit=limit)
    operation = Export(find, form, compression, guard_formulas=guard_formulas, unescape=unescape)
    settings = settings_of(data_dir, mongodb_uri, database)
    try:
        written = run(_export(settings, operation, file, as_json=as_json))
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        # Who read it has read enough. Python would fail once more when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(BROKEN_PIPE) from None
    except OSError as error:
        errors_to(ExportFileError(f"{file} cannot be written: {error.strerror}."))
        raise typer.Exit(FAILED) from None
    if as_json:
        told = {"collection": collection, "file": str(file), "format": str(form), "compression": compression}
        print_json(told | {"documents": written.documents, "bytes": written.bytes, "seconds": written.seconds})
    elif file != STANDARD_OUTPUT:
        MESSAGES.print(f"Wrote {written.documents:,} documents to {file}.", markup=False, soft_wrap=True)


def _form_of(file: Path) -> Format:
    if file == STANDARD_OUTPUT:
        return Format.NDJSON
    bare = file.with_suffix("") if file.suffix.lower() in _ENDINGS else file
    form = sniff(b"", bare.name).format
    if form is None:
        raise typer.BadParameter(f"The ending of {file.name} stands for no format; say --format.")
    return form


def _parse_filter(text: str | None) -> object:
    if text is None:
        return None
    try:
        return decode_extended(parse_json(text.encode()), lenient_keys=True)
    except (InputError, UnicodeEncodeError) as error:
        raise InvalidFilterError("--filter is not a filter in JSON.", getattr(error, "faults", ())) from None


async def _export(settings: Settings, operation: Export, file: Path, *, as_json: bool) -> _Written:
    async with open_store(settings) as store:
        plan = await _plan(store, operation)
        if file == STANDARD_OUTPUT:
            return await _write(plan, sys.stdout.buffer, as_json=as_json)
        with whole_file(file) as output:
            return await _write(plan, output, as_json=as_json)


async def _plan(store: Store, operation: Export) -> ExportPlan:
    with Running(Deadline(PLAN_SECONDS), writes=False):
        return await plan_export(store.planner, operation, FULL)


async def _write(plan: ExportPlan, output: BinaryIO, *, as_json: bool) -> _Written:
    began = time.perf_counter()
    size = documents = 0
    with _progress(disable=as_json or not MESSAGES.is_terminal) as progress:
        total = None if progress.disable else await plan.estimate()
        task = progress.add_task(plan.collection, total=total)
        async with aclosing(plan.run(seconds=BATCH_SECONDS)) as pieces:
            async for data, documents in pieces:
                output.write(data)
                size += len(data)
                progress.update(task, completed=documents)
        output.flush()
    return _Written(documents, size, round(time.perf_counter() - began, 3))


class _Rate(ProgressColumn):
    """Documents a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:,.0f}/s", style="dim")


def _progress(*, disable: bool) -> Progress:
    columns = (
        TextColumn("[dim]Exporting {task.description}[/dim]"),
        BarColumn(),
        TextColumn("{task.completed:,}"),
        _Rate(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=MESSAGES, transient=True, disable=disable)
