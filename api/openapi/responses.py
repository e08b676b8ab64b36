"""What an operation answers with when all goes well, and the headers of all answers."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from api.media import Media
from api.openapi.problems import ref_header
from api.openapi.schemas import Schema, ref
from api.openapi.shapes import ETAG
from api.openapi.subjects import Subject

BOTH: Final = (Media.JSON, Media.EJSON)


def _header(description: str, schema: Schema | None = None, **more: object) -> Schema:
    return {"description": description, "schema": schema or {"type": "string"}, **more}


HEADERS: Final[dict[str, Schema]] = {
    "ETag": _header(
        "The document's version, strong.", {"type": "string", "pattern": ETAG}, example='"5d41402abc4b2a76b9719d91"'
    ),
    "Location": _header("Where the new document is, or the job.", {"type": "string", "format": "uri-reference"}),
    "Content-Location": _header("Where the document is.", {"type": "string", "format": "uri-reference"}),
    "Link": _header('The pages after and before: `<…>; rel="next"`, `<…>; rel="prev"` (RFC 8288).'),
    "Preference-Applied": _header("Which preferences were followed (RFC 7240)."),
    "Vary": _header("Which headers of the request the form depends on: `Accept`, and of files `Accept-Encoding`."),
    "Content-Disposition": _header("A name for the file."),
    "Content-Encoding": _header("How it is compressed for the way: `zstd` or `gzip`."),
    "Sheaf-Discarded": _header(
        "What the collection's contract had left out: JSON pointers, percent-encoded, and `+n` for n more."
    ),
    "Retry-After": _header("Seconds after which to try again.", {"type": "integer", "minimum": 0}),
    "Upload-Offset": _header("Bytes of the upload that are here.", {"type": "integer", "minimum": 0}),
    "Upload-Complete": _header("Whether that is all of it: `?1` or `?0`.", {"enum": ["?1", "?0"]}),
    "Accept": _header("The media types that are read here."),
}


def answer(
    description: str, schema: Schema | None = None, *, media: Sequence[Media] = BOTH, headers: Sequence[str] = ()
) -> dict[str, Any]:
    """Return a response.

    Args:
        description: When it is given.
        schema: Of the JSON form; the other form has the same shape, its values as Extended JSON. None: no body.
        media: The forms it comes in.
        headers: Their names.
    """
    forms: dict[Media, Schema] = {Media.JSON: {"schema": schema}, Media.EJSON: {"schema": _EXTENDED}}
    return {
        "description": description,
        **({"headers": {name: ref_header(name) for name in headers}} if headers else {}),
        **({"content": {kind.value: forms[kind] for kind in media}} if schema is not None else {}),
    }


def json_body(schema: Schema) -> dict[str, Schema]:
    """Return the schemas of a body that may come as JSON or as Extended JSON."""
    return {Media.JSON.value: schema, Media.EJSON.value: schema}


def plain_answer(description: str, shape: str) -> Callable[[Subject], dict[int, dict[str, Any]]]:
    """Return what makes a 200 with a body of one of `SHAPES`, in plain JSON."""
    return lambda _: {200: answer(description, ref(shape), media=(Media.JSON,))}


def mixed_outcomes() -> dict[int, dict[str, Any]]:
    """Return the responses with an outcome for each of several writes."""
    outcomes = ref("Outcomes")
    return {
        200: answer("Done: the outcomes.", outcomes),
        207: answer("Done in part: the outcomes, some of them failures.", outcomes),
    }


def file_answer(description: str, media: Sequence[str], *, headers: Sequence[str] = ()) -> dict[str, Any]:
    """Return a response that is a file, in one of several media types."""
    return {
        "description": description,
        "headers": {name: ref_header(name) for name in headers},
        "content": {kind: {"schema": {"description": "The file, whole."}} for kind in media},
    }


_EXTENDED: Final[Schema] = {
    "type": "object",
    "description": "The same with values as canonical Extended JSON v2, so that every BSON type is told apart.",
}
