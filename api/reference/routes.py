"""Routes of health, metrics, the OpenAPI document and its pages."""

from collections.abc import Sequence
from typing import Final

from api.openapi.problems import ANYWHERE
from api.openapi.responses import answer, plain_answer
from api.openapi.schemas import ref
from api.openapi.subjects import Subject
from api.record import JSON_ONLY, Responses, Route
from api.reference import handlers, health
from documents.errors import UnknownParameterError


def _ready(_: Subject) -> Responses:
    return {
        200: answer("Requests would be served.", ref("Health"), media=JSON_ONLY),
        503: answer("They would not, for the reason given.", ref("Health"), media=JSON_ONLY),
    }


HEALTH: Final = (*ANYWHERE, UnknownParameterError)

ROUTES: Final[Sequence[Route]] = (
    Route(
        "GET", "/health/live", health.live,
        name="isLive", summary="Whether the process runs", answers=plain_answer("It does.", "Health"),
        errors=HEALTH, tag="health",
    ),
    Route(
        "GET", "/health/startup", health.startup,
        name="isStarted", summary="Whether the process has started",
        answers=plain_answer("It has.", "Health"), errors=HEALTH, tag="health",
    ),
    Route(
        "GET", "/health/ready", health.ready,
        name="isReady", summary="Whether requests would be served", answers=_ready, errors=HEALTH, tag="health",
    ),
    Route("GET", "/metrics", health.metrics),
    Route("GET", "/openapi.json", handlers.openapi),
    Route("GET", "/docs", handlers.docs),
    Route("GET", "/docs/{asset}", handlers.docs_asset),
    Route("GET", "/problems", handlers.problems),
    Route("GET", "/problems/{code}", handlers.problem),
)  # fmt: skip
