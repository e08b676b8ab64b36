"""What `sheaf indexes` shows: plans, duplicates and advice, and the commands that would mend things."""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rich.markup import escape
from rich.table import Table

from documents.errors import DuplicateValuesError
from documents.indexes.advise import Advice, Verdict, model_line
from documents.indexes.changes import Action, IndexChange, IndexPlan
from documents.indexes.spec import to_json
from scripts.console import MESSAGES, RESULTS, print_table

ALL_THERE: Final = "Every declared index is there."


def show_plans(plans: Mapping[str, IndexPlan]) -> None:
    """Show what is to be done, and what is not as declared."""
    table = Table("Collection", "Index", "Action", "Why")
    for name, plan in plans.items():
        for change in plan.changes:
            if change.action is not Action.KEEP:
                action = f"{change.action} (blocked)" if change.blocked else str(change.action)
                table.add_row(name, escape(change.name), action, escape(_reason(change)))
    if table.row_count:
        print_table(table)
    if all(plan.is_empty for plan in plans.values()):
        MESSAGES.print(ALL_THERE)


def _reason(change: IndexChange) -> str:
    differences = ", ".join(
        f"{item.option}: {_said(item.actual)} -> {_said(item.declared)}" for item in change.differences
    )
    return " ".join(filter(None, (differences and f"{differences}.", change.blocked, change.note)))


def _said(value: object) -> str:
    return "none" if value is None else json.dumps(to_json(value))


def mending_command(plans: Mapping[str, IndexPlan], flags: Sequence[str] = ()) -> str:
    """Return the command that would do all that is not as declared, what is blocked included.

    Args:
        plans: By collection.
        flags: That it should have, too.
    """
    needed = [
        word
        for name, plan in plans.items()
        for change in plan.blocked
        for permission in change.needs
        for word in (f"--{permission.replace('_', '-')}", f"{name}.{change.name}")
    ]
    return shlex.join(["sheaf", "indexes", "apply", *flags, *needed])


def show_duplicates(collection: str, error: DuplicateValuesError) -> None:
    """List documents that stand in the way of unique indexes."""
    for index, groups in error.groups.items():
        table = Table("Key", "Documents", "Some of their ids", title=f"{collection}.{index}: equal values")
        for group in groups:
            ids = ", ".join(_compact(value) for value in group.get("ids", ()))
            table.add_row(escape(_compact(group["key"])), str(group.get("count", "2 or more")), escape(ids))
        print_table(table)


def duplicates_to_dict(error: DuplicateValuesError) -> dict[str, Any]:
    """Return the same for JSON."""
    return {index: [to_json(dict(group)) for group in groups] for index, groups in error.groups.items()}


def _compact(value: object) -> str:
    return json.dumps(to_json(value), ensure_ascii=False)


def show_advice(advice: Mapping[str, Sequence[Advice]]) -> None:
    """Show what to consider, each with what speaks for it and what to do."""
    nothing = True
    for collection, several in advice.items():
        for one in several:
            nothing = False
            RESULTS.print(f"[bold]{collection}[/bold]: {_headline(one)}", soft_wrap=True)
            for line in (one.why, *remedies(collection, one)):
                RESULTS.print(f"  {escape(line)}", soft_wrap=True)
    if nothing:
        MESSAGES.print("Nothing to advise.")


def _headline(advice: Advice) -> str:
    name = escape(advice.name)
    return {
        Verdict.MISSING: f"[yellow]{name} is missing[/yellow]",
        Verdict.UNUSED: f"[yellow]{name} is not used[/yellow]",
        Verdict.TOO_YOUNG: f"[dim]{name} is too young to tell[/dim]",
    }[advice.verdict]


def remedies(collection: str, advice: Advice) -> Iterator[str]:
    """Yield what could be done, in the order in which to do it."""
    target = shlex.quote(f"{collection}.{advice.name}")
    if advice.verdict is Verdict.MISSING:
        yield f"In a model: {model_line(advice.keys)}"
        body = json.dumps({"indexes": [{"keys": dict(advice.keys)}]})
        yield f"Without a model: PUT /v1/{collection}:indexes {body}"
    elif advice.verdict is Verdict.UNUSED and advice.is_declared:
        yield "Write hidden=True into its model and apply that. If nothing becomes slower, take it out of the model and"
        yield f"drop it: sheaf indexes apply --drop {target}"
    elif advice.verdict is Verdict.UNUSED:
        if not advice.is_hidden:
            yield f"Hide it first, and wait whether anything becomes slower: sheaf indexes apply --hide {target}"
        yield f"Then drop it: sheaf indexes apply --drop {target}"
