"""Mappings: documents changed on their way, by a list of steps that can be kept as text."""

import hmac
from collections.abc import Mapping as MappingOf
from typing import Any, Final, cast

import yaml

from documents.codec.plain import dump
from documents.codec.strict import check_keys, parse_json
from documents.errors import Fault, InputError
from documents.mapping.operations import OPERATIONS, Context, MappingError, MismatchError, Step
from documents.mapping.paths import Path, copied
from documents.types import Document, child

MAX_BYTES: Final = 64 * 1024
MAX_STEPS: Final = 100
NO_CONTEXT: Final = Context()
_HASH: Final = "hash"


class Mapping:
    """Steps that documents are changed by, in their order.

    Args:
        said: The steps as a list of objects with one operation each, or one object with several.

    Raises:
        MappingError: It cannot be meant; the pointer says where.
    """

    def __init__(self, said: object) -> None:
        self.said: Final = said
        told = list(_operations(said))
        if not 1 <= len(told) <= MAX_STEPS:
            raise MappingError(f"A mapping has 1 to {MAX_STEPS} steps.")
        self._steps: Final = [_step(name, value, pointer) for name, value, pointer in told]
        self.needs_key: Final = any(name == _HASH for name, _, _ in told)
        """Whether it needs a key for hashes."""

    def apply(self, document: Document, context: Context = NO_CONTEXT) -> Document | Fault:
        """Return a document as it is afterwards, or what is wrong with it. The one that is given stays as it is."""
        changed: Document = copied(document)
        try:
            for step in self._steps:
                changed = step.apply(changed, context)
        except MismatchError as error:
            return error.fault
        refused = check_keys(changed)
        return refused[0] if refused else changed

    def rewrite(self, document: Document) -> Document:
        """Return a stored document as it is afterwards, for `rewrite` of a revision.

        Raises:
            ValueError: The document cannot be changed by it.
        """
        changed = self.apply(document)
        if isinstance(changed, Fault):
            raise ValueError(f"{changed.pointer or 'The document'}: {changed.detail}")  # noqa: TRY004  # of the data
        return changed

    def types_before(self, types: MappingOf[str, str]) -> dict[str, str]:
        """Return types of fields by the paths that these have before, without those whose values are changed."""
        found = {self._before(tuple(path.split("."))): kind for path, kind in types.items()}
        changed = {path for step in self._steps for path in step.paths}
        return {".".join(path): kind for path, kind in found.items() if path not in changed}

    def to_text(self) -> str:
        """Return it as JSON."""
        return dump(cast("Any", self.said)).decode()

    def _before(self, path: Path) -> Path:
        for step in reversed(self._steps):
            path = step.before(path)
        return path


def read_mapping(text: str) -> Mapping:
    """Return the mapping that a text in YAML says, or in JSON, which is YAML.

    Raises:
        MappingError: It cannot be meant; the detail begins with the line.
    """
    if len(text) > MAX_BYTES:
        raise MappingError(f"A mapping has {MAX_BYTES} characters at most.")
    try:
        root = cast("yaml.Node | None", yaml.compose(text, Loader=yaml.SafeLoader))  # pyright: ignore[reportUnknownMemberType]  # PyYAML has no types of its own
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise MappingError(f"Line {line}: {error.problem or 'this is not YAML'}.") from None
    except (yaml.YAMLError, RecursionError):
        raise MappingError("This is not YAML.") from None
    if root is None:
        raise MappingError("The mapping is empty.")
    lines: dict[str, int] = {}
    said = _value(root, "", lines, set())
    try:
        return Mapping(said)
    except MappingError as error:
        raise MappingError(f"Line {lines.get(error.pointer, 1)}: {error.detail}", error.pointer) from None


def mapping_from_text(text: str) -> Mapping:
    """Return the mapping that `Mapping.to_text` has written, or that somebody wrote as JSON.

    Raises:
        MappingError: It cannot be meant.
    """
    if len(text) > MAX_BYTES:
        raise MappingError(f"A mapping has {MAX_BYTES} characters at most.")
    try:
        said = parse_json(text.encode())
    except (InputError, UnicodeEncodeError) as error:
        raise MappingError(str(error)) from None
    return Mapping(said)


def key_id(hash_key: bytes) -> str:
    """Return what tells one key for hashes from another, and nothing else of it."""
    return hmac.digest(hash_key, b"sheaf: which key is this", "sha256").hex()[:16]


def _operations(said: object) -> list[tuple[str, object, str]]:
    """Return the operations, each with its pointer."""
    steps = cast("list[object]", said) if isinstance(said, list) else [said]
    told: list[tuple[str, object, str]] = []
    for place, step in enumerate(steps):
        pointer = child("", place) if isinstance(said, list) else ""
        if not isinstance(step, dict) or not step:
            raise MappingError("A step is needed here, such as drop: [note].", pointer)
        members = cast("Document", step)
        told += [(name, value, child(pointer, name)) for name, value in members.items()]
    return told


def _step(name: str, value: object, pointer: str) -> Step:
    operation = OPERATIONS.get(name)
    if operation is None:
        raise MappingError(f"There is no operation {name}; there are {', '.join(OPERATIONS)}.", pointer)
    return operation.read(value, pointer)


def _value(node: yaml.Node, pointer: str, lines: dict[str, int], seen: set[int]) -> object:
    """Return what a node of YAML says as JSON would: `no` is a text, and so is a date."""
    line = lines.setdefault(pointer, node.start_mark.line + 1)
    if id(node) in seen:
        raise MappingError(f"Line {line}: aliases are not read.", pointer)
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, child(pointer, place), lines, seen) for place, item in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        return _members(node, pointer, lines, seen)
    text: str = node.value
    if not isinstance(node, yaml.ScalarNode) or node.style is not None:  # in quotes, or a block
        return text
    try:
        return parse_json(text.encode())
    except InputError:
        return None if text in ("", "~") else text


def _members(node: yaml.MappingNode, pointer: str, lines: dict[str, int], seen: set[int]) -> Document:
    members: Document = {}
    for key, item in node.value:
        name: object = key.value
        if not isinstance(name, str) or name in members:
            raise MappingError(f"Line {key.start_mark.line + 1}: a key must be text, and come once.", pointer)
        lines[child(pointer, name)] = key.start_mark.line + 1
        members[name] = _value(item, child(pointer, name), lines, seen)
    return members
