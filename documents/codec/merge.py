"""JSON Merge Patch."""

from typing import Any, cast


def merge_patch(target: object, patch: object) -> Any:  # noqa: ANN401  # what the patch makes of it
    """Return a target as a merge patch wants it: null removes a member, objects merge, all else replaces.

    The target and the patch stay as they are; the result shares their values. Members keep their places, new ones
    follow.

    Args:
        target: A document, or any value of one.
        patch: JSON; only a null that is a member's value removes something.

    Source:
        RFC 7396, section 2.
    """
    if not isinstance(patch, dict):
        return patch
    merged: dict[str, Any] = dict(cast("dict[str, Any]", target)) if isinstance(target, dict) else {}
    for name, value in cast("dict[str, object]", patch).items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged
