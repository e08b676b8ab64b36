"""The page of limits says what the program does."""

import re
from typing import Final

from api.problems import PROBLEMS
from documents.settings import Settings
from scripts.limits import FIXED, PAGE, TOLD, render

BOUND: Final = re.compile(r"^(max_|min_|quarantine_|client_share)|_timeout$|reserve")
_CODE: Final = re.compile(r"`([a-z]+(?:-[a-z]+)+)`")


def test_the_page_is_as_the_script_writes_it() -> None:
    assert PAGE.read_text("utf-8") == render()


def test_every_setting_that_bounds_is_on_it() -> None:
    assert {name for name in Settings.model_fields if BOUND.search(name)} == set(TOLD)


def test_the_codes_exist_with_their_status() -> None:
    known = {(error.code, problem.status.value) for error, problem in PROBLEMS.items()}
    told = [*TOLD.values(), *(each.told for each in FIXED)]
    named = [(code, int(text.split()[0])) for text in told if text[0].isdigit() for code in _CODE.findall(text)]
    assert [each for each in named if each not in known] == []
