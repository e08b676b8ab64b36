"""Mappings of loads: found by name, checked before anything is written, and applied to each record that is read."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Final

from documents.codec.records import Record
from documents.codec.writers import dump_canonical
from documents.errors import Fault, InvalidParameterError
from documents.ingest.jobs import Load
from documents.mapping.mapping import MAX_BYTES, Mapping, key_id, mapping_from_text, read_mapping
from documents.mapping.operations import Context, MappingError
from documents.types import Document

SHOWN: Final = 3
"""Records that are shown before and after."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


class Mapped:
    """Changes the records of a load.

    Args:
        mapping: How.
        source: Name of the source.
        hash_key: For hashes.
    """

    def __init__(self, mapping: Mapping, source: str | None, hash_key: bytes | None) -> None:
        self._mapping = mapping
        self._source = source
        self._hash_key = hash_key
        self.shown: Final[list[tuple[Document, Document | Fault]]] = []
        """The first records, before and after."""

    def __call__(self, record: Record) -> Record:
        """Return a record with the document that it becomes, or with what is wrong with it."""
        if record.document is None:
            return record
        changed = self._mapping.apply(record.document, Context(self._source, record.line, self._hash_key))
        if len(self.shown) < SHOWN:
            self.shown.append((record.document, changed))
        # What is put aside is put aside as it came, so that a replay can map it again.
        raw = record.raw or dump_canonical(record.document)
        if isinstance(changed, Fault):
            return record._replace(raw=raw, document=None, fault=changed)
        return record._replace(raw=raw, document=changed)


class Mappings:
    """The mappings that loads can name, and the key of hashes.

    Args:
        folder: Where those with names are; None where there are none.
        hash_key: For hashes; None where there is none.
    """

    def __init__(self, folder: Path | None = None, hash_key: bytes | None = None) -> None:
        self._folder = folder
        self._hash_key = hash_key

    def resolve(self, load: Load) -> Load:
        """Return a load with its mapping as JSON and the id of its key for hashes, if it has a mapping.

        Raises:
            InvalidParameterError: The mapping cannot be meant, or a key for hashes is needed and not set.
        """
        if load.mapping is None:
            return load
        mapping = self._read(load.mapping)
        if mapping.needs_key and self._hash_key is None:
            raise _refused(
                "The mapping has hashes, which need a secret key: set SHEAF_HASH_KEY or SHEAF_HASH_KEY_FILE."
            )
        used = key_id(self._hash_key) if mapping.needs_key and self._hash_key else None
        return replace(load, mapping=mapping.to_text(), hash_key_id=used)

    def open(self, load: Load) -> Mapped | None:
        """Return what changes the records of a load; None where nothing does.

        Raises:
            InvalidParameterError: The load began with another key for hashes.
        """
        if load.mapping is None:
            return None
        resolved = self.resolve(load)
        if load.hash_key_id not in (None, resolved.hash_key_id):
            raise _refused("The load began with another SHEAF_HASH_KEY, so that its hashes would not be the same.")
        return Mapped(self._read(load.mapping), load.name, self._hash_key)

    def _read(self, text: str) -> Mapping:
        try:
            if text.lstrip()[:1] in ("{", "["):
                return mapping_from_text(text)
            return read_mapping(self._text_of(text))
        except MappingError as error:
            raise _refused(error.detail, error.pointer) from None

    def _text_of(self, name: str) -> str:
        if self._folder is None or not _NAME.fullmatch(name):
            raise MappingError("This is neither a mapping in JSON nor the name of one in the project.")
        try:
            with (self._folder / f"{name}.yaml").open("rb") as file:
                return file.read(MAX_BYTES + 1).decode()
        except FileNotFoundError:
            raise MappingError(f"The project has no mapping {name}.") from None
        except (OSError, UnicodeDecodeError):
            raise MappingError(f"The mapping {name} cannot be read.") from None


def _refused(detail: str, pointer: str = "") -> InvalidParameterError:
    place = f" (at {pointer})" if pointer else ""
    return InvalidParameterError(f"{detail}{place}", [Fault("?mapping", "invalid", f"{detail}{place}")])
