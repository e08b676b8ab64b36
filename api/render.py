"""Results as responses."""

from collections.abc import Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote, urlencode

import orjson
from starlette.responses import Response

from api.exchange import Exchange
from api.media import Media
from api.problems import describe, status_of
from documents.aside import LARGE_BYTES, aside
from documents.catalog.catalog import CollectionSummary
from documents.catalog.metadata import Kind
from documents.codec.etag import CODINGS, representation_tag
from documents.codec.extended import dump_extended, dump_extended_value
from documents.codec.plain import dump
from documents.codec.stored import StoredBatch, StoredDocument
from documents.collections.admission import to_stored
from documents.collections.attempt import Written
from documents.collections.contracts import ContractReport
from documents.collections.many import Affected, Item, Skipped
from documents.collections.read import WHOLE, Counted, Page, Rows
from documents.errors import StoreError
from documents.indexes.planner import IndexReport
from documents.query.projection import Projection
from documents.telemetry import note_documents

WRITTEN_STATUS: Final[Mapping[str, HTTPStatus]] = {
    "created": HTTPStatus.CREATED,
    "replaced": HTTPStatus.OK,
    "updated": HTTPStatus.OK,
    "unchanged": HTTPStatus.OK,
    "deleted": HTTPStatus.NO_CONTENT,
}
MANY: Final = 200
"""Outcomes from which on they are written in a thread."""

MAX_DISCARDED: Final = 100
"""Pointers that an outcome of a bulk request names."""

MAX_HEADER_BYTES: Final = 2048
"""What a header may take: clients and proxies give up at a few times that. The body says the same or more."""


async def document(exchange: Exchange, found: StoredDocument) -> Response:
    """One document, with its ETag."""
    note_documents(1)
    return await aside(partial(_document, exchange, found), large=len(found.raw) > LARGE_BYTES)


def _document(exchange: Exchange, found: StoredDocument, *, status: int = 200, **headers: str) -> Response:
    return Response(
        _one(exchange, found),
        status,
        headers={"ETag": _etag(exchange, found), "Vary": "Accept", **headers},
        media_type=exchange.accepts.value,
    )


def not_modified(etag: str) -> Response:
    """The client has the representation with this tag already."""
    return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": etag, "Vary": "Accept"})


def etags(exchange: Exchange, found: StoredDocument) -> list[str]:
    """Return the tags of the representations that the request would take: as it is, and compressed for the way."""
    plain = _etag(exchange, found)
    accepted = exchange.header(b"accept-encoding") or ""
    return [plain, *(representation_tag(plain, coding) for coding in CODINGS if coding in accepted)]


def _etag(exchange: Exchange, found: StoredDocument) -> str:
    return found.etag if exchange.accepts is Media.JSON else representation_tag(found.etag, "ejson")


async def written(exchange: Exchange, result: Written) -> Response:
    """What became of the write of one document."""
    note_documents(1)
    large = result.document is not None and len(result.document.raw) > LARGE_BYTES
    return await aside(partial(_written, exchange, result), large=large)


def _written(exchange: Exchange, result: Written) -> Response:
    status = WRITTEN_STATUS[result.outcome]
    if result.document is None:
        return Response(status_code=status)
    headers = {"Location" if status is HTTPStatus.CREATED else "Content-Location": _location(exchange, result)}
    if result.discarded is not None:
        headers |= discarded_header(result.discarded.pointers)
    if exchange.preferences.minimal:
        headers |= {"ETag": _etag(exchange, result.document), "Preference-Applied": "return=minimal"}
        return Response(b'{"_id":' + _value(exchange, result.id) + b"}", status, headers, exchange.accepts.value)
    return _document(exchange, result.document, status=status, **headers)


async def page(exchange: Exchange, result: Page) -> Response:
    """A page of a list, and the way on."""
    note_documents(len(result.batch.documents))
    return await aside(partial(_page, exchange, result), large=len(result.batch.raw) > LARGE_BYTES)


def _page(exchange: Exchange, result: Page) -> Response:
    body = [b'{"items":', _many(exchange, result.batch, result.projection)]
    body += [b',"next":', orjson.dumps(result.next), b',"prev":', orjson.dumps(result.prev)]
    headers = {"Vary": "Accept"}
    if result.counted is not None:
        body += [b",", orjson.dumps(counted_members(result.counted))[1:-1]]
        headers["Preference-Applied"] = f"count={exchange.preferences.count}" if exchange.preferences.count else ""
    links = [_link(exchange, relation, cursor) for relation, cursor in (("next", result.next), ("prev", result.prev))]
    link = ", ".join(filter(None, links))
    if len(link) <= MAX_HEADER_BYTES and exchange.method in ("GET", "HEAD"):
        headers["Link"] = link
    headers = {name: value for name, value in headers.items() if value}
    return Response(b"".join([*body, b"}"]), headers=headers, media_type=exchange.accepts.value)


def collections(summaries: Sequence[CollectionSummary], limit: int) -> Response:
    """A page of collections, of which there may be one more than belongs to it."""
    shown = summaries[:limit]
    following = shown[-1].name if len(summaries) > limit else None
    body = {"items": [_collection(summary) for summary in shown], "next": following}
    return Response(orjson.dumps(body), media_type=Media.JSON.value)


def _collection(summary: CollectionSummary) -> dict[str, Any]:
    members: dict[str, Any] = {
        "name": summary.name,
        "declared": summary.declared,
        "id_type": summary.id_type,
        "estimated_count": summary.estimated_count,
    }
    if summary.kind is not Kind.COLLECTION:
        members["kind"] = summary.kind
    if summary.fault is not None:
        members["problem"] = describe(summary.fault)
    return members


def counted(result: Counted) -> Response:
    """A count."""
    return Response(orjson.dumps(counted_members(result)), media_type=Media.JSON.value)


def counted_members(result: Counted) -> dict[str, Any]:
    """A count as members of a JSON object."""
    return {"count": result.count, "count_kind": result.kind}


async def rows(exchange: Exchange, result: Rows) -> Response:
    """What an aggregation gave."""
    note_documents(len(result.batch.documents))
    return await aside(partial(_rows, exchange, result), large=len(result.batch.raw) > LARGE_BYTES)


def _rows(exchange: Exchange, result: Rows) -> Response:
    body = b'{"items":%s,"truncated":%s}' % (_many(exchange, result.batch), orjson.dumps(result.batch.has_more))
    return Response(body, headers={"Vary": "Accept"}, media_type=exchange.accepts.value)


def affected(verb: str, result: "Affected") -> Response:
    """How many documents an update or delete by filter found and changed."""
    note_documents(result.changed)
    headers = discarded_header(result.discarded) if result.discarded else None
    body = orjson.dumps({"matched": result.matched, verb: result.changed})
    return Response(body, headers=headers, media_type=Media.JSON.value)


def discarded_header(pointers: Sequence[str]) -> dict[str, str]:
    """Name what a contract had left out: JSON pointers, percent-encoded, and `+n` for n more that do not fit."""
    named: list[str] = []
    size = 0
    for pointer in pointers:
        text = quote(pointer, safe="/~", errors="replace")
        size += len(text) + 2
        if size > MAX_HEADER_BYTES:
            named.append(f"+{len(pointers) - len(named)}")
            break
        named.append(text)
    return {"Sheaf-Discarded": ", ".join(named)}


def contract(report: ContractReport) -> Response:
    """A version of a contract; 201 where the collection had none."""
    found = report.found
    members: dict[str, Any] = {
        "collection": found.collection,
        "version": found.version,
        "at": f"{found.at.isoformat(timespec='milliseconds')}Z",
        "by": found.by,
        "cause": found.cause,
        "contract": None,
    }
    if found.contract is not None:
        members |= {"contract": found.contract.to_dict(), "learned_fields": found.contract.learned_fields}
    if report.discarded is not None:
        members["discarded"] = dict(report.discarded)
    status = HTTPStatus.CREATED if report.is_new else HTTPStatus.OK
    return Response(orjson.dumps(members), status, headers={"ETag": found.etag}, media_type=Media.JSON.value)


def indexes(report: IndexReport) -> Response:
    """The indexes of a collection; 202 while MongoDB builds some of them."""
    status = HTTPStatus.OK if report.is_done else HTTPStatus.ACCEPTED
    return Response(orjson.dumps(report.to_dict()), status, media_type=Media.JSON.value)


async def outcomes(exchange: Exchange, results: Sequence["Item"]) -> Response:
    """What became of each item of a request; 207 when some failed."""
    note_documents(len(results))
    return await aside(partial(_outcomes, exchange, results), large=len(results) > MANY)


def _outcomes(exchange: Exchange, results: Sequence["Item"]) -> Response:
    failed = any(isinstance(result, StoreError | Skipped) for result in results)
    created = bool(results) and all(isinstance(result, Written) and result.outcome == "created" for result in results)
    status = HTTPStatus.MULTI_STATUS if failed else HTTPStatus.CREATED if created else HTTPStatus.OK
    body = b",".join(_outcome(exchange, index, result) for index, result in enumerate(results))
    return Response(b'{"items":[%s]}' % body, status, media_type=exchange.accepts.value)


def _outcome(exchange: Exchange, index: int, result: "Item") -> bytes:
    match result:
        case Written():
            members: dict[str, Any] = {
                "index": index,
                "status": WRITTEN_STATUS[result.outcome].value,
                "outcome": result.outcome,
            }
            if result.document is not None:
                members["etag"] = _etag(exchange, result.document)
            if result.discarded is not None:
                members["discarded"] = result.discarded.pointers[:MAX_DISCARDED]
            return orjson.dumps(members)[:-1] + b',"_id":' + _value(exchange, result.id) + b"}"
        case Skipped():
            return orjson.dumps({"index": index, "status": 424, "outcome": "not-attempted"})
        case _:
            return orjson.dumps(
                {"index": index, "status": status_of(result).value, "outcome": "failed", "problem": describe(result)}
            )


def _one(exchange: Exchange, found: StoredDocument) -> bytes:
    if exchange.accepts is Media.EJSON:
        return dump_extended(found.raw, canonical=True)
    return dump(found.decode())


def _many(exchange: Exchange, found: StoredBatch, projection: Projection = WHOLE) -> bytes:
    as_read = projection.is_empty
    if exchange.accepts is Media.JSON:
        return found.to_json() if as_read else dump([projection.apply(item) for item in found.documents])
    stored = found.split() if as_read else [to_stored(projection.apply(item)) for item in found.documents]
    return b"[" + b",".join(dump_extended(item.raw, canonical=True) for item in stored) + b"]"


def _value(exchange: Exchange, value: object) -> bytes:
    if exchange.accepts is Media.EJSON:
        return dump_extended_value(value, canonical=True)
    return dump(value)


def _location(exchange: Exchange, result: Written) -> str:
    if isinstance(result.id, str):
        text = result.id
    elif result.id_says_its_type:
        text = dump_extended_value(result.id, canonical=True).decode()
    else:
        text = dump(result.id).decode().strip('"')
    return f"/v1/{exchange.scope['path_params']['collection']}/{quote(text, safe='')}"


def _link(exchange: Exchange, relation: str, cursor: str | None) -> str | None:
    if cursor is None:
        return None
    others = [(name, value) for name, value in exchange.parameters if name != "cursor"]
    query = urlencode([*others, ("cursor", cursor)])
    return f'<{quote(exchange.scope["path"])}?{query}>; rel="{relation}"'
