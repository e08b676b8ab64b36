"""The allocator: memory of large bodies goes back to the system when they are gone."""

import ctypes
import sys
from typing import Final

LARGE_BYTES: Final = 512 * 1024
"""From this size on a block is a mapping of its own, which ends with it."""

_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8
ARENAS: Final = 2


def give_memory_back() -> None:
    """Tell glibc to map large blocks singly and to keep few arenas. Does nothing with another C library.

    Left to itself, glibc takes the size of a large block that was freed for one that will be wanted again, up to 32 MB,
    and keeps such blocks, in an arena for each thread. A few bodies of 16 MB then took 300 MB for good.

    Source:
        mallopt(3); the numbers are those of malloc.h.
    """
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    set_option = getattr(library, "mallopt", None)
    if set_option is None:
        return
    for option, value in ((_MMAP_THRESHOLD, LARGE_BYTES), (_TRIM_THRESHOLD, LARGE_BYTES), (_ARENA_MAX, ARENAS)):
        set_option(option, value)
