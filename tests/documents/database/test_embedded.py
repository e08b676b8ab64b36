"""With the real mongod: each test has a data folder of its own, and leaves no mongod behind."""

import multiprocessing
import os
import resource
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, NoReturn, cast

import pytest
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import OperationFailure
from pymongo.write_concern import WriteConcern

from documents.database import embedded, mongod
from documents.database.data_folder import DataFolder, Endpoint
from documents.database.embedded import EmbeddedMongo, EmbeddedMongoError, acquire
from documents.database.lease import is_free, wait_until_free

pytestmark = pytest.mark.slow

SPAWN = multiprocessing.get_context("spawn")
PATIENCE_SECONDS = 30

Client = MongoClient[dict[str, Any]]
Spawn = Callable[..., BaseProcess]


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "sheaf"
    yield path
    _end_mongod(DataFolder(path))
    shutil.rmtree(path, ignore_errors=True)  # pytest would keep them for three runs


@pytest.fixture(scope="module")
def lease(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedMongo]:
    """One mongod for the tests that leave it as it is."""
    path = tmp_path_factory.mktemp("embedded") / "sheaf"
    with acquire(path, parameters={"enableTestCommands": True}) as lease:
        yield lease
    _end_mongod(DataFolder(path))
    shutil.rmtree(path)


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Start a function of this module in a process of its own, which is killed at the end of the test."""
    processes: list[BaseProcess] = []

    def start(target: Callable[..., None], *args: object) -> BaseProcess:
        process = SPAWN.Process(target=target, args=args)
        process.start()
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.join()


def _end_mongod(folder: DataFolder) -> None:
    """Kill the folder's mongod, and that only, if one is left."""
    if not folder.path.exists() or is_free(folder.running_lock):
        return
    pid_file = folder.db / "mongod.lock"
    if not pid_file.exists() or not pid_file.read_text():
        acquire(folder.path).release()  # it has not come so far
    else:
        os.kill(int(pid_file.read_text()), signal.SIGKILL)
    wait_until_free(folder.running_lock)


def _kill_mongod(lease: EmbeddedMongo) -> None:
    if sys.platform == "linux":
        process = os.pidfd_open(lease.pid)
        os.kill(lease.pid, signal.SIGKILL)
        select.select([process], [], [])  # its ports are free from here on
        os.close(process)
    else:
        os.kill(lease.pid, signal.SIGKILL)
    wait_until_free(DataFolder(lease.data_dir).running_lock)


def _is_running(data_dir: Path) -> bool:
    return not is_free(DataFolder(data_dir).running_lock)


def _insert(uri: str, numbers: range) -> None:
    with Client(uri) as client:
        durable = client["shop"].get_collection("orders", write_concern=WriteConcern(w="majority", j=True))
        durable.insert_many([{"_id": number} for number in numbers])


def _count(uri: str) -> int:
    with Client(uri) as client:
        return client["shop"]["orders"].count_documents({})


# What runs in other processes


def _hold(data_dir: Path, pipe: Connection) -> None:
    lease = acquire(data_dir)
    pipe.send((lease.started, lease.pid, lease.uri))
    pipe.recv()
    lease.release()
    pipe.send("released")


def _race(data_dir: Path, barrier: Barrier, pipe: Connection) -> None:
    barrier.wait(PATIENCE_SECONDS)
    _hold(data_dir, pipe)


def _die_on(data_dir: Path, moment: str, occurrence: int) -> None:
    """Set up, and be killed just before the database command, or the function, called `moment`."""
    left = occurrence

    def wrap(function: Callable[..., Any], name: Callable[..., str]) -> Callable[..., Any]:
        def wrapped(*args: Any, **options: Any) -> Any:
            nonlocal left
            if name(*args) == moment:
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **options)

        return wrapped

    def name_command(_: object, command: Any, *__: object) -> str:
        return command if isinstance(command, str) else next(iter(command))

    database = cast("Any", Database)
    database.command = wrap(database.command, name_command)
    subprocess.Popen.wait = wrap(subprocess.Popen[bytes].wait, lambda *_: "wait")
    os.fsync = wrap(os.fsync, lambda *_: "fsync")
    acquire(data_dir)


# One mongod as it should be


def test_takes_writes_and_streams_changes(lease: EmbeddedMongo) -> None:
    assert lease.started
    with Client(lease.uri) as client, client["shop"]["streams"].watch() as stream:
        client["shop"]["streams"].insert_one({"_id": 1})
        assert stream.next()["operationType"] == "insert"
        with client.start_session() as session, session.start_transaction():
            client["shop"]["streams"].insert_one({"_id": 2}, session=session)
        assert client["shop"]["streams"].count_documents({}) == 2
        assert client.server_info()["version"] == lease.version


def test_elects_in_two_seconds(lease: EmbeddedMongo) -> None:
    with Client(lease.admin_uri) as client:
        settings = client.admin.command("replSetGetConfig")["config"]["settings"]
    assert settings["electionTimeoutMillis"] == 2000
    assert settings["heartbeatIntervalMillis"] == 500


def test_user_can_use_data_and_not_administrate(lease: EmbeddedMongo) -> None:
    with Client(lease.uri) as client:
        client["shop"]["orders"].create_index("number")
        assert client["shop"].command("collStats", "orders")["ok"]
        assert client.admin.command("serverStatus")["ok"]
        with pytest.raises(OperationFailure, match="not authorized"):
            client.admin.command({"createUser": "mallory", "pwd": "x", "roles": ["root"]})
        with pytest.raises(OperationFailure, match="not authorized"):
            client.admin.command("shutdown")


@pytest.mark.parametrize("who", ["", "sheaf:wrong@", "admin:wrong@"])
def test_strangers_get_nothing(lease: EmbeddedMongo, who: str) -> None:
    host = lease.uri.rpartition("@")[2].partition("/")[0]
    with Client(f"mongodb://{who}{host}/?directConnection=true") as client, pytest.raises(OperationFailure):
        client["shop"]["orders"].find_one()


def test_no_one_can_make_the_first_user(lease: EmbeddedMongo) -> None:
    with Client(lease.admin_uri) as client:
        assert client.admin.command("getParameter", enableLocalhostAuthBypass=1)["enableLocalhostAuthBypass"] is False


def test_scripts_are_off(lease: EmbeddedMongo) -> None:
    with Client(lease.uri) as client, pytest.raises(OperationFailure):
        client["shop"]["streams"].find_one({"$where": "true"})


def test_fail_points_through_the_admin(lease: EmbeddedMongo) -> None:
    fail = {"failCommands": ["count"], "errorCode": 8}
    with Client(lease.admin_uri) as client:
        client.admin.command("configureFailPoint", "failCommand", mode={"times": 1}, data=fail)
        with pytest.raises(OperationFailure):
            client["shop"]["orders"].estimated_document_count()


def test_listens_on_loopback_only(lease: EmbeddedMongo) -> None:
    with Client(lease.admin_uri) as client:
        network = client.admin.command("getCmdLineOpts")["parsed"]["net"]
    assert network["bindIp"] == "127.0.0.1"
    assert network["unixDomainSocket"] == {"enabled": False}
    assert not Path(f"/tmp/mongodb-{network['port']}.sock").exists()


def test_everything_is_for_the_owner_alone(lease: EmbeddedMongo) -> None:
    paths = [lease.data_dir, *lease.data_dir.rglob("*")]
    assert {"connection.json", "keyfile", "mongod.log", "db"} <= {path.name for path in paths}
    assert [path for path in paths if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


def test_a_folder_in_use_for_other_things_keeps_its_permissions(tmp_path: Path) -> None:
    (tmp_path / "letter").touch()
    tmp_path.chmod(0o755)
    DataFolder(tmp_path).create()
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "db").stat().st_mode) == 0o700


def test_secrets_stay_out_of_repr(lease: EmbeddedMongo) -> None:
    endpoint = DataFolder(lease.data_dir).load()
    assert endpoint is not None
    assert endpoint.password in lease.uri
    for shown in (repr(lease), repr(endpoint), str(endpoint)):
        assert endpoint.password not in shown
        assert endpoint.admin_password not in shown
    with Client(lease.admin_uri) as client:
        arguments = client.admin.command("getCmdLineOpts")["argv"]
    assert not any(endpoint.password in argument for argument in arguments)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_mongod_has_its_session_and_only_its_lock(lease: EmbeddedMongo) -> None:
    assert os.getsid(lease.pid) != os.getsid(0)
    descriptors = [path.readlink().name for path in Path(f"/proc/{lease.pid}/fd").iterdir()]
    assert "running.lock" in descriptors
    assert not {"holders.lock", "transition.lock"} & set(descriptors)


# Sharing


def test_the_last_to_leave_stops_it(data_dir: Path) -> None:
    said: list[str] = []
    first = acquire(data_dir, announce=said.append)
    second = acquire(data_dir, announce=said.append)
    assert (first.started, second.started) == (True, False)
    assert (first.uri, first.pid) == (second.uri, second.pid)
    assert [text.split()[0] for text in said] == ["Starting", "Joining"]
    first.release()
    first.release()
    _insert(second.uri, range(3))
    second.release()
    assert not _is_running(data_dir)
    with acquire(data_dir) as third:
        assert third.started
        assert third.uri == first.uri
        assert _count(third.uri) == 3
        _kill_mongod(third)


def test_processes_that_start_at_once_share_one(data_dir: Path, spawn: Spawn) -> None:
    barrier = SPAWN.Barrier(4)
    pipes = [SPAWN.Pipe() for _ in range(4)]
    for _, theirs in pipes:
        spawn(_race, data_dir, barrier, theirs)
    held = [_receive(ours) for ours, _ in pipes]
    assert sorted(started for started, _, _ in held) == [False, False, False, True]
    assert len({pid for _, pid, _ in held}) == 1
    for ours, _ in pipes:
        assert _is_running(data_dir)
        ours.send("leave")
        assert _receive(ours) == "released"
    assert not _is_running(data_dir)


def test_threads_that_start_at_once_share_one(data_dir: Path) -> None:
    leases: list[EmbeddedMongo] = []
    threads = [threading.Thread(target=lambda: leases.append(acquire(data_dir))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(lease.started for lease in leases) == [False, False, True]
    _kill_mongod(leases[0])
    for lease in leases:
        lease.release()


def test_a_killed_holder_leaves_it_to_the_next(data_dir: Path, spawn: Spawn) -> None:
    ours, theirs = SPAWN.Pipe()
    holder = spawn(_hold, data_dir, theirs)
    started, pid, uri = _receive(ours)
    assert started
    _insert(uri, range(5))
    holder.kill()
    holder.join()
    with acquire(data_dir) as lease:
        assert not lease.started
        assert lease.pid == pid
        assert _count(lease.uri) == 5
    assert not _is_running(data_dir)


def test_a_killed_mongod_comes_back_where_it_was(data_dir: Path) -> None:
    old = acquire(data_dir)
    with Client(old.uri) as client:
        _insert(old.uri, range(1000))
        _kill_mongod(old)
        new = acquire(data_dir)
        assert new.started
        assert new.uri == old.uri
        assert new.pid != old.pid
        assert client["shop"]["orders"].count_documents({}) == 1000
    old.release()
    assert _count(new.uri) == 1000
    new.release()
    assert not _is_running(data_dir)


def test_a_taken_port_moves_it(data_dir: Path) -> None:
    with acquire(data_dir) as lease:
        _insert(lease.uri, range(2))
        _kill_mongod(lease)
        endpoint = DataFolder(data_dir).load()
        assert endpoint is not None
    with _rude_server(endpoint.port), acquire(data_dir) as lease:
        assert f":{endpoint.port}/" not in lease.uri
        assert _count(lease.uri) == 2
        _kill_mongod(lease)


@contextmanager
def _rude_server(port: int) -> Generator[None]:
    """Close every connection. (With one that stays mute, mongod waits half a minute before it gives up its port.)"""
    with socket.create_server(("127.0.0.1", port)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    server.accept()[0].close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_no_port_at_all(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offer_ports(_previous: int) -> Iterator[int]:
        return iter(())

    monkeypatch.setattr(embedded, "offer_ports", offer_ports)
    with pytest.raises(EmbeddedMongoError, match="No port"):
        acquire(data_dir)


# Mending


@pytest.mark.parametrize(
    ("moment", "occurrence"),
    [
        ("fsync", 3),  # connection.json is written, but not in place
        ("wait", 1),  # mongod is starting
        ("replSetInitiate", 1),
        ("hello", 2),  # initiated, and no primary yet
        ("createUser", 2),
        ("serverStatus", 1),  # both users are there, and connection.json does not say so
    ],
)
def test_a_killed_set_up_is_finished_by_the_next(data_dir: Path, spawn: Spawn, moment: str, occurrence: int) -> None:
    process = spawn(_die_on, data_dir, moment, occurrence)
    process.join(PATIENCE_SECONDS)
    assert process.exitcode == -signal.SIGKILL
    with acquire(data_dir) as lease:
        _insert(lease.uri, range(1))
        with Client(lease.admin_uri) as client:
            assert client.admin.command("replSetGetConfig")["ok"]
        _kill_mongod(lease)


def test_a_set_up_killed_together_with_its_mongod(data_dir: Path, spawn: Spawn) -> None:
    spawn(_die_on, data_dir, "createUser", 2).join(PATIENCE_SECONDS)
    _end_mongod(DataFolder(data_dir))
    with acquire(data_dir) as lease:
        assert lease.started
        _insert(lease.uri, range(1))
        _kill_mongod(lease)


@pytest.mark.parametrize(("owner", "step"), [(subprocess.Popen, "wait"), (embedded, "prepare")])
def test_an_interrupted_start_leaves_no_mongod(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, owner: object, step: str
) -> None:
    original = getattr(owner, step)

    def interrupt(*_: object, **__: object) -> NoReturn:
        monkeypatch.setattr(owner, step, original)
        raise KeyboardInterrupt

    monkeypatch.setattr(owner, step, interrupt)
    with pytest.raises(KeyboardInterrupt):
        acquire(data_dir)
    assert not _is_running(data_dir)
    assert is_free(DataFolder(data_dir).holders_lock)


def test_lost_secrets_are_replaced(data_dir: Path) -> None:
    folder = DataFolder(data_dir)
    with acquire(data_dir) as old:
        _insert(old.uri, range(4))
        _kill_mongod(old)
    folder.connection_file.write_text("{")
    folder.keyfile.unlink()
    with acquire(data_dir) as new:
        assert new.uri != old.uri
        assert _count(new.uri) == 4
        _kill_mongod(new)


def test_a_process_id_is_nothing_to_act_on(data_dir: Path) -> None:
    folder = DataFolder(data_dir)
    folder.create()
    with subprocess.Popen(["sleep", "60"]) as bystander:
        folder.save(Endpoint(port=1, ready=True, pid=bystander.pid))
        (folder.db / "mongod.lock").write_text(str(bystander.pid))
        with acquire(data_dir) as lease:
            assert lease.started
        assert bystander.poll() is None
        bystander.kill()


def test_a_deleted_folder_is_no_error_on_leaving(data_dir: Path) -> None:
    lease = acquire(data_dir)
    gone = data_dir.rename(data_dir.with_name("gone"))
    lease.release()
    wait_until_free(DataFolder(gone).running_lock)
    shutil.rmtree(gone)


# What is said when it cannot be had


def test_no_program(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mongod, "WHEEL", "no_such_wheel")
    with pytest.raises(EmbeddedMongoError, match=r"(?s)SHEAF_MONGODB_URI.*docker compose up mongo"):
        acquire(data_dir)
    assert not data_dir.exists()


def test_windows(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(EmbeddedMongoError, match=r"(?s)SHEAF_MONGODB_URI.*docker compose up mongo"):
        acquire(data_dir)


def test_a_program_without_its_run_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "fiftyone" / "db" / "bin" / "mongod"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o644)
    (tmp_path / "fiftyone" / "__init__.py").write_text("raise ImportError('never imported')")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert mongod.find_mongod() == program
    assert os.access(program, os.X_OK)


def test_a_failed_start_quotes_the_log(data_dir: Path) -> None:
    folder = DataFolder(data_dir)
    folder.create()
    (folder.db / "storage.bson").write_bytes(b"damaged")
    with pytest.raises(EmbeddedMongoError, match=r"(?s)storage engine metadata.*SHEAF_DATA_DIR") as caught:
        acquire(data_dir)
    assert str(folder.log) in str(caught.value)
    assert not _is_running(data_dir)


def test_a_wrong_parameter_is_quoted(data_dir: Path) -> None:
    with pytest.raises(EmbeddedMongoError, match="noSuchParameter"):
        acquire(data_dir, parameters={"noSuchParameter": 1})


def test_a_full_disk_is_named(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mongod, "FULL_BYTES", shutil.disk_usage(data_dir.parent).total)
    with pytest.raises(EmbeddedMongoError, match=r"Its disk is full: [\d,]+ bytes are left"):
        acquire(data_dir, parameters={"nonsense": 1})


def test_a_file_in_place_of_the_folder(data_dir: Path) -> None:
    data_dir.touch()
    with pytest.raises(EmbeddedMongoError, match="SHEAF_DATA_DIR"):
        acquire(data_dir)
    data_dir.unlink()


def test_a_mongod_that_hangs(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = acquire(data_dir)
    os.kill(lease.pid, signal.SIGSTOP)
    monkeypatch.setattr(embedded, "PATIENCE_SECONDS", 0.2)
    with pytest.raises(EmbeddedMongoError, match=f"(?s)does not answer.*kill {lease.pid}"):
        acquire(data_dir)
    lease.release()  # which kills what does not answer
    assert not _is_running(data_dir)


def test_a_killed_mongod_is_started_again_once(data_dir: Path) -> None:
    leases = [acquire(data_dir) for _ in range(3)]
    _insert(leases[0].uri, range(10))
    _kill_mongod(leases[0])
    with ThreadPoolExecutor() as threads:
        for _ in threads.map(EmbeddedMongo.revive, leases):
            pass
    assert len({lease.pid for lease in leases}) == 1
    assert all(lease.uri == leases[0].uri for lease in leases)
    assert _count(leases[0].uri) == 10
    for lease in leases:
        lease.release()
    assert not _is_running(data_dir)


def test_what_is_started_again_stays_where_it_was(data_dir: Path) -> None:
    with acquire(data_dir) as lease:
        port = DataFolder(data_dir).load()
        assert port is not None
        _kill_mongod(lease)
        with socket.create_server(("127.0.0.1", port.port)), pytest.raises(EmbeddedMongoError, match="is taken"):
            lease.revive()
        lease.revive()
        _insert(lease.uri, range(1))


def test_a_running_mongod_without_its_connection_file(data_dir: Path) -> None:
    lease = acquire(data_dir)
    DataFolder(data_dir).connection_file.unlink()
    with pytest.raises(EmbeddedMongoError, match=f"(?s)connection.json is missing.*kill {lease.pid}"):
        acquire(data_dir)
    lease.release()
    assert not _is_running(data_dir)


def _receive(pipe: Connection) -> Any:
    assert pipe.poll(PATIENCE_SECONDS), "the other process says nothing"
    return pipe.recv()


def test_a_mongod_of_ones_own(tmp_path: Path) -> None:
    own = tmp_path / "mongod-of-mine"
    own.symlink_to(mongod.find_mongod())
    with acquire(tmp_path / "data", mongod=own) as lease, MongoClient[dict[str, Any]](lease.admin_uri) as client:
        assert Path(client.admin.command("getCmdLineOpts")["argv"][0]) == own
        assert "compression" not in client.admin.command("hello", compression=["zlib", "snappy", "zstd"])
        limits = Path("/proc", str(lease.pid), "limits").read_text()
        assert limit_of(limits) >= min(64_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1])


def limit_of(limits: str) -> int:
    [line] = [line for line in limits.splitlines() if line.startswith("Max open files")]
    return int(line.split()[3])


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ("db version v5.0.31", "which is 5.0.31. MongoDB 6.0 or later is needed"),
        ("a shell", "no version that could be read"),
        (None, "cannot be run"),
    ],
)
def test_a_mongod_that_will_not_do(tmp_path: Path, said: str | None, says: str) -> None:
    own = tmp_path / "mongod"
    if said is not None:
        own.write_text(f"#!/bin/sh\necho {said}\n")
        own.chmod(0o755)
    with pytest.raises(EmbeddedMongoError, match=says):
        acquire(tmp_path / "data", mongod=own)
    assert not (tmp_path / "data").exists()
