"""What operations are about: a declared collection, a flexible one that exists, or any."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from api.openapi.names import Names, pascal_case, spaced
from api.openapi.parameters import field_filters
from api.openapi.schemas import OBJECT_ID, Schema, model_schemas, ref
from api.openapi.shapes import ANY_ID, SHAPES, operation_of, page_of
from documents.catalog.catalog import CollectionSummary
from documents.catalog.declared import DeclaredModel
from documents.models.declarations import index_models
from documents.types import IdType

MAX_FLEXIBLE: Final = 50
"""Flexible collections that get paths of their own where all are asked for; the general ones serve the rest as well."""

TEXT_ID: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[^{\u0000][^\u0000]*$"}
STORED_IDS: Final[Mapping[IdType, Schema]] = {
    IdType.OBJECTID: OBJECT_ID,
    IdType.STRING: {"type": "string", "maxLength": 255, "pattern": r"^[^\u0000]*$"},
    IdType.INT: {"type": "integer", "format": "int64", "minimum": -(2**63), "maximum": 2**63 - 1},
    IdType.UUID: {"type": "string", "format": "uuid"},
    IdType.ANY: ANY_ID,
}
_NEED_ID: Final = frozenset({IdType.STRING, IdType.INT, IdType.ANY})
_FIXED: Final = "Document"


@dataclass(frozen=True, slots=True)
class Subject:
    """What operations are about.

    Args:
        collection: As the path has it: a name, or `{collection}`.
        one: The name of a type, such as `Product`; that of its schema, too.
        many: The name for several, such as `Products`.
        id: The schema of an id in the path.
        filters: Parameters that filter by a field.
        has_text: Whether `q` can be used.
        description: In a sentence or two.
        is_declared: Whether a model declares it.
    """

    collection: str
    one: str
    many: str
    id: Schema
    filters: Sequence[Schema] = ()
    has_text: bool = True
    description: str = ""
    is_declared: bool = False

    @property
    def is_any(self) -> bool:
        """Whether it stands for all collections."""
        return self.collection.startswith("{")

    @property
    def tag(self) -> str:
        """The heading under which its operations stand."""
        return "any collection" if self.is_any else self.collection

    @property
    def words(self) -> Mapping[str, str]:
        """What stands in summaries for `{one}` and `{many}`."""
        return {"one": spaced(self.one), "many": spaced(self.many)}


ANY: Final = Subject(
    collection="{collection}",
    one=_FIXED,
    many="Documents",
    id=TEXT_ID,
    description="Every collection, declared or not; also those that do not exist yet.",
)


def name_subjects(
    models: Sequence[DeclaredModel], summaries: Sequence[CollectionSummary]
) -> tuple[list[Subject], dict[str, Schema]]:
    """Return the collections to describe, and the schemas they need."""
    names = Names(SHAPES)
    many = Names({ANY.many})
    name_of, schemas = model_schemas(models, names)
    declared = [_declared(model, name_of[model.name], many, schemas) for model in models]
    flexible = [_flexible(each, names, many, schemas) for each in summaries if not each.declared][:MAX_FLEXIBLE]
    for subject in (*declared, *flexible, ANY):
        schemas |= _belonging(subject)
    return [*declared, *flexible, ANY], schemas


def _declared(model: DeclaredModel, name: str, many: Names, schemas: Mapping[str, Schema]) -> Subject:
    return Subject(
        collection=model.name,
        one=name,
        many=many.claim(pascal_case(model.name), for_collection=model.name),
        id=STORED_IDS[model.id_type] if model.id_type in (IdType.OBJECTID, IdType.INT, IdType.UUID) else TEXT_ID,
        filters=field_filters(schemas[f"{name}Input"], schemas),
        has_text=any("text" in index.document["key"].values() for index in index_models(model.model)),
        description=schemas[name].get("description", ""),
        is_declared=True,
    )


def _flexible(summary: CollectionSummary, names: Names, many: Names, schemas: dict[str, Schema]) -> Subject:
    name = names.claim(pascal_case(summary.name), for_collection=summary.name)
    id_type = summary.id_type
    stored = STORED_IDS[id_type or IdType.ANY]
    schemas[name] = SHAPES["Document"] | {"properties": {"_id": {} if id_type in (None, IdType.ANY) else stored}}
    schemas[f"{name}Input"] = SHAPES["DocumentInput"] | {
        "properties": {"_id": stored},
        **({"required": ["_id"]} if id_type in _NEED_ID else {}),
    }
    schemas[f"{name}Patch"] = SHAPES["DocumentPatch"]
    return Subject(
        collection=summary.name,
        one=name,
        many=many.claim(pascal_case(summary.name), for_collection=summary.name),
        id=stored if id_type in (IdType.OBJECTID, IdType.INT, IdType.UUID) else TEXT_ID,
        has_text=False,
        description="Flexible: its documents have any shape.",
    )


def _belonging(subject: Subject) -> dict[str, Schema]:
    document, patch = ref(f"{subject.one}Input"), ref(f"{subject.one}Patch")
    return {
        f"{subject.one}Page": page_of(ref(subject.one)),
        f"{subject.one}Operation": operation_of(document, patch, collection=False),
    }
