"""BSON values as Python source, exact, and laid out as `ruff format` would (pure)."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, TypeAlias, cast
from uuid import UUID

from bson import Binary, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp

WIDTH: Final = 120
INDENT: Final = "    "

_ESCAPES: Final = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_LATIN: Final = frozenset(chr(code) for code in range(0xC0, 0x100)) - {"\u00d7", "\u00f7"}
"""What a text may have as it is besides ASCII; the rest could be mistaken for something else."""

_FIRST_PARTY: Final = "documents."


class Imports:
    """The names that some source needs, collected while it is written."""

    def __init__(self) -> None:
        self._names: dict[str, set[str]] = {}

    def use(self, module: str, name: str) -> str:
        """Return a name that is to be imported, and remember that it is."""
        self._names.setdefault(module, set()).add(name)
        return name

    def lines(self, *, beyond: "Imports | None" = None) -> list[str]:
        """Return the import statements, sorted and in sections.

        Args:
            beyond: Leave out what these have.
        """
        known = {} if beyond is None else beyond._names  # noqa: SLF001  # of the same class
        left = {module: names - known.get(module, set()) for module, names in self._names.items()}
        sections: dict[int, list[str]] = {}
        for module in sorted(module for module, names in left.items() if names):
            items = tuple(("", Source(name)) for name in sorted(left[module], key=_import_order))
            flat = f"from {module} import {', '.join(item.begin for _, item in items)}"
            folded = fold(Source("(", items, ")"), f"from {module} import ", always=True)
            sections.setdefault(_section(module), []).extend([flat] if len(flat) <= WIDTH else folded)
        return [line for number in sorted(sections) for line in ("", *sections[number])][1:]


@dataclass(frozen=True, slots=True)
class Source:
    """Some source: a text that cannot be folded, or brackets around items.

    Args:
        begin: The whole text, or what stands before the items.
        items: Each with what stands before it on its line.
        end: What stands after the items.
    """

    begin: str
    items: "tuple[tuple[str, Source], ...]" = field(default=())
    end: str = ""

    def flat(self) -> str:
        """Return it in one line."""
        inner = ", ".join(before + item.flat() for before, item in self.items)
        comma = "," if self.begin == "(" and len(self.items) == 1 else ""
        return f"{self.begin}{inner}{comma}{self.end}"


def fold(source: Source, before: str = "", after: str = "", *, indent: str = "", always: bool = False) -> list[str]:
    """Return the lines of a source.

    Args:
        source: What to write.
        before: What stands before it in its first line.
        after: What stands after it in its last line.
        indent: Of every line.
        always: Fold it even if it would fit into a line.
    """
    line = f"{indent}{before}{source.flat()}{after}"
    if not source.items or (len(line) <= WIDTH and not always):
        return [_checked(line)]
    inner = [line for start, item in source.items for line in fold(item, start, ",", indent=indent + INDENT)]
    return [_checked(f"{indent}{before}{source.begin}"), *inner, f"{indent}{source.end}{after}"]


def _checked(line: str) -> str:
    # Ruff lets one that has no blanks be as long as it is.
    return line if len(line) <= WIDTH or " " not in line.strip() else f"{line}  # noqa: E501  # one text"


def call(name: str, arguments: Iterable[Source], **named: Source) -> Source:
    """Return the source of a call."""
    items = [("", argument) for argument in arguments] + [(f"{key}=", value) for key, value in named.items()]
    return Source(f"{name}(", tuple(items), ")")


def literal(value: object, imports: Imports) -> Source:
    """Return the source of a BSON value; in another process, it is stored as the same bytes.

    Raises:
        TypeError: Nothing that MongoDB stores, or of a kind that has no source.
    """
    if value is None or value is ... or isinstance(value, bool):
        return Source("..." if value is ... else repr(value))
    write = next((write for kind, write in _WRITERS.items() if isinstance(value, kind)), None)
    if write is None:
        raise TypeError(f"{value!r} cannot be written into a revision.")
    return write(value, imports)


def quote(text: str) -> str:
    """Return the source of a text, in double quotes unless single ones need fewer escapes."""
    mark = "'" if text.count('"') > text.count("'") else '"'
    return mark + "".join(_escape(character, mark) for character in text) + mark


def _escape(character: str, mark: str) -> str:
    if character == mark:
        return f"\\{mark}"
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character in _LATIN or " " <= character <= "~":
        return character
    return character.encode("unicode_escape").decode()


def _quoted_bytes(value: bytes) -> str:
    quoted = quote(value.decode("latin-1"))
    return "b" + "".join(f"\\x{ord(character):02x}" if character in _LATIN else character for character in quoted)


def _import_order(name: str) -> tuple[bool, str]:
    return not name.isupper(), name


def _section(module: str) -> int:
    if module.startswith(_FIRST_PARTY):
        return 2
    return 1 if module.startswith("bson") else 0


Write: TypeAlias = Callable[[Any, Imports], Source]


def _text(value: str, _: Imports) -> Source:
    return Source(quote(value))


def _int(value: int, _: Imports) -> Source:
    return Source(repr(value))


def _bytes(value: bytes, _: Imports) -> Source:
    return Source(_quoted_bytes(value))


def _uuid(value: UUID, imports: Imports) -> Source:
    return call(imports.use("uuid", "UUID"), [Source(quote(str(value)))])


def _float(value: float, _: Imports) -> Source:
    if math.isfinite(value):
        return Source(repr(value).replace("e+", "e"))
    return Source(f'float("{value}")')


def _datetime(value: datetime, imports: Imports) -> Source:
    moment = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    parts = [moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second, moment.microsecond]
    while len(parts) > 3 and parts[-1] == 0:  # noqa: PLR2004  # year, month and day have to be there
        parts.pop()
    name = imports.use("datetime", "datetime")
    return call(name, [Source(str(part)) for part in parts], tzinfo=Source(imports.use("datetime", "UTC")))


def _enum(value: StrEnum, imports: Imports) -> Source:
    name = imports.use(type(value).__module__, type(value).__name__)
    return Source(f"{name}.{value.name}")


def _mapping(value: Mapping[str, Any], imports: Imports) -> Source:
    items = tuple((f"{quote(key)}: ", literal(item, imports)) for key, item in value.items())
    return Source("{", items, "}")


def _list(value: Iterable[object], imports: Imports) -> Source:
    return Source("[", tuple(("", literal(item, imports)) for item in value), "]")


def _tuple(value: Iterable[object], imports: Imports) -> Source:
    return Source("(", tuple(("", literal(item, imports)) for item in value), ")")


def _binary(value: Binary, imports: Imports) -> Source:
    data = Source(_quoted_bytes(bytes(value)))
    return call(imports.use("bson", "Binary"), [data, *([Source(str(value.subtype))] if value.subtype else [])])


def _of(name: str, *arguments: Callable[[Any], object]) -> Write:
    def write(value: object, imports: Imports) -> Source:
        given = [literal(argument(value), imports) for argument in arguments]
        return call(imports.use("bson", name), given)

    return write


_WRITERS: Final[Mapping[type, Write]] = cast(
    "Mapping[type, Write]",
    {
        StrEnum: _enum,
        str: _text,
        Int64: _of("Int64", int),
        int: _int,
        float: _float,
        datetime: _datetime,
        Decimal128: _of("Decimal128", str),
        ObjectId: _of("ObjectId", str),
        UUID: _uuid,
        Binary: _binary,  # before bytes, of which it is a subclass
        bytes: _bytes,
        Regex: _of("Regex", lambda value: value.pattern, lambda value: int(value.flags)),
        Timestamp: _of("Timestamp", lambda value: value.time, lambda value: value.inc),
        MinKey: _of("MinKey"),
        MaxKey: _of("MaxKey"),
        Mapping: _mapping,
        list: _list,
        tuple: _tuple,
    },
)
