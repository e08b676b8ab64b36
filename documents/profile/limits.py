"""How much a profile remembers."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on a profile's size. Profiles that are to be merged have the same.

    Args:
        paths: Paths that are shown. Four times as many are kept, since those of maps fall together.
        depth: Levels of nesting that are looked into; what lies deeper is counted.
        keys: An object with more different keys than this, below the top, is a map for good.
        id_keys: Likewise, for keys that are numbers, dates, UUIDs or other hex digits.
        examples: Examples of each path's values.
        example_characters: Longer texts are cut, as examples and as bounds.
        choices: A path with more different values than this has no list of them.
        choice_characters: A path with a longer text has none either.
    """

    paths: int = 1000
    depth: int = 32
    keys: int = 256
    id_keys: int = 16
    examples: int = 5
    example_characters: int = 80
    choices: int = 20
    choice_characters: int = 64

    @property
    def kept_paths(self) -> int:
        """How many paths are kept at the most."""
        return 4 * self.paths

    def to_dict(self) -> dict[str, Any]:
        """Return them as JSON values."""
        return asdict(self)
