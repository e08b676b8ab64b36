"""Work of a regular expression on a long text: MongoDB cannot interrupt a match, so it grows no faster than the text.

A search begins at every character. A repeat without end takes linear time in all only where no two attempts share its
characters: at the start of the text, or behind a character that it cannot match itself. Some others have an equal
pattern that takes linear time, since a filter asks only whether there is a match, not where:

- A repeat at the very beginning need match no more often than it must: `x*y` is `y`, `[a-z]+@` is `[a-z]@`.
- `foo.*bar` need only be tried from the first `foo` of a line: what follows it includes what follows any later one.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from documents.query.regex.classes import ANY, CLASSES, Chars, chars_of
from documents.query.regex.parser import Assertion, Group, Literal, Node, Repeat, UnsafeRegexError, parse_regex
from documents.query.regex.pattern import all_chars, overlap, size

MAX_WORK: Final = 50
"""Steps for each character of a text, all patterns of a filter together. A step takes 10 to 20 ns."""

MAX_STEPS: Final = 5 * 10**7
"""Steps of one search where the length of the text is bounded instead: half a second to a second."""

NEWLINE: Final = chars_of("\n")
ENDLESS: Final = (
    "It could take too long on a long text: a repeat without end follows what it matches itself. Begin the pattern with"
    " ^, put a character before the repeat that it cannot match, or use .* behind texts of fixed length."
)
COSTLY: Final = "It takes too many steps for each character of a text. Begin it with ^, or shorten it."

Sequence = tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class _State:
    """What is known at one place in a pattern.

    Args:
        before: Characters that can stand before the place; none at the start of the text.
        visits: How often a match can come here, for each character of the text.
        is_once: Whether it comes here once in a text, rather than once for each character.
        work: Steps until here, for each character of the text.
    """

    before: Chars = ANY
    visits: float = 1
    is_once: bool = False
    work: float = 0


@lru_cache(maxsize=256)
def linear_regex(pattern: str, options: str = "") -> tuple[str, float]:
    """Return a pattern that matches the same texts in linear time, and its steps for each character.

    Args:
        pattern: One that `check_regex` lets through. It is returned as it is where that can be.
        options: Any of `i`, `m`, `s`.

    Raises:
        UnsafeRegexError: There is none.
    """
    tree, flags = parse_regex(pattern, options)
    # Where one alternative skips the rest of a line, it skips what others would match there.
    equals = EQUALS if len(tree.alternatives) == 1 else EQUALS_AMONG_OTHERS
    parts = [_linear(alternative, flags, equals) for alternative in tree.alternatives]
    work = max(1, sum(part_work for _, part_work in parts))
    if work > MAX_WORK:
        raise UnsafeRegexError(COSTLY)
    sources = [_source(alternative) for alternative in tree.alternatives]
    if [source for source, _ in parts] == sources:
        return pattern, work
    leading = pattern[: len(pattern) - len("|".join(sources))]
    return leading + "|".join(source for source, _ in parts), work


@lru_cache(maxsize=256)
def longest_text(pattern: str, options: str = "", steps: int = MAX_STEPS) -> int:
    """Return how many bytes a text may have for a search with the pattern as it stands."""
    tree, flags = parse_regex(pattern, options)
    degree = max(1 + _endless(_trimmed(alternative), flags) for alternative in tree.alternatives)
    return max(1, int((steps / size(tree)) ** (1 / degree)))


def searched(pattern: str, options: str, steps: int, *, is_match: bool) -> tuple[str, int]:
    """Return a pattern to search for, and how many bytes a text may have for it to take so many steps.

    Where only a match is asked for, it is the equal that takes linear time, if there is one.
    """
    if is_match:
        with suppress(UnsafeRegexError):
            linear, work = linear_regex(pattern, options)
            return linear, int(steps / work)
    return pattern, longest_text(pattern, options, steps)


def _endless(sequence: Sequence, flags: str) -> int:
    """Count the repeats without end, an anchored first one apart."""
    count = sum(_endless_in(node) for node in sequence)
    is_anchored = bool(sequence) and _is_start(sequence[0], flags)
    return max(count - is_anchored, 0)


def _endless_in(node: Node) -> int:
    match node:
        case Literal() | Assertion():
            return 0
        case Repeat():
            return (node.most is None or node.most - node.least > 1) + _endless_in(node.node)
        case Group():
            return max(sum(map(_endless_in, sequence)) for sequence in node.alternatives)


def _linear(sequence: Sequence, flags: str, equals: "tuple[Equal, ...]") -> tuple[str, float]:
    """Return the first equal of one alternative that takes linear time."""
    refusal = UnsafeRegexError(ENDLESS)
    for candidate in equals:
        try:
            source, work = candidate(sequence, flags)
        except UnsafeRegexError:
            continue
        if work <= MAX_WORK:
            return source, work
        refusal = UnsafeRegexError(COSTLY)
    raise refusal


def _as_it_is(sequence: Sequence, flags: str) -> tuple[str, float]:
    return _source(sequence), _total(_trimmed(sequence), flags)


def _without_leading(sequence: Sequence, flags: str) -> tuple[str, float]:
    reduced = _reduced(sequence)
    return _source(reduced), _total(_trimmed(reduced), flags)


def _total(sequence: Sequence, flags: str) -> float:
    state = _after(sequence, _State(), flags)
    return state.work + (state.visits if state.is_once else 0)


def _source(sequence: Sequence) -> str:
    return "".join(node.source for node in sequence)


def _least(node: Repeat) -> Sequence:
    """Return the fewest times that a repeat can be matched."""
    if node.least == 0:
        return ()
    if node.least == 1:
        return (node.node,)
    return (replace(node, most=node.least, source=f"{node.node.source}{{{node.least}}}", is_possessive=False),)


def _reduced(sequence: Sequence) -> Sequence:
    """Return a sequence whose leading repeats match no more than they must."""
    match sequence:
        case (Repeat() as node, *rest) if node.least != node.most and not node.is_possessive:
            reduced = _least(node)
            return (*reduced, *rest) if reduced else _reduced(tuple(rest))
        case _:
            return sequence


def _trimmed(sequence: Sequence) -> Sequence:
    """Return a sequence whose trailing repeats match no more than they must: by then, the match has succeeded."""
    match sequence:
        case (*rest, Repeat() as node) if node.least != node.most:
            least = _least(node)
            return (*rest, *least) if least else _trimmed(tuple(rest))
        case _:
            return sequence


# Steps


def _after(sequence: Sequence, state: _State, flags: str) -> _State:
    """Return the state behind a sequence."""
    run: list[Chars] = []
    for position, node in enumerate(sequence):
        fixed = _fixed(node)
        if fixed is not None and not isinstance(node, Assertion):
            run += fixed
            continue
        state = _behind_run(run, state)
        run = []
        follow = sequence[position + 1] if position + 1 < len(sequence) else None
        state = _behind(node, follow, state, flags)
    return _behind_run(run, state)


def _fixed(node: Node) -> list[Chars] | None:
    """Return the characters of what has one length and no alternatives, None for anything else."""
    match node:
        case Literal():
            return [node.chars]
        case Assertion():
            return []
        case Repeat():
            fixed = _fixed(node.node)
            return fixed * node.least if fixed is not None and node.least == node.most else None
        case Group():
            parts = [_fixed(part) for part in node.alternatives[0]] if len(node.alternatives) == 1 else [None]
            return None if None in parts else [chars for part in parts for chars in part or ()]


def _behind_run(run: list[Chars], state: _State) -> _State:
    if not run:
        return state
    work = 0 if state.is_once else state.visits * _steps(run)
    return replace(state, before=run[-1], work=state.work + work)


def _steps(run: list[Chars]) -> float:
    """Return the steps for each character of a text that it takes to look for a run of characters everywhere.

    Two attempts that both come as far as some character begin at least so far apart as what comes before it can
    overlap with itself: `foo` is nowhere begun again before its end, `aaa` at each character.
    """
    steps, apart = 0.0, 1
    for length in range(len(run)):
        while any(run[at].isdisjoint(run[at + apart]) for at in range(length - apart)):
            apart += 1
        steps += 1 / apart
        if steps > MAX_WORK:
            break
    return steps


def _behind(node: Node, follow: Node | None, state: _State, flags: str) -> _State:
    match node:
        case Assertion():
            return _behind_assertion(node, follow, state, flags)
        case Group():
            return _behind_group(node, state, flags)
        case Repeat(least=0, most=1):
            return _joined([state, _after((node.node,), state, flags)], state, is_distinct=False)
        case Repeat():
            return _behind_repeat(node, state, flags)
        case Literal():
            return _behind_run([node.chars], state)


def _is_start(node: Node, flags: str) -> bool:
    return isinstance(node, Assertion) and (node.source == r"\A" or (node.source == "^" and "m" not in flags))


def _behind_assertion(node: Assertion, follow: Node | None, state: _State, flags: str) -> _State:
    if _is_start(node, flags):
        return replace(state, before=frozenset[int](), is_once=True)
    if node.source == "^":
        return replace(state, before=NEWLINE)
    if node.source == r"\b" and isinstance(follow, Repeat):
        chars = all_chars(follow.node)
        # Before a word there is no character of it. The set of \w holds others, too, but is that of \b as well.
        if chars in (CLASSES["w"], CLASSES["d"]) or chars <= CLASSES["w"] - chars_of("\x80"):
            return replace(state, before=ANY - chars)
    return state


def _behind_group(node: Group, state: _State, flags: str) -> _State:
    ends = [_after(sequence, state, flags) for sequence in node.alternatives]
    return _joined(ends, state, is_distinct=state.is_once and not overlap(node))


def _joined(ends: list[_State], start: _State, *, is_distinct: bool) -> _State:
    visits = [end.visits for end in ends]
    return _State(
        before=frozenset[int]().union(*(end.before for end in ends)),
        visits=max(visits) if is_distinct else sum(visits),
        is_once=all(end.is_once for end in ends),
        work=start.work + sum(end.work - start.work for end in ends),
    )


def _behind_repeat(node: Repeat, state: _State, flags: str) -> _State:
    chars = all_chars(node.node)
    body = _after((node.node,), _State(visits=state.visits), flags)
    before = chars | (state.before if node.least == 0 else frozenset[int]())
    if state.is_once or state.before.isdisjoint(chars):
        return _State(before, state.visits, is_once=False, work=state.work + body.work)
    if node.most is None:
        raise UnsafeRegexError(ENDLESS)
    ways = min(body.visits / state.visits, MAX_WORK) ** min(node.most, MAX_WORK)
    visits = state.visits * ways * (node.most - node.least + 1)
    return _State(before, visits, is_once=False, work=state.work + body.work * node.most)


# foo.*bar


def _first_of_a_line(sequence: Sequence, flags: str) -> tuple[str, float]:
    """Return the equal of what has `.*` between parts, all but the last of fixed length."""
    first, *rest = _split(_trimmed(_reduced(sequence)))
    if not rest:
        raise UnsafeRegexError(ENDLESS)
    *middle, (gap, last) = rest
    last = _reduced(last)
    work = _fixed_work(first, flags) + sum(1 + _fixed_work(part, flags) for _, part in middle) + 1 + _total(last, flags)
    way = "".join(f"(?>{_dots(least)}?{_source(part)})" for least, part in middle) + _dots(gap) + _source(last)
    if first and _is_start(first[0], flags):
        return _source(first) + way, work
    return f"{_source(first)}(?:{way}|.*+(*SKIP)(*F))", work


def _split(sequence: Sequence) -> Iterator[Any]:
    """Yield what comes before the first `.*`, then each `.*`, as the least of its characters, and what follows it."""
    part: list[Node] = []
    least: int | None = None
    for node in sequence:
        if isinstance(node, Repeat) and node.most is None and node.node.source == "." and not node.is_possessive:
            yield tuple(part) if least is None else (least, tuple(part))
            part, least = [], node.least
        else:
            part.append(node)
    yield tuple(part) if least is None else (least, tuple(part))


def _dots(least: int) -> str:
    return {0: ".*", 1: ".+"}.get(least, f".{{{least},}}")


def _fixed_work(part: Sequence, flags: str) -> float:
    """Return the steps of a part of fixed length, which matches no newline where `.` does not."""
    fixed = [_fixed(node) for node in part]
    run = [chars for each in fixed for chars in each or ()]
    if None in fixed or ("s" not in flags and any(NEWLINE & chars for chars in run)):
        raise UnsafeRegexError(ENDLESS)
    return _steps(run)


Equal = Callable[[Sequence, str], tuple[str, float]]
EQUALS_AMONG_OTHERS: Final[tuple[Equal, ...]] = (_as_it_is, _without_leading)
EQUALS: Final[tuple[Equal, ...]] = (*EQUALS_AMONG_OTHERS, _first_of_a_line)
