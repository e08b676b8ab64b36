"""Read `policies.yaml`, and say of each fault in it where it stands."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, cast

import yaml
from pydantic import ValidationError

from documents.access.rules import Policies, Rule
from documents.access.variables import variables_in
from documents.codec.extended import decode_extended
from documents.errors import Fault, InputError, InvalidPolicyError
from documents.query.filter.filter import parse_filter
from documents.query.filter.matching import LOGICAL, OPERATORS
from documents.query.shapes import is_array, is_object
from documents.types import Json, child

MAX_BYTES: Final = 1024 * 1024
_LISTS: Final = frozenset({"$in", "$nin"})
_WHAT: Final = "The policies cannot be used."


def parse_policies(text: str) -> Policies:
    """Return the policies that a YAML text says.

    Raises:
        InvalidPolicyError: With a fault for each thing that is wrong; its detail begins with the line.
    """
    node, content = _load(text)
    lines = _Lines(node)
    try:
        policies = Policies.model_validate(content)
    except ValidationError as error:
        faults = [_fault(lines, tuple(each["loc"]), each["type"], each["msg"]) for each in error.errors()]
        raise InvalidPolicyError(_WHAT, faults) from None
    faults = list(_filter_faults(policies, lines))
    if faults:
        raise InvalidPolicyError(_WHAT, faults)
    return policies


def _load(text: str) -> tuple[yaml.Node | None, object]:
    """Return a YAML text as nodes, which know their lines, and as values."""
    if len(text) > MAX_BYTES:
        raise _malformed(0, f"policies take {MAX_BYTES} characters at most")
    try:
        _refuse_aliases(text)
        node = cast("yaml.Node | None", yaml.compose(text, Loader=yaml.SafeLoader))  # pyright: ignore[reportUnknownMemberType]  # PyYAML has no types of its own
        return node, yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise _malformed(mark.line if mark else 0, error.problem or "not YAML") from None
    except yaml.YAMLError:  # a character that YAML does not allow
        raise _malformed(0, "not YAML") from None


def _malformed(line: int, problem: str) -> InvalidPolicyError:
    return InvalidPolicyError(_WHAT, [Fault("", "malformed", f"Line {line + 1}: {problem}.")])


def _refuse_aliases(text: str) -> None:
    """Refuse aliases, of which a few make a document of any size."""
    for event in yaml.parse(text, Loader=yaml.SafeLoader):  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # PyYAML has no types of its own
        if isinstance(event, yaml.AliasEvent):
            raise _malformed(event.start_mark.line, "aliases are not read")


class _Lines:
    """Where each part of a YAML text stands."""

    def __init__(self, root: yaml.Node | None) -> None:
        self._root = root

    def of(self, location: Sequence[object]) -> int:
        """Return the line of the name of what is at `location`, or of the last part of the way that exists."""
        node, line = self._root, 1
        for name in location:
            key, node = _below(node, name)
            if key is None or node is None:
                break
            line = key.start_mark.line + 1
        return line


def _below(node: yaml.Node | None, name: object) -> tuple[yaml.Node | None, yaml.Node | None]:
    """Return the node that names a part of `node`, and that part."""
    if isinstance(node, yaml.MappingNode):
        return next(((key, member) for key, member in node.value if key.value == str(name)), (None, None))
    if isinstance(node, yaml.SequenceNode) and isinstance(name, int) and name < len(node.value):
        return node.value[name], node.value[name]
    return None, None


def _fault(lines: _Lines, location: Sequence[Any], code: str, message: str) -> Fault:
    shown = [part for part in location if part != "[key]"]
    kebab = code.replace("_", "-")
    return Fault(child("", *shown), kebab, f"Line {lines.of(shown)}: {message.removeprefix('Value error, ')}.")


def _filter_faults(policies: Policies, lines: _Lines) -> Iterator[Fault]:
    """Yield a fault for each filter that is none of the language of policies."""
    for role, rules in policies.roles.items():
        for pattern, rule in rules.items():
            for name, template in _filters(rule):
                location = ("roles", role, pattern, name)
                for pointer, code, detail in _refusals(template):
                    spot = child("", *location) + pointer
                    yield Fault(spot, code, f"Line {lines.of(_tokens(spot))}: {detail}")


def _filters(rule: Rule) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, template in (("rows", rule.rows), ("check", rule.check)):
        if template is not None:
            yield name, template


def _refusals(template: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    try:
        query = parse_filter(decode_extended(cast("Json", _sampled(template)), lenient_keys=True), lambda _: None)
    except InputError as error:
        yield from ((fault.pointer, fault.code, fault.detail) for fault in error.faults)
        return
    for operator in sorted(_operators(query.to_mongo()) - OPERATORS.keys() - LOGICAL.keys()):
        yield "", "unknown-operator", f"{operator} is not for policies. There are {' '.join([*OPERATORS, *LOGICAL])}."


def _sampled(template: object, *, is_list: bool = False) -> object:
    """Return a template with text, or a list where one is needed, in the place of each variable."""
    if isinstance(template, str) and variables_in(template):
        return ["text"] if is_list else "text"
    if is_object(template):
        return {name: _sampled(member, is_list=name in _LISTS) for name, member in template.items()}
    if is_array(template):
        return [_sampled(member) for member in template]
    return template


def _operators(query: object) -> set[str]:
    """Return the names with `$` of a compiled filter; values have none."""
    if is_object(query):
        below = set[str]().union(*map(_operators, query.values()))
        return {name for name in query if name.startswith("$")} | below
    return set[str]().union(*map(_operators, query)) if is_array(query) else set()


def _tokens(pointer: str) -> list[str | int]:
    names = [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]
    return [int(name) if name.isdecimal() else name for name in names]
