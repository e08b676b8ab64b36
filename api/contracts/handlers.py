"""The contract of a collection: read, set, taken off."""

from collections.abc import Sequence
from typing import Final

from starlette.responses import Response

from api import render
from api.exchange import Exchange, path_parameter
from api.media import Media, content_type
from api.parse import parse_precondition
from api.problems import BodyTooLargeError
from documents.codec.strict import parse_json
from documents.collections.contracts import ReadContract, RemoveContract, SetContract
from documents.errors import Fault, InvalidParameterError
from documents.types import Json

MAX_BODY_BYTES: Final = 256 * 1024
"""A contract is far smaller, unless it is written with much white space."""

MAX_DIGITS: Final = 10


async def get_contract(exchange: Exchange) -> Response:
    """Read the current contract, or a version of it."""
    operation = ReadContract(path_parameter(exchange, "collection"), _version(exchange.parameters))
    plan = await exchange.plan(exchange.store.planner.contracts.read, operation)
    return render.contract(await plan.run(exchange.deadline))


async def put_contract(exchange: Exchange) -> Response:
    """Set the contract."""
    operation = SetContract(
        path_parameter(exchange, "collection"), await _read_json(exchange), parse_precondition(exchange)
    )
    plan = await exchange.plan(exchange.store.planner.contracts.set, operation)
    return render.contract(await plan.run(exchange.deadline))


async def delete_contract(exchange: Exchange) -> Response:
    """Take the contract off."""
    exchange.ignore_body()
    operation = RemoveContract(path_parameter(exchange, "collection"), parse_precondition(exchange))
    plan = await exchange.plan(exchange.store.planner.contracts.remove, operation)
    await plan.run(exchange.deadline)
    return Response(status_code=204)


async def _read_json(exchange: Exchange) -> Json:
    """Return the body as it is. A schema has `$`-led keywords, which are not those of Extended JSON."""
    content_type(exchange.header(b"content-type"), Media.JSON.value)
    body = await exchange.read()
    if len(body) > MAX_BODY_BYTES:
        raise BodyTooLargeError(f"A contract takes {MAX_BODY_BYTES} bytes at most.")
    return parse_json(body)


def _version(parameters: Sequence[tuple[str, str]]) -> int | None:
    if not parameters:
        return None
    (_, text), *others = parameters
    if others:
        detail = "version is given twice."
        raise InvalidParameterError(detail, [Fault("?version", "duplicate", detail)])
    if not (text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS):
        detail = "version is a whole number."
        raise InvalidParameterError(detail, [Fault("?version", "wrong-type", detail)])
    return int(text)
