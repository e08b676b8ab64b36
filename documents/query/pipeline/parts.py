"""The parts of `$$value` in the result of an expression, as expression_growth follows them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias


class Part(NamedTuple):
    """A part of `$$value` in the result of an expression.

    Args:
        path: Where it is in `$$value`, or leads to where it is.
        deeper: By how many levels the result can be deeper than `$$value` on its account.
        exact: Whether the result is this part and nothing else, so that a path into it is a path into `$$value`.
    """

    path: tuple[str, ...]
    deeper: int
    exact: bool


Outcomes: TypeAlias = frozenset[tuple[Part, ...]]
"""The parts in the result, for each way that conditions may go."""

NOTHING: Final[Outcomes] = frozenset({()})
WHOLE: Final[Outcomes] = frozenset({(Part((), 0, exact=True),)})
MAX_OUTCOMES: Final = 64
MAX_PARTS: Final = 50
MAX_WORK: Final = 5_000

# No field can have these names, as no name has a NUL.
REPEATED: Final = "\0repeated"
ENTRIES: Final = "\0entries"
OBJECT: Final = "\0object"
REST: Final = "\0\0"


class TooManyError(Exception):
    """There are more ways through the body than are worth following."""


@dataclass(slots=True)
class Work:
    """How much following a body has taken so far: parts seen, and expressions."""

    done: int = 0

    def spend(self, outcomes: Outcomes) -> Outcomes:
        """Count what went into `outcomes`, and return them."""
        self.done += 1 + sum(map(len, outcomes))
        if self.done > MAX_WORK:
            raise TooManyError
        return outcomes


@dataclass(frozen=True, slots=True)
class Environment:
    """The variables that hold parts of `$$value`."""

    bound: Mapping[str, Outcomes]
    work: Work

    def binding(self, bound: Mapping[str, Outcomes]) -> "Environment":
        """Return the environment with more variables."""
        return Environment({**self.bound, **bound}, self.work)

    def repeated(self) -> "Environment":
        """Return the environment inside a loop."""
        return Environment({name: marked(outcomes, REPEATED) for name, outcomes in self.bound.items()}, self.work)


def overlap(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Say whether two parts can have something in common."""
    for name, counterpart in zip(one, other, strict=False):
        for mark, plain in ((name, counterpart), (counterpart, name)):
            if mark.startswith(REST):
                return plain not in mark.split("\0")
        if name != counterpart:
            return "\0" in name or "\0" in counterpart
    return True


def each(outcomes: Outcomes, change: Callable[[Part], Part]) -> Outcomes:
    """Return outcomes with every part changed."""
    return frozenset(tuple(map(change, parts)) for parts in outcomes)


def below(outcomes: Outcomes, *path: str) -> Outcomes:
    """Return the outcomes of a path into what has `outcomes`."""
    return each(
        outcomes,
        lambda part: Part((*part.path, *path) if part.exact else part.path, part.deeper - len(path), part.exact),
    )


def moved(outcomes: Outcomes, levels: int) -> Outcomes:
    """Return outcomes that lie so many levels deeper."""
    return each(outcomes, lambda part: part._replace(deeper=part.deeper + levels))


def marked(outcomes: Outcomes, marker: str) -> Outcomes:
    """Return outcomes with a mark at the end of each path."""
    return each(outcomes, lambda part: part._replace(path=(*part.path, marker)))


def inexact(outcomes: Outcomes) -> Outcomes:
    """Return outcomes that lie so many levels deeper."""
    return each(outcomes, lambda part: part._replace(exact=False))


def wrapped(outcomes: Outcomes) -> Outcomes:
    """Return outcomes with every part changed."""
    return inexact(moved(outcomes, 1))


def together(several: Iterable[Outcomes]) -> Outcomes:
    """Return the outcomes of a result that has all of `several` in it."""
    product = NOTHING
    for outcomes in several:
        longest = sum(max(map(len, factor), default=0) for factor in (product, outcomes))
        if len(product) * len(outcomes) > MAX_OUTCOMES or longest > MAX_PARTS:
            raise TooManyError
        product = frozenset((*one, *other) for one in product for other in outcomes)
    return product


def either(several: Iterable[Outcomes]) -> Outcomes:
    """Say whether two parts can have something in common."""
    union = frozenset[tuple[Part, ...]]().union(*several)
    if len(union) > MAX_OUTCOMES:
        raise TooManyError
    return union
