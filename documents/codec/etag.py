"""Entity tags as `If-Match` and `If-None-Match` list them."""

import re
from dataclasses import dataclass
from typing import Final

from documents.errors import Fault, InvalidParameterError

_TAG: Final = re.compile(r'(?P<weak>W/)?(?P<tag>"[\x21\x23-\x7e\x80-\xff]*")')
CODINGS: Final = ("gzip", "zstd", "br")
"""Compression for the way, which makes another representation of the same document."""

_REPRESENTATION: Final = re.compile(rf'(?P<document>"[0-9a-f]{{24}})(?:-ejson)?(?:-(?:{"|".join(CODINGS)}))?"')
_BETWEEN: Final = re.compile(r"[ \t]*(?:,[ \t]*)+")


@dataclass(frozen=True, slots=True)
class Etags:
    """The tags of one header.

    Args:
        any: Whether it says `*`, which is every tag there is.
        strong: Strong tags, with their quotes.
        weak: Weak tags, with their quotes and without the `W/`.
    """

    any: bool = False
    strong: frozenset[str] = frozenset()
    weak: frozenset[str] = frozenset()

    def matches(self, etag: str | None, *, weakly: bool = False) -> bool:
        """Tell whether a document with this strong tag is among those that are listed.

        Args:
            etag: None when there is no such document; nothing lists that, not even `*`.
            weakly: Whether the weak tags count too: for `If-None-Match`, where the content alone matters.

        Source:
            RFC 9110, sections 8.8.3.2, 13.1.1 and 13.1.2.
        """
        if etag is None:
            return False
        return self.any or etag in self.strong or (weakly and etag in self.weak)

    def names(self, etag: str | None, *, weakly: bool = False) -> bool:
        """Tell likewise whether a document is among those listed, whatever representation of it each tag is of.

        Args:
            etag: That of the document in plain JSON.
            weakly: Compare weakly, as RFC 9110 has it.
        """
        strong, weak = (frozenset(map(document_tag, tags)) for tags in (self.strong, self.weak))
        return Etags(any=self.any, strong=strong, weak=weak).matches(etag, weakly=weakly)


def document_tag(tag: str) -> str:
    """Return the tag of a document in plain JSON for that of any of its representations."""
    match = _REPRESENTATION.fullmatch(tag)
    return tag if match is None else f'{match["document"]}"'


def representation_tag(etag: str, *marks: str) -> str:
    """Return the tag of a representation: that of the document in plain JSON, and what the representation differs in.

    Source:
        RFC 9110, section 8.8.3.3.
    """
    return "".join([etag[:-1], *(f"-{mark}" for mark in marks), '"'])


def parse_etags(text: str, *, header: str = "If-Match") -> Etags:
    """Return the tags that the value of a header lists. Empty places in the list are passed over.

    Args:
        text: The value; those of several such headers are joined by commas.
        header: The header's name, for the fault.

    Raises:
        InvalidParameterError: Neither `*` nor a list of entity tags.

    Source:
        RFC 9110, sections 5.6.1, 8.8.3 and 13.1.
    """
    text = text.strip(" \t")
    if text == "*":
        return Etags(any=True)
    tags = _split_tags(text.strip(" \t,"))
    if not tags:
        raise _malformed(header)
    strong = frozenset(tag["tag"] for tag in tags if tag["weak"] is None)
    return Etags(strong=strong, weak=frozenset(tag["tag"] for tag in tags) - strong)


def _split_tags(text: str) -> list[re.Match[str]]:
    """Return the tags of a list, or none at all if it is not well formed."""
    tags: list[re.Match[str]] = []
    place = 0
    while tag := _TAG.match(text, place):
        tags.append(tag)
        if tag.end() == len(text):
            return tags
        gap = _BETWEEN.match(text, tag.end())
        if gap is None:
            break
        place = gap.end()
    return []


def _malformed(header: str) -> InvalidParameterError:
    detail = f'{header} is * or a list of entity tags in double quotes, such as "5f2b".'
    return InvalidParameterError(detail, [Fault(f"?{header}", "malformed-etag", detail)])
