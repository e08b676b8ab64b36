"""The pages about problems, made from the error classes: what a code means, and what to do about it."""

import inspect
import re
from collections.abc import Iterable
from functools import lru_cache
from html import escape
from importlib.resources import files
from string import Template
from typing import Final

from api.problems import PROBLEMS
from documents.errors import StoreError

KINDS: Final = {kind.code: kind for kind in PROBLEMS}
"""The error classes by code."""


@lru_cache(maxsize=len(KINDS))
def problem_page(code: str) -> str:
    """Return the page of one problem, as HTML.

    Raises:
        KeyError: There is no such code.
    """
    kind = KINDS[code]
    problem = PROBLEMS[kind]
    facts = (("Code", f"<code>{escape(code)}</code>"), ("Status", _status(kind)), ("Family", _family(kind)))
    listed = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts)
    return _page(problem.title, f"{_paragraphs(inspect.getdoc(kind) or '')}<dl>{listed}</dl>")


@lru_cache(maxsize=1)
def problems_page() -> str:
    """Return the list of all problems, as HTML."""
    rows = "".join(map(_row, sorted(KINDS.items(), key=lambda pair: (PROBLEMS[pair[1]].status, pair[0]))))
    head = "<tr><th>Status</th><th>Code</th><th>Meaning</th></tr>"
    lead = (
        "<p>Every answer that is not a success is <code>application/problem+json</code> and has one of these codes.</p>"
    )
    return _page("Problems", f"{lead}<table><thead>{head}</thead><tbody>{rows}</tbody></table>")


def _row(pair: tuple[str, type[StoreError]]) -> str:
    code, kind = pair
    link = f'<a href="/problems/{escape(code)}"><code>{escape(code)}</code></a>'
    return f"<tr><td>{PROBLEMS[kind].status.value}</td><td>{link}</td><td>{escape(PROBLEMS[kind].title)}</td></tr>"


def _status(kind: type[StoreError]) -> str:
    status = PROBLEMS[kind].status
    return escape(f"{status.value} {status.phrase}")


def _family(kind: type[StoreError]) -> str:
    """Say what the class that it comes from says of all of its kind."""
    return _inline((inspect.getdoc(kind.__mro__[1]) or "").partition("\n")[0])


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{_inline(part)}</p>" for part in _split(text))


def _split(text: str) -> Iterable[str]:
    return (part.replace("\n", " ") for part in text.split("\n\n") if part.strip())


def _inline(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _page(title: str, body: str) -> str:
    template = Template((files("api") / "assets" / "problem.html").read_text("utf-8"))
    return template.substitute(title=escape(title), body=body)
