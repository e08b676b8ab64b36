"""What faults are made to: an embedded MongoDB, or three members behind proxies."""

import asyncio
import os
import random
import shutil
import signal
import subprocess
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pymongo.errors import PyMongoError

from documents.database.mongod import offer_ports
from tests.chaos.proxy import Proxy
from tests.embedded import pid_of, uri_of
from tests.replica_set import ReplicaSet
from tests.server import Server, serve

Fault = Callable[[random.Random], Awaitable[None]]

RESERVE_BYTES: Final = 64 * 1024 * 1024
MEBIBYTE: Final = 1024 * 1024


@dataclass(frozen=True)
class Target:
    """A server and its MongoDB.

    Args:
        server: The server.
        uri: Returns where MongoDB is now.
        faults: What can be done to it. Each returns once it is over.
        return_seconds: How much later than MongoDB the server may be well again.
    """

    server: Server
    uri: Callable[[], str]
    faults: Mapping[str, Fault]
    return_seconds: float


@asynccontextmanager
async def embedded(folder: Path) -> AsyncGenerator[Target]:
    """Serve with an embedded MongoDB, on a small disk of its own where one can be mounted."""
    disk = folder / "disk"
    disk.mkdir()
    is_mounted = await asyncio.to_thread(_mount, disk)
    try:
        serving = serve(
            folder, uri=None, environment="production", data_dir=disk / "data", disk_reserve_bytes=RESERVE_BYTES
        )
        with serving as server:
            data = disk / "data"
            faults: dict[str, Fault] = {"freeze": lambda chance: _freeze(data, chance), "kill": lambda _: _kill(data)}
            if is_mounted:
                faults["full disk"] = lambda chance: _fill(disk, chance)
            yield Target(server, lambda: uri_of(data), faults, 2.0)
    finally:
        if is_mounted:
            await asyncio.to_thread(subprocess.run, ["umount", "-l", str(disk)], check=True)


def _mount(disk: Path) -> bool:
    """Mount memory as a disk of 900 MB; return whether that could be done."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=900m", "tmpfs", str(disk)]
    return os.getuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0


async def _freeze(data: Path, chance: random.Random) -> None:
    pid = pid_of(data)
    if pid is None:
        return
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(chance.uniform(0.3, 12))
        os.kill(pid, signal.SIGCONT)


async def _kill(data: Path) -> None:
    pid = pid_of(data)
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


async def _fill(disk: Path, chance: random.Random) -> None:
    filler = disk / "filler"
    with filler.open("wb") as file:
        while shutil.disk_usage(disk).free > RESERVE_BYTES:
            file.write(bytes(4 * MEBIBYTE))
            file.flush()
            await asyncio.sleep(0)
    await asyncio.sleep(chance.uniform(1, 4))
    filler.unlink()
    await asyncio.sleep(1)  # the next sample of the disk is due by then


@asynccontextmanager
async def three(folder: Path) -> AsyncGenerator[Target]:
    """Serve with a replica set of three members, which reach each other through proxies, too."""
    doors = [next(offer_ports(0)) for _ in range(3)]
    members = ReplicaSet(folder / "members", doors=doors)
    proxies = {member.port: Proxy(door, member.port) for member, door in zip(members.members, doors, strict=True)}
    for proxy in proxies.values():
        await proxy.open()
    try:
        await asyncio.to_thread(members.__enter__)
        starting = serve(folder, uri=members.uri, environment="production")
        server = await asyncio.to_thread(starting.__enter__)
        try:
            faults: dict[str, Fault] = {
                "freeze": lambda chance: _freeze_primary(members, chance),
                "kill": lambda chance: _kill_primary(members, chance),
                "cut": lambda chance: _cut_primary(members, proxies, chance),
                "stepdown": lambda _: _step_down(members),
            }
            yield Target(server, lambda: members.uri, faults, 3.0)
        finally:
            await asyncio.to_thread(starting.__exit__, None, None, None)
    finally:
        await asyncio.to_thread(members.__exit__)
        for proxy in proxies.values():
            await proxy.cut()


async def _freeze_primary(members: ReplicaSet, chance: random.Random) -> None:
    primary = await asyncio.to_thread(members.wait_for_primary)
    primary.signal(signal.SIGSTOP)
    await asyncio.sleep(chance.uniform(0.3, 12))
    primary.signal(signal.SIGCONT)


async def _kill_primary(members: ReplicaSet, chance: random.Random) -> None:
    primary = await asyncio.to_thread(members.wait_for_primary)
    await asyncio.to_thread(primary.signal, signal.SIGKILL)
    await asyncio.sleep(chance.uniform(0, 5))
    primary.start()


async def _cut_primary(members: ReplicaSet, proxies: Mapping[int, Proxy], chance: random.Random) -> None:
    primary = await asyncio.to_thread(members.wait_for_primary)
    await proxies[primary.port].cut()
    await asyncio.sleep(chance.uniform(0, 5))
    await proxies[primary.port].open()


async def _step_down(members: ReplicaSet) -> None:
    def step_down() -> None:
        with members.wait_for_primary().direct() as client, suppress(PyMongoError):  # it closes the connection
            client.admin.command("replSetStepDown", 5, secondaryCatchUpPeriodSecs=2)

    await asyncio.to_thread(step_down)


KINDS: Final = {"embedded": embedded, "three": three}
