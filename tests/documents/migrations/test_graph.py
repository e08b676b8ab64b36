"""The order of revisions, and what cannot be one."""

from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents.migrations.errors import InvalidRevisionError, SeveralHeadsError, UnknownRevisionError
from documents.migrations.graph import BASE, Revision, RevisionGraph


def revision(name: str, *after: str) -> Revision:
    """Return a revision whose id is a digit twelve times."""
    return Revision(name * 12, tuple(each * 12 for each in after), f"Step {name}.", Path(f"{name * 12}_step.py"), "")


def names(revisions: tuple[Revision, ...]) -> str:
    return "".join(each.id[0] for each in revisions)


DIAMOND = RevisionGraph([revision("4", "2", "3"), revision("3", "1"), revision("2", "1"), revision("1")])
FORK = RevisionGraph([revision("1"), revision("2", "1"), revision("3", "1"), revision("5", "2")])


def test_parents_come_first() -> None:
    assert names(DIAMOND.revisions) == "1234"
    assert names(FORK.revisions) == "1235"


def test_a_merge_has_one_head() -> None:
    assert DIAMOND.heads == ("4" * 12,)
    assert names(DIAMOND.lineage()) == "1234"
    assert names(DIAMOND.lineage("3")) == "13"


def test_several_heads_are_told_by_name() -> None:
    assert FORK.heads == ("3" * 12, "5" * 12)
    with pytest.raises(SeveralHeadsError, match=r"(?s)333333333333_step\.py.*555555555555_step\.py.*merge.*--to"):
        FORK.lineage()
    assert names(FORK.lineage("5")) == "125"


def test_descendants_and_leaves() -> None:
    assert names(FORK.descendants("2" * 12)) == "5"
    assert names(DIAMOND.descendants("1" * 12)) == "234"
    assert names(DIAMOND.descendants(BASE)) == "1234"
    assert FORK.leaves(["1" * 12, "2" * 12]) == ("2" * 12,)
    assert FORK.leaves([]) == ()


def test_a_revision_is_found_by_the_beginning_of_its_id() -> None:
    graph = RevisionGraph([Revision(f"ab{number}aaaaaaaaa", (), "", Path(f"{number}.py"), "") for number in (1, 2)])
    assert graph.find("ab1").id == "ab1aaaaaaaaa"
    with pytest.raises(UnknownRevisionError, match="Give more digits"):
        graph.find("ab")
    for name in ("x", "", "ab1aaaaaaaaaa"):
        with pytest.raises(UnknownRevisionError, match="no revision"):
            graph.find(name)


def test_two_of_one_id_are_refused() -> None:
    twin = Revision("1" * 12, (), "", Path("111111111111_twin.py"), "")
    with pytest.raises(InvalidRevisionError, match=r"111111111111_twin\.py: it has the same id as .*_step\.py"):
        RevisionGraph([revision("1"), twin])


def test_an_unknown_parent_is_refused() -> None:
    with pytest.raises(InvalidRevisionError, match=r"222222222222_step\.py: it comes after 111111111111"):
        RevisionGraph([revision("2", "1")])


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_cycle_is_refused_and_every_file_named(length: int) -> None:
    around = [revision(str(each), str((each + 1) % length)) for each in range(length)]
    with pytest.raises(InvalidRevisionError, match="waits for itself") as caught:
        RevisionGraph([*around, revision("9")])
    assert all(each.path.name in caught.value.detail for each in around)


@given(st.lists(st.sets(st.integers(0, 14), max_size=3), max_size=15), st.randoms())
def test_the_order_is_the_same_however_the_files_are_found(parents: list[set[int]], random: Random) -> None:
    made = [
        Revision(
            f"{each:012x}", tuple(f"{one:012x}" for one in sorted(after) if one < each), "", Path(f"{each}.py"), ""
        )
        for each, after in enumerate(parents)
    ]
    graph = RevisionGraph(made)
    seen: set[str] = set()
    for each in graph.revisions:
        assert set(each.after) <= seen
        seen.add(each.id)
        lineage = graph.lineage(each.id)
        assert lineage[-1] == each
        assert all(each in graph.descendants(parent.id) for parent in lineage[:-1])
    random.shuffle(made)
    assert RevisionGraph(made).revisions == graph.revisions
