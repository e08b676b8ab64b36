"""Reading a regular expression of the subset that is allowed; everything else is refused here."""

from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from documents.query.regex.classes import ANY, CLASSES, CONTROLS, NON_ASCII, Chars, both_cases, chars_of, posix_class

MAX_REPEAT: Final = 1000
MAX_GROUPS: Final = 20
FLAGS: Final = frozenset("ims")
_SIGNS: Final[dict[str, tuple[int, int | None]]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}


class UnsafeRegexError(ValueError):
    """The pattern is not of the subset, or could take too long."""


@dataclass(frozen=True, slots=True)
class Literal:
    """One character of a set."""

    chars: Chars
    size: int
    source: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Assertion:
    """A place, such as the start: it takes no character, and may fail whatever comes next."""

    source: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Group:
    """Alternatives, each a sequence."""

    alternatives: "tuple[tuple[Node, ...], ...]"
    source: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Repeat:
    """A node, some number of times; `most` is None where there is no end."""

    node: "Node"
    least: int
    most: int | None
    source: str = field(default="", compare=False)
    is_possessive: bool = False


Node: TypeAlias = Literal | Assertion | Group | Repeat


def parse_regex(pattern: str, options: str) -> tuple[Group, str]:
    """Return `pattern` as a tree, and the flags that hold: the options, and those that it begins with.

    Raises:
        UnsafeRegexError: With the reason, for the caller to read.
    """
    parser = _Parser(pattern, options)
    return parser.parse(), parser.flags


class _Parser:
    """Reads a pattern from left to right."""

    def __init__(self, pattern: str, options: str) -> None:
        self.rest = pattern
        self.groups = 0
        if "\0" in pattern:
            raise UnsafeRegexError("A pattern has no NUL.")
        self.flags = options + self._leading_flags()

    def parse(self) -> Group:
        tree = self._alternatives()
        if self.rest:
            raise UnsafeRegexError("It has a ) without its (.")
        return tree

    def _leading_flags(self) -> str:
        flags, closing, rest = self.rest.removeprefix("(?").partition(")")
        if not self.rest.startswith("(?") or not closing or not flags or set(flags) - FLAGS:
            return ""
        self.rest = rest
        return flags

    def _take(self, text: str) -> bool:
        if not self.rest.startswith(text):
            return False
        self.rest = self.rest[len(text) :]
        return True

    def _next(self) -> str:
        if not self.rest:
            raise UnsafeRegexError("It ends in the middle.")
        char, self.rest = self.rest[0], self.rest[1:]
        return char

    def _alternatives(self) -> Group:
        alternatives = [self._sequence()]
        while self._take("|"):
            alternatives.append(self._sequence())
        return Group(tuple(alternatives))

    def _sequence(self) -> tuple[Node, ...]:
        nodes: list[Node] = []
        while self.rest and self.rest[0] not in "|)":
            nodes.append(self._node())
        return tuple(nodes)

    def _node(self) -> Node:
        before = self.rest
        atom = self._atom()
        atom = replace(atom, source=self._since(before))
        node = self._quantified(atom)
        return node if node is atom else replace(node, source=self._since(before))

    def _since(self, before: str) -> str:
        return before[: len(before) - len(self.rest)]

    def _atom(self) -> Node:
        char = self._next()
        match char:
            case "(":
                return self._group()
            case "[":
                return self._class()
            case "\\":
                return self._escape()
            case "^" | "$":
                return Assertion()
            case ".":
                return Literal(ANY if "s" in self.flags else ANY - chars_of("\n"), 1)
            case "*" | "+" | "?" | "{":
                raise UnsafeRegexError(f"{char} has nothing to repeat; as a character it is \\{char}.")
            case _:
                return self._literal(char)

    def _literal(self, char: str) -> Literal:
        chars = chars_of(char)
        return Literal(both_cases(chars) if "i" in self.flags else chars, 1)

    def _group(self) -> Group:
        self.groups += 1
        if self.groups > MAX_GROUPS:
            raise UnsafeRegexError(f"A pattern has at most {MAX_GROUPS} groups.")
        if not self._take("?:") and self.rest.startswith(("?", "*")):
            raise UnsafeRegexError("Of the groups that begin with (? only (?: is allowed, and flags at the very start.")
        group = self._alternatives()
        if not self._take(")"):
            raise UnsafeRegexError("It has a ( without its ).")
        return group

    def _escape(self) -> Node:
        char = self._next()
        if char in "bBAzZ":
            return Assertion()
        if char in CLASSES:
            return Literal(CLASSES[char], 2)
        return self._literal(self._escaped(char))

    def _escaped(self, char: str) -> str:
        if char in CONTROLS:
            return CONTROLS[char]
        if char == "x":
            return self._hexadecimal()
        if char.isalnum():
            raise UnsafeRegexError(f"\\{char} is not allowed.")
        return char

    def _hexadecimal(self) -> str:
        digits, self.rest = self.rest[:2], self.rest[2:]
        if len(digits) != len("7f") or not set(digits) <= set("0123456789abcdefABCDEF") or digits == "00":
            raise UnsafeRegexError("\\x takes two hexadecimal digits, not 00.")
        return chr(int(digits, 16))

    def _class(self) -> Literal:
        before = len(self.rest)
        negated = self._take("^")
        chars: Chars = frozenset()
        if self.rest.startswith("]"):
            raise UnsafeRegexError("A class begins with something; the character ] is \\] in it.")
        while not self._take("]"):
            chars |= self._member()
        if "i" in self.flags:
            chars = both_cases(chars)
        # Which characters beyond ASCII a negated class leaves out is not kept, so it is taken to leave out none.
        return Literal((ANY - chars) | {NON_ASCII} if negated else chars, before - len(self.rest))

    def _member(self) -> Chars:
        if self.rest.startswith(("[:", "[.", "[=")):
            return self._posix()
        low = self._class_character()
        if not isinstance(low, str):
            return low
        if not self.rest.startswith("-") or self.rest.startswith("-]"):
            return chars_of(low)
        self._next()
        high = self._class_character()
        if not isinstance(high, str) or high < low:
            raise UnsafeRegexError("A range in a class goes from one character to a later one.")
        return chars_of(low, high)

    def _posix(self) -> Chars:
        name, closing, rest = self.rest.removeprefix("[:").partition(":]")
        chars = posix_class(name)
        if not closing or chars is None:
            raise UnsafeRegexError("Of the names in a class only those such as [:alpha:] are allowed.")
        self.rest = rest
        return chars

    def _class_character(self) -> str | Chars:
        char = self._next()
        if char != "\\":
            return char
        char = self._next()
        if char in CLASSES:
            if self.rest.startswith("-") and not self.rest.startswith("-]"):
                raise UnsafeRegexError("A range in a class goes from one character to a later one.")
            return CLASSES[char]
        return self._escaped(char)

    def _quantified(self, node: Node) -> Node:
        bounds = self._bounds()
        if bounds is None:
            return node
        if isinstance(node, Assertion):
            raise UnsafeRegexError("A place such as ^ or \\b cannot be repeated.")
        is_possessive = not self._take("?") and self._take("+")
        if self.rest.startswith(("*", "+", "?", "{")):
            raise UnsafeRegexError("A repeat cannot be repeated.")
        return Repeat(node, *bounds, is_possessive=is_possessive)

    def _bounds(self) -> tuple[int, int | None] | None:
        for sign, bounds in _SIGNS.items():
            if self._take(sign):
                return bounds
        return self._counts() if self._take("{") else None

    def _counts(self) -> tuple[int, int | None]:
        inside, closing, rest = self.rest.partition("}")
        least, comma, most = inside.partition(",")
        digits = [text for text in (least, most) if text]
        if not closing or not least or not all(text.isascii() and text.isdecimal() for text in digits):
            raise UnsafeRegexError("A counted repeat is {n}, {n,} or {n,m}; the character { is \\{.")
        self.rest = rest
        if any(len(text) > len(str(MAX_REPEAT)) or int(text) > MAX_REPEAT for text in digits):
            raise UnsafeRegexError(f"A counted repeat goes up to {MAX_REPEAT}.")
        if not comma:
            return int(least), int(least)
        if most and int(most) < int(least):
            raise UnsafeRegexError("A counted repeat goes from the smaller number to the larger.")
        return int(least), int(most) if most else None
