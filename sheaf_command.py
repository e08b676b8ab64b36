"""The entry point of the `sheaf` command, in a module of its own that no package of a project is likely to hide.

A folder on PYTHONPATH may hold packages called `api`, `documents` or `scripts`. They would be imported in place of
Sheaf's, which lie in site-packages, behind it. So Sheaf's are bound here, before anything imports them.
"""

import os
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path

ROOT = str(Path(__file__).parent)
PACKAGES = ("api", "documents", "scripts")


def _bind(name: str) -> str | None:
    """Import one of Sheaf's packages from beside this file. Return the place of another that would have hidden it."""
    spec, other = PathFinder.find_spec(name, [ROOT]), PathFinder.find_spec(name)
    if spec is None or spec.loader is None or name in sys.modules:
        return None
    sys.modules[name] = module = module_from_spec(spec)
    spec.loader.exec_module(module)
    if other is None or other.origin == spec.origin:
        return None
    return other.origin or str(next(iter(other.submodule_search_locations or ()), "?"))


HIDING = {name: place for name in PACKAGES if (place := _bind(name))}
"""Packages that would have hidden Sheaf's, and where they are."""

if HIDING:  # processes that Sheaf starts have to find its own, too
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (ROOT, os.environ.get("PYTHONPATH"))))


def main() -> None:
    """Run the `sheaf` command."""
    for name, place in HIDING.items():
        print(  # noqa: T201  # nothing of Sheaf is imported yet
            f"PYTHONPATH hides Sheaf's package {name!r} behind {place}. Sheaf uses its own; if code of yours imports "
            f"{name!r}, rename that package, or take its folder off PYTHONPATH. Modules of a project import one "
            "another relatively.",
            file=sys.stderr,
        )
    from scripts.cli import main as command  # noqa: PLC0415  # after the packages are bound

    command()


if __name__ == "__main__":
    main()
