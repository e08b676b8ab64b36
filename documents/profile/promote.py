"""Writes the Beanie model of a collection, from what a profile has seen of it."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from keyword import iskeyword
from typing import Final

from documents.profile import kinds
from documents.profile.annotations import ANY, Annotator, render_imports
from documents.profile.contract_rules import ContractRules
from documents.profile.literals import literal
from documents.profile.names import OF_CLASSES, OF_DOCUMENTS, OF_MODELS, class_name, field_name
from documents.profile.node import ITEMS, KEY_CHARACTERS, VALUES, show_path
from documents.profile.report import Field, Report
from documents.types import COLLECTION_NAME

WIDTH: Final = 120

_CONFIG: Final = '    model_config = ConfigDict(extra="allow")'
_ID: Final = "_id"
_OVERRIDES: Final = "  # pyright: ignore[reportIncompatibleVariableOverride]  # Beanie lets a model say so"
_TOO_LONG: Final = "  # noqa: E501  # one name"
_CLASS_NAME: Final = re.compile(r"[A-Z][A-Za-z0-9]{0,79}")
_NO_PROSE: Final = re.compile(r"[^A-Za-z0-9_.\[\]* -]+")
_SHOWN_PATH: Final = 60


def render_model(report: Report, *, name: str, collection: str, rules: ContractRules | None = None) -> str:
    """Return the source of a module that declares a collection as it was seen.

    Every document that was seen is valid, and keeps every field: those that the model does not know are allowed and
    kept (`extra="allow"`). A field may be left out if some object lacked it, and then is None. Objects are classes,
    and dicts where they are used as maps or were too deep to be looked into. Where MongoDB's type is beyond Python's
    or Pydantic's, as a regular expression is, the type is `Any`. Fields whose name is empty or over 200 characters
    long are not declared, but kept as unknown ones are. An `_id` of null is the one value that does not fit, as Beanie
    takes it for none.

    Args:
        report: Of some documents.
        name: Of the class, in CapWords.
        collection: Where the documents are stored.
        rules: Of its contract. What of them is written down is noted in them.

    Raises:
        ValueError: One of the names cannot be used.
    """
    if not _CLASS_NAME.fullmatch(name) or iskeyword(name) or name in OF_CLASSES:
        raise ValueError(f"A model cannot be named {name!r}; take a name in CapWords that is not in use.")
    if not re.fullmatch(COLLECTION_NAME, collection):
        raise ValueError(f"No collection can be named {collection!r}.")
    return _Module(report, collection, rules or ContractRules(None)).render(name)


@dataclass(frozen=True, slots=True)
class _Attribute:
    """A field of a class, as it is written down."""

    name: str
    annotation: str
    key: str
    is_optional: bool
    is_override: bool
    rules: tuple[str, ...] = ()

    def __str__(self) -> str:
        arguments = ["None"] if self.is_optional else []
        if self.key != self.name:
            arguments.append(f"alias={literal(self.key)}")
        arguments += self.rules
        start = f"    {self.name}: {self.annotation}"
        if not arguments:
            return start + (_OVERRIDES if self.is_override else "")
        if arguments == ["None"]:
            return f"{start} = None" + (_OVERRIDES if self.is_override else "")
        line = f"{start} = Field({', '.join(arguments)})"
        if len(line) <= WIDTH:
            return line + (_OVERRIDES if self.is_override else "")
        parts = [_argument(argument) for argument in arguments]
        return "\n".join((f"{start} = Field({_OVERRIDES if self.is_override else ''}", *parts, "    )"))


class _Module:
    """One file: the classes of embedded objects, and then the document's."""

    def __init__(self, report: Report, collection: str, rules: ContractRules) -> None:
        self._report = report
        self._collection = collection
        self._rules = rules
        self._annotator = Annotator(self._embed)
        self._classes: list[str] = []
        self._owners: list[str] = []
        self._taken: set[str] = set()

    def render(self, name: str) -> str:
        self._taken.add(name)
        self._annotator.used |= {"ConfigDict", "Document"}
        self._owners.append(name)
        attributes = self._attributes(self._report.root, is_document=True)
        described = f"A document of {self._collection}, as {self._report.documents:,} were seen."
        source = _class(name, "Document", described, attributes)
        source += f"\n\n{self._settings()}"
        body = "\n\n\n".join((*self._classes, source))
        head = f'"""What is stored in {self._collection}, written down from a profile."""'
        return f"{head}\n\n{render_imports(self._used(body))}\n\n\n{body}\n"

    def _used(self, body: str) -> set[str]:
        """Return which names the file needs: those of types that were given up on the way are none of them."""
        words = set(re.findall(r"[A-Za-z]+", re.sub(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'", "", body)))
        return (self._annotator.used | {"Field", "BaseModel"}) & words

    def _attributes(self, field: Field, *, is_document: bool) -> list[_Attribute]:
        taken: set[str] = set()
        reserved = OF_DOCUMENTS if is_document else OF_MODELS
        attributes: list[_Attribute] = []
        # Names that need no alias go first, so that none of them is taken by a name made up for another.
        for inner in sorted(_promotable(field), key=lambda inner: field_name(inner.name, (), reserved) != inner.name):
            attribute = self._attribute(inner, taken, reserved, is_document=is_document)
            if attribute is not None:
                taken.add(attribute.name)
                attributes.append(attribute)
        order = {inner.name: position for position, inner in enumerate(field.fields)}
        return sorted(attributes, key=lambda attribute: order[attribute.key])

    def _attribute(
        self, field: Field, taken: set[str], reserved: frozenset[str], *, is_document: bool
    ) -> _Attribute | None:
        key = field.name
        own = {_ID: "id", "revision_id": "revision_id"}.get(key) if is_document else None
        if own == "id" and set(field.types) == {kinds.OBJECTID}:
            return None
        annotation = self._annotator.annotate(field)
        # Beanie gives every document a revision_id, with a default.
        is_required = self._rules.is_required(field.parts) or field.is_required
        is_optional = not is_required or own == "revision_id"
        rules = tuple(self._rules.arguments(field.parts, annotation))
        annotation = self._annotate_enum(field, annotation)
        if is_optional and annotation != ANY and not annotation.endswith("| None"):
            annotation += " | None"
        name = own or field_name(key, taken, reserved)
        return _Attribute(name, annotation, key, is_optional=is_optional, is_override=own is not None, rules=rules)

    def _annotate_enum(self, field: Field, annotation: str) -> str:
        chosen = self._rules.annotate(field.parts, annotation)
        if chosen != annotation:
            self._annotator.used.add("Literal")
        return chosen

    def _embed(self, field: Field) -> str | None:
        """Write the class of a field's objects, and return its name."""
        if not any(True for _ in _promotable(field)):
            return None
        key = next((part for part in reversed(field.parts) if part not in (ITEMS, VALUES)), "")
        is_item = field.parts[-1] in (ITEMS, VALUES)
        name = class_name(key, self._taken, owner=self._owners[-1], is_item=is_item)
        self._taken.add(name)
        self._owners.append(name)
        attributes = self._attributes(field, is_document=False)
        self._owners.pop()
        described = f"What {self._collection} have at {_prose(show_path(field.parts))}."
        self._classes.append(_class(name, "BaseModel", described, attributes))
        return name

    def _settings(self) -> str:
        lines = ["    class Settings:", '        """Where it is stored."""', "", f'        name = "{self._collection}"']
        encoders = sorted(_unencodables(self._report.fields))
        if encoders:
            self._annotator.used |= {"Any", "ClassVar", "copy", *encoders}
            pairs = ", ".join(f"{encoder}: copy" for encoder in encoders)
            lines.append(f"        bson_encoders: ClassVar[dict[Any, Any]] = {{{pairs}}}  # Beanie knows none for them")
        return "\n".join(lines)


def _class(name: str, base: str, described: str, attributes: Iterable[_Attribute]) -> str:
    lines = [f"class {name}({base}):", f'    """{described}"""', "", _CONFIG]
    written = [str(attribute) for attribute in attributes]
    return "\n".join((*lines, *(("", *written) if written else ())))


def _argument(argument: str) -> str:
    line = f"        {argument},"
    # Ruff lets a line be long if there is no space where it could be broken.
    return line + _TOO_LONG if len(line) > WIDTH and " " in line.strip() else line


def _promotable(field: Field) -> Iterator[Field]:
    """Return the fields that can be declared. The name of a longer one is not known to its end."""
    for inner in field.fields:
        if inner.name and len(inner.name) < KEY_CHARACTERS:
            yield inner


def _unencodables(fields: Iterable[Field]) -> set[str]:
    """Return the classes of values that Beanie would not store without being told how."""
    found: set[str] = set()
    for field in fields:
        if kinds.TIMESTAMP in field.types:
            found.add("Timestamp")
        if kinds.DATE in field.odd:
            found.add("DatetimeMS")
    return found


def _prose(path: str) -> str:
    plain = _NO_PROSE.sub("?", path)
    return plain if len(plain) <= _SHOWN_PATH else f"{plain[:_SHOWN_PATH].rstrip(' .')}..."
