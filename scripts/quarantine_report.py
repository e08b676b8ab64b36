"""What `sheaf quarantine` shows: records that were put aside, and what is wrong with them."""

import csv
import io
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.markup import escape
from rich.table import Table

from documents.codec.records import Format
from documents.ingest.jobs import Job
from documents.ingest.quarantine import Quarantined
from scripts.console import RESULTS, print_table, printable
from scripts.ingest_report import ID_WIDTH, id_column

RECORD_WIDTH: Final = ID_WIDTH + 13
"""Of a record's id: its load, and its offset in hexadecimal digits."""

BEGINNING: Final = 60
"""Characters of a record that a list shows."""

_DELIMITERS: Final[Mapping[Format, str]] = {Format.CSV: ",", Format.TSV: "\t"}


def quarantined_to_dict(each: Quarantined) -> dict[str, Any]:
    """Return a record for JSON: its bytes as text if they are, and else in base64."""
    return {
        "id": each.id,
        "collection": each.collection,
        "load": each.job,
        "source": each.source,
        "line": each.line,
        "offset": each.offset,
        "bytes": each.size_bytes,
        "cut": each.is_cut,
        "format": each.form,
        "code": each.code,
        "pointer": each.pointer,
        "detail": each.detail,
        "rule": each.rule,
        "contract_version": each.contract_version,
        "attempts": each.attempts,
        "at": f"{each.at.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z",
        **_raw_to_dict(each.raw),
    }


def _raw_to_dict(raw: bytes) -> dict[str, str]:
    try:
        return {"raw": raw.decode()}
    except UnicodeDecodeError:
        return {"raw_base64": b64encode(raw).decode("ascii")}


def show_quarantined(found: Sequence[Quarantined]) -> None:
    """List records."""
    table = Table(
        id_column("Record", RECORD_WIDTH), "Line", "Code", "Where", "What is wrong", "Begins", box=None, pad_edge=False
    )
    for each in found:
        begins = printable(each.raw[: 4 * BEGINNING].decode(errors="replace"))[:BEGINNING]
        told = (each.id, f"{each.line}", each.code, each.pointer, each.detail, begins)
        table.add_row(*(escape(printable(text)) for text in told))
    print_table(table)


def show_one(each: Quarantined) -> None:
    """Print everything about one record, and below it the record."""
    told = {
        "Record": each.id,
        "Load": each.job,
        "Source": f"{each.source or ''} line {each.line}, byte {each.offset}, {each.size_bytes} bytes of {each.form}",
        "Code": each.code,
        "Where": each.pointer,
        "What is wrong": each.detail,
        "Rule": each.rule or "",
        "Contract": "" if each.contract_version is None else f"version {each.contract_version}",
        "Tried again": f"{each.attempts} times, last {each.at:%Y-%m-%d %H:%M:%S} UTC" if each.attempts else "",
        "Cut": f"only its first {len(each.raw)} bytes were kept" if each.is_cut else "",
    }
    table = Table(box=None, pad_edge=False, show_header=False)
    for word, text in told.items():
        if text:
            table.add_row(word, escape(printable(text)))
    print_table(table)
    RESULTS.print(printable(each.raw.decode(errors="replace"), keep="\n\t"), markup=False, soft_wrap=True)


def header_of(job: Job, form: Format) -> bytes:
    """Return the first line that the records of a table need to be read again; nothing for other formats."""
    if form not in _DELIMITERS or not job.columns:
        return b""
    line = io.StringIO()
    csv.writer(line, delimiter=_DELIMITERS[form], lineterminator="\n").writerow([name for name, _ in job.columns])
    return line.getvalue().encode()
