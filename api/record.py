"""A route as one value, from which routing, OpenAPI, problems and the table in docs/api.md are made."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from starlette.responses import Response

from api.exchange import Exchange
from api.media import Media
from api.openapi.problems import CROSSING, Errors
from api.openapi.schemas import Schema
from api.openapi.subjects import Subject
from api.sites import SAFE_METHODS
from documents.access.actions import Action

Handler: TypeAlias = Callable[[Exchange], Awaitable[Response]]
Responses: TypeAlias = Mapping[int, dict[str, Any]]
Bodies: TypeAlias = Mapping[str, Schema]

COLLECTION: Final = "/v1/{collection:collection}"
DOCUMENT: Final = COLLECTION + "/{id:path}"
JOB: Final = "/jobs/{id:job}"

JSON_ONLY: Final = (Media.JSON,)


@dataclass(frozen=True, slots=True)
class Route:
    """A route.

    Args:
        method: HTTP method. A route for GET serves HEAD, too.
        path: Address, with Starlette's convertors.
        handler: Serves a request.
        actions: What the caller must be allowed to do with the collection. Empty where that depends on the body, or
            where nothing is needed.
        name: Template of the `operationId`, with `{one}` and `{many}` for the names of the collection's types. Empty
            for pages, which OpenAPI does not describe.
        summary: A few words, with the same placeholders.
        answers: Successful responses by status.
        errors: Errors that it can answer with.
        parameters: Names of its parameters among `PARAMETERS`.
        body: Schemas of the body by media type; None where no body is read.
        description: Corners that the summary leaves out.
        tag: Heading, where it is not that of the collection.
        needs_body: Whether the body is required.
    """

    method: str
    path: str
    handler: Handler
    actions: Sequence[Action] = ()
    name: str = ""
    summary: str = ""
    answers: Callable[[Subject], Responses] = lambda _: {}
    errors: Errors = ()
    parameters: Sequence[str] = ()
    body: Callable[[Subject], Bodies] | None = None
    description: str = ""
    tag: str | None = None
    needs_body: bool = True

    @property
    def address(self) -> str:
        """The path as OpenAPI has it, without convertors."""
        return re.sub(r":\w+}", "}", self.path)

    @property
    def methods(self) -> list[str]:
        """The methods that it serves."""
        return ["GET", "HEAD"] if self.method == "GET" else [self.method]

    @property
    def verb(self) -> str:
        """The beginning of its `operationId`."""
        return self.name.partition("{")[0]

    @property
    def is_described(self) -> bool:
        """Whether OpenAPI describes it."""
        return bool(self.name)

    @property
    def is_of_collection(self) -> bool:
        """Whether each collection has it."""
        return self.path.startswith(COLLECTION)

    @property
    def is_of_document(self) -> bool:
        """Whether its id is that of a document."""
        return self.path == DOCUMENT

    @property
    def problems(self) -> Errors:
        """All errors that it can answer with, those of requests from other sites included."""
        return self.errors if self.method in SAFE_METHODS else (*self.errors, *CROSSING)
