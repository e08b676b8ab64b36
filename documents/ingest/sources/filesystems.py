"""`s3://` and what else fsspec knows, by the packages that are installed for it."""

from collections.abc import AsyncGenerator
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

from documents.codec.extras import MissingExtraError, load_extra
from documents.codec.sniff import HEAD_BYTES
from documents.ingest.jobs import Origin
from documents.ingest.sources.copied import CopiedPlace
from documents.ingest.sources.names import chosen, has_wildcard
from documents.ingest.sources.source import BrokenOffError, Place, Seen, SourceChangedError, SourceError
from documents.ingest.sources.threads import in_thread

_OF_S3: Final = frozenset({"s3", "s3a"})
PIECE_BYTES: Final = 4 * 1024 * 1024
"""Of one request: each costs a round trip."""

_VERSIONS: Final = (
    "ETag",
    "etag",
    "md5",
    "content_md5",
    "mtime",
    "LastModified",
    "last_modified",
    "updated",
    "created",
)


class FilesystemPlace:
    """An object of a file system of fsspec, known again by its address and its ETag, or its time.

    Args:
        filesystem: Of fsspec.
        path: In it.
        scheme: Of its URL.
    """

    origin: Origin = Origin.URL

    def __init__(self, filesystem: Any, path: str, scheme: str) -> None:  # noqa: ANN401  # fsspec has no types
        self._filesystem = filesystem
        self._path = path
        self._copy: CopiedPlace | None = None
        self.name = f"{scheme}://{path.lstrip('/')}"

    async def look(self) -> Seen:
        """Return the beginning, the size and the version."""
        try:
            info, size = await self._info()
            head = await self._range(0, min(size, HEAD_BYTES))
        except BrokenOffError as error:
            raise SourceError(f"{self.name} cannot be read: {error}") from error
        seen = Seen(head, size, _version_of(info))
        if seen.version is not None:
            return seen
        self._copy = CopiedPlace(self.name)
        return await self._copy.fill(self._pieces(0, size))

    async def digest(self, seen: Seen) -> str | None:
        """Return a hash of the address and the version; None where the file system names none."""
        if seen.version is None:
            raise SourceError(
                f"{self.name}: its file system tells neither an ETag nor a time. Copy it to a file first."
            )
        return seen.digest(self.name)

    async def open(self, seen: Seen, offset: int) -> AsyncGenerator[bytes]:
        """Yield the bytes from an offset on, if they are still those that were seen."""
        if self._copy is not None:
            async for piece in self._copy.open(seen, offset):
                yield piece
            return
        info, size = await self._info()
        if (_version_of(info), size) != (seen.version, seen.size_bytes):
            raise SourceChangedError(f"{self.name} has changed since the load began.")
        async for piece in self._pieces(offset, size):
            yield piece

    async def _pieces(self, offset: int, size: int) -> AsyncGenerator[bytes]:
        while offset < size:
            piece = await self._range(offset, min(offset + PIECE_BYTES, size))
            if not piece:
                raise BrokenOffError("It ended early.")
            offset += len(piece)
            yield piece

    async def _info(self) -> tuple[dict[str, Any], int]:
        self._filesystem.invalidate_cache()
        info = await _call(self.name, partial(self._filesystem.info, self._path))
        return info, int(info["size"])

    async def _range(self, start: int, end: int) -> bytes:
        if start >= end:
            return b""
        return await _call(self.name, partial(self._filesystem.cat_file, self._path, start=start, end=end))


async def find_objects(url: str, *, takes_any: bool) -> tuple[list[Place], list[str]]:
    """Return the objects that a URL names, in their order, and the names of those that are passed over.

    Args:
        url: Of one, with wildcards, or of a folder.
        takes_any: Whether those of a folder are taken whatever their names end in.

    Raises:
        SourceError: There is none, or it cannot be looked for.
    """
    scheme = urlsplit(url).scheme
    filesystem, path = _open_filesystem(url, scheme)
    if has_wildcard(path):
        found: list[str] = await _find(url, partial(filesystem.glob, path))
        paths, passed = [each for each in found if not await _find(url, partial(filesystem.isdir, each))], list[str]()
    elif await _find(url, partial(filesystem.isdir, path)):
        root = path.rstrip("/")
        found = await _find(url, partial(filesystem.find, path))
        paths, passed = chosen(found, root=root, takes_any=takes_any)
    else:
        paths, passed = [path], []
    if not paths:
        raise SourceError(f"{url} names nothing that can be loaded.")
    return [FilesystemPlace(filesystem, each, scheme) for each in sorted(paths)], passed


def _open_filesystem(url: str, scheme: str) -> tuple[Any, str]:
    try:
        if scheme in _OF_S3:
            load_extra("s3fs", "s3")
        load_extra("fsspec", "s3")
        return load_extra("fsspec.core", "s3").url_to_fs(url)
    except MissingExtraError as error:
        raise SourceError(str(error)) from error
    except ImportError as error:
        raise SourceError(f"{scheme}:// needs a package that is not installed: {error}.") from error
    except ValueError as error:
        raise SourceError(f"{scheme}:// is no source that is known: {error}.") from error


async def _find(url: str, work: Any) -> Any:  # noqa: ANN401
    try:
        return await _call(url, work)
    except BrokenOffError as error:
        raise SourceError(f"{url} cannot be read: {error}") from error


async def _call(name: str, work: Any) -> Any:  # noqa: ANN401
    try:
        return await in_thread(work)
    except FileNotFoundError as error:
        raise SourceError(f"{name} is not there.") from error
    except PermissionError as error:
        raise SourceError(f"{name} cannot be read: {error.strerror or error}.") from error
    except Exception as error:
        # Each file system has errors of its own: what has another reason than the network fails again.
        raise BrokenOffError(f"{type(error).__name__}: {error}.") from error


def _version_of(info: dict[str, Any]) -> str | None:
    return next((f"{name} {info[name]}" for name in _VERSIONS if info.get(name)), None)
