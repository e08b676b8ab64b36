"""How records are loaded, as flags: the same ones for each command that loads."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, Final

import typer

from documents.codec.csv_columns import parse_columns
from documents.codec.formats import ReadOptions
from documents.codec.records import Format
from documents.ingest.jobs import Mode
from scripts.console import errors_to
from scripts.exits import FAILED
from scripts.ingest_files import IngestFileError, Wanted, read_expectations, read_mapping_file
from scripts.table_flags import PANEL, read_dialect, setting

WANTED: Final = "wanted"


def how_to_load(  # noqa: PLR0913  # each is a flag
    *,
    into: Annotated[
        str, typer.Option(metavar="COLLECTION", help="Where to. It need not be there yet.", show_default=False)
    ],
    mode: Annotated[
        Mode, typer.Option(help="What a record does to the document with its key; insert makes a new one of each.")
    ] = Mode.INSERT,
    on: Annotated[
        str | None,
        typer.Option(
            metavar="FIELD,FIELD",
            help="The key for the other modes: fields that a unique index is over. \\[_id]",
            show_default=False,
        ),
    ] = None,
    form: Annotated[
        Format | None,
        typer.Option("--format", help="Their format. \\[what their content and their names say]", show_default=False),
    ] = None,
    types: Annotated[
        str | None,
        typer.Option(
            metavar="NAME:TYPE,…", help="CSV: types of columns, as price:decimal,when:date.", show_default=False
        ),
    ] = None,
    header: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,NAME", help="CSV: names of the columns, where no line has them.", show_default=False
        ),
    ] = None,
    infer: Annotated[
        bool, typer.Option("--infer", help="CSV: infer the other types from the first rows, and say which.")
    ] = False,
    nested: Annotated[bool, typer.Option("--nested", help="CSV: dots in the names of columns mean objects.")] = False,
    delimiter: Annotated[str | None, setting("delimiter")] = None,
    quote: Annotated[str | None, setting("quote")] = None,
    escape: Annotated[str | None, setting("escape")] = None,
    encoding: Annotated[str | None, setting("encoding")] = None,
    line_end: Annotated[str | None, setting("line_end")] = None,
    skip: Annotated[str | None, setting("skip")] = None,
    first_row: Annotated[str | None, setting("first_row")] = None,
    nulls: Annotated[str | None, setting("nulls")] = None,
    booleans: Annotated[str | None, setting("booleans")] = None,
    thousands: Annotated[str | None, setting("thousands")] = None,
    decimal: Annotated[str | None, setting("decimal")] = None,
    dates: Annotated[str | None, setting("dates")] = None,
    fix_header: Annotated[
        bool,
        typer.Option(
            "--fix-header", help="Give empty, double and dotted names ones that fields can have.", rich_help_panel=PANEL
        ),
    ] = False,
    trim: Annotated[bool, typer.Option("--trim", help="Leave out blanks around cells.", rich_help_panel=PANEL)] = False,
    accept: Annotated[
        bool,
        typer.Option("--accept", help="Read tables as they seem to be, without asking.", rich_help_panel=PANEL),
    ] = False,
    items: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="JSON: the member of an object whose array has the documents, as features in GeoJSON.",
            show_default=False,
        ),
    ] = None,
    sheet: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Excel: the sheet, by its name or its number from 1. \\[the first]", show_default=False
        ),
    ] = None,
    max_bytes: Annotated[
        int | None,
        typer.Option(min=1, help="What a compressed file may hold. \\[anything]", show_default=False),
    ] = None,
    max_bad: Annotated[
        str | None,
        typer.Option(
            metavar="N|N%",
            help="Stop when more records than this are put aside, or more than this share. \\[any number]",
            show_default=False,
        ),
    ] = None,
    mapping: Annotated[
        str | None,
        typer.Option(
            "--map",
            metavar="FILE",
            help="Change each record by this mapping, in YAML: docs/ingest.md.",
            show_default=False,
        ),
    ] = None,
    all_or_nothing: Annotated[
        bool,
        typer.Option("--all-or-nothing", help="Stage the records of a file, and move them in once all of them fit."),
    ] = False,
    expect: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="What the records should be, in YAML or JSON.", show_default=False),
    ] = None,
    max_drift: Annotated[
        str | None,
        typer.Option(
            metavar="N|N%",
            help="Stop when the first records differ from what is there in more fields than this. \\[any number]",
            show_default=False,
        ),
    ] = None,
) -> Wanted:
    """Return what the flags say.

    Raises:
        typer.BadParameter: One of them cannot be meant.
    """
    if on is not None and mode is Mode.INSERT:
        raise typer.BadParameter("--on has no meaning for inserts, which go by no key. Say --mode.")
    given = {
        "delimiter": delimiter,
        "quote": quote,
        "escape": escape,
        "encoding": encoding,
        "line_end": line_end,
        "skip": skip,
        "first_row": first_row,
        "nulls": nulls,
        "booleans": booleans,
        "thousands": thousands,
        "decimal": decimal,
        "dates": dates,
        "fix_header": "true" if fix_header else None,
        "trim": "true" if trim else None,
    }
    options = ReadOptions(
        dialect=read_dialect(given),
        header=_names(header),
        types=_types(types),
        infer=infer,
        nested=nested,
        items=items,
        sheet=sheet,
        max_bytes=max_bytes,
        any_keys=mapping is not None,
    )
    gates = {
        "max_bad": max_bad,
        "max_drift": max_drift,
        "expect": None if expect is None else _expectations(expect),
        "all_or_nothing": all_or_nothing,
    }
    return Wanted(
        into,
        mode,
        _names(on) or ("_id",),
        form,
        options,
        None,
        gates,
        accept=accept,
        mapping=None if mapping is None else read_mapping_file(mapping),
    )


def with_load_flags(work: Callable[..., Any]) -> Callable[..., Any]:
    """Return a command that has these flags, too, and is given what they say as `wanted`."""
    flags = inspect.signature(how_to_load).parameters

    @functools.wraps(work)
    def command(*args: object, **given: object) -> object:
        said: dict[str, Any] = {name: given.pop(name) for name in flags}
        return work(*args, **given, **{WANTED: how_to_load(**said)})

    own = [each for name, each in inspect.signature(work).parameters.items() if name != WANTED]
    words = [each for each in own if each.kind is not inspect.Parameter.KEYWORD_ONLY]
    others = [each for each in own if each.kind is inspect.Parameter.KEYWORD_ONLY]
    signature = inspect.Signature([*words, *flags.values(), *others])
    command.__dict__["__signature__"] = signature
    command.__annotations__ = {name: each.annotation for name, each in signature.parameters.items()}
    return command


def _names(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(name.strip() for name in text.split(","))


def _expectations(name: str) -> str:
    try:
        return read_expectations(name)
    except IngestFileError as error:
        errors_to(error)
        raise typer.Exit(FAILED) from None


def _types(text: str | None) -> dict[str, str]:
    try:
        return {} if text is None else parse_columns(text)
    except ValueError as error:
        raise typer.BadParameter(f"--types: {error}") from None
