"""Shows that `sheaf indexes apply` may be killed at any moment: run again until it is done, and nothing is lost.

The command runs on a folder of its own, whose MongoDB outlives it; half of the time that is killed as well, and the
next run starts it again.
"""

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final

from pymongo import MongoClient
from pymongo.collection import Collection

from documents.database.embedded import acquire

ROOT: Final = Path(__file__).parent.parent
DATABASE: Final = "kills"
MAX_RSS_KB: Final = 200 * 1024
BATCH: Final = 10_000
WAIT_SECONDS: Final = 90
"""For the lock that a killed command has left, which expires by itself."""

BUILT_A_SECOND: Final = 40_000
"""Documents, roughly: how long to wait at most before a kill."""

NAMES: Final = {"tenant_1_created_-1", "created_-1_tenant_1", "email_1", "email_text"}
MODEL: Final = '''
from beanie import Document
from pymongo import IndexModel


class Many(Document):
    """Documents to be indexed."""

    class Settings:
        name = "many"
        indexes = (
            IndexModel([("tenant", 1), ("created", -1)]),
            IndexModel([("created", -1), ("tenant", 1)]),
            IndexModel([("email", 1)], unique=True),
            IndexModel([("email", "text")]),
        )
'''


class Story:
    """A folder with data and a copy of the code that has the model.

    Args:
        folder: Empty.
        documents: How many to index.
        seed: Of the moments.
    """

    def __init__(self, folder: Path, documents: int, seed: int) -> None:
        self._data = folder / ".sheaf"
        self._code = folder / "code"
        self._documents = documents
        self._moments = random.Random(seed)  # noqa: S311  # moments, not secrets
        self.peak_kb = 0
        for part in ("api", "documents", "scripts"):
            shutil.copytree(ROOT / part, self._code / part, ignore=shutil.ignore_patterns("__pycache__"))
        (self._code / "documents" / "models" / "many.py").write_text(MODEL, "utf-8")

    def fill(self) -> str:
        """Store the documents, and return a hash of them."""
        with acquire(self._data) as lease, MongoClient[dict[str, Any]](lease.uri) as client:
            collection = client[DATABASE]["many"]
            for start in range(0, self._documents, BATCH):
                numbers = range(start, min(start + BATCH, self._documents))
                collection.insert_many([_document(number) for number in numbers])
            return _hash_of(collection)

    def kill_once(self) -> str:
        """Kill the command at some moment after it has begun to build, and return what became of it."""
        process = self._start("apply", "-c", "many", "--wait", str(WAIT_SECONDS))
        began = threading.Event()
        reader = threading.Thread(target=_read, args=(process, began), daemon=True)
        reader.start()
        began.wait()
        until = time.monotonic() + self._moments.uniform(0, 1 + self._documents / BUILT_A_SECOND)
        while process.poll() is None and time.monotonic() < until:
            self._look(process)
            time.sleep(0.01)
        if process.poll() is not None:
            reader.join()
            if process.returncode:
                raise RuntimeError(f"The command failed by itself, with exit code {process.returncode}.")
            self._undo()
            return "was done before it was killed, so its indexes were dropped again"
        process.kill()
        process.wait()
        if self._moments.random() < 0.5:  # noqa: PLR2004  # half of the time
            _kill_mongod(self._data)
            return "was killed, and so was MongoDB"
        return "was killed"

    def finish(self) -> int:
        """Run it to its end, then compare; return the exit code of whichever fails first."""
        for words in (("apply", "-c", "many", "--wait", str(WAIT_SECONDS)), ("check", "-c", "many")):
            process = self._start(*words)
            reader = threading.Thread(target=_read, args=(process, threading.Event()), daemon=True)
            reader.start()
            while process.poll() is None:
                self._look(process)
                time.sleep(0.01)
            if process.returncode:
                return process.returncode
        return 0

    def verify(self, before: str) -> list[str]:
        """Return what is not as it should be."""
        with acquire(self._data) as lease, MongoClient[dict[str, Any]](lease.uri) as client:
            collection = client[DATABASE]["many"]
            checks = {
                "the documents are others": _hash_of(collection) == before,
                "the indexes are others": set(collection.index_information()) == {"_id_", *NAMES},
                "the command took too much memory": self.peak_kb < MAX_RSS_KB,
            }
        return [claim for claim, holds in checks.items() if not holds]

    def _undo(self) -> None:
        with acquire(self._data) as lease, MongoClient[dict[str, Any]](lease.uri) as client:
            client[DATABASE]["many"].drop_indexes()

    def _start(self, *words: str) -> "subprocess.Popen[str]":
        environ = {name: value for name, value in os.environ.items() if not name.startswith("SHEAF_")}
        environ |= {"PYTHONPATH": str(self._code), "SHEAF_DATA_DIR": str(self._data), "SHEAF_DATABASE": DATABASE}
        return subprocess.Popen(
            [Path(sys.executable).with_name("sheaf"), "indexes", *words],
            cwd=self._code,
            env=environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _look(self, process: "subprocess.Popen[str]") -> None:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text("ascii")
        except FileNotFoundError:
            return
        peaks = [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")]
        self.peak_kb = max(self.peak_kb, *peaks, 0)


def _document(number: int) -> dict[str, Any]:
    return {
        "_id": number,
        "tenant": number * 7919 % 1000,
        "created": number * 104_729 % 1_000_003,
        "email": f"person.{number}@mail{number % 97}.example.com",
    }


def _hash_of(collection: Collection[dict[str, Any]]) -> str:
    digest = hashlib.sha256()
    for batch in collection.find_raw_batches({}, sort=[("_id", 1)], hint=[("_id", 1)], batch_size=BATCH):
        digest.update(batch)  # pyright: ignore[reportArgumentType]  # PyMongo types raw batches as documents
    return digest.hexdigest()


def _read(process: "subprocess.Popen[str]", began: threading.Event) -> None:
    for line in process.stderr or ():
        if ": started" in line:
            began.set()
        elif ": done" not in line:
            print(f"    {line.rstrip()}")
    began.set()


def _kill_mongod(data: Path) -> None:
    pid = int((data / "db" / "mongod.lock").read_text("ascii"))
    os.kill(pid, signal.SIGKILL)


def main() -> int:
    """Fill a collection, kill the command again and again, and say whether all is as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sheaf-kills-") as folder:
        story = Story(Path(folder), options.documents, options.seed)
        before = story.fill()
        print(f"{options.documents:,} documents, SHA-256 {before[:16]}, seed {options.seed}", flush=True)
        for number in range(1, options.kills + 1):
            print(f"{number:>3}: the command {story.kill_once()}", flush=True)
        code = story.finish()
        faults = [f"the last run ended with {code}"] if code else story.verify(before)
    print(f"peak memory of the command: {story.peak_kb / 1024:.0f} MB")
    print("\n".join(faults) or "Every index is there, and every document is as it was.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
