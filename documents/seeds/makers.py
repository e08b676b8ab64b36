"""Turns a model into a maker of its documents: for each field, the likeliest values that the field takes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from random import Random
from typing import Annotated, Any, Final, Literal, cast, get_args, get_origin

from beanie import Document as BeanieDocument
from bson import DBRef
from pydantic import BaseModel, EmailStr, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo

from documents.models.declarations import index_models
from documents.seeds.annotations import bare, is_model, item_of, takes_none
from documents.seeds.files import SeedError
from documents.seeds.plausible import Maker, far_off, guesses, particulars, point
from documents.seeds.relations import Reference, Relations
from documents.seeds.scene import MAX_COUNT, Numbering, Scene, as_ascii
from documents.types import MISSING, Document

ITEMS: Final = (1, 3)
"""Fewest and most items in a list, unless its limits want others."""

MOST_ITEMS: Final = 20
NONE_SHARE: Final = 0.1
TRIALS: Final = (*range(20), MAX_COUNT - 1)
"""Positions at which a way to make values is tried; the last has the longest number."""

_OWN: Final = frozenset({"id", "revision_id"})
_PLACES: Final = frozenset({"coordinates", "location", "position", "geo", "point"})


class MakerBuilder:
    """Builds the maker of one collection's documents.

    Args:
        collection: Name of the collection.
        model: Its model.
        relations: What its fields refer to.
        pools: For each reference, the values that there are to choose from.
        numbering: Makes unique values and ids.
        own_id: Answers, for a position, the `_id` of that document.
    """

    def __init__(
        self,
        *,
        collection: str,
        model: type[BeanieDocument],
        relations: Relations,
        pools: Mapping[Reference, Sequence[object]],
        numbering: Numbering,
        own_id: Callable[[int], object],
    ) -> None:
        self._collection = collection
        self._model = model
        self._relations = relations
        self._pools = pools
        self._numbering = numbering
        self._own_id = own_id
        indexes = [index.document for index in index_models(model)]
        self._unique = {list(index["key"])[-1] for index in indexes if index.get("unique")}
        self._expiring = {next(iter(index["key"])) for index in indexes if "expireAfterSeconds" in index}
        self._open: list[object] = []

    def build(self) -> Callable[[Scene], Document]:
        """Return what makes a document, without its `_id`, as Python values.

        Raises:
            SeedError: Names the field for which no value can be made.
        """
        return self._object(self._model, "")

    def _object(self, model: type[BaseModel], path: str) -> Callable[[Scene], Document]:
        self._open.append(model)
        fields = [
            (field.alias or name, self._field(model, name, f"{path}{field.alias or name}"))
            for name, field in model.model_fields.items()
            if path or name not in _OWN
        ]
        self._open.pop()
        return lambda scene: {name: value for name, make in fields if (value := make(scene)) is not MISSING}

    def _field(self, model: type[BaseModel], name: str, path: str) -> Maker:
        field = model.model_fields[name]
        adapter = _adapter(field)
        for maker in self._candidates(model, name, path):
            if _fits(maker, field, adapter):
                is_bound = path in self._unique or path in self._expiring or not takes_none(field.annotation)
                return maker if is_bound else _sometimes_none(maker)
        self._refuse_lack(name, field, path)
        return self._last_resort(model, name, path, adapter)

    def _refuse_lack(self, name: str, field: FieldInfo, path: str) -> None:
        kind = bare(field.annotation)
        reference = self._relations.of(self._collection, name, bare(item_of(kind)) if item_of(kind) else kind)
        if reference is not None and reference.is_certain and not self._pools.get(reference):
            raise SeedError(
                f"{self._collection}.{path} needs documents of {reference.collection}, and there are none. "
                f"Add --generate {reference.collection}=100."
            )

    def _last_resort(self, model: type[BaseModel], name: str, path: str, adapter: TypeAdapter[Any] | None) -> Maker:
        # Loaded only for models that need it: polyfactory takes 0.5 s, most of it for Faker.
        from documents.seeds.fallback import fallback  # noqa: PLC0415  # as said

        field = model.model_fields[name]
        made = fallback(model, name)
        if not isinstance(made, str) and _fits(made, field, adapter):
            return made
        if field.examples:
            return _chooser(field.examples)
        if not field.is_required():
            return lambda _: MISSING
        reason = made if isinstance(made, str) else "what its type allows, its validators refuse"
        raise SeedError(f"No value can be made for {self._collection}.{path}: {reason}.")

    def _candidates(self, model: type[BaseModel], name: str, path: str) -> Iterator[Maker]:
        field = model.model_fields[name]
        kind = bare(field.annotation)
        if path in self._unique:
            yield from self._numbered(name, kind, model)
        if path in self._expiring:
            yield far_off
        if field.examples and len(field.examples) > 1:
            yield _chooser(field.examples)
        if name in _PLACES:
            yield point
        item = item_of(kind)
        if item is None:
            yield from self._of_kind(name, kind, path, model)
            return
        for maker in self._of_kind(name, bare(item), path, model):
            yield _lister(maker, *ITEMS)
            yield from (_lister(maker, count, count) for count in range(2, MOST_ITEMS))
        yield lambda _: []

    def _of_kind(self, name: str, kind: object, path: str, owner: type[BaseModel]) -> Iterator[Maker]:
        reference = self._relations.of(self._collection, name, kind)
        if reference is not None:
            yield from self._referring(reference)
        if reference is None or not reference.is_certain:
            yield from self._plain(name, kind, path, owner)

    def _referring(self, reference: Reference) -> Iterator[Maker]:
        if reference.collection == self._collection and reference.field == "_id" and not reference.is_link:
            yield lambda scene: self._own_id(scene.random.randrange(scene.position)) if scene.position else None
            yield lambda scene: self._own_id(scene.random.randrange(scene.position) if scene.position else 0)
            return
        pool = self._pools.get(reference, ())
        if reference.is_link:
            pool = [DBRef(reference.collection, value) for value in pool]
        if pool:
            yield _chooser(pool)
            if reference.is_certain:
                yield _chooser([str(value) for value in pool])
        elif reference.is_certain:
            yield lambda _: None
            yield lambda _: MISSING

    def _plain(self, name: str, kind: object, path: str, owner: type[BaseModel]) -> Iterator[Maker]:
        if is_model(kind):
            # One that holds itself is ended by null or an empty list.
            yield (lambda _: None) if kind in self._open else self._object(cast("type[BaseModel]", kind), f"{path}.")
        elif get_origin(kind) is Literal:
            yield _chooser(get_args(kind))
        elif isinstance(kind, type) and issubclass(kind, Enum):
            yield _chooser(list(kind))
        elif kind is dict or (get_origin(kind) is dict and get_args(kind)[1] is Any):
            yield particulars
        elif kind is Any:
            yield from guesses(name, str, owner)
        else:
            yield from guesses(name, cast("object", kind), owner)

    def _numbered(self, name: str, kind: object, owner: type[BaseModel]) -> Iterator[Maker]:
        """Yield ways to make values that no other document has."""
        if kind is int:
            yield lambda scene: self._numbering.number(scene.position) + scene.attempt * MAX_COUNT
        if kind is EmailStr or (kind is str and "mail" in name.lower()):
            yield lambda scene: f"{as_ascii(' '.join(scene.person))}.{self._number(scene)}@example.com"
        elif kind is str:
            likely = next(guesses(name, str, owner))
            joint = "-" if " " not in likely(Scene(Random(0), 0)) else " "  # noqa: S311  # to try it
            yield lambda scene: f"{likely(scene)}{joint}{self._number(scene)}"
            yield self._number

    def _number(self, scene: Scene) -> str:
        return self._numbering.text(scene.position) + (f"-{scene.attempt}" if scene.attempt else "")


def _adapter(field: FieldInfo) -> TypeAdapter[Any] | None:
    """Return what validates a field's values by themselves; None where its model alone can."""
    annotation = cast("Any", field.annotation)
    if field.metadata:
        annotation = cast("Any", Annotated)[annotation, *field.metadata]
    try:
        return TypeAdapter(annotation)
    except PydanticUserError:
        return None


def _fits(maker: Maker, field: FieldInfo, adapter: TypeAdapter[Any] | None) -> bool:
    """Tell whether a field takes what a maker makes."""
    random = Random(0)  # noqa: S311  # to try it
    for position in TRIALS:
        value = maker(Scene(random, position))
        try:
            if value is MISSING:
                return not field.is_required()
            if value is None and not takes_none(field.annotation):
                return False  # Beanie would read null as some id
            if adapter is not None:
                adapter.validate_python(value)
        except ValidationError:
            return False
    return True


def _chooser(values: Sequence[Any]) -> Maker:
    return lambda scene: scene.random.choice(values)


def _sometimes_none(maker: Maker) -> Maker:
    return lambda scene: None if scene.random.random() < NONE_SHARE else maker(scene)


def _lister(maker: Maker, fewest: int, most: int) -> Maker:
    def make(scene: Scene) -> list[Any]:
        made: list[Any] = []
        for _ in range(scene.random.randint(fewest, most)):
            value = maker(scene.among())
            if value not in made:
                made.append(value)
        return made

    return make
