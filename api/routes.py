"""The table of routes: each address, method and endpoint, those that are asked for most first."""

from collections.abc import Sequence
from typing import Final

from api import health
from api.endpoints import (
    contracts,
    documentation,
    documents,
    export,
    indexes,
    ingest,
    jobs,
    methods,
    quarantine,
    schema,
)
from api.openapi.known_parameters import known_parameters
from api.route import DocumentRoute, Endpoint

COLLECTION: Final = "/v1/{collection:collection}"
DOCUMENT: Final = COLLECTION + "/{id:path}"
JOB: Final = "/jobs/{id:job}"

ROUTES: Final[Sequence[tuple[str, str, Endpoint]]] = (
    ("GET", DOCUMENT, documents.get_document),
    ("POST", COLLECTION, documents.insert_documents),
    ("GET", COLLECTION, documents.list_documents),
    ("PATCH", DOCUMENT, documents.patch_document),
    ("PUT", DOCUMENT, documents.put_document),
    ("DELETE", DOCUMENT, documents.delete_document),
    ("PATCH", COLLECTION, documents.update_documents),
    ("DELETE", COLLECTION, documents.delete_documents),
    ("POST", COLLECTION + ":query", methods.query),
    ("POST", COLLECTION + ":count", methods.count),
    ("POST", COLLECTION + ":aggregate", methods.aggregate),
    ("POST", COLLECTION + ":bulk", methods.bulk),
    ("POST", COLLECTION + ":ingest", ingest.ingest),
    ("GET", COLLECTION + ":loads", ingest.get_loads),
    ("GET", COLLECTION + ":quarantine", quarantine.list_quarantined),
    ("DELETE", COLLECTION + ":quarantine", quarantine.discard_quarantined),
    ("GET", COLLECTION + ":quarantine/{id}", quarantine.get_quarantined),
    ("DELETE", COLLECTION + ":quarantine/{id}", quarantine.discard_one),
    ("POST", COLLECTION + ":replay", quarantine.replay),
    ("GET", COLLECTION + ":export", export.export_documents),
    ("GET", COLLECTION + ":schema", schema.get_schema),
    ("GET", COLLECTION + ":indexes", indexes.get_indexes),
    ("PUT", COLLECTION + ":indexes", indexes.put_indexes),
    ("GET", COLLECTION + ":contract", contracts.get_contract),
    ("PUT", COLLECTION + ":contract", contracts.put_contract),
    ("DELETE", COLLECTION + ":contract", contracts.delete_contract),
    ("POST", "/v1:transaction", methods.transaction),
    ("GET", "/v1", documents.list_collections),
    ("GET", "/jobs", jobs.list_jobs),
    ("GET", JOB, jobs.get_job),
    ("PATCH", JOB, jobs.patch_job),
    ("POST", JOB + ":cancel", jobs.cancel_job),
    ("POST", JOB + ":undo", jobs.undo_job),
    ("GET", "/health/live", health.live),
    ("GET", "/health/ready", health.ready),
    ("GET", "/openapi.json", documentation.openapi),
    ("GET", "/docs", documentation.docs),
    ("GET", "/docs/{asset}", documentation.docs_asset),
    ("GET", "/problems", documentation.problems),
    ("GET", "/problems/{code}", documentation.problem),
)


def document_routes() -> list[DocumentRoute]:
    """Return the routes; what can be got can be asked for with HEAD, too."""
    known = known_parameters()
    routes: list[DocumentRoute] = []
    for method, path, endpoint in ROUTES:
        route = DocumentRoute(path, endpoint, methods=["GET", "HEAD"] if method == "GET" else [method])
        route.known = known.get((method, route.path_format))
        routes.append(route)
    return routes
