"""Queries that took long: a line in the log with what each looked like, and how MongoDB went about it. No values."""

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from documents.database.connection import Connection
from documents.database.deadline import Deadline, Running
from documents.errors import StoreError
from documents.query.filter.query_shape import QueryShape
from documents.query.shapes import is_array, is_object
from documents.types import Document

EXPLAIN_SECONDS: Final = 2.0
INPUTS: Final = ("inputStage", "inputStages", "outerStage", "innerStage", "shards", "winningPlan", "queryPlan")
_log = logging.getLogger("sheaf")


class SlowQueries:
    """Writes a line for each query that took longer than a threshold. One plan at a time is asked for.

    Args:
        connection: Where plans are asked for.
        threshold_seconds: From when on a query is slow; 0 for never.
    """

    def __init__(self, connection: Connection, threshold_seconds: float) -> None:
        self._connection = connection
        self._threshold_seconds = threshold_seconds or float("inf")
        self._explaining: asyncio.Task[None] | None = None

    def is_slow(self, seconds: float) -> bool:
        """Return whether a query that took so long has a line."""
        return seconds >= self._threshold_seconds

    def report(self, collection: str, shapes: Sequence[QueryShape], command: Document, *, seconds: float) -> None:
        """Write the line of a query, once its plan is known.

        Args:
            collection: That was asked.
            shapes: What it looked like.
            command: The query as a command of MongoDB, to be explained; it is not run, and not logged.
            seconds: How long it took.
        """
        fields = {
            "collection": collection,
            "shape": " or ".join(map(str, shapes)) or "any",
            "ms": round(seconds * 1000, 1),
        }
        if self._explaining is None or self._explaining.done():
            # In a context that is this request's, so that the line has its id.
            self._explaining = asyncio.create_task(self._explain(command, fields))
        else:
            _warn({**fields, "plan": None})

    async def close(self) -> None:
        """Wait for the last line."""
        if self._explaining is not None:
            await asyncio.wait({self._explaining})

    async def _explain(self, command: Document, fields: Mapping[str, Any]) -> None:
        plan: str | None = None
        try:
            with Running(Deadline(EXPLAIN_SECONDS), writes=False):
                explained = await self._connection.database.command({"explain": command, "verbosity": "queryPlanner"})
            plan = summarize_plan(explained)
        except StoreError as error:
            _log.debug("The plan of a slow query is not known: %s", error.code)
        _warn({**fields, "plan": plan})


def _warn(fields: Mapping[str, Any]) -> None:
    _log.warning("A query was slow.", extra={"fields": fields})


def summarize_plan(explained: Mapping[str, Any]) -> str:
    """Return the stages of the winning plans, the last first, such as `FETCH < IXSCAN price_1`."""
    return "; ".join(" < ".join(_stages(plan)) for plan in _winning_plans(explained))


def _winning_plans(value: object) -> Iterator[Mapping[str, Any]]:
    if is_object(value):
        plan = value.get("winningPlan")
        if is_object(plan) and "shards" not in plan:
            yield plan
            return
        for member in value.values():
            yield from _winning_plans(member)
    elif is_array(value):
        for member in value:
            yield from _winning_plans(member)


def _stages(plan: object) -> Iterator[str]:
    if is_array(plan):
        for each in plan:
            yield from _stages(each)
    if not is_object(plan):
        return
    if "stage" in plan:
        yield f"{plan['stage']} {plan['indexName']}" if "indexName" in plan else str(plan["stage"])
    for name in INPUTS:
        yield from _stages(plan.get(name))
