"""The names that permissions are given by (pure)."""

from collections.abc import Iterator

from documents.errors import Fault
from documents.indexes.changes import IndexPlan, Permission, Permissions

_OF_UNDECLARED = frozenset({Permission.DROP, Permission.HIDE, Permission.UNHIDE})


def find_unknown(plan: IndexPlan, permissions: Permissions) -> list[Fault]:
    """Return a fault for each name that none of the indexes has which the permission could be meant for.

    Args:
        plan: Made with these permissions.
        permissions: As they were given.

    Returns:
        Faults that point to `/drop/0` and the like, and list the names that there are.
    """
    return list(_unknown(plan, permissions))


def _unknown(plan: IndexPlan, permissions: Permissions) -> Iterator[Fault]:
    undeclared = {change.name for change in plan.changes if change.declared is None}
    declared = {
        spec.name for change in plan.changes if change.declared for spec in (change.declared, change.actual) if spec
    }
    for permission in Permission:
        known = undeclared if permission in _OF_UNDECLARED else declared | undeclared
        for position, name in enumerate(permissions.of(permission)):
            pointer = f"/{permission}/{position}"
            if name in known:
                continue
            if name in declared:
                detail = f"The index {name!r} is declared, and what is declared decides. Change it there."
                yield Fault(pointer, "declared-index", detail)
            else:
                names = ", ".join(sorted(known)) or "none"
                yield Fault(pointer, "unknown-index", f"There is no index {name!r} here. There are: {names}.")
