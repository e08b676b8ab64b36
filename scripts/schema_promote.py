"""Promotion: from a profile to a file with a model, checked against the documents before it is written."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, cast

from rich.markup import escape

from documents.errors import Fault, InvalidParameterError, StoreError
from documents.migrations.drafts import SNAPSHOT
from documents.migrations.snapshot import Snapshot, read_snapshot, take_snapshot, write_snapshot
from documents.models.discovery import ModelError
from documents.profile.contract_rules import ContractRules
from documents.profile.names import OF_DOCUMENTS, class_name, field_name
from documents.profile.promote import render_model
from documents.project.models import load_models
from documents.project.project import Project
from documents.settings import Settings
from scripts.console import MESSAGES, RESULTS
from scripts.schema_source import Scope, Seen, draw_progress

MOST: Final = 100_000
"""Documents up to which all are looked at, unless a flag says otherwise."""


@dataclass(frozen=True, slots=True)
class Promotion:
    """What becomes of a collection.

    Args:
        collection: Name of the collection.
        model: The name of the class.
        file: Where the model is, or would be.
        is_written: Whether it is there.
        seen: What it was written down from.
        left: Rules of its contract that the model does not say.
        snapshot: Where the model was noted for the migrations to come, or why not.
        checked: What the documents are like under it: `checked`, `misfits`, `first`.
    """

    collection: str
    model: str
    file: Path
    is_written: bool
    seen: Seen
    checked: Mapping[str, Any]
    left: Sequence[str] = ()
    snapshot: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the promotion as JSON values."""
        return {
            "collection": self.collection,
            "model": self.model,
            "file": str(self.file),
            "written": self.is_written,
            "notes": list(self.seen.report.notes),
            "rules_left": list(self.left),
            "snapshot": self.snapshot,
            **self.checked,
        }


def choose_name(collection: str) -> str:
    """Return a name for the model of a collection: its own in the singular, in CapWords."""
    return class_name(collection, (), owner="", is_item=True)


def choose_file(project: Project, model: str) -> Path:
    """Return the file of a project that a model of this name goes to."""
    return project.models / f"{field_name(model, (), OF_DOCUMENTS)}.py"


def refuse_overwriting(file: Path, collection: str, *, force: bool) -> None:
    """Return when a model may be written to a file.

    Raises:
        InvalidParameterError: It is there, and nobody said that it may be overwritten, or it is no model of this
            collection at all.
    """
    if not file.exists():
        return
    is_its = f'name = "{collection}"' in file.read_text("utf-8")
    if force and is_its:
        return
    how = "Add --force to overwrite it." if is_its else "It is no model of this collection; choose another --output."
    detail = f"{file} is there already. {how}"
    raise InvalidParameterError(detail, [Fault("", "invalid", detail)])


def render(seen: Seen, model: str, rules: ContractRules) -> str:
    """Return the source of a model.

    Raises:
        InvalidParameterError: There is nothing to write down, or the name cannot be used.
    """
    try:
        if not seen.report.documents:
            raise ValueError(f"{seen.name} has no documents that a model could be written down from.")  # noqa: TRY301  # told like the others
        return render_model(seen.report, name=model, collection=seen.name, rules=rules)
    except ValueError as error:
        raise InvalidParameterError(str(error), [Fault("", "invalid", str(error))]) from error


async def check(source: str, collection: str, output: Path, settings: Settings, scope: Scope) -> Mapping[str, Any]:
    """Load a model in a new process, and return what it finds the documents to be like.

    Raises:
        ModelError: It does not load, another file declares the collection, or the documents cannot be read.
    """
    with TemporaryDirectory(prefix="sheaf-promote-") as folder:
        file = Path(folder, output.name if output.suffix == ".py" else f"{output.name}.py")
        file.write_text(source, "utf-8")  # noqa: ASYNC240  # a small file, and nothing else is under way
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "scripts.model_check", str(file), collection, str(output)),
            env=_environment(settings),
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            with draw_progress(is_silent=scope.is_silent) as bars:
                task = bars.add_task(f"Validating {collection}", total=None)
                async for line in cast("asyncio.StreamReader", process.stdout):
                    said: dict[str, Any] = json.loads(line)
                    if "error" in said:
                        raise ModelError(said["error"])
                    if "result" in said:
                        return said["result"]
                    bars.update(task, completed=said["done"], total=said["total"])
        finally:
            if process.returncode is None and process.stdout is not None and not process.stdout.at_eof():
                await process.communicate()
            await process.wait()
    raise ModelError(f"The model could not be checked: the process that loads it ended with {process.returncode}.")


def _environment(settings: Settings) -> dict[str, str]:
    uri = "" if settings.mongodb_uri is None else settings.mongodb_uri.get_secret_value()
    return {
        **os.environ,
        "SHEAF_DATA_DIR": str(settings.data_dir),
        "SHEAF_DATABASE": settings.database,
        "SHEAF_MONGODB_URI": uri,
        "SHEAF_PROJECT": "" if settings.project is None else str(settings.project),
    }


def note_model(project: Project | None, collection: str, file: Path) -> str | None:
    """Write a new model into the snapshot that migrations start from, and say so; other models stay as they are there.

    Args:
        project: Whose model it is.
        collection: Name of the collection.
        file: Of the model.
    """
    if project is None or file.resolve().parent != project.models.resolve():
        return None
    path = project.migrations / SNAPSHOT
    try:
        found = take_snapshot(load_models(project)).collections[collection]
        known = read_snapshot(path)
        path.parent.mkdir(exist_ok=True)
        write_snapshot(path, Snapshot({**known.collections, collection: found}))
    except (ModelError, StoreError, OSError) as error:
        return f"The snapshot for migrations was not written: {error}"
    return f"Noted in {path}: from now on, sheaf migrate revision --autogenerate finds what changes."


def show_promotion(promotion: Promotion, source: str, *, check_only: bool) -> None:
    """Say what was found, and what comes next."""
    if check_only:
        RESULTS.print(source, markup=False, soft_wrap=True, end="")
    MESSAGES.print(escape(promotion.seen.report.notes[0]), style="dim", soft_wrap=True)
    checked, misfits = promotion.checked["checked"], promotion.checked["misfits"]
    MESSAGES.print(
        f"All {checked:,} documents fit {promotion.model}."
        if not misfits
        else f"[yellow]{misfits:,} of {checked:,} documents do not fit {promotion.model}.[/yellow] The first of them:"
    )
    for misfit in promotion.checked["first"]:
        faults = "; ".join(f"{fault['pointer'] or '(whole)'}: {fault['detail']}" for fault in misfit["faults"])
        MESSAGES.print(f"  {escape(json.dumps(misfit['_id'], ensure_ascii=False))}: {escape(faults)}", soft_wrap=True)
    if promotion.left:
        left = escape("; ".join(promotion.left))
        MESSAGES.print(f"[yellow]Rules of the contract that the model does not say:[/yellow] {left}.", soft_wrap=True)
    if promotion.snapshot:
        MESSAGES.print(escape(promotion.snapshot), soft_wrap=True)
    if promotion.is_written:
        name = escape(promotion.collection)
        MESSAGES.print(f"Written to {escape(str(promotion.file))}.", soft_wrap=True)
        MESSAGES.print(f"Start the server again, and {name} is declared. No document was moved or changed.")
    else:
        MESSAGES.print(f"Nothing was written. It would be {escape(str(promotion.file))}.", soft_wrap=True)
