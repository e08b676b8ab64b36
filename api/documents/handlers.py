"""Collections and their documents: the plain HTTP verbs."""

from typing import cast

from starlette.responses import Response

from api import render
from api.bodies import MAX_OPERATIONS, as_document, read_change, read_documents, read_replacement
from api.exchange import Exchange, path_parameter
from api.parse import parse_find, parse_precondition, parse_selection, refuse_precondition
from api.problems import BodyTooLargeError
from documents.collections.operations import (
    Bulk,
    Delete,
    DeleteMany,
    Get,
    Insert,
    Patch,
    Replace,
    UpdateMany,
)
from documents.errors import PreconditionFailedError, StoreError
from documents.types import child


async def list_documents(exchange: Exchange) -> Response:
    """List documents: filter, sort, fields, limit, cursor."""
    operation = parse_find(exchange)
    plan = await exchange.plan(exchange.store.planner.find, operation)
    return await render.page(exchange, await plan.run(exchange.deadline))


async def insert_documents(exchange: Exchange) -> Response:
    """Insert one document, or each of an array."""
    body = await read_documents(exchange)
    collection = path_parameter(exchange, "collection")
    if not isinstance(body, list):
        operation = Insert(collection, as_document(body))
        plan = await exchange.plan(exchange.store.planner.write, operation)
        return await render.written(exchange, await plan.run(exchange.deadline))
    documents = cast("list[object]", body)
    if len(documents) > MAX_OPERATIONS:
        raise BodyTooLargeError(f"A request may insert {MAX_OPERATIONS} documents at most.")
    items = [_insert(collection, item, index) for index, item in enumerate(documents)]
    bulk = await exchange.plan(exchange.store.planner.bulk, Bulk(collection, items, "unordered"))
    return await render.outcomes(exchange, await bulk.run(exchange.deadline))


def _insert(collection: str, item: object, index: int) -> Insert | StoreError:
    try:
        return Insert(collection, as_document(item, child("", index)))
    except StoreError as error:
        return error


async def update_documents(exchange: Exchange) -> Response:
    """Change all documents that a filter selects."""
    collection = path_parameter(exchange, "collection")
    refuse_precondition(exchange)
    selection = parse_selection(exchange)
    change = await read_change(exchange)
    operation = UpdateMany(collection, selection, change, exchange.preferences.max_affected, exchange.is_literal)
    plan = await exchange.plan(exchange.store.planner.update_many, operation)
    return render.affected("modified", await plan.run(exchange.deadline))


async def delete_documents(exchange: Exchange) -> Response:
    """Delete all documents that a filter selects."""
    refuse_precondition(exchange)
    exchange.ignore_body()
    operation = DeleteMany(
        path_parameter(exchange, "collection"), parse_selection(exchange), exchange.preferences.max_affected
    )
    plan = await exchange.plan(exchange.store.planner.delete_many, operation)
    return render.affected("deleted", await plan.run(exchange.deadline))


async def get_document(exchange: Exchange) -> Response:
    """Read one document."""
    precondition = parse_precondition(exchange)
    operation = Get(path_parameter(exchange, "collection"), path_parameter(exchange, "id"))
    planner = exchange.store.planner
    plan = await exchange.plan(planner.get, operation, at_once=planner.get_at_once)
    found = await plan.run(exchange.deadline)
    if precondition.if_match is not None and not precondition.if_match.names(found.etag):
        raise PreconditionFailedError(found.etag)
    if precondition.if_none_match is not None:
        known = next(
            (tag for tag in render.etags(exchange, found) if precondition.if_none_match.matches(tag, weakly=True)), None
        )
        if known is not None:
            return render.not_modified(known)
    return await render.document(exchange, found)


async def put_document(exchange: Exchange) -> Response:
    """Store a document under this id, whether or not there is one already."""
    operation = Replace(
        path_parameter(exchange, "collection"),
        path_parameter(exchange, "id"),
        await read_replacement(exchange),
        parse_precondition(exchange),
        exchange.is_literal,
    )
    plan = await exchange.plan(exchange.store.planner.write, operation)
    return await render.written(exchange, await plan.run(exchange.deadline))


async def patch_document(exchange: Exchange) -> Response:
    """Change one document: a merge patch, a JSON patch, or update operators."""
    operation = Patch(
        path_parameter(exchange, "collection"),
        path_parameter(exchange, "id"),
        await read_change(exchange, knows_stored=True),
        parse_precondition(exchange),
        exchange.is_literal,
    )
    plan = await exchange.plan(exchange.store.planner.write, operation)
    return await render.written(exchange, await plan.run(exchange.deadline))


async def delete_document(exchange: Exchange) -> Response:
    """Delete one document."""
    exchange.ignore_body()
    operation = Delete(
        path_parameter(exchange, "collection"), path_parameter(exchange, "id"), parse_precondition(exchange)
    )
    plan = await exchange.plan(exchange.store.planner.write, operation)
    return await render.written(exchange, await plan.run(exchange.deadline))
