"""A request as a template: `@id@`, `@n@`, `@category@` and `@cursor@` stand for what changes from one to the next."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

PLACEHOLDER: Final = re.compile(r"@(\w+)@")
JSON: Final = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Request:
    """What is sent: by the probe from Python, and under load by wrk from Lua."""

    method: str
    path: str
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def fill(self, values: Mapping[str, str]) -> "Request":
        """Return the request with `values` in the places of that name; other places stay as they are."""
        return replace(self, path=_fill(self.path, values), body=_fill(self.body, values))


def _fill(template: str, values: Mapping[str, str]) -> str:
    return PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), template)
