"""What writers were told, and whether MongoDB agrees in the end."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

UPDATE: Final = {"Content-Type": "application/vnd.sheaf.update+json"}
PAUSE_SECONDS: Final = 0.02
REFUSED_SECONDS: Final = 0.1


@dataclass
class Ledger:
    """What became of each write, as it was told.

    Args:
        stored: Ids whose insert was acknowledged.
        absent: Ids whose delete was acknowledged, or whose insert was told not to be applied.
        unknown: Ids of which nobody can say.
        counted: By counter, increments that were acknowledged.
        uncertain: By counter, increments that may have been applied.
        dishonest: Answers that no fault excuses.
    """

    stored: set[str] = field(default_factory=set[str])
    absent: set[str] = field(default_factory=set[str])
    unknown: set[str] = field(default_factory=set[str])
    counted: dict[str, int] = field(default_factory=dict[str, int])
    uncertain: dict[str, int] = field(default_factory=dict[str, int])
    dishonest: list[str] = field(default_factory=list[str])
    refusals: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """By address, what was told not to be applied."""

    asked: int = 0

    @property
    def acknowledged(self) -> int:
        """How many writes were acknowledged."""
        return len(self.stored) + sum(self.counted.values())

    def check(self, documents: Mapping[str, int], counters: Mapping[str, int]) -> list[str]:
        """Return what is wrong with what is stored.

        Args:
            documents: How often each id of an insert is there.
            counters: The value of each counter.
        """
        faults = [f"lost: {key}" for key in sorted(self.stored - documents.keys())]
        faults += [f"not applied, and there: {key}" for key in sorted(self.absent & documents.keys())]
        faults += [f"doubled: {key}" for key, times in documents.items() if times > 1]
        known = self.stored | self.unknown | self.absent
        faults += [f"nobody wrote: {key}" for key in sorted(documents.keys() - known)]
        for name, counted in self.counted.items():
            value, most = counters.get(name, 0), counted + self.uncertain.get(name, 0)
            if not counted <= value <= most:
                refusals = self.refusals.get(f"/v1/counters/{name}", [])
                faults.append(f"counter {name} is {value}, and was told {counted} to {most}; refused: {refusals}")
        return faults + self.dishonest


class Writer:
    """Inserts, deletes some of what it inserted, and counts.

    Args:
        client: Of the server.
        ledger: Where it notes what it is told.
        name: Begins its ids.
    """

    def __init__(self, client: httpx.AsyncClient, ledger: Ledger, name: str) -> None:
        self._client, self._ledger, self._name = client, ledger, name
        ledger.counted[name] = ledger.uncertain[name] = 0

    async def run(self) -> None:
        """Write until cancelled. What was asked and not answered by then is unknown."""
        await self._begin_to_count()
        number = 0
        while True:
            number += 1
            key = f"{self._name}-{number}"
            well = await self._insert(key)
            well = await self._count() and well
            if number % 5 == 0 and key in self._ledger.stored:
                well = await self._delete(key) and well
            await asyncio.sleep(PAUSE_SECONDS if well else REFUSED_SECONDS)

    async def _begin_to_count(self) -> None:
        told = ""
        while told not in ("200", "201"):
            told = await self._ask("PUT", f"/v1/counters/{self._name}", {"n": 0})
            await asyncio.sleep(PAUSE_SECONDS)

    async def _insert(self, key: str) -> bool:
        self._ledger.unknown.add(key)
        told = await self._ask("POST", "/v1/kept", {"_id": key})
        if told in ("201", "not-applied"):
            self._ledger.unknown.discard(key)
            (self._ledger.stored if told == "201" else self._ledger.absent).add(key)
        return told == "201"

    async def _count(self) -> bool:
        self._ledger.uncertain[self._name] += 1
        told = await self._ask("PATCH", f"/v1/counters/{self._name}", {"$inc": {"n": 1}}, UPDATE)
        if told in ("200", "not-applied"):
            self._ledger.uncertain[self._name] -= 1
        if told == "200":
            self._ledger.counted[self._name] += 1
        return told == "200"

    async def _delete(self, key: str) -> bool:
        self._ledger.stored.discard(key)
        self._ledger.unknown.add(key)
        told = await self._ask("DELETE", f"/v1/kept/{key}")
        if told in ("204", "not-applied"):
            self._ledger.unknown.discard(key)
            (self._ledger.absent if told == "204" else self._ledger.stored).add(key)
        return told == "204"

    async def _ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> str:  # JSON
        """Return a status that means success, or what is told of the outcome."""
        self._ledger.asked += 1
        try:
            answer = await self._client.request(method, path, json=body, headers=headers)
        except httpx.TransportError:
            return "unknown"
        if answer.is_success:
            return str(answer.status_code)
        problem = answer.json()
        if answer.status_code not in (503, 507) or problem.get("outcome") not in ("unknown", "not-applied"):
            self._ledger.dishonest.append(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
            return "unknown"
        if problem["outcome"] == "not-applied":
            self._ledger.refusals.setdefault(path, []).append(f"{problem['code']}: {problem['detail']}")
        return problem["outcome"]
