"""A guide as a script: its bash blocks are run, and what they print is compared with what the guide shows.

A `json`, `http` or `text` block right below a bash block is the answer to it. In an answer `…` stands for whatever
differs from run to run: a whole value, a part of one, or a part of a line.
"""

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

ANY: Final = "…"
SECONDS: Final = 240
ANSWERS: Final = frozenset({"json", "http", "text"})
_BLOCK: Final = re.compile(r"^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_LEAD: Final = re.compile(r"^\*\*(?P<lead>.+?)\*\*", re.MULTILINE | re.DOTALL)
_END: Final = "\x1e"


@dataclass(frozen=True)
class Step:
    """One bash block.

    Args:
        guide: The file that it stands in.
        line: Where it begins there.
        lead: The last words in bold before it.
        commands: What it says.
        answers: Kind and text of each answer that the guide shows.
    """

    guide: str
    line: int
    lead: str
    commands: str
    answers: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def __str__(self) -> str:
        return f"{self.guide}:{self.line}"


def read_steps(guide: Path) -> list[Step]:
    """Return the bash blocks of a guide in their order, each with the answers that stand right below it."""
    text = guide.read_text("utf-8")
    steps: list[Step] = []
    before = 0
    for block in _BLOCK.finditer(text):
        kind, content = block["kind"], block["text"]
        if kind == "bash":
            leads = [found["lead"] for found in _LEAD.finditer(text[: block.start()])]
            line = text.count("\n", 0, block.start()) + 1
            steps.append(Step(guide.name, line, " ".join(leads[-1].split()) if leads else "", content))
        elif kind in ANSWERS and steps and not text[before : block.start()].strip():
            steps[-1].answers.append((kind, content))
        before = block.end()
    return steps


def read_files(guide: Path) -> dict[str, str]:
    """Return the files that a guide tells to write: blocks that begin with a comment that names one."""
    blocks = [block["text"] for block in _BLOCK.finditer(guide.read_text("utf-8"))]
    named = ((re.match(r"# (\S+\.(?:py|yaml|toml))\n", text), text) for text in blocks)
    return {name[1]: text for name, text in named if name}


def run_steps(
    steps: Sequence[Step], folder: Path, environ: Mapping[str, str], replacements: Mapping[str, str]
) -> list[str]:
    """Run bash blocks in one shell, and return what each of them printed.

    Args:
        steps: In their order; variables of one are there in the next.
        folder: Where.
        environ: Variables of the environment.
        replacements: Words in the commands that stand for others here, such as the port.
    """
    script = "exec 2>&1\n"
    for step in steps:
        commands = step.commands
        for word, other in replacements.items():
            commands = commands.replace(word, other)
        script += f"{commands}\nprintf '\\n{_END}%d{_END}' $?\n"
    done = subprocess.run(
        ["bash", "-s"],
        input=script,
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    parts = done.stdout.split(_END)
    printed, codes = parts[0:-1:2], parts[1::2]
    failed = [
        f"{step}: exit code {code}\n{said}"
        for step, said, code in zip(steps, printed, codes, strict=True)
        if code != "0"
    ]
    assert not failed, "\n".join(failed)
    return printed


def compare(step: Step, printed: str) -> None:
    """Assert that a step printed what the guide shows, and no problem that the guide does not show."""
    if not step.answers:
        assert '"/problems/' not in printed, f"{step}: {printed}"
    for kind, shown in step.answers:
        assert _COMPARISONS[kind](shown, printed), f"{step} shows\n{shown}\nbut this was printed:\n{printed}"


def parse_values(text: str) -> list[Any]:
    """Return the JSON values that stand in a text one after the other."""
    decoder, values, rest = json.JSONDecoder(), list[Any](), text.strip()
    while rest:
        value, end = decoder.raw_decode(rest)
        values.append(value)
        rest = rest[end:].strip()
    return values


def is_like(shown: object, actual: object) -> bool:
    """Tell whether a value is the one that is shown, where `…` is whatever it may be."""
    match shown, actual:
        case dict(), dict():
            members, others = cast("dict[str, object]", shown), cast("dict[str, object]", actual)
            return list(members) == list(others) and all(is_like(item, others[key]) for key, item in members.items())
        case list(), list():
            items, rest = cast("list[object]", shown), cast("list[object]", actual)
            return len(items) == len(rest) and all(map(is_like, items, rest))
        case str(), _ if ANY in shown:
            return shown == ANY or (isinstance(actual, str) and _is_like_text(shown, actual))
        case _:
            return type(shown) is type(actual) and shown == actual


def _is_like_text(shown: str, actual: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, shown.split(ANY))), actual, re.DOTALL) is not None


def _same_json(shown: str, printed: str) -> bool:
    return is_like(parse_values(shown), parse_values(printed))


def _same_http(shown: str, printed: str) -> bool:
    """Compare a status line, the headers that are shown, and the body if one is shown."""
    head, _, body = shown.partition("\n\n")
    actual_head, _, actual_body = printed.replace("\r", "").strip().partition("\n\n")
    lines = actual_head.splitlines()
    return all(any(_is_like_text(line, other) for other in lines) for line in head.splitlines()) and (
        not body.strip() or _same_json(body, actual_body)
    )


def _same_text(shown: str, printed: str) -> bool:
    lines = [line.rstrip() for line in printed.strip().splitlines()]
    wanted = [line.rstrip() for line in shown.strip().splitlines()]
    return len(lines) == len(wanted) and all(map(_is_like_text, wanted, lines))


_COMPARISONS: Final = {"json": _same_json, "http": _same_http, "text": _same_text}
