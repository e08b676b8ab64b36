"""Before anything is measured: does the contender really do the work? Its answer is held against the database."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bson import ObjectId
from pymongo.collection import Collection

from benchmarks.client import Client
from benchmarks.dataset import CATEGORIES, Document, Shape, category_of, id_of, make_fields
from benchmarks.dialect import SKIPPED, Dialect
from benchmarks.process import BenchError
from benchmarks.workload import FILTERED_PAGE, PAGE, Action, Workload

NUMBER: Final = 7
"The document that is asked for: any but the first."
MARK: Final = 4_242_424
"What the probe writes; no load writes as much."


@dataclass(frozen=True, kw_only=True)
class Probe:
    """One contender, and the collection that it should be serving."""

    client: Client
    dialect: Dialect
    collection: Collection[Document]
    shape: Shape
    values: Mapping[str, str]
    "What was found out beforehand, such as the cursor of the deep page."

    def check(self, workload: Workload) -> float:
        """Do what the workload does, once for each kind of request in it.

        Returns:
            Seconds that the slowest took.

        Raises:
            BenchError: The answer, or what it left in the database, is wrong.
        """
        parts = [Action.GET, Action.INSERT, Action.PATCH] if workload.action is Action.MIX else [workload.action]
        return max(self._check(part) for part in parts)

    def _check(self, action: Action) -> float:
        before = time.perf_counter()
        values = {"id": id_of(NUMBER), "category": category_of(NUMBER % CATEGORIES), "n": str(MARK), **self.values}
        payload = self.client.send(self.dialect.requests[action].fill(values))
        seconds = time.perf_counter() - before
        fault = CHECKS[action](self, payload)
        if fault:
            raise BenchError(f"{action} is answered wrongly: {fault}")
        return seconds

    def check_get(self, payload: Any) -> str | None:  # noqa: ANN401  # JSON
        """Return what is wrong with a document."""
        return _compare(payload, NUMBER)

    def check_list(self, payload: Any) -> str | None:  # noqa: ANN401  # JSON
        """Return what is wrong with the first page."""
        return self._compare_page(payload, 0)

    def check_deep(self, payload: Any) -> str | None:  # noqa: ANN401  # JSON
        """Return what is wrong with the deep page."""
        return self._compare_page(payload, SKIPPED)

    def check_filtered(self, payload: Any) -> str | None:  # noqa: ANN401  # JSON
        """Return what is wrong with a filtered and sorted page."""
        items = self.dialect.items(payload)
        if len(items) != FILTERED_PAGE:
            return f"{len(items)} documents, not {FILTERED_PAGE}"
        if {item["category"] for item in items} != {category_of(NUMBER)}:
            return "documents of other categories"
        prices = [item["price"] for item in items]
        return None if prices == sorted(prices, reverse=True) else "documents out of order"

    def check_insert(self, _: object) -> str | None:
        """Return what is wrong with the document that was to be stored."""
        stored = self.collection.find_one({"sku": f"SKU-{MARK}"})
        if stored is None:
            return "the document is not in the database"
        wrong = [key for key, value in make_fields(0).items() if key not in {"name", "sku"} and stored[key] != value]
        return f"stored with another {wrong[0]}" if wrong else None

    def check_patch(self, _: object) -> str | None:
        """Return what is wrong with the document that was to be changed."""
        key = id_of(NUMBER) if self.shape is Shape.PARSE else ObjectId(id_of(NUMBER))
        stored = self.collection.find_one({"_id": key})
        if stored is None or stored["stock"] != MARK:
            return "the document in the database is unchanged"
        return _compare(stored, NUMBER)

    def _compare_page(self, payload: Any, start: int) -> str | None:  # noqa: ANN401  # JSON
        items = self.dialect.items(payload)
        if len(items) != PAGE:
            return f"{len(items)} documents, not {PAGE}"
        return _compare(items[0], start) or _compare(items[-1], start + PAGE - 1)


CHECKS: Final[Mapping[Action, Callable[[Probe, Any], str | None]]] = {
    Action.GET: Probe.check_get,
    Action.LIST: Probe.check_list,
    Action.FILTERED: Probe.check_filtered,
    Action.INSERT: Probe.check_insert,
    Action.PATCH: Probe.check_patch,
    Action.DEEP: Probe.check_deep,
}


def _compare(document: Mapping[str, Any], number: int) -> str | None:
    # The stock is what patches change.
    wrong = [key for key, value in make_fields(number).items() if key != "stock" and document.get(key) != value]
    return f"document {number} has another {wrong[0]}: {document.get(wrong[0])!r}" if wrong else None
