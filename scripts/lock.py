"""Write requirements/*.lock from pyproject.toml, with hashes and without addresses. Needs uv on the PATH."""

import subprocess
from typing import Final

COMPILE: Final = (
    "uv pip compile --quiet --universal --upgrade --generate-hashes "
    "--no-emit-index-url --no-emit-find-links --python-version 3.11"
)
LOCKS: Final = {"image": [], "run": ["embedded"], "dev": ["embedded", "granian", "dev"], "bench": ["bench"]}


def main() -> None:
    """Resolve each lock for every supported platform at once."""
    for name, extras in LOCKS.items():
        flags = [flag for extra in extras for flag in ("--extra", extra)]
        subprocess.run(
            [
                *COMPILE.split(),
                "--custom-compile-command",
                "make lock",
                *flags,
                "pyproject.toml",
                "-o",
                f"requirements/{name}.lock",
            ],
            check=True,
        )


if __name__ == "__main__":
    main()
