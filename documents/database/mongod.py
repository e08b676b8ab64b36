"""The mongod program: where it is, how it is called, and why it would not start."""

import importlib.util
import os
import platform
import re
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from documents.database.data_folder import DataFolder
from documents.database.lease import bequeathed

if sys.platform != "win32":  # `find_mongod` refuses Windows before a mongod is started
    import resource

WHEEL = "fiftyone"
LOOPBACK = "127.0.0.1"
REPLICA_SET = "sheaf"
OPLOG_MB = 1024

PORT_TAKEN = 48
ADVICE: Mapping[int, str] = {
    62: "Another version of MongoDB wrote these data. Use that version through SHEAF_MONGODB_URI, "
    "or choose another folder with SHEAF_DATA_DIR.",
    127: "A library is missing: the embedded MongoDB needs OpenSSL 3 (libssl3). Install it, or set SHEAF_MONGODB_URI.",
    -signal.SIGILL: "MongoDB 5 and later need a processor with AVX. Set SHEAF_MONGODB_URI to one that runs elsewhere.",
}
FULL_BYTES = 64 * 1024 * 1024
"""With less than this free, a start that fails most likely fails for that: MongoDB first writes new journal files."""

OTHERWISE = "Remove the cause, choose another folder with SHEAF_DATA_DIR, or set SHEAF_MONGODB_URI."

# Below the ports that systems give to outgoing connections (32768 up on Linux, 49152 up on macOS): one of those would
# often be taken when MongoDB comes back, and a client that tries a dead port there can even connect to itself.
PORTS = range(20_000, 32_768)
PORT_ATTEMPTS = 20

VERSION = re.compile(r"db version v(?P<version>(?P<major>\d+)\S*)")
VERSION_SECONDS = 10.0
OLDEST = 6
OPEN_FILES = 64_000
"""As MongoDB's manual recommends: a collection and each of its indexes is a file."""


class EmbeddedMongoError(Exception):
    """The embedded MongoDB cannot be had. The message says why, and what to do."""


class PortTakenError(Exception):
    """Someone else listens on the port."""


def find_mongod(own: Path | None = None) -> Path:
    """Return the user's own program, or that of the installed wheel, made runnable. Imports nothing of the wheel.

    Raises:
        EmbeddedMongoError: There is none for this platform, or it may not be run, or it is too old.
    """
    if own is not None:
        return _check_own(own)
    spec = importlib.util.find_spec(WHEEL) if sys.platform != "win32" else None
    for folder in (spec and spec.submodule_search_locations) or ():
        program = Path(folder, "db", "bin", "mongod")
        if program.is_file():
            return _make_runnable(program)
    raise EmbeddedMongoError(
        f"The embedded MongoDB is not installed, or there is none for {platform.system()} on {platform.machine()}. "
        "Set SHEAF_MONGODB_URI to a MongoDB 6.0 or later, such as the one that `docker compose up mongo` runs, or "
        "SHEAF_MONGOD to a mongod program. "
        "On Linux x86-64 and macOS arm64, `pip install 'sheaf-api[embedded]'` installs it."
    )


def _check_own(program: Path) -> Path:
    try:
        said = subprocess.run(  # noqa: S603  # the user's own program
            [program, "--version"], capture_output=True, text=True, check=True, timeout=VERSION_SECONDS
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise EmbeddedMongoError(f"SHEAF_MONGOD names {program}, which cannot be run: {error}.") from error
    found = VERSION.search(said.stdout)
    if found is None or int(found["major"]) < OLDEST:
        version = found["version"] if found else "no version that could be read"
        raise EmbeddedMongoError(
            f"SHEAF_MONGOD names {program}, which is {version}. MongoDB {OLDEST}.0 or later is needed."
        )
    return program.absolute()


def _make_runnable(program: Path) -> Path:
    if not os.access(program, os.X_OK):
        try:
            program.chmod(program.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
        except PermissionError:
            raise EmbeddedMongoError(
                f"{program} may not be run. Have its owner run `chmod +x {program}`, or set SHEAF_MONGODB_URI."
            ) from None
    return program


def offer_ports(previous: int) -> Iterator[int]:
    """Yield ports to try, the `previous` one (0: none) first, so that clients find MongoDB where it was."""
    if previous:
        yield previous  # unseen: the sockets of a mongod that was killed just now may outlive its lock by milliseconds
    yield from (port for _ in range(PORT_ATTEMPTS) if _is_port_free(port := secrets.choice(PORTS)))


def _is_port_free(port: int) -> bool:
    with socket.socket() as probe:
        # As mongod does: connections of the last one that are still closing are no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def launch(program: Path, folder: DataFolder, *, port: int, cache_gb: float, parameters: Mapping[str, object]) -> None:
    """Start mongod in the background and return as soon as it listens.

    From before it starts until it ends it holds `folder.running_lock`. It has a session of its own, so Ctrl-C in the
    terminal does not reach it.

    Raises:
        PortTakenError: Someone was faster to take the port.
        EmbeddedMongoError: It ended instead. The message quotes its log.
    """
    start = folder.turn_log()
    with tempfile.TemporaryFile() as output, bequeathed(folder.running_lock) as lock, _many_open_files():
        launcher = subprocess.Popen(  # noqa: S603  # the program is the wheel's, the arguments are ours
            [program, *_arguments(folder, port=port, cache_gb=cache_gb, parameters=parameters)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            env={**os.environ, "LC_ALL": "C"},  # mongod refuses to start in a locale that the system has not got
            umask=0o077,
            start_new_session=True,
            pass_fds=[lock],
        )
        try:
            code = launcher.wait()
        except BaseException:
            launcher.wait()  # mongod comes up all the same; only then can the caller stop it
            raise
        output.seek(0)
        said = output.read().decode(errors="replace").strip()
    if code == PORT_TAKEN:
        raise PortTakenError
    if code:
        raise EmbeddedMongoError(_explain(code, folder.read_complaints(start) or said.splitlines(), folder))


@contextmanager
def _many_open_files() -> Generator[None]:
    """Raise this process's limit of open files, which a child inherits, as far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if soft == resource.RLIM_INFINITY or soft >= most:
        yield
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _arguments(folder: DataFolder, *, port: int, cache_gb: float, parameters: Mapping[str, object]) -> list[str]:
    options = {
        "--dbpath": folder.db,
        "--logpath": folder.log,
        "--keyFile": folder.keyfile,  # turns authentication on
        "--bind_ip": LOOPBACK,
        "--networkMessageCompressors": "disabled",  # zlib's leaks memory before 6.0.27, CVE-2025-14847
        "--port": port,
        "--replSet": REPLICA_SET,
        "--oplogSize": OPLOG_MB,  # its default is a share of the disk
        "--wiredTigerCacheSizeGB": cache_gb,
        "--wiredTigerEngineConfigString": "log=(file_max=16MB)",  # an empty folder takes 50 MB, not 300
    }
    settings = {
        "enableLocalhostAuthBypass": False,  # or any local user could make the first user
        "diagnosticDataCollectionEnabled": False,  # a recording for MongoDB's support, every second
        **parameters,
    }
    return [
        "--fork",  # the launcher ends when mongod listens, or has failed
        "--logappend",
        "--nounixsocket",
        "--noscripting",
        *(word for name, value in options.items() for word in (name, str(value))),
        *(word for name, value in settings.items() for word in ("--setParameter", f"{name}={_literal(value)}")),
    ]


def _literal(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _explain(code: int, lines: list[str], folder: DataFolder) -> str:
    quoted = "\n".join(f"  {line}" for line in lines) or "  (it said nothing)"
    free = shutil.disk_usage(folder.path).free
    full = f" Its disk is full: {free:,} bytes are left." if free < FULL_BYTES else ""
    return (
        f"MongoDB did not start in {folder.path} (exit code {code}).{full}\n{quoted}\n"
        f"The whole log is {folder.log}. {ADVICE.get(code, OTHERWISE)}"
    )
