"""The rules of JSON Schema, as jsonschema-rs tries them on the plain view of a document."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, cast

import jsonschema_rs

from documents.codec.tree import is_heavy
from documents.contracts.grammar import DIALECT, count_trials
from documents.contracts.verdict import RULE_FAILED, Misfit, Mode
from documents.contracts.view import plain_view
from documents.contracts.walk import MAX_MISFITS, is_same
from documents.errors import Fault
from documents.types import MISSING, Document, child

MAX_PATTERN_BYTES: Final = 256 * 1024
"""What a regular expression may take once it is compiled. The engine knows no backtracking, so it takes linear time."""

_SHOWN: Final = (str, int, float, bool)
MAX_SHOWN: Final = 60
MAX_TRIALS: Final = 400_000
"""What the rules may have to do for one document: its values, and a 64th of its text, times the schemas and the choices
of an `enum` that each may be tried against. jsonschema-rs is one call, during which nothing else runs; it takes some
0.1 to 0.5 µs for each."""


class UnusableSchemaError(Exception):
    """jsonschema-rs cannot compile a schema. `path` leads to what is wrong with it."""

    def __init__(self, message: str, path: Sequence[str | int]) -> None:
        super().__init__(message)
        self.path = tuple(path)


class Rules:
    """A compiled schema.

    Args:
        schema: Whose references all lead to its own definitions; others are never fetched.

    Raises:
        UnusableSchemaError: It is none.

    Source:
        jsonschema-rs, `Draft202012Validator`.
    """

    def __init__(self, schema: Any) -> None:  # noqa: ANN401  # a schema
        self._schema = schema
        self._validator = _compiled(schema)
        self._most = MAX_TRIALS // count_trials(schema)

    def is_too_much(self, document: object) -> bool:
        """Say whether it would take too long to try the rules on a document."""
        return is_heavy(document, self._most)

    def hold(self, document: object) -> bool:
        """Say whether a document keeps to the rules."""
        return self._validator.is_valid(plain_view(document))

    def misfits(self, document: Document, before: Document | None, mode: Mode) -> list[Misfit]:
        """Return which rules a document breaks, without those that it broke before in what has stayed the same."""
        found: list[Misfit] = []
        for error in self._validator.iter_errors(plain_view(document)):
            place = error.instance_path
            if before is None or not place or not is_same(_at(document, place), _at(before, place)):
                rule = child("", *error.schema_path)
                found.append(Misfit(child("", *place), RULE_FAILED, self._detail(error), "rules", mode, rule))
                if len(found) >= MAX_MISFITS:
                    break
        return found

    def _detail(self, error: jsonschema_rs.ValidationError) -> str:
        """Say what the rule is. The library's own message would quote the value, which may be another user's."""
        wanted = _at(self._schema, error.schema_path)
        says = f": {wanted!r}" if isinstance(wanted, _SHOWN) and len(repr(wanted)) <= MAX_SHOWN else ""
        return f"The contract's rule {child('', *error.schema_path)} does not hold{says}."


def name_test(patterns: Mapping[str, Any]) -> Callable[[str], bool]:
    """Return the test whether a name matches one of the patterns of `patternProperties`."""
    return _compiled({"anyOf": [{"pattern": pattern} for pattern in patterns]}).is_valid


def find_meta_faults(schema: object, pointer: str) -> list[Fault]:
    """Return where a schema is not one, as the meta-schema of JSON Schema 2020-12 has it."""
    found = {
        child(pointer, *error.instance_path): Fault(
            child(pointer, *error.instance_path), "not-a-schema", f"Not as JSON Schema has it: {_reason(error)}"
        )
        for error in _meta().iter_errors(cast("Any", schema))
    }
    return list(found.values())[:MAX_MISFITS]


@lru_cache(maxsize=1)
def _meta() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator({"$ref": DIALECT}, offline=True)


def _compiled(schema: Any) -> jsonschema_rs.Draft202012Validator:  # noqa: ANN401  # a schema
    try:
        return jsonschema_rs.Draft202012Validator(
            schema,
            offline=True,
            validate_formats=True,
            ignore_unknown_formats=False,
            pattern_options=jsonschema_rs.RegexOptions(size_limit=MAX_PATTERN_BYTES),
        )
    except jsonschema_rs.ValidationError as error:
        raise UnusableSchemaError(_reason(error), error.instance_path) from None


def _reason(error: jsonschema_rs.ValidationError) -> str:
    text = error.message
    return text if len(text) <= 2 * MAX_SHOWN else f"{text[: 2 * MAX_SHOWN]}..."


def _at(value: Any, place: Sequence[str | int]) -> Any:  # noqa: ANN401  # whatever is there
    for token in place:
        try:
            value = value[token]
        except (KeyError, IndexError, TypeError):
            return MISSING
    return value
