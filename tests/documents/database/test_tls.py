"""Why TLS with MongoDB fails is told in one sentence; and a standalone MongoDB is refused, with TLS and without."""

import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import pytest

from documents.database.mongod import LOOPBACK, find_mongod, offer_ports
from tests.documents.database.test_connect import fail
from tests.server import serve

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates, and is not here"),
]

AUTHORITY: Final = "?tls=true&tlsCAFile={folder}/ca.pem"
CLOSES: Final = "closes connections (it may want TLS, or a certificate: tls=true or tlsCertificateKeyFile in the URI)."
STANDALONE: Final = "names a standalone MongoDB, and Sheaf needs a replica set"
CURVE: Final = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
NAMES: Final = {"well": ("IP:127.0.0.1", "9"), "other": ("DNS:other.invalid", "9"), "expired": ("IP:127.0.0.1", "-1")}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with `ca.pem`, and for each of `NAMES` a key with its certificate."""
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    openssl("req", "-x509", *CURVE, "-keyout", "ca.key", "-out", "ca.pem", "-days", "9", "-subj", "/CN=authority")
    for name, (address, days) in NAMES.items():
        openssl("req", *CURVE, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/O={name}/CN=mongod")
        (folder / "names").write_text(f"subjectAltName={address}")
        issuer = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", days, "-extfile", "names")
        openssl("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.crt", *issuer)
        (folder / f"{name}.pem").write_text((folder / f"{name}.key").read_text() + (folder / f"{name}.crt").read_text())
    return folder


@contextmanager
def shake_hands(certificate: Path) -> Generator[int]:
    """Yield a port where TLS is spoken with a certificate, and nothing is said."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with socket.create_server((LOOPBACK, 0)) as listening:

        def serve_all() -> None:
            with suppress(OSError):  # the listening socket is shut down in the end
                while True:
                    connection, _ = listening.accept()
                    with suppress(OSError), context.wrap_socket(connection, server_side=True):
                        pass

        thread = threading.Thread(target=serve_all)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def listens(port: int) -> bool:
    """Tell whether connections are taken."""
    with socket.socket() as connection:
        return connection.connect_ex((LOOPBACK, port)) == 0


@contextmanager
def standalone(folder: Path, *more: str | Path) -> Generator[str]:
    """Yield the address of a mongod that is no member of a replica set."""
    port = next(offer_ports(0))
    (folder / "data").mkdir()
    options = ["--dbpath", folder / "data", "--logpath", folder / "log", "--port", str(port), "--bind_ip", LOOPBACK]
    words: list[str | Path] = [find_mongod(), "--nounixsocket", *options, *more]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        try:
            until = time.monotonic() + 60
            while not listens(port):
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < until, "mongod did not come up"
                time.sleep(0.05)  # nothing tells that it listens
            yield f"{LOOPBACK}:{port}"
        finally:
            process.send_signal(signal.SIGKILL)


@pytest.fixture(scope="module")
def strict(certificates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a standalone mongod that wants TLS, and a certificate of its client."""
    files = ("--tlsCertificateKeyFile", certificates / "well.pem", "--tlsCAFile", certificates / "ca.pem")
    with standalone(tmp_path_factory.mktemp("strict"), "--tlsMode", "requireTLS", *files) as address:
        yield address


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a standalone mongod without TLS."""
    with standalone(tmp_path_factory.mktemp("plain")) as address:
        yield address


@pytest.mark.parametrize(
    ("certificate", "trusts", "words"),
    [
        ("well", False, "has a certificate of an issuer that is not trusted (tlsCAFile in the URI names one that is)."),
        ("other", True, "has a certificate for another name than the URI has."),
        ("expired", True, "has a certificate that has expired."),
    ],
)
async def test_a_certificate(certificates: Path, certificate: str, words: str, *, trusts: bool) -> None:
    with shake_hands(certificates / f"{certificate}.pem") as port:
        authority = f"&tlsCAFile={certificates / 'ca.pem'}" if trusts else ""
        text = str(await fail(f"mongodb://{LOOPBACK}:{port}/?replicaSet=x&tls=true{authority}"))
    assert text == f"MongoDB cannot be reached: {LOOPBACK}:{port} {words}"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("", CLOSES),
        (AUTHORITY, CLOSES),
        (f"{AUTHORITY}&tlsCertificateKeyFile={{folder}}/well.pem", STANDALONE),
    ],
    ids=["none", "the server's alone", "both sides'"],
)
async def test_a_mongod_that_wants_tls(strict: str, certificates: Path, options: str, words: str) -> None:
    assert words in str(await fail(f"mongodb://{strict}/{options.format(folder=certificates)}"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("", STANDALONE),
        ("?directConnection=true", STANDALONE),
        ("?replicaSet=rs0", "is a standalone MongoDB."),
        ("?tls=true", "does not speak TLS as the URI wants it."),
    ],
)
async def test_a_mongod_without_tls(plain: str, options: str, words: str) -> None:
    assert words in str(await fail(f"mongodb://{plain}/{options}"))


def test_serve_refuses_a_standalone_in_a_sentence(plain: str, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError) as caught, serve(tmp_path, uri=f"mongodb://{plain}/"):
        pass
    assert STANDALONE in str(caught.value)
    assert "Traceback" not in str(caught.value)
