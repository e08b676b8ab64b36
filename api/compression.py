"""Answers compressed for the way, each with an ETag of its own: it is another representation."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette_compress import CompressMiddleware

from documents.codec.etag import representation_tag


class Compression:
    """Compresses answers as `Accept-Encoding` allows it, and marks their strong ETags.

    Args:
        app: What answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        # Fast settings, and nothing for small answers: compressing those costs more than it saves.
        self._app = CompressMiddleware(app, minimum_size=1024, zstd_level=1, gzip_level=1, brotli=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def send_tagged(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = dict(message.get("headers", ()))
                coding, etag = headers.get(b"content-encoding"), headers.get(b"etag", b"")
                if coding is not None and etag.startswith(b'"'):
                    tagged = representation_tag(etag.decode("latin-1"), coding.decode("latin-1")).encode("latin-1")
                    message["headers"] = [
                        (name, tagged if name == b"etag" else value) for name, value in message["headers"]
                    ]
            await send(message)

        await self._app(scope, receive, send_tagged)
