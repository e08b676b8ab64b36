"""What is wrong with a URI is told in one sentence, which of all it is, in five seconds and without a secret."""

import socket
import time
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

import pytest

from documents.database.connect import connect
from documents.database.embedded import EmbeddedMongo
from documents.errors import DatabaseUnavailableError
from documents.settings import SettingsError

pytestmark = pytest.mark.slow

SECRET: Final = "s3cr3t"
SECONDS: Final = 5.0

MALFORMED: Final[dict[str, tuple[str, str]]] = {
    "another scheme": ("http://sheaf:s3cr3t@localhost", "scheme"),
    "no host": ("mongodb://", "hostname"),
    "no host behind a password": ("mongodb://sheaf:s3cr3t@", "host"),
    "an empty host": ("mongodb://sheaf:s3cr3t@a,,b", "host"),
    "a port of letters": ("mongodb://sheaf:s3cr3t@localhost:port", "Port"),
    "a port too high": ("mongodb://sheaf:s3cr3t@localhost:99999", "65535"),
    "a slash in the password": ("mongodb://sheaf:s3cr3t/x@localhost", "escaped"),
    "an at sign in the password": ("mongodb://sheaf:s3cr3t@s3cr3t@localhost", "escaped"),
    "a stray percent sign": ("mongodb://sheaf:s3cr3t%zz@localhost", "escaped"),
    "an open bracket": ("mongodb://sheaf:s3cr3t@[::1", "IPv6"),
    "an option without a value": ("mongodb://sheaf:s3cr3t@localhost/?w", "key=value"),
    "options that contradict": ("mongodb://sheaf:s3cr3t@a,b/?directConnection=true", "directConnection"),
    "a certificate that is not there": ("mongodb://sheaf:s3cr3t@localhost/?tls=true&tlsCAFile=/none", "tlscafile"),
    "a name without servers": ("mongodb+srv://sheaf:s3cr3t@none.invalid/", "DNS"),
}


async def fail(uri: str) -> Exception:
    """Return the error that connecting ends in."""
    began = time.monotonic()
    with pytest.raises((SettingsError, DatabaseUnavailableError)) as caught:
        await connect(uri, database="none", max_pool_size=2)
    assert time.monotonic() - began < SECONDS
    text = str(caught.value)
    assert SECRET not in text
    assert "\n" not in text
    assert text.endswith(".")
    return caught.value


@pytest.mark.parametrize("case", MALFORMED)
async def test_a_malformed_uri(case: str) -> None:
    uri, word = MALFORMED[case]
    error = await fail(uri)
    assert word in str(error), error
    assert "SHEAF_MONGODB_URI" in str(error)


@pytest.fixture
def mute() -> Iterator[int]:
    """Return a port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.fixture
def free() -> int:
    """Return a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


async def test_nobody_listens(free: int) -> None:
    assert f"127.0.0.1:{free} refuses connections" in str(await fail(f"mongodb://127.0.0.1:{free}/?replicaSet=x"))


async def test_a_host_that_is_mute(mute: int) -> None:
    error = await fail(f"mongodb://sheaf:s3cr3t@127.0.0.1:{mute}/?replicaSet=x")
    assert f"127.0.0.1:{mute} does not answer" in str(error)


async def test_a_name_that_nobody_knows() -> None:
    assert "none.invalid:27017 is a name that nobody knows" in str(await fail("mongodb://sheaf:s3cr3t@none.invalid"))


async def test_several_hosts_are_told_apart(free: int, mute: int) -> None:
    text = str(await fail(f"mongodb://127.0.0.1:{free},127.0.0.1:{mute},none.invalid/?replicaSet=x"))
    assert f"127.0.0.1:{free} refuses connections" in text
    assert f"127.0.0.1:{mute} does not answer" in text
    assert "none.invalid:27017 is a name that nobody knows" in text


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (":PASSWORD@", f":{SECRET}@", "does not accept the user name or the password"),
        ("sheaf:PASSWORD@", f"nobody:{SECRET}@", "does not accept the user name or the password"),
        ("sheaf:PASSWORD@", "", "wants a user name and a password"),
        ("replicaSet=sheaf", "replicaSet=other", "names the replica set 'other', but 127.0.0.1:PORT is of the replica"),
    ],
)
async def test_a_deployment_that_is_there(mongo: EmbeddedMongo, old: str, new: str, words: str) -> None:
    parts = urlsplit(mongo.uri)
    uri = mongo.uri.replace(old.replace("PASSWORD", str(parts.password)), new)
    if "@" not in uri:
        uri = uri.replace("authSource=admin&authMechanism=SCRAM-SHA-256&", "")
    text = str(await fail(uri))
    assert words.replace("PORT", str(parts.port)) in text
    assert str(parts.password) not in text


async def test_one_that_is_well(mongo: EmbeddedMongo) -> None:
    connection = await connect(mongo.uri, database="none", max_pool_size=2)
    assert (await connection.ping())["isWritablePrimary"]
    await connection.close()
