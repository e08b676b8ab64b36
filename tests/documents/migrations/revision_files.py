"""Files of revisions, as a person would write them."""

from collections.abc import Sequence
from pathlib import Path

from documents.migrations.graph import RevisionGraph
from documents.migrations.revisions import load_revisions

FIRST, SECOND, THIRD, FOURTH = "0a1b2c3d4e5f", "1a1b2c3d4e5f", "2a1b2c3d4e5f", "3a1b2c3d4e5f"


def write(
    folder: Path,
    revision: str,
    after: Sequence[str] = (),
    *,
    expand: str = "",
    backfill: str = "",
    contract: str = "",
    more: str = "",
) -> Path:
    """Write a revision whose phases are source, such as `AddField("things", "a", 1),`, and return its file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{revision}_step.py"
    path.write_text(
        f'"""Step {revision[0]}."""\n\nfrom documents.migrations.operations import *\n{more}\n'
        f"revision = {revision!r}\nafter = {tuple(after)!r}\n\n"
        f"expand = ({expand})\nbackfill = ({backfill})\ncontract = ({contract})\n",
        "utf-8",
    )
    return path


def load(folder: Path) -> RevisionGraph:
    return load_revisions(folder)
