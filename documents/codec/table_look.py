"""What the first bytes of a table show of its dialect, by plain rules; and where they leave it open.

A setting that was given is not looked for. Each rule either is certain or leaves a doubt, which says in a sentence what
it saw and which setting ends it. Nothing is loaded on a doubt that nobody has accepted.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from documents.codec.compressed import inflate_head
from documents.codec.csv_columns import Cells, Column, infer_type
from documents.codec.csv_reader import CsvReader, HeaderError, check_names
from documents.codec.csv_rows import Quoting, Rows
from documents.codec.dialect import Dialect, FirstRow
from documents.codec.encodings import find_encoding
from documents.codec.header import fix_names
from documents.codec.options import ReadOptions
from documents.codec.records import Cut, Record
from documents.codec.transcode import make_transcoder
from documents.types import Document

ROWS: Final = 200
SHOWN: Final = 3
DELIMITERS: Final = (",", ";", "\t", "|")
CERTAIN: Final = 0.9
"""Share of rows that must have as many cells as the first one has."""

_MOST: Final = 0.5
_MANY: Final = 10
"""Rows from which on it is doubted that most of them are at fault, rather than how they are read."""

_SAMPLE_CHARACTERS: Final = 64 * 1024
_LIMIT: Final = 1024 * 1024
_SEP: Final = re.compile(r"sep=(.)\Z", re.IGNORECASE)
_YEAR: Final = re.compile("(?:1[5-9]|20|21)[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something that the first bytes leave open.

    Args:
        setting: Which settles it.
        detail: What was seen, in a sentence.
    """

    setting: str
    detail: str


@dataclass(frozen=True, slots=True)
class TableLook:
    """What the beginning of a table looks like.

    Args:
        options: As they were, with the settings of the dialect that were found.
        doubts: What is open.
        columns: Of the table, as the first rows have them.
        rows: The first documents.
    """

    options: ReadOptions
    doubts: tuple[Doubt, ...] = ()
    columns: Sequence[Column] = ()
    rows: Sequence[Document] = ()


def look_at_table(head: bytes, options: ReadOptions, delimiter: str) -> TableLook:
    """Return what the beginning of a table looks like.

    Args:
        head: Its first bytes, compressed or not.
        options: How it is to be read, as far as that was said.
        delimiter: The one that its format has by default.

    Raises:
        HeaderError: Its first row gives no names that fields can have. The message says what would do.
        ValueError: An option cannot be meant.
    """
    plain, doubts = inflate_head(head), list[Doubt]()
    told = options.dialect
    encoding, doubt = (told.encoding, None) if told.encoding else find_encoding(plain)
    if doubt:
        doubts.append(Doubt("encoding", doubt))
    text = make_transcoder(encoding).feed(plain).decode(errors="replace").removeprefix("\N{BYTE ORDER MARK}")
    dialect = told.or_else(Dialect(encoding=None if encoding == "utf-8" else encoding, line_end=_line_end(text)))
    dialect = dialect.or_else(_said_in_first_line(text, dialect))
    rows = _Sample(text, dialect)
    dialect = dialect.or_else(rows.find_escape())
    if told.delimiter is None and dialect.delimiter is None:
        found, doubt = rows.find_delimiter(delimiter, dialect)
        dialect = dialect.or_else(Dialect(delimiter=None if found == delimiter else found))
        if doubt:
            doubts.append(Doubt("delimiter", doubt))
    table = rows.split(dialect.or_else(Dialect(delimiter=delimiter)))
    options = replace(options, dialect=dialect)
    if table and options.header is None and dialect.first_row is None and (doubt := _doubt_of_names(table, dialect)):
        doubts.append(Doubt("first_row", doubt))
        dialect = replace(dialect, first_row=FirstRow.DATA)
        options = replace(options, dialect=dialect)
    if table and options.header is None and dialect.first_row in (None, FirstRow.NAMES):
        options, doubt = _settle_names(table[0], options)
        doubts += [doubt] if doubt else []
    return TableLook(options, tuple(doubts), *_read(plain, options, delimiter))


def _line_end(text: str) -> str | None:
    return "\r" if "\r" in text and "\n" not in text else None


def _said_in_first_line(text: str, dialect: Dialect) -> Dialect:
    """Return the delimiter that a line such as `sep=;` names, as spreadsheets write it."""
    first = text.partition(dialect.line_end or "\n")[0].rstrip("\r")
    said = _SEP.match(first)
    return Dialect(delimiter=said[1], skip=1) if said else Dialect()


class _Sample:
    """The first rows of a text, under one dialect or another."""

    def __init__(self, text: str, dialect: Dialect) -> None:
        self._lines = text[:_SAMPLE_CHARACTERS]
        self._line_end = dialect.line_end or "\n"
        self._skip = dialect.skip or 0

    def split(self, dialect: Dialect) -> list[list[str]]:
        """Return the cells of the first rows that are whole."""
        quote = '"' if dialect.quote is None else dialect.quote
        quoting = Quoting(dialect.delimiter or ",", quote, dialect.escape or "")
        rows = Rows(quoting, _LIMIT, self._line_end.encode())
        found = [
            quoting.split(row.raw.decode(errors="replace"))
            for row in [*rows.feed(self._lines.encode()), *rows.end()]
            if row.line > self._skip and row.is_quoted_well and not isinstance(row.raw, Cut)
        ]
        is_cut = len(self._lines) == _SAMPLE_CHARACTERS
        return found[: -1 if is_cut else None][:ROWS]

    def find_escape(self) -> Dialect:
        """Return the dialect in which a backslash takes the meaning of a quote, if more rows are whole in it."""
        if '\\"' not in self._lines:
            return Dialect()
        escaped = Dialect(escape="\\")
        return escaped if len(self.split(escaped)) > len(self.split(Dialect())) else Dialect()

    def find_delimiter(self, usual: str, dialect: Dialect) -> tuple[str, str | None]:
        """Return what seems to separate cells, and what is doubtful about it."""
        fits = {each: _evenness(self.split(replace(dialect, delimiter=each))) for each in (*DELIMITERS, " ")}
        space = fits.pop(" ")
        usable = {each: fit for each, fit in fits.items() if fit.cells > 1}
        if not usable:
            return _without(usual, fits, space)
        best = max(usable, key=lambda each: (usable[each].share, each == usual, usable[each].cells))
        fit = usable[best]
        rivals = [each for each in usable if each != best and usable[each].share >= CERTAIN]
        if best == usual and not rivals and (fit.share >= _MOST or fit.rows < _MANY):
            return best, None  # rows that are uneven are put aside one by one
        if fit.share < CERTAIN:
            return (
                best,
                f"{fit.share:.0%} of the first rows have as many cells as the first one, separated by {name_of(best)}.",
            )
        if rivals and best != usual:
            return best, f"{name_of(best)} and {name_of(rivals[0])} separate cells of the first rows equally well."
        return best, None


@dataclass(frozen=True, slots=True)
class _Fit:
    cells: int
    share: float
    others: float
    """Share of the rows behind the first that have several cells."""
    rows: int = 0
    """How many are behind the first."""


def _evenness(rows: Sequence[Sequence[str]]) -> _Fit:
    if not rows:
        return _Fit(0, 0, 0)
    cells, counts = len(rows[0]), Counter(map(len, rows[1:]))
    total = max(len(rows) - 1, 1)
    several = sum(count for length, count in counts.items() if length > 1)
    return _Fit(cells, counts[cells] / total if len(rows) > 1 else 1.0, several / total, len(rows) - 1)


def _without(usual: str, fits: dict[str, _Fit], space: _Fit) -> tuple[str, str | None]:
    """Return the delimiter of a table whose first row is one cell under each that is known."""
    hidden = next((each for each, fit in fits.items() if fit.others >= _MOST), None)
    if hidden:
        return (
            usual,
            f"The first line is one cell, and the lines behind it have several, separated by {name_of(hidden)}.",
        )
    if space.cells > 1 and space.share >= CERTAIN:
        return " ", f"No delimiter is in the first line, and blanks would make {space.cells} cells of each line."
    return usual, None


def name_of(delimiter: str) -> str:
    """Return what a delimiter is called."""
    return {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe", " ": "space"}.get(delimiter, delimiter)


def _doubt_of_names(table: Sequence[Sequence[str]], dialect: Dialect) -> str | None:
    cells = Cells(dialect)
    first = [cell.strip() for cell in table[0]]
    values = [cell for cell in first if cell and infer_type([cell], cells) != "string"]
    if not values or (len(values) < len(first) and all(_YEAR.fullmatch(cell) for cell in values)):
        return None
    return f"The first line may be data already, and no names: it has {values[0]!r}."


def _settle_names(names: Sequence[str], options: ReadOptions) -> tuple[ReadOptions, Doubt | None]:
    """Return the options with which a header can be used, or say why there are none."""
    dialect = options.dialect
    if dialect.fix_header or not (reason := check_names(names, nested=options.nested, any_keys=options.any_keys)):
        return options, None
    if not options.nested and not check_names(names, nested=True):
        nested = replace(options, nested=True)
        dotted = next(name for name in names if "." in name)
        top, _, rest = dotted.partition(".")
        fixed = fix_names([dotted], nested=False)[0]
        doubt = (
            f"Names have dots: nested makes {dotted} the field {rest} of an object {top}, fix_header calls it {fixed}."
        )
        return nested, None if "_id" in names else Doubt("nested", doubt)
    offered = ",".join(fix_names(names, nested=options.nested))
    raise HeaderError(f"{reason} fix_header would call the columns {offered}.")


def _read(plain: bytes, options: ReadOptions, delimiter: str) -> tuple[Sequence[Column], Sequence[Document]]:
    reader = CsvReader(replace(options, dialect=options.dialect.or_else(Dialect(delimiter=delimiter))))
    records: list[Record] = [*reader.feed(plain), *reader.end()]
    rows = [record.document for record in records if record.document is not None]
    return reader.columns or (), rows[:SHOWN]
