"""Packages that only some formats need, each installed by one of Sheaf's extras."""

import importlib
from types import ModuleType
from typing import Final

_WHAT: Final = {"parquet": "Parquet", "excel": "Excel", "avro": "Avro", "s3": "S3"}


class MissingExtraError(RuntimeError):
    """A package that an extra installs is missing."""


def load_extra(module: str, extra: str) -> ModuleType:
    """Return a module that an extra installs.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        package = module.partition(".")[0].replace("_", "-")
        what = _WHAT.get(extra, extra)
        detail = f"{what} needs {package}, which is not installed: run `pip install 'sheaf-api[{extra}]'`."
        raise MissingExtraError(detail) from None
