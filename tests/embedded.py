"""The embedded MongoDB of a data folder, as tests look for it."""

from pathlib import Path

from documents.database.data_folder import DataFolder, Endpoint
from documents.database.replica_set import USER, render_uri


def endpoint_of(folder: Path) -> Endpoint:
    """Return how to reach it."""
    endpoint = DataFolder(folder).load()
    assert endpoint is not None
    return endpoint


def uri_of(folder: Path) -> str:
    """Return its URI."""
    endpoint = endpoint_of(folder)
    return render_uri(USER, endpoint.password, endpoint.port)


def pid_of(folder: Path) -> int | None:
    """Return its process id; None while it starts."""
    return endpoint_of(folder).pid
