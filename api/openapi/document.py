"""The OpenAPI document, put together from what there is at this moment."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast

from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

from api.openapi.parameters import PARAMETERS
from api.openapi.problems import problem_responses
from api.openapi.responses import HEADERS
from api.openapi.schemas import REF, Schema, ref
from api.openapi.shapes import SHAPES, operation_of
from api.openapi.subjects import ANY, Subject, name_subjects
from api.record import Route
from api.route import DocumentRoute
from documents.catalog.catalog import CollectionSummary
from documents.catalog.declared import DeclaredModel

VERSION: Final = "3.1.1"
DESCRIPTION: Final = """A REST API on MongoDB.

Every collection has the same operations. A declared one has types; what is posted to any other name is stored as it is.
What goes wrong is answered as `application/problem+json` (RFC 9457), with a stable `code` that has a page of its own
under `/problems`. A 500 is never meant: it is a fault of the server's, and its log has the reason.
"""
TAGS: Final = (
    {"name": "store", "description": "What concerns several collections."},
    {"name": "jobs", "description": "Loads that go on by themselves."},
    {"name": "health", "description": "For load balancers and orchestrators."},
)


def build_openapi(
    routes: Sequence[BaseRoute],
    models: Iterable[DeclaredModel],
    summaries: Sequence[CollectionSummary],
    *,
    title: str = "Sheaf",
    version: str = "0",
) -> dict[str, Any]:
    """Return the OpenAPI document of a store.

    Args:
        routes: Of the application; those that are not ours are described as FastAPI does.
        models: The declared collections.
        summaries: The collections there are.
        title: Of the API.
        version: Of the API.

    Returns:
        A document in OpenAPI 3.1, whose references all lead to its own components.

    Source:
        OpenAPI Specification 3.1.1.
    """
    subjects, schemas = name_subjects(list(models), summaries)
    transacted = operation_of(ref("DocumentInput"), ref("DocumentPatch"), collection=True)
    records = [route.record for route in routes if isinstance(route, DocumentRoute) and route.record.is_described]
    document: dict[str, Any] = {
        "openapi": VERSION,
        "info": {"title": title, "version": version, "description": DESCRIPTION},
        "tags": [*({"name": each.tag, "description": each.description} for each in subjects), *TAGS],
        "paths": _paths(records, subjects),
        "components": {
            "schemas": {**SHAPES, **schemas, "TransactionOperation": transacted},
            "parameters": PARAMETERS,
            "responses": _problem_components(records),
            "headers": HEADERS,
        },
    }
    return _merge(document, _described_by_fastapi(routes))


def _paths(routes: Sequence[Route], subjects: Sequence[Subject]) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for subject in subjects:
        for route in routes:
            if route.is_of_collection or subject is ANY:
                path = route.address.replace("{collection}", subject.collection)
                item = paths.setdefault(path, {})
                item[route.method.lower()] = _described(route, subject)
    return paths


def _described(route: Route, subject: Subject) -> dict[str, Any]:
    parameters = list(_parameters(route, subject))
    body = route.body(subject) if route.body else None
    return {
        "tags": [route.tag or subject.tag],
        "operationId": route.name.format(one=subject.one, many=subject.many),
        "summary": route.summary.format(**subject.words),
        **({"description": route.description} if route.description else {}),
        **({"parameters": parameters} if parameters else {}),
        **({"requestBody": _body(body, required=route.needs_body)} if body else {}),
        "responses": _responses(route, subject),
    }


def _parameters(route: Route, subject: Subject) -> Iterable[Schema]:
    if route.is_of_collection and subject.is_any:
        yield _shared("collection")
    if route.is_of_document:
        yield {"name": "id", "in": "path", "required": True, "description": "Its `_id`.", "schema": subject.id}
    for name in route.parameters:
        if name == "field-filters":
            taken = {PARAMETERS[other].get("name") for other in route.parameters}
            yield from (each for each in subject.filters if each["name"].partition("[")[0] not in taken)
        if name != "q" or subject.has_text:
            yield _shared(name)


def _shared(name: str) -> Schema:
    return {"$ref": f"#/components/parameters/{name}"}


def _body(forms: Mapping[str, Schema], *, required: bool) -> dict[str, Any]:
    return {"required": required, "content": {media: {"schema": schema} for media, schema in forms.items()}}


def _responses(route: Route, subject: Subject) -> dict[str, Any]:
    fine = {str(status): response for status, response in route.answers(subject).items()}
    problems = {
        status: {"$ref": f"#/components/responses/{_problem_name(route, status)}"}
        for status in problem_responses(route.problems)
        if status not in fine
    }
    return dict(sorted({**fine, **problems}.items()))


def _problem_components(routes: Sequence[Route]) -> dict[str, Any]:
    """Return the problem responses, which are the same for all collections."""
    return {
        _problem_name(route, status): response
        for route in routes
        for status, response in problem_responses(route.problems).items()
    }


def _problem_name(route: Route, status: str) -> str:
    return f"{route.verb}-{status}"


def _described_by_fastapi(routes: Sequence[BaseRoute]) -> dict[str, Any]:
    others = [route for route in routes if not isinstance(route, DocumentRoute)]
    return get_openapi(title="", version="", routes=others)


def _merge(document: dict[str, Any], others: dict[str, Any]) -> dict[str, Any]:
    """Add what a user's own routers serve. Where both have a name, ours keeps it."""
    schemas = document["components"]["schemas"]
    taken = {name for name in others.get("components", {}).get("schemas", {}) if name in schemas}
    renamed = {f"{REF}{name}": f"{REF}{name}_" for name in taken}
    others = _with_references(others, renamed)
    for kind, components in others.get("components", {}).items():
        ours = document["components"].setdefault(kind, {})
        for name, component in components.items():
            ours[f"{name}_" if kind == "schemas" and name in taken else name] = component
    for path, item in others.get("paths", {}).items():
        document["paths"][path] = {**item, **document["paths"].get(path, {})}
    return document


def _with_references(node: Any, renamed: Mapping[str, str]) -> Any:  # noqa: ANN401  # any JSON in, the same kind of it out
    match node:
        case list():
            return [_with_references(item, renamed) for item in cast("list[Any]", node)]
        case dict():
            members = cast("dict[str, Any]", node)
            return {
                key: renamed.get(value, value) if key == "$ref" else _with_references(value, renamed)
                for key, value in members.items()
            }
        case _:
            return node
