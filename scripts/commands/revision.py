"""`sheaf migrate revision` and `sheaf migrate merge`: write a new revision."""

from typing import Annotated, Final, TypeAlias

import typer
from rich.markup import escape

from documents.lifecycle import open_connection
from documents.migrations.drafts import (
    Draft,
    choose_parents,
    count_held_back,
    draft_revision,
    propose,
    write_draft,
)
from documents.migrations.proposal import Proposal
from documents.migrations.render import count_in_words, render_operation
from documents.migrations.revisions import load_revisions
from documents.project.models import load_models
from documents.project.project import find_project
from documents.settings import Settings
from scripts.console import MESSAGES, print_json
from scripts.options import AsJson, Database, DataDir, Folder, MongodbUri, migrations_of, settings_of
from scripts.running import run

BY_HAND: Final = "Fill in the phases with operations of documents/migrations/operations.py, and import each from there."
MERGED: Final = "Joins what was written side by side. It seldom needs operations of its own."

Message: TypeAlias = Annotated[str, typer.Argument(help="What it is for, in one line: “Add a currency to products”.")]


def revision(  # noqa: PLR0913  # each is a flag
    message: Message,
    *,
    autogenerate: Annotated[
        bool,
        typer.Option(
            "--autogenerate", help="Compare the models with snapshot.json, and write down what would follow them."
        ),
    ] = False,
    rename: Annotated[
        list[str] | None,
        typer.Option(
            help="A field that has another name now: products.colour:color. Renamings are never guessed.",
            show_default=False,
        ),
    ] = None,
    after: Annotated[
        list[str] | None, typer.Option(help="Revision that it comes after, when there are several heads.")
    ] = None,
    folder: Folder = None,
    count: Annotated[
        bool, typer.Option("--count/--no-count", help="Ask the database how many documents each held back step is of.")
    ] = False,
    data_dir: DataDir = None,
    mongodb_uri: MongodbUri = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Write a new revision, by hand or from the models. Touches no database; --count only reads.

    What could lose something, or needs a value that the models do not say, is written as a comment with the reason.
    Read the file through before you run it.
    """
    renames = _renames(rename or [])
    if renames and not autogenerate:
        raise typer.BadParameter("--rename goes with --autogenerate.")
    settings = settings_of(data_dir, mongodb_uri, database)
    folder = migrations_of(settings, folder)
    graph = load_revisions(folder)
    parents = choose_parents(graph, after or [])
    if not autogenerate:
        by_hand = Proposal(remarks=(BY_HAND,))
        _write(draft_revision(folder, graph, message, after=parents, proposal=by_hand), as_json=as_json)
        return
    proposal, snapshot = propose(folder, load_models(find_project(settings)), renames)
    if count and proposal.held_back:
        proposal = run(_count(settings, proposal))
    draft = draft_revision(folder, graph, message, after=parents, proposal=proposal, snapshot=snapshot)
    _write(draft, as_json=as_json)


def merge(
    message: Message = "Join the heads",
    heads: Annotated[
        list[str] | None, typer.Argument(help="The revisions to join. All heads.", show_default=False)
    ] = None,
    *,
    folder: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Write a revision that comes after several heads, as two branches leave them. Touches no database."""
    folder = migrations_of(settings_of(None, None, None), folder)
    graph = load_revisions(folder)
    parents = choose_parents(graph, heads) if heads else graph.heads
    if len(parents) < 2:  # noqa: PLR2004  # fewer need no joining
        MESSAGES.print("There is only one head." if parents else "There is no revision yet.")
        if as_json:
            print_json(None)
        return
    merged = Proposal(remarks=(MERGED,))
    _write(draft_revision(folder, graph, message, after=parents, proposal=merged), as_json=as_json)


def _renames(given: list[str]) -> dict[str, str]:
    renames: dict[str, str] = {}
    for each in given:
        source, _, name = each.rpartition(":")
        if not name or "." not in source:
            raise typer.BadParameter(f"{each!r} is no renaming such as products.colour:color.")
        if source in renames:
            raise typer.BadParameter(f"{source} is renamed twice.")
        renames[source] = name
    return renames


async def _count(settings: Settings, proposal: Proposal) -> Proposal:
    async with open_connection(settings) as connection:
        return await count_held_back(connection, proposal)


def _write(draft: Draft, *, as_json: bool) -> None:
    write_draft(draft)
    if as_json:
        print_json(draft.to_dict())
    else:
        _show(draft)


def _show(draft: Draft) -> None:
    if draft.text is None:
        MESSAGES.print(
            "The models are as the snapshot says. Nothing was written."
            if draft.snapshot is None
            else f"No document has to change. Wrote the models of now to {escape(str(draft.snapshot_path))}."
        )
        return
    proposal = draft.proposal
    active = len(proposal.steps) - len(proposal.held_back)
    MESSAGES.print(f"Wrote {escape(str(draft.path))}: {active} operations, {len(proposal.held_back)} held back.")
    for step in proposal.held_back:
        MESSAGES.print(f"  Held back: {escape(render_operation(step.operation))}")
        MESSAGES.print(f"    {escape(' '.join(filter(None, [step.held_back, count_in_words(step)])))}")
    for remark in proposal.remarks:
        MESSAGES.print(f"  {escape(remark)}")
    MESSAGES.print("Read it through. Then: [bold]sheaf migrate plan[/bold]")
