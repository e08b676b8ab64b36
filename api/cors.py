"""What browsers are told, so that pages of the sites that a setting names may call the API and read its answers."""

from collections.abc import Sequence
from typing import Final

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
READABLE: Final = (
    "ETag", "Link", "Location", "Content-Location", "Content-Disposition", "Preference-Applied", "RateLimit",
    "RateLimit-Policy", "Retry-After", "Sheaf-Discarded", "Upload-Offset", "Upload-Complete", "X-Request-ID",
)  # fmt: skip
"""Headers of answers that a page may read."""

SENDABLE: Final = (
    "Authorization", "Content-Type", "If-Match", "If-None-Match", "Prefer", "Idempotency-Key", "Upload-Offset",
    "Upload-Complete", "X-Request-ID",
)  # fmt: skip
"""Headers of requests that a page may set, besides those that it always may."""

KEPT_SECONDS: Final = 600


def with_cors(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """Return an application that answers preflights of pages of `origins`; without origins, the same one.

    No cookies are asked for: callers send a key or a token.
    """
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=METHODS,
        allow_headers=SENDABLE,
        expose_headers=READABLE,
        max_age=KEPT_SECONDS,
    )
