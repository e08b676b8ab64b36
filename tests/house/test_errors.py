"""The error tree, its answers, its pages and its declarations agree."""

import inspect
import re
from collections.abc import Iterator
from html import unescape

import pytest

from api.openapi.pages import KINDS, problem_page, problems_page
from api.openapi.problems import problem_responses
from api.problems import PROBLEMS, InternalError, MethodNotAllowedError
from api.record import Route
from api.routes import ROUTES
from documents import errors
from documents.errors import InvalidPolicyError, JobLostError, KeyNotFoundError, StoreError


def _leaves(kind: type[StoreError] = StoreError) -> Iterator[type[StoreError]]:
    children = kind.__subclasses__()
    if not children:
        yield kind
    for each in children:
        yield from _leaves(each)


LEAVES = sorted({leaf for leaf in _leaves() if leaf.__module__ in ("documents.errors", "api.problems")}, key=str)
DESCRIBED = [route for route in ROUTES if route.is_described]
NAMED_PAGES = ("/metrics", "/openapi.json", "/docs", "/docs/{asset}", "/problems", "/problems/{code}")


@pytest.mark.parametrize("kind", LEAVES, ids=lambda kind: kind.__name__)
def test_leaf_has_a_problem(kind: type[StoreError]) -> None:
    assert kind in PROBLEMS


def test_problems_are_of_leaves() -> None:
    assert set(PROBLEMS) == set(LEAVES)


@pytest.mark.parametrize("kind", LEAVES, ids=lambda kind: kind.__name__)
def test_code_is_kebab_case_and_named_like_its_class(kind: type[StoreError]) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", kind.code)
    assert kind.__name__.endswith("Error")


def test_codes_are_unique() -> None:
    assert len({leaf.code for leaf in LEAVES}) == len(LEAVES)


@pytest.mark.parametrize("kind", LEAVES, ids=lambda kind: kind.__name__)
def test_page_says_what_the_docstring_says(kind: type[StoreError]) -> None:
    page = unescape(re.sub("<[^>]+>", "", problem_page(kind.code)))
    said = (inspect.getdoc(kind) or "").replace("`", "").replace("\n\n", "").replace("\n", " ")
    assert said
    assert said in page
    assert str(PROBLEMS[kind].status.value) in page


def test_list_links_to_each_page() -> None:
    page = problems_page()
    assert all(f'href="/problems/{code}"' in page for code in KINDS)


def test_tree_in_the_docstring_has_each_class() -> None:
    drawn = re.findall(r"── (\w+)", errors.__doc__ or "")
    defined = [name for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, StoreError)]
    assert sorted(drawn) == sorted(set(defined) - {"StoreError"})


def test_only_pages_are_not_described() -> None:
    assert {(route.method, route.address) for route in ROUTES} - {
        (each.method, each.address) for each in DESCRIBED
    } == {("GET", path) for path in NAMED_PAGES}


@pytest.mark.parametrize("route", DESCRIBED, ids=lambda route: route.verb)
def test_route_declares_its_problems(route: Route) -> None:
    responses = problem_responses(route.problems)
    declared = " ".join(response["description"] for response in responses.values())
    assert route.problems
    assert all(f"`{kind.code}`" in declared for kind in route.problems)


def test_each_problem_is_declared_somewhere() -> None:
    declared = {kind for route in DESCRIBED for kind in route.problems}
    # Of a method that is not there no operation can tell; a fault of the server's own is never meant; of a job that
    # is taken over only the process hears that had it; and policies and keys are read at start and by commands.
    elsewhere = {MethodNotAllowedError, InternalError, JobLostError, InvalidPolicyError, KeyNotFoundError}
    assert set(LEAVES) - declared == elsewhere
