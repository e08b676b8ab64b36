"""What `sheaf ingest` says: what became of a load, what one would do, and which there are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.markup import escape
from rich.table import Column, Table

from documents.codec.plain import dump
from documents.database.deadline import Deadline, Running
from documents.errors import Fault
from documents.ingest.batches import Counts, RecordFault
from documents.ingest.ingestion import Ingestion
from documents.ingest.job_report import JobReport
from documents.ingest.jobs import Job, Origin
from documents.ingest.preview import Preview, lesson_to_text
from documents.ingest.quarantine import Chosen, Quarantined
from documents.profile.report import read_profile
from scripts.console import MESSAGES, RESULTS, print_table, printable
from scripts.schema_report import show_table

FIRST: Final = 3
"""Records of each code that are named."""

CODES: Final = 10
ID_WIDTH: Final = 24
LOOK_SECONDS: Final = 60.0
DUPLICATE: Final = "unique-violation"

Aside = Mapping[str, tuple[int, Sequence[RecordFault]]]
"""Of each code, how many records of a load are in quarantine, and the first of them."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of one file.

    Args:
        report: Of its job.
        aside: What is in quarantine of it.
        was_there: Whether it was loaded before, so that nothing was done.
    """

    report: JobReport
    aside: Aside
    was_there: bool = False

    @property
    def unmet(self) -> Sequence[Mapping[str, Any]]:
        """The expectations that its records do not meet."""
        return [finding for finding in self.report.job.findings if not finding["met"]]

    def to_dict(self) -> dict[str, Any]:
        """Return what was loaded as JSON values."""
        return {**self.report.to_dict(), "was_there": self.was_there, "in_quarantine": _counts_of(self.aside)}


async def read_loaded(ingestion: Ingestion, job_id: str, *, was_there: bool = False) -> Loaded:
    """Return what became of a job, as it stands in the database."""
    with Running(Deadline(LOOK_SECONDS), writes=False):
        report = await ingestion.report(job_id)
        return Loaded(report, await _read_aside(ingestion, report.job), was_there)


async def _read_aside(ingestion: Ingestion, job: Job) -> Aside:
    quarantine, collection = ingestion.stores.quarantine, job.load.collection
    aside: dict[str, tuple[int, Sequence[RecordFault]]] = {}
    for _, code, count in await quarantine.counts(collection, job=job.id):
        chosen = Chosen(job=job.id, code=code)
        first = await quarantine.find(collection, chosen, limit=FIRST) if len(aside) < CODES else []
        aside[code] = (count, [_fault_of(each) for each in first])
    return aside


def _fault_of(each: Quarantined) -> RecordFault:
    return RecordFault(each.line, each.offset, Fault(each.pointer, each.code, each.detail))


def _counts_of(aside: Aside) -> dict[str, int]:
    return {code: count for code, (count, _) in aside.items()}


def show_loaded(loaded: Loaded) -> None:
    """Say what became of a file, and what to type next."""
    report, load = loaded.report, loaded.report.job.load
    if loaded.was_there:
        _show_was_there(report)
        return
    verb = "Loaded" if report.state == "done" else report.state.capitalize() + ":"
    source = "records" if load.name is None else load.name
    say(f"{verb} {source} into {load.collection}: {describe_counts(report.books.counts)}.")
    for note in report.job.notes:
        say(note)
    _show_faults(report, loaded.aside)
    for finding in loaded.unmet:
        say(f"Not as expected: {finding['expected']}: {finding['found']}.")
    say(f"The load is {report.job.id}. Next:")
    for command, meaning in _next_steps(report):
        MESSAGES.print(f"  [bold]{escape(command)}[/bold]  {escape(meaning)}", soft_wrap=True)


def _show_was_there(report: JobReport) -> None:
    load, finished = report.job.load, report.job.finished
    when = "" if finished is None else f" on {finished:%Y-%m-%d at %H:%M:%S} UTC"
    say(f"{load.name} is loaded into {load.collection} already: by load {report.job.id}{when}.")
    say(f"That was {describe_counts(report.books.counts)}. Now nothing was written; --again loads it once more.")


def describe_counts(counts: Counts) -> str:
    """Return what became of records, in a line."""
    names = ("inserted", "updated", "unchanged", "deleted")
    ways = [f"{count:,} {name}" for name in names if (count := getattr(counts, name))]
    parts = [f"{counts.received:,} received", f"{counts.written:,} written"]
    if ways and ways != [f"{counts.written:,} inserted"]:
        parts[1] += f" ({', '.join(ways)})"
    if counts.duplicates:
        parts.append(f"{counts.duplicates:,} duplicate{'' if counts.duplicates == 1 else 's'}")
    if counts.quarantined:
        parts.append(f"{counts.quarantined:,} put aside")
    if counts.skipped:
        parts.append(f"{counts.skipped:,} passed over")
    return ", ".join(parts)


def _show_faults(report: JobReport, aside: Aside) -> None:
    if aside:
        say("Put aside, and kept in quarantine:")
        show_codes(aside)
    duplicates = [fault for fault in report.books.faults if fault.fault.code == DUPLICATE]
    if duplicates and report.books.counts.duplicates:
        say("The first duplicates, which were left out:")
        for fault in duplicates[:FIRST]:
            _show_fault(fault)
    if report.books.discarded:
        fields = ", ".join(f"{path} ({count:,})" for path, count in report.books.discarded.items())
        say(f"The contract had these fields left out: {fields}.")


def show_codes(aside: Aside) -> None:
    """Say how many records there are of each code, and name the first of them."""
    for code, (count, first) in aside.items():
        say(f"  {code}: {count:,}")
        for fault in first:
            _show_fault(fault, indent=4)


def _show_fault(fault: RecordFault, *, indent: int = 2) -> None:
    pointer = f"{fault.fault.pointer}: " if fault.fault.pointer else ""
    say(f"{' ' * indent}line {fault.line}: {pointer}{fault.fault.detail}")


def _next_steps(report: JobReport) -> list[tuple[str, str]]:
    job, collection = report.job, report.job.load.collection
    steps: list[tuple[str, str]] = []
    if report.books.counts.quarantined:
        steps.append((f"sheaf quarantine list {collection} --load {job.id}", "shows what was put aside"))
    if job.load.origin is not Origin.QUARANTINE:
        steps.append((f"sheaf schema infer {collection}", "says what the documents look like"))
    if report.books.counts.inserted:
        steps.append((f"sheaf ingest undo {job.id}", "takes back what was inserted"))
    return steps or [(f"sheaf ingest show {job.id}", "shows it again")]


def show_preview(preview: Preview) -> None:
    """Say what a load would do; the profile is the result."""
    load, aside = preview.load, preview.quarantined
    say(
        f"Nothing was written. Of {preview.received:,} records of {load.name}, {preview.valid:,} fit {load.collection}"
        f" as it is now, and {aside.total():,} would be put aside."
    )
    if preview.skipped:
        say(f"{preview.skipped:,} more are passed over, since they are not new.")
    show_codes({code: (count, preview.faults[code]) for code, count in aside.most_common()})
    if preview.drift:
        say(f"The first records differ from what is in {load.collection}: {preview.drift}.")
    if preview.learned:
        say(f"The contract would learn {'; '.join(map(lesson_to_text, preview.learned))}.")
    if preview.discarded:
        fields = ", ".join(f"{path} ({count:,})" for path, count in preview.discarded.most_common())
        say(f"The contract would have these fields left out: {fields}.")
    for before, after in preview.mapped:
        say(f"  {dump(before).decode()}")
        say(f"  → {after.detail if isinstance(after, Fault) else dump(after).decode()}")
    for note in preview.notes:
        say(note)
    if preview.profile.documents:
        show_table(read_profile(preview.profile, population=preview.valid), RESULTS)


def show_total(loads: Sequence[Loaded]) -> None:
    """Say what became of several files together."""
    counts = Counts()
    for each in loads:
        if not each.was_there:
            counts.add(each.report.books.counts)
    there = sum(each.was_there for each in loads)
    before = f"; {there:,} of them loaded before" if there else ""
    say(f"Together {len(loads):,} files: {describe_counts(counts)}{before}.")


def show_jobs(reports: Sequence[JobReport]) -> None:
    """List loads, the newest first."""
    if not reports:
        say("There are no loads.")
        return
    heads = ("State", "Mode", "Into", "Source", "Received", "Written", "Duplicates", "Put aside", "Created")
    table = Table(id_column("Load"), *heads, box=None, pad_edge=False)
    for report in reports:
        job, counts = report.job, report.books.counts
        numbers = (counts.received, counts.written, counts.duplicates, counts.quarantined)
        told = (job.load.mode, job.load.collection, job.load.name or "", *(f"{number:,}" for number in numbers))
        table.add_row(job.id, report.state, *map(escape, told), f"{job.created:%Y-%m-%d %H:%M:%S}")
    print_table(table)


def show_job(loaded: Loaded) -> None:
    """Print everything about one load."""
    report, job = loaded.report, loaded.report.job
    load, pace = job.load, job.pace
    told = {
        "Load": job.id,
        "State": report.state,
        "Into": load.collection,
        "Source": f"{load.name or load.origin} ({load.form})",
        "Mode": load.mode if load.mode == "insert" else f"{load.mode} on {', '.join(load.on)}",
        "Records": describe_counts(report.books.counts),
        "Columns": ", ".join(f"{name} {kind}" for name, kind in job.columns),
        "Created": f"{job.created:%Y-%m-%d %H:%M:%S} UTC",
        "Finished": "" if job.finished is None else f"{job.finished:%Y-%m-%d %H:%M:%S} UTC",
        "Worked on by": "" if job.holder is None else f"process {job.holder.pid} on {job.holder.host}",
        "Waiting": (pace.waiting_for or "") if report.is_open else "",
        "Error": "" if job.error is None else f"{job.error['code']}: {job.error['detail']}",
        "Taken back": ""
        if job.undone is None
        else ", ".join(f"{count:,} {word}" for word, count in job.undone.items()),
        "Notes": " ".join(job.notes),
    }
    table = Table(box=None, pad_edge=False, show_header=False)
    for word, text in told.items():
        if text:
            table.add_row(word, escape(text))
    print_table(table)
    _show_faults(report, loaded.aside)


def show_loads_of(found: Sequence[tuple[Job, bool]]) -> None:
    """List the loads that wrote a document, the first one first."""
    table = Table(id_column("Load"), "Did", "State", "Mode", "Source", "Created", box=None, pad_edge=False)
    for job, is_new in found:
        did = "inserted it" if is_new else "changed it"
        created = f"{job.created:%Y-%m-%d %H:%M:%S}"
        table.add_row(job.id, did, job.state, job.load.mode, escape(job.load.name or ""), created)
    print_table(table)


def id_column(name: str, width: int = ID_WIDTH) -> Column:
    """Return a column of ids, which are typed elsewhere, and so shown whole however narrow the terminal is."""
    return Column(name, min_width=width, no_wrap=True)


def say(text: str) -> None:
    """Say a line, as it is but for what a terminal would obey."""
    MESSAGES.print(printable(text), markup=False, soft_wrap=True)
