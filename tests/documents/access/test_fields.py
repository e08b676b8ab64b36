import pytest

from documents.access.fields import FieldRights, intersect
from documents.errors import FieldForbiddenError

RIGHTS = FieldRights(frozenset({"cost", "card.pin", "items.secret"}), frozenset({"status"}))


@pytest.mark.parametrize("path", ["cost", "cost.net", "card.pin", "card.pin.0", "items.0.secret", "items.secret.x"])
def test_a_hidden_path_is_not_named_compared_or_written(path: str) -> None:
    for require in (RIGHTS.require_named, RIGHTS.require_compared, RIGHTS.require_written):
        with pytest.raises(FieldForbiddenError) as refused:
            require([path], pointer="/x")
        assert refused.value.faults[0].pointer == "/x"


@pytest.mark.parametrize("path", ["card", "items", "items.0"])
def test_an_ancestor_is_named_and_written_but_not_compared(path: str) -> None:
    RIGHTS.require_named([path], pointer="")
    RIGHTS.require_written([path], pointer="")
    with pytest.raises(FieldForbiddenError):
        RIGHTS.require_compared([path], pointer="")


@pytest.mark.parametrize("path", ["costs", "card.pins", "item.secret", "_id", "name"])
def test_any_other_path_is_free(path: str) -> None:
    for require in (RIGHTS.require_named, RIGHTS.require_compared, RIGHTS.require_written):
        require([path], pointer="")


def test_a_read_only_field_is_seen_and_not_written() -> None:
    RIGHTS.require_compared(["status"], pointer="")
    with pytest.raises(FieldForbiddenError):
        RIGHTS.require_written(["status"], pointer="")


@pytest.mark.parametrize(
    ("paths", "touches"), [(["card"], True), (["status.code"], True), (["card.name"], False), (["name"], False)]
)
def test_touching(paths: list[str], *, touches: bool) -> None:
    assert RIGHTS.touches_protected(paths) is touches


def test_a_mask_leaves_out_what_is_hidden_also_in_arrays() -> None:
    document = {"_id": 1, "cost": 2, "card": {"pin": 1, "name": "x"}, "items": [{"secret": 1, "n": 2}, 3]}
    assert RIGHTS.mask(document) == {"_id": 1, "card": {"name": "x"}, "items": [{"n": 2}, 3]}
    assert FieldRights().mask(document) is document


def test_exclusions_never_collide() -> None:
    rights = FieldRights(frozenset({"a", "a.b", "c.d"}))
    assert rights.exclusions == ("a", "c.d")


@pytest.mark.parametrize(
    ("sets", "expected"),
    [
        ([{"a"}, {"a"}], {"a"}),
        ([{"a"}, {"a.b"}], {"a.b"}),
        ([{"a"}, {"z"}], set[str]()),
        ([{"a", "b.c"}, {"b"}], {"b.c"}),
        ([{"a"}], {"a"}),
    ],
)
def test_several_roles_hide_what_all_of_them_hide(sets: list[set[str]], expected: set[str]) -> None:
    assert intersect(sets) == expected
