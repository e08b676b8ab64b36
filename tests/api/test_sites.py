"""Pages of other sites change nothing: by the headers that browsers send, and in a real browser."""

import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from api.app import create_app
from api.routes import ROUTES
from api.sites import SAFE_METHODS
from documents.settings import Settings, SettingsError, load_settings
from tests.api.answers import refusal
from tests.conftest import serving
from tests.server import Server

Client = httpx.AsyncClient
OWN: Final = "http://127.0.0.1"
JSON: Final = {"Content-Type": "application/json"}
NDJSON: Final = {"Content-Type": "application/x-ndjson"}
CHANGING: Final = [(route.method, route.path) for route in ROUTES if route.method not in SAFE_METHODS]
SAFE: Final = [(route.method, route.path) for route in ROUTES if route.method in SAFE_METHODS]

FOREIGN: Final[dict[str, dict[str, str]]] = {
    "a page elsewhere": {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    "a page elsewhere, by an old browser": {"Origin": "https://evil.example"},
    "a page elsewhere that hides where": {"Origin": "null"},
    "a page elsewhere, without an origin": {"Sec-Fetch-Site": "cross-site"},
    "another port": {"Origin": "http://127.0.0.1:9999"},
    "another port, by a browser of today": {"Origin": "http://127.0.0.1:9999", "Sec-Fetch-Site": "same-site"},
    "a host that begins like ours": {"Origin": "http://127.0.0.1.evil.example"},
    "a host that ends like ours": {"Origin": "http://evil.example#127.0.0.1"},
    "our host as a user": {"Origin": "http://127.0.0.1@evil.example"},
    "an origin that is none": {"Origin": "http://[127.0.0.1"},
    "a port that is none": {"Origin": "http://127.0.0.1:99999"},
    "an extension": {"Origin": "chrome-extension://127.0.0.1"},
    "a site that is none": {"Sec-Fetch-Site": "friendly"},
}
OURS: Final[dict[str, dict[str, str]]] = {
    "no browser": {},
    "our page": {"Origin": OWN, "Sec-Fetch-Site": "same-origin"},
    "our page, by an old browser": {"Origin": OWN},
    "our page, with its port": {"Origin": "http://127.0.0.1:80"},
    "our page, behind a proxy that changes the host": {
        "Origin": "https://api.example",
        "Sec-Fetch-Site": "same-origin",
    },
    "a person": {"Sec-Fetch-Site": "none"},
}


def address(path: str) -> str:
    return (
        path.replace("{collection:collection}", "elsewhere")
        .replace("{id:path}", "x")
        .replace("{id:job}", "0" * 24)
        .replace("{id}", "x")
        .replace("{asset}", "LICENSE")
        .replace("{code}", "forbidden")
    )


class TestEveryRoute:
    @pytest.mark.parametrize(("method", "path"), CHANGING)
    async def test_that_changes_something_refuses_a_foreign_page(self, client: Client, method: str, path: str) -> None:
        for headers in FOREIGN.values():
            response = await client.request(method, address(path), content=b"{}", headers={**JSON, **headers})
            refusal(response, 403, "cross-origin")

    @pytest.mark.parametrize(("method", "path"), CHANGING)
    async def test_that_changes_something_serves_the_others(self, client: Client, method: str, path: str) -> None:
        for headers in OURS.values():
            response = await client.request(method, address(path), content=b"{}", headers={**JSON, **headers})
            assert response.status_code != 403, response.text

    @pytest.mark.parametrize(("method", "path"), SAFE)
    async def test_that_is_safe_serves_everyone(self, client: Client, method: str, path: str) -> None:
        for headers in FOREIGN.values():
            assert (await client.request(method, address(path), headers=headers)).status_code != 403

    @pytest.mark.parametrize(("method", "path"), CHANGING)
    @pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
    async def test_that_changes_something_wants_to_know_what_a_body_is(
        self, client: Client, method: str, path: str, kind: str | None
    ) -> None:
        headers = {"Upload-Offset": "0", **({} if kind is None else {"Content-Type": kind + "; charset=utf-8"})}
        query = "?format=ndjson" if path.endswith(":ingest") else ""
        response = await client.request(method, address(path) + query, content=b"{}", headers=headers)
        refusal(response, 415, "unsupported-media-type")


class TestNamedSites:
    @pytest.fixture
    def named(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"cors_origins": ("https://app.example",)})

    async def test_may_change_something(self, named: Settings, collection: str) -> None:
        async with serving(create_app(named)) as client:
            for more in ({}, {"Sec-Fetch-Site": "cross-site"}):
                headers = {"Origin": "https://app.example", **more}
                assert (await client.post(f"/v1/{collection}", json={}, headers=headers)).status_code == 201
            for headers in FOREIGN.values():
                refusal(await client.post(f"/v1/{collection}", json={}, headers=headers), 403, "cross-origin")

    def test_are_read_with_commas_between(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SHEAF_CORS_ORIGINS", "https://App.example, http://localhost:3000")
        assert load_settings().cors_origins == ("https://app.example", "http://localhost:3000")

    @pytest.mark.parametrize("text", ["*", "app.example", "https://app.example/", "https://*.example", "null"])
    def test_are_origins(self, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
        monkeypatch.setenv("SHEAF_CORS_ORIGINS", text)
        with pytest.raises(SettingsError):
            load_settings()


CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium")

PAGE: Final = """<!doctype html><title>Elsewhere</title><body><script>
const at = "%(address)s/v1/victims";
const requests = [
  [":ingest?format=ndjson&mode=delete", "POST", '{"_id": "a"}', "text/plain"],
  [":ingest?format=ndjson&mode=delete", "POST", '{"_id": "a"}', "application/x-ndjson"],
  [":ingest?format=ndjson", "POST", new Blob(['{"_id": "b"}']), null],
  ["", "POST", '{"_id": "b"}', "text/plain"],
  ["", "POST", '{"_id": "b"}', "application/json"],
  ["", "POST", new URLSearchParams({_id: "b"}), null],
  ["", "POST", new FormData(), null],
  ["/a", "DELETE", null, null],
  ["/a", "PATCH", '{"x": 1}', "text/plain"],
  ["?filter={}", "DELETE", null, null],
];
function post(action, enctype) {
  const frame = document.createElement("iframe"), form = document.createElement("form");
  const field = document.createElement("input");
  frame.name = "f" + Math.random();
  field.name = '{"_id": "b", "x": "'; field.value = '"}';
  Object.assign(form, {action, enctype, method: "POST", target: frame.name});
  form.append(field); document.body.append(frame, form);
  return new Promise(done => { frame.onload = done; form.submit(); });
}
(async () => {
  for (const mode of ["no-cors", "cors"])
    for (const [path, method, body, type] of requests)
      await fetch(at + path, {method, body, mode, headers: type ? {"Content-Type": type} : {}}).catch(() => 0);
  for (const path of ["", ":ingest?format=ndjson", ":ingest?format=ndjson&mode=delete"]) {
    navigator.sendBeacon(at + path, '{"_id": "a"}');
    for (const enctype of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
      await post(at + path, enctype);
  }
  await fetch("/done", {method: "POST"});
})();
</script>"""


class Elsewhere(ThreadingHTTPServer):
    """Another site: serves one page, and hears when that is through with what it tries."""

    def __init__(self, page: str) -> None:
        super().__init__(("127.0.0.1", 0), Visit)
        self.page = page.encode()
        self.done = threading.Event()


class Visit(BaseHTTPRequestHandler):
    server: Elsewhere  # pyright: ignore[reportIncompatibleVariableOverride]  # this site's own

    def do_GET(self) -> None:  # http.server calls it so
        self._answer(self.server.page)

    def do_POST(self) -> None:  # http.server calls it so
        self._answer(b"")
        self.server.done.set()

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # as http.server names it
        """Say nothing."""


@pytest.fixture
def elsewhere(server: Server) -> Iterator[Elsewhere]:
    site = Elsewhere(PAGE % {"address": server.base_url})
    thread = threading.Thread(target=site.serve_forever)
    thread.start()
    yield site
    site.shutdown()
    thread.join()
    site.server_close()


def browse(folder: Path, url: str, *more: str) -> "subprocess.Popen[bytes]":
    assert CHROMIUM is not None
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--user-data-dir={folder}", *more]
    return subprocess.Popen([CHROMIUM, *flags, url], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@needs_browser
@pytest.mark.xdist_group("browser")
class TestInABrowser:
    def test_a_page_of_another_site_changes_nothing(self, server: Server, elsewhere: Elsewhere, tmp_path: Path) -> None:
        with server.client() as client:
            client.put("/v1/victims/a", json={"x": 0})
            before = client.get("/v1/victims").json()
            jobs = client.get("/jobs").json()
            browser = browse(tmp_path, f"http://localhost:{elsewhere.server_port}/")
            try:
                assert elsewhere.done.wait(60), "the page did not come to its end"
            finally:
                browser.terminate()
                browser.wait(20)
            assert client.get("/v1/victims").json() == before
            assert client.get("/jobs").json() == jobs

    def test_our_own_pages_go_on_working(self, server: Server, tmp_path: Path) -> None:
        url = f"{server.base_url}/docs"
        done = subprocess.run(
            [str(CHROMIUM), "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'dom'}",
             "--virtual-time-budget=15000", "--dump-dom", url],
            capture_output=True, timeout=90, check=True,
        )  # fmt: skip
        assert b"opblock" in done.stdout, done.stdout[-2000:]
