"""Counts the connections of a client: how many are open, and how many are in use."""

from pymongo.monitoring import (
    ConnectionCheckedInEvent,
    ConnectionCheckedOutEvent,
    ConnectionCheckOutFailedEvent,
    ConnectionCheckOutStartedEvent,
    ConnectionClosedEvent,
    ConnectionCreatedEvent,
    ConnectionPoolListener,
    ConnectionReadyEvent,
    PoolClearedEvent,
    PoolClosedEvent,
    PoolCreatedEvent,
    PoolReadyEvent,
)


class PoolWatch(ConnectionPoolListener):
    """Hears of each connection of a client."""

    def __init__(self) -> None:
        self.open = 0
        self.in_use = 0
        self.waiting = 0
        self.failures = 0

    def connection_created(self, event: ConnectionCreatedEvent) -> None:  # noqa: ARG002  # as the driver calls it
        """Count one more."""
        self.open += 1

    def connection_closed(self, event: ConnectionClosedEvent) -> None:  # noqa: ARG002
        """Count one less."""
        self.open -= 1

    def connection_check_out_started(self, event: ConnectionCheckOutStartedEvent) -> None:  # noqa: ARG002
        """Count somebody who waits for one."""
        self.waiting += 1

    def connection_check_out_failed(self, event: ConnectionCheckOutFailedEvent) -> None:  # noqa: ARG002
        """Count somebody who did not get one."""
        self.waiting -= 1
        self.failures += 1

    def connection_checked_out(self, event: ConnectionCheckedOutEvent) -> None:  # noqa: ARG002
        """Count one that is in use."""
        self.waiting -= 1
        self.in_use += 1

    def connection_checked_in(self, event: ConnectionCheckedInEvent) -> None:  # noqa: ARG002
        """Count one that is given back."""
        self.in_use -= 1

    def pool_created(self, event: PoolCreatedEvent) -> None:
        """Do nothing."""

    def pool_ready(self, event: PoolReadyEvent) -> None:
        """Do nothing."""

    def pool_cleared(self, event: PoolClearedEvent) -> None:
        """Do nothing."""

    def pool_closed(self, event: PoolClosedEvent) -> None:
        """Do nothing."""

    def connection_ready(self, event: ConnectionReadyEvent) -> None:
        """Do nothing."""
