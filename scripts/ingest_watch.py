"""`sheaf ingest watch`: a folder whose files are loaded as they come, once they have stopped growing."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Final

from watchfiles import awatch  # pyright: ignore[reportUnknownVariableType]

from documents.errors import StoreError
from documents.ingest.ingestion import Ingestion
from documents.ingest.sources.kinds import look_into
from documents.ingest.sources.source import Place, SourceError
from documents.settings import Settings
from scripts.console import announce, errors_to
from scripts.ingest_files import IngestFileError, Wanted
from scripts.ingest_load import load_one, look_at_place
from scripts.ingest_progress import Bars
from scripts.ingest_report import Loaded, show_loaded, show_total
from scripts.ingest_target import opened

TICK_MILLISECONDS: Final = 1000
"""A file that is the same for so long has stopped growing."""

Stamp = tuple[int, int, int]


class FolderWatch:
    """Tells which files of a folder are whole and not taken yet.

    Args:
        folder: The folder, with those in it.
        takes_any: Whether names need not stand for a format.
    """

    def __init__(self, folder: Path, *, takes_any: bool) -> None:
        self._folder = folder
        self._takes_any = takes_any
        self._taken: dict[str, Stamp] = {}
        self._growing: dict[str, Stamp] = {}

    @property
    def is_settled(self) -> bool:
        """Whether no file is waited for."""
        return not self._growing

    def look(self) -> list[Place]:
        """Return the files that are as they were when they were looked at before, and are not taken in that state."""
        found = {place.name: place for place in look_into(self._folder, takes_any=self._takes_any).places}
        stamps = {name: stamp for name in found if (stamp := _stamp_of(Path(name))) is not None}
        fresh = {name: stamp for name, stamp in stamps.items() if self._taken.get(name) != stamp}
        whole = [name for name, stamp in fresh.items() if self._growing.get(name) == stamp]
        self._growing = {name: stamp for name, stamp in fresh.items() if name not in whole}
        self._taken.update({name: fresh[name] for name in whole})
        return [found[name] for name in whole]


def _stamp_of(path: Path) -> Stamp | None:
    try:
        status = path.stat()
    except FileNotFoundError:  # it was taken away at this moment
        return None
    return (status.st_ino, status.st_size, status.st_mtime_ns)


async def watch_folder(settings: Settings, folder: Path, wanted: Wanted) -> None:
    """Load the files of a folder, those that are there and those that come, until it is cancelled.

    A file that cannot be loaded is told of, and tried again when it changes.

    Raises:
        IngestFileError: There is no such folder.
    """
    if not await asyncio.to_thread(folder.is_dir):
        raise IngestFileError(f"{folder} is no folder.")
    done: list[Loaded] = []
    async with opened(settings, writes=True) as store:
        with Bars(is_silent=False) as bars:
            try:
                async with aclosing(_whole_files(folder, takes_any=wanted.form is not None)) as places:
                    announce(f"Watching {folder}. Ctrl-C stops.")
                    async for place in places:
                        await _load(store.ingestion, place, wanted, bars, done)
            finally:
                if done:
                    show_total(done)


async def _whole_files(folder: Path, *, takes_any: bool) -> AsyncGenerator[Place]:
    watch = FolderWatch(folder, takes_any=takes_any)
    changes = awatch(
        folder, watch_filter=None, rust_timeout=TICK_MILLISECONDS, yield_on_timeout=True, raise_interrupt=False
    )
    async with aclosing(changes):
        is_quiet = False
        while True:
            if not (is_quiet and watch.is_settled):
                for place in await asyncio.to_thread(watch.look):
                    yield place
            is_quiet = not await anext(changes)


async def _load(ingestion: Ingestion, place: Place, wanted: Wanted, bars: Bars, done: list[Loaded]) -> None:
    try:
        found, how = await look_at_place(place, wanted, as_json=False)
        loaded = await load_one(ingestion, found, how, bars)
    except (IngestFileError, SourceError, StoreError) as error:
        bars.say(f"{place.name} was not loaded, and is tried again when it changes:")
        errors_to(error)
        return
    done.append(loaded)
    if not loaded.was_there:
        show_loaded(loaded)
