"""Where the compiler of pipelines is, which variables are bound there, and what the pipeline may still use."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from documents.query.refusal import RefusedError
from documents.types import child

MAX_DEPTH: Final = 50
MAX_NODES: Final = 2000

Read: TypeAlias = "Callable[[object, ExpressionSpot], Any]"
"""Reads one operand, and returns it as MongoDB is sent it."""


@dataclass(slots=True)
class PipelineCompilation:
    """One pipeline on its way through the compiler.

    `operators` are the expressions that it may use, `deepest` is how deep loops were seen to be nested,
    `texts` how many operators on texts there are, `looped` how many of them inside loops, `patterns` how many have one.
    """

    operators: Mapping[str, Read]
    max_stages: int
    nodes: int = 0
    stages: int = 0
    deepest: float = 0
    texts: int = 0
    looped: int = 0
    patterns: int = 0


@dataclass(frozen=True, slots=True)
class ExpressionSpot:
    """One place in it."""

    compilation: PipelineCompilation
    pointer: str
    depth: int = 0
    variables: frozenset[str] = frozenset()
    loops: int = 0

    def at(self, *tokens: object) -> "ExpressionSpot":
        """Return the spot at `tokens` below."""
        return replace(self, pointer=child(self.pointer, *tokens))

    def inside(self, *tokens: object) -> "ExpressionSpot":
        """Return the spot at `tokens` below, one level deeper."""
        if self.depth >= MAX_DEPTH:
            raise self.refused("too-deep", f"Expressions are nested at most {MAX_DEPTH} levels deep.")
        return replace(self, pointer=child(self.pointer, *tokens), depth=self.depth + 1)

    def binding(self, names: Iterable[str]) -> "ExpressionSpot":
        """Return the same spot with more variables bound."""
        return replace(self, variables=self.variables | frozenset(names))

    def looping(self, names: Iterable[str]) -> "ExpressionSpot":
        """Return the same spot inside one more loop, which binds variables."""
        return replace(self.binding(names), loops=self.loops + 1)

    def spend(self) -> None:
        """Count one node."""
        self.compilation.nodes += 1
        if self.compilation.nodes > MAX_NODES:
            raise self.refused("too-large", f"A pipeline has at most {MAX_NODES} expressions.")

    def spend_stage(self) -> None:
        """Count one stage."""
        self.compilation.stages += 1
        if self.compilation.stages > self.compilation.max_stages:
            raise self.refused("too-large", f"A pipeline has at most {self.compilation.max_stages} stages.")

    def refused(self, code: str, detail: str) -> RefusedError:
        """Return the refusal of what is here."""
        return RefusedError(self.pointer, code, detail)
