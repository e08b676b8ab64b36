"""A web server of one resource, as good or as bad as a test wants it."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Page:
    """What is served.

    Args:
        body: The bytes.
        headers: Sent with them, such as ETag.
        knows_ranges: Whether it serves parts.
        cuts: How many bytes of an answer are sent before the connection is closed, answer by answer; then whole ones.
        refusals: Status codes that are answered first.
        auth: What `Authorization` must be.
        leads_to: Where `/moved` redirects to.
    """

    body: bytes
    headers: dict[str, str] = field(default_factory=dict[str, str])
    knows_ranges: bool = True
    cuts: list[int] = field(default_factory=list[int])
    refusals: list[int] = field(default_factory=list[int])
    auth: str | None = None
    leads_to: str = "/data.ndjson"
    asked: list[str] = field(default_factory=list[str])
    """The `Range` of each request."""


@contextmanager
def serving(page: Page) -> Generator[str]:  # noqa: C901  # a server in one function
    """Serve a page on a free port, and give its URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            page.asked.append(self.headers.get("Range", ""))
            if page.auth is not None and self.headers.get("Authorization") != page.auth:
                self._say(401, b"")
            elif page.refusals:
                self._say(page.refusals.pop(0), b"no")
            elif self.path.startswith("/moved"):
                self._say(302, b"", Location=page.leads_to)
            else:
                self._serve()

        def _serve(self) -> None:
            start, _, end = self.headers.get("Range", "").removeprefix("bytes=").partition("-")
            size = len(page.body)
            if not page.knows_ranges or not start:
                self._say(200, page.body, **page.headers)
            elif int(start) >= size:
                self._say(416, b"", **{"Content-Range": f"bytes */{size}"})
            else:
                last = min(int(end) if end else size - 1, size - 1)
                part = page.body[int(start) : last + 1]
                self._say(206, part, **page.headers, **{"Content-Range": f"bytes {start}-{last}/{size}"})

        def _say(self, status: int, body: bytes, **headers: str) -> None:
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            is_data = status in (200, 206) and len(page.asked) > 1
            cut = page.cuts.pop(0) if is_data and page.cuts else None
            self.wfile.write(body[:cut])
            if cut is not None:
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as the base has it
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/data.ndjson"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
