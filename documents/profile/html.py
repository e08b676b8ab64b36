"""A report as one HTML page: a bar for each path's presence and types, and one for each of its most frequent values.

The page needs nothing from elsewhere and runs no script, so that it can be mailed, and be served under the policy
`CONTENT_SECURITY_POLICY`. Every text in it that comes from documents is escaped.
"""

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping
from hashlib import sha256
from html import escape
from typing import Final, TypeVar

from documents.profile import kinds
from documents.profile.report import Field, Report
from documents.profile.summary import Choice
from documents.profile.table import percent, plain_example, rows

_SHADES: Final[Mapping[str, str]] = {
    kinds.STRING: "text",
    kinds.INT: "number",
    kinds.LONG: "number",
    kinds.DOUBLE: "fraction",
    kinds.DECIMAL: "fraction",
    kinds.BOOL: "bool",
    kinds.DATE: "date",
    kinds.OBJECTID: "id",
    kinds.UUID: "id",
    kinds.OBJECT: "object",
    kinds.ARRAY: "array",
    kinds.NULL: "null",
}
_OTHER: Final = "other"
T = TypeVar("T")
_SHOWN_CHARACTERS: Final = 160
_SHOWN_VALUES: Final = 8

_STYLE: Final = """
:root { color-scheme: light dark; --back: #fff; --ink: #1b1f24; --soft: #6a737d; --line: #e1e4e8; --bare: #eef0f2;
  --text: #2f6fde; --number: #1a8a5a; --fraction: #5fae4f; --bool: #b8860b; --date: #8a5cd1; --id: #c2527f;
  --object: #3a8fa3; --array: #d0742c; --null: #a3acb5; --other: #5b6470 }
@media (prefers-color-scheme: dark) { :root { --back: #14171a; --ink: #e6e8eb; --soft: #97a0aa; --line: #2b3138;
  --bare: #23282e; --text: #6aa1ff; --number: #4fc38f; --fraction: #93d184; --bool: #e0b64a; --date: #b698ee;
  --id: #ec8bb2; --object: #6cc0d3; --array: #f0a467; --null: #68717b; --other: #9aa4af } }
body { margin: 2rem auto; max-width: 78rem; padding: 0 1rem; background: var(--back); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif }
h1 { font-size: 1.5rem; margin: 0 0 .5rem; overflow-wrap: anywhere }
ul { color: var(--soft); padding-left: 1.2rem }
.scroll { overflow-x: auto }
table { border-collapse: collapse; width: 100% }
th, td { border-bottom: 1px solid var(--line); padding: .35rem .6rem; text-align: left; vertical-align: top }
th { color: var(--soft); font-weight: 600; font-size: .85rem }
td code { font: 13px ui-monospace, monospace; overflow-wrap: anywhere }
td:nth-child(2), td:nth-child(4) { white-space: nowrap }
svg { display: block; width: 12rem; height: .9rem; border-radius: 3px; background: var(--bare) }
.thin { width: 8rem; height: .4rem; margin-top: .3rem }
small { color: var(--soft) }
.text { fill: var(--text) } .number { fill: var(--number) } .fraction { fill: var(--fraction) }
.bool { fill: var(--bool) } .date { fill: var(--date) } .id { fill: var(--id) } .object { fill: var(--object) }
.array { fill: var(--array) } .null { fill: var(--null) } .other { fill: var(--other) }
""".strip()

CONTENT_SECURITY_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'"
)
"""Nothing but the one style sheet, by its hash."""


def render_page(report: Report, *, title: str) -> str:
    """Return a report as one HTML page, complete in itself.

    The bar of a path is as long as its presence among its parents, and divided by the types of its values.

    Args:
        report: Of some documents.
        title: What it is a profile of.
    """
    notes = "".join(f"<li>{_text(note)}</li>" for note in report.notes)
    table = "".join(
        _row(field, row.range, row.distinct) for field, row in zip(report.fields, rows(report), strict=True)
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_text(CONTENT_SECURITY_POLICY)}">\n'
        f"<title>{_text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f'<h1>{_text(title)}</h1>\n<ul>{notes}</ul>\n<div class="scroll">\n<table>\n'
        '<thead><tr><th scope="col">Path</th><th scope="col">Presence</th><th scope="col">Types</th>'
        '<th scope="col">Different</th><th scope="col">Range</th><th scope="col">Values</th></tr></thead>\n'
        f"<tbody>\n{table}</tbody>\n</table>\n</div>\n</body>\n</html>\n"
    )


def _row(field: Field, values: str, distinct: str) -> str:
    formats = _shares(field.formats, field.types.get(kinds.STRING, 0))
    types = _shares(field.types, field.count)
    return (
        f"<tr><td><code>{_text(field.path)}</code></td>"
        f"<td>{_text(percent(field.presence))}<br><small>{field.present:,} of {field.parents:,}</small></td>"
        f"<td>{_bar(field, types)}<small>{_text(types)}{f'<br>{_text(formats)}' if formats else ''}</small></td>"
        f"<td>{_text(distinct)}</td><td>{_text(values)}</td>"
        f"<td>{_values(field)}</td></tr>\n"
    )


def _values(field: Field) -> str:
    """Return the most frequent values with a bar each, where all are known; else some examples."""
    if not field.choices:
        return "<br>".join(f"<code>{_text(_cut(plain_example(example)))}</code>" for example in field.examples)
    frequent = _sorted(field.choices.items())
    lines = [_frequency(choice, count, field.count) for choice, count in frequent[:_SHOWN_VALUES]]
    rest = sum(count for _, count in frequent[_SHOWN_VALUES:])
    if rest:
        lines.append(f"<small>{len(frequent) - _SHOWN_VALUES} others, {_text(percent(rest / field.count))}</small>")
    return "".join(lines)


def _frequency(choice: Choice, count: int, whole: int) -> str:
    kind, value = choice
    share = percent(count / whole)
    shade = _SHADES.get(kind, _OTHER)
    text = json.dumps(value, ensure_ascii=False)
    return (
        f'<svg class="thin" viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label="{_text(share)}">'
        f'<rect class="{shade}" x="0" y="0" width="{100 * count / whole:.3f}" height="8"></rect></svg>'
        f"<small><code>{_text(_cut(text))}</code> {_text(share)}</small>"
    )


def _bar(field: Field, label: str) -> str:
    parts: list[str] = []
    start = 0.0
    for kind in field.types:
        width = 100 * field.presence * field.share(kind)
        shade = _SHADES.get(kind, _OTHER)
        parts.append(
            f'<rect class="{shade}" x="{start:.3f}" y="0" width="{width:.3f}" height="8">'
            f"<title>{_text(kind)} {_text(percent(field.share(kind)))}</title></rect>"
        )
        start += width
    described = f"in {percent(field.presence)}: {label}"
    return (
        f'<svg viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label="{_text(described)}">'
        f"{''.join(parts)}</svg>"
    )


def _shares(counts: Mapping[str, int], whole: int) -> str:
    return ", ".join(f"{name} {percent(count / whole)}" for name, count in _sorted(counts.items()))


def _sorted(counts: Iterable[tuple[T, int]]) -> list[tuple[T, int]]:
    return sorted(counts, key=lambda pair: -pair[1])


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def _text(text: str) -> str:
    """Return a text for HTML. Control characters, which HTML cannot have, are replaced."""
    return escape("".join(letter if letter.isprintable() else "\ufffd" for letter in text))
