"""Docstrings say something: none is filler."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
MODULES: Final = sorted(path for part in ("api", "documents", "scripts") for path in (ROOT / part).rglob("*.py"))
FILLER: Final = re.compile(
    r"(it|its (own|name|value)|them|they|the (same|value)|(as|see) above|that|this|which|what|tell"
    r"|(return|make|read|write|do|yield) (it|them)( for \w+)?)\.",
    re.IGNORECASE,
)
ARGUMENT: Final = re.compile(r"\s*\w+: (?P<text>.*)")


def sentences(path: Path) -> Iterator[str]:
    """Yield each line of a docstring that stands alone, and what is said of each argument."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module):
            for line in (ast.get_docstring(node) or "").splitlines():
                argument = ARGUMENT.fullmatch(line)
                yield argument["text"] if argument else line.strip()


@pytest.mark.parametrize("filler", ["It.", "Return it for JSON.", "As above.", "Which."])
def test_filler_is_known(filler: str) -> None:
    assert FILLER.fullmatch(filler)


def test_no_docstring_is_filler() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {text}" for path in MODULES for text in sentences(path) if FILLER.fullmatch(text)
    ]
    assert not found, "\n".join(found)
