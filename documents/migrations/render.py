"""Writes a revision down: Python source as `ruff format` would have it, with every value exact (pure)."""

import re
import secrets
import textwrap
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Final

from documents.migrations.errors import MigrationError
from documents.migrations.graph import PHASES, Phase
from documents.migrations.literals import INDENT, WIDTH, Imports, Source, call, fold, literal
from documents.migrations.operations import (
    AddField,
    ConvertField,
    IndexOperation,
    Operation,
    RemoveField,
    RenameField,
)
from documents.migrations.proposal import Proposal, Step
from documents.types import MISSING

LONGEST_MESSAGE: Final = 100
LONGEST_SLUG: Final = 40
OPERATIONS: Final = "documents.migrations.operations"
COMMENTED: Final = "# ruff: noqa: ERA001  # what is held back is written as comments"

COUNTED: Final[Mapping[type, tuple[str, str]]] = {
    AddField: ("lacks it", "lack it"),
    RemoveField: ("has it", "have it"),
    RenameField: ("has it", "have it"),
    ConvertField: ("can be converted", "can be converted"),
}
"""What is true of the documents that an operation touches, of one and of several."""


class InvalidMessageError(MigrationError):
    """The message of a revision cannot stand in the first line of its file."""

    code = "invalid-message"


def new_id(taken: Iterable[str] = ()) -> str:
    """Return 12 random hex digits that no other revision has."""
    known = set(taken)
    while True:
        candidate = secrets.token_hex(6)
        if candidate not in known:
            return candidate


def file_name(revision: str, message: str) -> str:
    """Return the name of a revision's file: its id, and words of its message in ASCII."""
    plain = unicodedata.normalize("NFKD", message).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z0-9]+", plain)
    slug = ""
    for word in words:
        longer = f"{slug}_{word}" if slug else word[:LONGEST_SLUG]
        if len(longer) > LONGEST_SLUG:
            break
        slug = longer
    return f"{revision}_{slug or 'revision'}.py"


def render_revision(message: str, revision: str, after: Sequence[str], proposal: Proposal) -> str:
    """Return the source of a revision.

    Args:
        message: What it is for, in a line of at most 100 characters.
        revision: Its id.
        after: The ids of its parents.
        proposal: Its operations. Those that are held back become comments, each with its reason.

    Raises:
        InvalidMessageError: The message does not fit into one line.
        TypeError: An operation has a value that has no source, such as a function.
    """
    used, needed = Imports(), Imports()
    phases = [line for phase in PHASES for line in _phase(phase, proposal.of(phase), used, needed)]
    lacking = needed.lines(beyond=used)
    sections = [
        [f'"""{_sentence(message)}"""'],
        [COMMENTED] if proposal.held_back else [],
        used.lines(),
        [line for remark in proposal.remarks for line in _comment(remark)],
        [*_comment("For what is held back:"), *(f"# {line}" for line in lacking if line)] if lacking else [],
        [f'revision = "{revision}"', *fold(_parents(after), "after = ")],
        phases,
    ]
    return "\n\n".join("\n".join(section) for section in sections if section) + "\n"


def render_operation(operation: Operation) -> str:
    """Return the source of one operation in one line."""
    return _source(operation, Imports()).flat()


def count_in_words(step: Step) -> str:
    """Return how many documents a step would touch, as a sentence; empty for an index."""
    if isinstance(step.operation, IndexOperation):
        return ""
    if step.documents is MISSING:
        return "Not counted: no database was at hand."
    if not isinstance(step.documents, int):
        return "Counting the documents took too long."
    one, several = COUNTED.get(type(step.operation), ("matches", "match"))
    return f"1 document {one}." if step.documents == 1 else f"{step.documents:,} documents {several}."


def _sentence(message: str) -> str:
    """Return a message as the first line of a docstring."""
    text = message.strip()
    width = sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
    if not text or width > LONGEST_MESSAGE or not text.isprintable():
        raise InvalidMessageError(f"Say what the revision is for in one line of at most {LONGEST_MESSAGE} characters.")
    if '"""' in text or "\\" in text:
        raise InvalidMessageError("A message has no backslashes and no three quotes in a row.")
    text = text[0].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _parents(after: Sequence[str]) -> Source:
    return Source("(", tuple(("", Source(f'"{parent}"')) for parent in after), ")")


def _phase(phase: Phase, steps: Sequence[Step], used: Imports, needed: Imports) -> list[str]:
    """Return the lines of a phase. A comment keeps its lines apart, so they are written folded then."""
    lines: list[str] = []
    active: list[tuple[str, Source]] = []
    for step in steps:
        if step.held_back is not None:
            told = " ".join(filter(None, ["Held back:", step.held_back, count_in_words(step)]))
            lines += _comment(told, INDENT) + _commented(_source(step.operation, needed))
            continue
        source = _source(step.operation, used)
        active.append(("", source))
        lines += _comment(step.note, INDENT) if step.note else []
        lines += fold(source, after=",", indent=INDENT)
    flat = Source("(", tuple(active), ")")
    if len(active) == len(steps) and not any(step.note for step in steps):
        return fold(flat, f"{phase} = ")
    return [f"{phase} = (", *lines, ")"]


def _commented(source: Source) -> list[str]:
    begin = f"{INDENT}# "
    return [begin + line for line in fold(source, after=",")]


def _comment(text: str, indent: str = "") -> list[str]:
    begin = f"{indent}# "
    return textwrap.wrap(
        text, WIDTH, initial_indent=begin, subsequent_indent=begin, break_long_words=False, break_on_hyphens=False
    )


def _source(operation: Operation, imports: Imports) -> Source:
    name = imports.use(OPERATIONS, type(operation).__name__)
    arguments, named = _arguments(operation)
    written = {key: literal(value, imports) for key, value in named.items()}
    return call(name, [literal(value, imports) for value in (operation.collection, *arguments)], **written)


def _arguments(operation: Operation) -> tuple[list[object], dict[str, object]]:
    """Return what follows the collection, by place and by name; defaults are left out."""
    placed: list[object] = []
    named: dict[str, object] = {}
    for each in fields(operation)[1:]:
        value: object = getattr(operation, each.name)
        if each.name == "back":
            named |= {} if value is None else {each.name: value}
        elif each.name != "options" or value:
            placed.append(value)
    return placed, named
