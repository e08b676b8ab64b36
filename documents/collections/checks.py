"""What is refused of a change before anything is read for it."""

from documents.catalog.catalog import CollectionEntry
from documents.codec.json_patch import check_json_patch
from documents.collections.operations import Change, JsonPatch, Update
from documents.query.growth import check_growth
from documents.query.update import parse_update


def check_change(entry: CollectionEntry, change: Change, *, max_position: int) -> None:
    """Refuse a change that is not well formed, also where it would find nothing to change.

    Args:
        entry: The collection.
        change: As it was sent.
        max_position: What the positions in the paths of an update may add up to.

    Raises:
        InvalidPatchError: It is not well formed.
        InvalidDocumentError: It could let arrays grow too far.
    """
    if isinstance(change, JsonPatch):
        check_json_patch(change.operations)
    elif isinstance(change, Update):
        check_growth(change.operators, max_position)
        parse_update(change.operators, entry.coerce)
