"""What decoded JSON is, as the type checker can follow it."""

from typing import TypeGuard


def is_object(value: object) -> TypeGuard[dict[str, object]]:
    """Say whether `value` is a JSON object; decoders make its names text."""
    return isinstance(value, dict)


def is_array(value: object) -> TypeGuard[list[object]]:
    """Say whether `value` is a JSON array."""
    return isinstance(value, list)
