"""Names for Python: fields and classes named after the fields of documents."""

import builtins
import re
import unicodedata
from collections.abc import Collection
from keyword import iskeyword
from typing import Final

LONGEST: Final = 32
"""Characters that a name takes over from a document; a prefix or a number may be added."""

IN_ANNOTATIONS: Final = frozenset({"bool", "bytes", "dict", "float", "int", "list", "str"})
"""A field with such a name would hide the type from the annotations after it."""

_MODEL_WORDS: Final = """
construct copy dict from_orm json parse_file parse_obj parse_raw schema schema_json update_forward_refs validate
"""
_DOCUMENT_WORDS: Final = """
add_child aggregate all avg bulk_writer count create current_date delete delete_all distinct fetch_all_links fetch_link
fill_back_refs find find_all find_many find_one get get_bson_encoders get_changes get_collection_name get_link_fields
get_model_type get_previous_changes get_previous_saved_state get_pymongo_collection get_saved_state get_settings
has_changed id inc insert insert_many insert_one inspect_collection is_changed lazy_parse link_from_id max min
parse_store replace replace_many revision_id rollback save save_changes set set_collection set_collection_name
set_database state_management_replace_objects state_management_save_previous sum sync to_ref update update_all
use_state_management validate_self
"""

OF_MODELS: Final = frozenset(_MODEL_WORDS.split())
"""What every Pydantic model has already, besides names that begin with `model_`."""

OF_DOCUMENTS: Final = OF_MODELS | frozenset(_DOCUMENT_WORDS.split())
"""What every Beanie document has already."""

OF_CLASSES: Final = frozenset(
    {
        *(name for name in dir(builtins) if name[0].isupper()),
        *("Any", "BaseModel", "ClassVar", "ConfigDict", "DatetimeMS", "DecimalAnnotation", "Document", "Field"),
        *("Moment", "PydanticObjectId", "Settings", "Timestamp", "UUID"),
    }
)
"""What a file with a model imports, or would hide."""

_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NO_NAME: Final = re.compile(r"[^a-z0-9]+")
_PYDANTIC_PREFIXES: Final = ("model_dump", "model_validate")
_MODEL_NAMES: Final = frozenset(
    {"model_computed_fields", "model_config", "model_construct", "model_copy", "model_extra", "model_fields"}
    | {"model_fields_set", "model_json_schema", "model_parametrized_name", "model_post_init", "model_rebuild"}
)
_SIBILANTS: Final = ("sses", "shes", "ches", "xes", "zes")


def field_name(key: str, taken: Collection[str], reserved: Collection[str]) -> str:
    """Return a name in snake case for a field of a document, one that is still free.

    Args:
        key: The document's name of it: any text.
        taken: Names that fields of the same class have.
        reserved: Names that the class has anyway.
    """
    name = _snake(key) or "field"
    if name[0].isdigit() or name.startswith(_PYDANTIC_PREFIXES) or name in _MODEL_NAMES:
        name = f"field_{name}"
    if iskeyword(name) or name in reserved or name in IN_ANNOTATIONS:
        name = f"{name}_"
    return _free(name, taken)


def class_name(key: str, taken: Collection[str], *, owner: str, is_item: bool) -> str:
    """Return a name in CapWords for the class of an embedded object, one that is still free.

    Args:
        key: The document's name of the field that holds it.
        taken: Names that classes of the same file have.
        owner: Name of the class that holds it, put in front where the name alone is taken.
        is_item: Whether the field holds several, so that its name is likely a plural.
    """
    words = _snake(key).split("_")
    if is_item:
        words[-1] = _singular(words[-1])
    name = "".join(word.capitalize() for word in words)
    if not name or name[0].isdigit():
        name = f"Part{name}"
    if name in taken or name in OF_CLASSES:
        name = f"{owner}{name}"[:LONGEST]
    return _free(name, {*taken, *OF_CLASSES})


def _snake(key: str) -> str:
    plain = unicodedata.normalize("NFKD", key).encode("ascii", "ignore").decode()
    return _NO_NAME.sub("_", _HUMP.sub("_", plain).lower()).strip("_")[:LONGEST].strip("_")


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > len("ties"):
        return f"{word[:-3]}y"
    if word.endswith(_SIBILANTS):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def _free(name: str, taken: Collection[str]) -> str:
    free, number = name, 2
    while free in taken:
        free, number = f"{name.rstrip('_')}_{number}" if name[0].islower() else f"{name}{number}", number + 1
    return free
