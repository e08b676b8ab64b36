"""The exit codes of commands. `docs/operations.md` says of which command each is what."""

from typing import Final

FAILED: Final = 1
"""Something went wrong, and the last lines say what."""

DIFFERS: Final = 2
"""Something is not as it should be, and the command has found out or, of a load, put it aside."""

REFUSED: Final = 3
"""The target looks like production, and nobody said that it may be touched."""

LOCKED: Final = 4
"""Another process holds the lock, or works on the job, and the command would not wait for it any longer."""

TOO_MANY_BAD: Final = 5
"""A load put more records aside than `--max-bad` allows."""

NOTHING_FITS: Final = 6
"""None of the first records of a load could be loaded, and the rest was not tried."""

QUARANTINE_FULL: Final = 7
"""The quarantine has reached its budget, and the load stopped."""

DRIFTED: Final = 8
"""The first records of a load differ in more fields from what is stored than `--max-drift` allows."""

NOT_AS_EXPECTED: Final = 9
"""The records of a load are not as `--expect` says."""

INTERRUPTED: Final = 130
"""Ctrl-C stopped it."""

BROKEN_PIPE: Final = 141
"""Whoever read standard output stopped reading."""

TERMINATED: Final = 143
"""SIGTERM ended it in good order."""
