"""Shows that `sheaf ingest` may be killed at any moment: run again until it is done, every record is there once.

The command runs on a folder of its own, whose MongoDB outlives it; half of the time that is killed as well, and the
next run starts it again. In the end the load is taken back, and that is killed, too.
"""

import argparse
import csv
import gzip
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pymongo import MongoClient
from pymongo.database import Database

from documents.database.embedded import acquire

DATABASE: Final = "kills"
COLLECTION: Final = "many"
BAD_EVERY: Final = 997
"""One line in so many is no record."""

ASIDE: Final = 2
LATER_SECONDS: Final = 0.3
"""A kill comes up to so long after the batch that it waits for, and so in the middle of others."""

BATCH: Final = 2000
Connect = Callable[[], AbstractContextManager[str]]
"""Gives the URI of the database, which runs at least as long as this."""


@dataclass(frozen=True, slots=True)
class Case:
    """A file, and how it is loaded.

    Args:
        name: Of the file.
        flags: Of the command.
        has_bad: Whether there are lines in it that are no records.
    """

    name: str
    flags: tuple[str, ...] = ()
    has_bad: bool = True


CASES: Final[Mapping[str, Case]] = {
    "lines": Case("many.ndjson"),
    "gzip": Case("many.ndjson.gz"),
    "csv": Case("many.csv", ("--types", "n:int")),
    "upsert": Case("many.ndjson", ("--mode", "upsert", "--on", "n")),
}


def write_file(case: Case, folder: Path, records: int) -> int:
    """Write the file of a case, and return how many records in it are bad."""
    bad = records // BAD_EVERY if case.has_bad else 0
    opener = gzip.open if case.name.endswith(".gz") else open
    with opener(folder / case.name, "wt", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        if ".csv" in case.name:
            rows.writerow(["n", "name", "text"])
        for number in range(1, records + 1):
            is_bad = case.has_bad and number % BAD_EVERY == 0
            name, text = f"Person number {number}", f"{number * 7919:x}" * 20
            if ".csv" in case.name:
                rows.writerow(["x" if is_bad else number, name, text])
            else:
                file.write(json.dumps({"n": number, "name": name, "text": text})[: -1 if is_bad else None] + "\n")
    return bad


class Story:
    """One file that is loaded, killed, and loaded.

    Args:
        folder: Where the file is.
        case: It.
        records: How many are in it, bad ones as well.
        environ: Where the command finds its database.
        connect: Gives the same database.
        seed: Of the moments.
    """

    def __init__(  # each is said by name
        self, folder: Path, case: Case, *, records: int, environ: Mapping[str, str], connect: Connect, seed: int
    ) -> None:
        self._folder = folder
        self._case = case
        self._records = records
        self._environ = environ
        self._connect = connect
        self._moments = random.Random(seed)  # noqa: S311  # moments, not secrets
        self._bad = write_file(case, folder, records)

    def kill_load(self, kills: int, *, kill_mongod: Callable[[], None] | None = None) -> Generator[str]:
        """Load the file, killed so many times, and say of each what became of it."""
        for number in range(kills):
            # Each kill waits for its share of the batches, so that there are some left for the last one.
            share = (number + self._moments.random()) / kills * self._records / BATCH
            wanted = {"start": {"$exists": True}}
            yield self._kill(self._start_load, wanted, int(share), kill_mongod)

    def kill_undo(self, kills: int, *, kill_mongod: Callable[[], None] | None = None) -> Generator[str]:
        """Take the load back, killed so many times, and say of each what became of it."""
        for number in range(kills):
            share = (number + self._moments.random()) / kills * self._records / BATCH
            yield self._kill(self._start_undo, {"undone": {"$exists": True}}, int(share), kill_mongod)

    def finish_load(self) -> list[str]:
        """Load what is left, and return what is not as it should be."""
        process = self._start_load()
        _, said = process.communicate()
        expected = ASIDE if self._bad else 0
        # A load that a killed command had just finished is said to be there already.
        if process.returncode not in (0, expected):
            return [f"The last run ended with {process.returncode}: {said}"]
        good = self._records - self._bad
        with self._opened() as database:
            [job] = database["_sheaf.jobs"].find()
            counts = _sum(database, ["received", "inserted", "updated", "unchanged", "duplicates", "quarantined"])
            numbers = [found["n"] for found in database[COLLECTION].find({}, {"_id": 0, "n": 1})]
            aside = [found["offset"] for found in database["_sheaf.quarantine"].find({}, {"offset": 1})]
        written = counts["inserted"] + counts["updated"] + counts["unchanged"]
        checks = {
            "the job is done": job["state"] == "done",
            "every record is there": set(numbers) == set(self._good()),
            "no record is there twice": len(numbers) == good,
            "every bad one is in quarantine, once": len(aside) == len(set(aside)) == self._bad,
            "received is what the file has": counts["received"] == self._records,
            "received is what was written, duplicate and put aside": counts["received"]
            == written + counts["duplicates"] + counts["quarantined"],
            "each was inserted, or put aside": (counts["inserted"], counts["quarantined"]) == (good, self._bad),
        }
        return [f"It does not hold that {claim}: {counts}" for claim, holds in checks.items() if not holds]

    def finish_undo(self) -> list[str]:
        """Take back what is left, and return what is not as it should be."""
        process = self._start_undo()
        _, said = process.communicate()
        if process.returncode:
            return [f"The last run ended with {process.returncode}: {said}"]
        with self._opened() as database:
            [job] = database["_sheaf.jobs"].find()
            left = database[COLLECTION].count_documents({})
        good = self._records - self._bad
        is_right = job["undone"] == {"inserted": good, "deleted": good, "kept": 0, "absent": 0}
        return [] if is_right and not left else [f"{left} documents are left, and it says {job['undone']}."]

    def _good(self) -> list[int]:
        return [number for number in range(1, self._records + 1) if not self._bad or number % BAD_EVERY]

    def _kill(
        self,
        starting: "Callable[[], subprocess.Popen[str]]",
        wanted: Mapping[str, Any],
        batches: int,
        kill_mongod: Callable[[], None] | None,
    ) -> str:
        with self._opened() as database:
            process = starting()
            while process.poll() is None and database["_sheaf.batches"].count_documents(wanted) <= batches:
                time.sleep(0.01)
            time.sleep(self._moments.uniform(0, LATER_SECONDS))
            is_killed = process.poll() is None
            process.kill()
            if kill_mongod is not None and self._moments.random() < 0.5:  # noqa: PLR2004  # half of the time
                kill_mongod()
        _, said = process.communicate()
        if is_killed:
            return f"was killed behind {batches} batches"
        if process.returncode not in (0, ASIDE):
            raise RuntimeError(f"The command failed by itself, with {process.returncode}: {said}")
        return "was done before it was killed"

    def _start_load(self) -> "subprocess.Popen[str]":
        return self._start(str(self._folder / self._case.name), "--into", COLLECTION, *self._case.flags)

    def _start_undo(self) -> "subprocess.Popen[str]":
        with self._opened() as database:
            [job] = database["_sheaf.jobs"].find()
        return self._start("undo", job["_id"])

    def _start(self, *words: str) -> "subprocess.Popen[str]":
        environ = {name: value for name, value in os.environ.items() if not name.startswith("SHEAF_")}
        return subprocess.Popen(
            [Path(sys.executable).with_name("sheaf"), "ingest", *words],
            cwd=self._folder,
            env={**environ, **self._environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    @contextmanager
    def _opened(self) -> Generator[Database[dict[str, Any]]]:
        with self._connect() as uri, MongoClient[dict[str, Any]](uri) as client:
            yield client[self._environ["SHEAF_DATABASE"]]


def _sum(database: Database[dict[str, Any]], names: list[str]) -> dict[str, int]:
    group = {"$group": {"_id": None, **{name: {"$sum": f"${name}"} for name in names}}}
    [sums] = database["_sheaf.batches"].aggregate([{"$match": {"start": {"$exists": True}}}, group])
    return {name: sums[name] for name in names}


def _tell(story: Story, kills: int, kill_mongod: Callable[[], None]) -> list[str]:
    for number, told in enumerate(story.kill_load(kills, kill_mongod=kill_mongod), 1):
        print(f"  {number:>3}: the command {told}", flush=True)
    faults = story.finish_load()
    for number, told in enumerate(story.kill_undo(max(kills // 4, 1), kill_mongod=kill_mongod), 1):
        print(f"  {number:>3}: taking it back {told}", flush=True)
    return faults + story.finish_undo()


def main() -> int:
    """Load each file, kill the command again and again, and say whether all is as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--case", choices=CASES, action="append")
    options = parser.parse_args()
    faults: list[str] = []
    for name in options.case or CASES:
        with tempfile.TemporaryDirectory(prefix="sheaf-kills-") as folder:
            data = Path(folder, ".sheaf")

            @contextmanager
            def connect(data: Path = data) -> Generator[str]:
                with acquire(data) as lease:
                    yield lease.uri

            def kill_mongod(data: Path = data) -> None:
                os.kill(int((data / "db" / "mongod.lock").read_text("ascii")), signal.SIGKILL)

            environ = {"SHEAF_DATA_DIR": str(data), "SHEAF_DATABASE": DATABASE}
            print(f"{name}: {options.records:,} records, seed {options.seed}", flush=True)
            story = Story(
                Path(folder), CASES[name], records=options.records, environ=environ, connect=connect, seed=options.seed
            )
            found = _tell(story, options.kills, kill_mongod)
            print("\n".join(found) or "  Every record is there once, and every one was taken back.")
            faults += found
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
