"""Routes of exports."""

from collections.abc import Sequence
from typing import Final

from api.export import handlers
from api.openapi.problems import QUERY, STORE
from api.openapi.responses import file_answer
from api.openapi.subjects import Subject
from api.problems import NotAcceptableError
from api.record import COLLECTION, Responses, Route
from documents.access.actions import Action

FILES: Final = (*handlers.MEDIA_TYPES.values(), *(media for media, _ in handlers.COMPRESSED.values()))


def _file(_: Subject) -> Responses:
    return {200: file_answer("The file.", FILES, headers=("Content-Disposition", "Content-Encoding", "Vary"))}


ROUTES: Final[Sequence[Route]] = (
    Route(
        "GET", f"{COLLECTION}:export", handlers.export_documents, (Action.READ,),
        name="export{many}", summary="Export {many} as a file", answers=_file,
        errors=(*STORE, *QUERY, NotAcceptableError),
        parameters=(
            "sort", "fields", "limit-export", "q", "field-filters", "filter", *handlers.OPTIONS,
        ),
        description="All from one snapshot, streamed. A connection that closes without the last chunk means that the "
        "file is not whole.",
    ),
)  # fmt: skip
