"""What `sheaf migrate` prints of plans and states, for people."""

from collections.abc import Iterable, Mapping, Sequence

from rich.markup import escape
from rich.table import Table

from documents.migrations.graph import RevisionGraph
from documents.migrations.plan import OperationPlan, RevisionPlan
from documents.migrations.records import Record
from documents.migrations.state import MigrationState
from scripts.console import MESSAGES, RESULTS, print_table

NOTHING_PENDING = "Nothing is pending."


def show_plans(plans: Sequence[RevisionPlan]) -> None:
    """Print what an upgrade would do."""
    for plan in plans:
        RESULTS.print(f"[bold]{plan.revision.id}[/bold] {escape(plan.revision.message)} [dim]({plan.state})[/dim]")
        table = Table("Phase", "Collection", "What", "Documents", "Worth knowing", box=None, pad_edge=False)
        for operation in plan.operations:
            table.add_row(
                operation.phase,
                escape(operation.collection),
                escape(operation.does),
                _documents(operation),
                escape(" ".join(_notes(operation))),
            )
        if table.row_count:
            print_table(table)
    if not plans:
        MESSAGES.print(NOTHING_PENDING)


def _documents(operation: OperationPlan) -> str:
    if operation.index is not None:
        return f"{operation.index}, {operation.size:,} to scan" if operation.index == "create" else operation.index
    counted = "?" if operation.documents is None else f"{operation.documents:,}"
    return f"{counted} of {operation.size:,}"


def _notes(operation: OperationPlan) -> Iterable[str]:
    yield from operation.notes
    if operation.duplicates:
        keys = "; ".join(_group(group) for group in operation.duplicates[:3])
        yield f"Equal values stand in the way, such as {keys}."
    if operation.unconvertible:
        yield f"{operation.unconvertible:,} cannot be converted and stay as they are."
    if operation.documents is None and operation.index is None:
        yield "Counting took too long."
    if operation.scans and operation.size:
        yield "Looks through the whole collection."
    if not operation.is_reversible:
        yield "There is no way back."


def _group(group: Mapping[str, object]) -> str:
    return f"{group['key']} in {group['count']} documents"


def show_troubles(state: MigrationState) -> None:
    """Print what is not as it should be, and the command that mends it."""
    table = Table("State", "Revision", "To mend it", box=None, pad_edge=False)
    for word, revision, mend in state.troubles():
        table.add_row(word, escape(revision), escape(mend))
    if table.row_count:
        print_table(table)
    else:
        MESSAGES.print("Every revision is applied.")
    if state.holder is not None:
        holder = state.holder
        MESSAGES.print(
            escape(f"{holder.purpose}: process {holder.pid} on {holder.host}, since {holder.since:%H:%M:%S}")
        )


def show_history(graph: RevisionGraph, records: Mapping[str, Record]) -> None:
    """Print every revision, the first one first, and what became of it."""
    table = Table("Revision", "State", "Finished", "Took", "Message", box=None, pad_edge=False)
    gone = [record for record in records.values() if record.revision not in graph]
    rows = [(each.id, each.message, records.get(each.id)) for each in graph.revisions]
    for name, message, record in [*rows, *((record.revision, record.message, record) for record in gone)]:
        table.add_row(name, *_of_record(record, is_gone=name not in graph), escape(message))
    if table.row_count:
        print_table(table)
    else:
        MESSAGES.print("There are no revisions.")
    for record in records.values():
        for error in filter(None, (record.error, record.rollback_error)):
            RESULTS.print(f"{record.revision}: {escape(error)}")


def _of_record(record: Record | None, *, is_gone: bool) -> tuple[str, str, str]:
    if record is None:
        return "pending", "", ""
    state = " ".join(
        filter(None, (str(record.state), "(stamped)" if record.is_stamped else "", "(file gone)" if is_gone else ""))
    )
    finished = "" if record.finished is None else f"{record.finished:%Y-%m-%d %H:%M:%S}"
    return state, finished, "" if record.is_stamped else f"{record.duration_ms / 1000:.1f} s"


def show_revisions(graph: RevisionGraph, revisions: Iterable[str], *, none: str) -> None:
    """Print some revisions, one a line."""
    shown = [f"{each} {escape(graph[each].message)}" for each in revisions]
    for line in shown:
        RESULTS.print(line)
    if not shown:
        MESSAGES.print(none)
