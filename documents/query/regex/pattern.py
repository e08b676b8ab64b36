"""Regular expressions that cannot blow up: a subset of PCRE, measured on its tree.

What the parser does not know is refused: lookaround, back references, recursion, verbs, free spacing. Of the rest, a
repeat may not contain another, nor alternatives that begin alike, and few repeats may compete with what follows them
for the same characters, so that matching takes polynomial time of a low degree.
"""

from functools import lru_cache
from typing import Final

from documents.query.regex.classes import ANY, Chars
from documents.query.regex.parser import FLAGS, Assertion, Group, Literal, Node, Repeat, UnsafeRegexError, parse_regex

MAX_LENGTH: Final = 200
MAX_EXPANDED: Final = 1000
MAX_COMPETING: Final = 3


@lru_cache(maxsize=256)
def check_regex(pattern: str, options: str = "") -> None:
    """Refuse a pattern that PCRE would refuse or that could take long.

    Args:
        pattern: At most 200 characters. May begin with flags: `(?i)^sheaf`.
        options: Any of `i`, `m`, `s`.

    Raises:
        UnsafeRegexError: With the reason, for the caller to read.
    """
    if len(pattern) > MAX_LENGTH:
        raise UnsafeRegexError(f"A pattern has at most {MAX_LENGTH} characters.")
    if set(options) - FLAGS or len(set(options)) != len(options):
        raise UnsafeRegexError(f"Options are some of {', '.join(sorted(FLAGS))}, each once.")
    tree, _ = parse_regex(pattern, options)
    _check_repeats(tree)
    if size(tree) > MAX_EXPANDED:
        raise UnsafeRegexError("Its counted repeats add up to too much.")
    if _competing((tree,), frozenset()) > MAX_COMPETING:
        raise UnsafeRegexError(
            f"More than {MAX_COMPETING} of its repeats compete with what follows them for the same characters."
        )


def _check_repeats(node: Node) -> None:
    """Refuse what can be split into rounds in several ways: that is where time becomes exponential."""
    match node:
        case Literal() | Assertion():
            return
        case Group():
            for sequence in node.alternatives:
                for part in sequence:
                    _check_repeats(part)
        case Repeat():
            if node.most != 1:
                _check_rounds(node.node)
            _check_repeats(node.node)


def _check_rounds(repeated: Node) -> None:
    if _can_be_empty(repeated):
        raise UnsafeRegexError("What is repeated could be empty.")
    if _varies(repeated):
        raise UnsafeRegexError("A repeat contains another repeat, or alternatives that begin alike.")


def _can_be_empty(node: Node) -> bool:
    match node:
        case Literal():
            return False
        case Assertion():
            return True
        case Repeat():
            return node.least == 0 or _can_be_empty(node.node)
        case Group():
            return any(all(map(_can_be_empty, sequence)) for sequence in node.alternatives)


def _varies(node: Node) -> bool:
    match node:
        case Literal() | Assertion():
            return False
        case Repeat():
            return node.least != node.most or _varies(node.node)
        case Group():
            return overlap(node) or any(_varies(part) for sequence in node.alternatives for part in sequence)


def overlap(group: Group) -> bool:
    """Say whether two alternatives can begin with the same character, or one be empty."""
    seen: Chars = frozenset()
    for sequence in group.alternatives if len(group.alternatives) > 1 else ():
        chars = _first(sequence, ANY)
        if chars & seen:
            return True
        seen |= chars
    return False


def _first(sequence: tuple[Node, ...], follow: Chars) -> Chars:
    """Return the characters that can come first, or first in what follows where nothing of it need come."""
    chars = follow
    for node in reversed(sequence):
        chars = _first_of(node, chars)
    return chars


def _first_of(node: Node, follow: Chars) -> Chars:
    match node:
        case Literal():
            return node.chars
        case Assertion():
            return ANY
        case Repeat():
            return _first_of(node.node, follow) | (follow if node.least == 0 else frozenset[int]())
        case Group():
            return frozenset[int]().union(*(_first(sequence, follow) for sequence in node.alternatives))


def all_chars(node: Node) -> Chars:
    """Return the characters that a node can match anywhere."""
    match node:
        case Literal():
            return node.chars
        case Assertion():
            return frozenset()
        case Repeat():
            return all_chars(node.node)
        case Group():
            return frozenset[int]().union(*(all_chars(part) for sequence in node.alternatives for part in sequence))


def _competing(sequence: tuple[Node, ...], follow: Chars) -> int:
    """Count the choices along the worst way through the pattern: each may multiply the time by the text's length."""
    count = 0
    for node in reversed(sequence):
        count += _choices(node, follow)
        follow = _first_of(node, follow)
    return count


def _choices(node: Node, follow: Chars) -> int:
    match node:
        case Literal() | Assertion():
            return 0
        case Repeat():
            undecided = node.least != node.most and bool(_first_of(node.node, frozenset()) & follow)
            return undecided + _choices(node.node, follow)
        case Group():
            return overlap(node) + max(_competing(sequence, follow) for sequence in node.alternatives)


def size(node: Node) -> int:
    """Return how many characters a node has, its counted repeats written out."""
    match node:
        case Literal():
            return node.size
        case Assertion():
            return 1
        case Repeat():
            return size(node.node) * max(node.least + 1 if node.most is None else node.most, 1)
        case Group():
            return 1 + sum(size(part) for sequence in node.alternatives for part in sequence)
