"""Files that are there whole, or not at all."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO


@contextmanager
def whole_file(file: Path) -> Generator[BinaryIO]:
    """Give a file that gets its name when all is written, and is gone when it is not.

    What is there already and is no file, such as a pipe, is written to as it is.
    """
    file = file.resolve()  # a link stays one
    if file.exists() and not file.is_file():
        with file.open("wb") as output:
            yield output
        return
    part = file.with_name(f".{file.name}.{token_hex(4)}.part")
    with part.open("xb") as output:
        try:
            yield output
            output.flush()
            os.fsync(output.fileno())
            part.replace(file)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
