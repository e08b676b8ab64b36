"""All routes, those that are asked for most first."""

from collections.abc import Sequence
from typing import Final

from api.bulk import routes as bulk
from api.contracts import routes as contracts
from api.documents import routes as documents
from api.export import routes as export
from api.indexes import routes as indexes
from api.loads import routes as loads
from api.queries import routes as queries
from api.record import Route
from api.reference import routes as reference
from api.route import DocumentRoute
from api.schema import routes as schema

ROUTES: Final[Sequence[Route]] = (
    *documents.ROUTES,
    *queries.ROUTES,
    *bulk.ROUTES,
    *loads.ROUTES,
    *export.ROUTES,
    *schema.ROUTES,
    *indexes.ROUTES,
    *contracts.ROUTES,
    *reference.ROUTES,
)


def document_routes() -> list[DocumentRoute]:
    """Return what serves them."""
    return [DocumentRoute(route) for route in ROUTES]
