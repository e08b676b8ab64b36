"""The word that the server is stopping, shared by all who have to know."""


class Draining:
    """Begins once and never ends."""

    __slots__ = ("begun",)

    def __init__(self) -> None:
        self.begun = False

    def begin(self) -> None:
        """Stop taking new work; finish what has begun."""
        self.begun = True
