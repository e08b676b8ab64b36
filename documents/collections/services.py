"""What plans stand on. Made once, by `documents.lifecycle`."""

from dataclasses import dataclass, field

from documents.catalog.catalog import Catalog
from documents.collections.committer import Committer
from documents.collections.finder import Finder
from documents.collections.loader import Loader
from documents.collections.shapes import ShapeLog
from documents.database.connection import Connection
from documents.database.cursor_secret import CursorSecret
from documents.settings import Settings


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a plan may use to run.

    Args:
        connection: To MongoDB.
        catalog: What is known of each collection.
        loader: Coalesced gets by id.
        finder: Shared lists.
        committer: Grouped inserts.
        cursor_secret: Signs page cursors; the same in all processes of a deployment.
        shapes: Counts what queries look like.
        max_array_position: What the positions in the paths of an update may add up to.
    """

    connection: Connection
    catalog: Catalog
    loader: Loader
    finder: Finder
    committer: Committer
    cursor_secret: CursorSecret
    shapes: ShapeLog = field(default_factory=ShapeLog)
    max_array_position: int = Settings.model_fields["max_array_position"].default
