"""Work on texts in expressions: limits that MongoDB checks when it evaluates them.

MongoDB cannot interrupt an expression. So what a pipeline makes of texts has a limit, what a pattern meets has one,
what is looked for is short, and inside loops texts are short and few operators work on them.
"""

from collections.abc import Mapping
from typing import Any, Final

from documents.query.array_limits import REFUSAL, Limited
from documents.query.pipeline.spot import ExpressionSpot, Read
from documents.query.shapes import is_array, is_object

MAX_MADE: Final = 1024 * 1024
"""Bytes of a text that a pipeline makes, or matches a pattern with."""

MAX_IN_LOOPS: Final = 16 * 1024
"""Bytes of a text that an operator inside a loop works on. A loop with such an operator has at most 10,000 elements."""

MAX_SOUGHT: Final = 1000
"""Bytes of a text that is looked for: MongoDB compares it at every place."""

MAX_OPERATORS: Final = 100
MAX_LOOPED: Final = 20
"""Operators on texts in one pipeline, and how many of them stand inside loops."""

MAX_PATTERNS: Final = 20
LOOPED_STEPS: Final = 100_000
"""Steps of a pattern for one element of a loop."""

GROWING: Final = frozenset({"$concat", "$replaceAll", "$replaceOne"})
PATTERNS: Final = frozenset({"$regexMatch", "$regexFind", "$regexFindAll"})
SOUGHT: Final[Mapping[str, int | str]] = {
    **dict.fromkeys(("$split", "$indexOfBytes", "$indexOfCP"), 1),
    **dict.fromkeys(("$trim", "$ltrim", "$rtrim"), "chars"),
    **dict.fromkeys(("$replaceOne", "$replaceAll"), "find"),
}
"""Which operand an operator looks for."""


class ShortText(Limited):
    """An expression, wrapped in what ends the query where it is too long a text.

    Args:
        text: The expression as it was before.
        most: Bytes that it may have.
    """

    def __init__(self, text: object, most: int) -> None:
        super().__init__(text, most)
        self.clear()
        measured = {"$cond": [{"$eq": [{"$type": "$$text"}, "string"]}, "$$text", ""]}
        limit = {"$cond": [{"$gt": [{"$strLenBytes": measured}, most]}, REFUSAL, "$$text"]}
        self["$let"] = {"vars": {"text": text}, "in": limit}


def short(compiled: object, most: int) -> Any:  # noqa: ANN401  # an expression
    """Return an expression with a limit on its text, where it is not a constant within it."""
    is_short = not isinstance(compiled, str) and not is_object(compiled) and not is_array(compiled)
    if is_short or (isinstance(compiled, str) and not compiled.startswith("$") and len(compiled.encode()) <= most):
        return compiled
    return ShortText(compiled, most)


def on_texts(table: Mapping[str, Read]) -> dict[str, Read]:
    """Return a table of operators on texts, with the limits of this module."""
    return {name: _limiting(name, read) for name, read in table.items()}


def _limiting(name: str, read: Read) -> Read:
    def limiting(operand: object, spot: ExpressionSpot) -> Any:  # noqa: ANN401  # whatever `read` returns
        _count(name, spot)
        compiled = read(operand, spot)
        if name in PATTERNS:
            return compiled
        if name in SOUGHT:
            compiled = _shortened(compiled, SOUGHT[name], MAX_SOUGHT)
        return _all_short(compiled) if spot.loops else compiled

    return limiting


def _count(name: str, spot: ExpressionSpot) -> None:
    compilation = spot.compilation
    compilation.texts += 1
    compilation.patterns += name in PATTERNS
    if compilation.texts > MAX_OPERATORS or compilation.patterns > MAX_PATTERNS:
        detail = f"A pipeline has at most {MAX_OPERATORS} operators on texts, {MAX_PATTERNS} of them with patterns."
        raise spot.refused("too-large", detail)
    if spot.loops:
        # It counts like one more loop, over its text.
        compilation.deepest = max(compilation.deepest, spot.loops + 1)
        compilation.looped += 1
        if compilation.looped > MAX_LOOPED:
            raise spot.refused("too-large", f"At most {MAX_LOOPED} operators on texts stand inside loops.")


def _shortened(compiled: Any, which: int | str, most: int) -> Any:  # noqa: ANN401  # an operand
    if isinstance(which, int) and is_array(compiled):
        return [*compiled[:which], short(compiled[which], most), *compiled[which + 1 :]]
    if is_object(compiled) and which in compiled:
        return {**compiled, str(which): short(compiled[str(which)], most)}
    return compiled


def _all_short(compiled: object) -> Any:  # noqa: ANN401  # an operand
    if is_array(compiled):
        return [short(argument, MAX_IN_LOOPS) for argument in compiled]
    if is_object(compiled) and not isinstance(compiled, Limited) and not next(iter(compiled), "$").startswith("$"):
        return {name: short(member, MAX_IN_LOOPS) for name, member in compiled.items()}
    return short(compiled, MAX_IN_LOOPS)


def limit_made(name: str, compiled: dict[str, Any]) -> dict[str, Any]:
    """Return an operator's expression, with a limit where it could make too long a text."""
    return ShortText(compiled, MAX_MADE) if name in GROWING else compiled
