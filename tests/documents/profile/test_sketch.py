import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from documents.profile.hashing import hash_numbers
from documents.profile.sketch import EXACT, HyperLogLog

HASHES = st.lists(st.integers(0, 2**64 - 1), max_size=3 * EXACT)


def sketch_of(hashes: list[int]) -> HyperLogLog:
    sketch = HyperLogLog()
    sketch.add_all(hashes)
    return sketch


@pytest.mark.parametrize("count", [0, 1, EXACT])
def test_few_are_counted(count: int) -> None:
    sketch = sketch_of(hash_numbers(range(count)) * 3)
    assert sketch.is_exact
    assert sketch.estimate() == count


@pytest.mark.parametrize("count", [EXACT + 1, 300, 1000, 5000, 20_000, 100_000])
def test_many_are_estimated(count: int) -> None:
    sketch = sketch_of(hash_numbers(range(count)))
    assert not sketch.is_exact
    # Three standard errors; the hashes are fixed, so that this never changes.
    assert sketch.estimate() == pytest.approx(count, rel=0.049)


@settings(deadline=None)
@given(HASHES, HASHES)
def test_parts_merge_into_the_whole(left: list[int], right: list[int]) -> None:
    merged, reverse = sketch_of(left), sketch_of(right)
    merged.merge(sketch_of(right))
    reverse.merge(sketch_of(left))
    assert merged == reverse == sketch_of(left + right)


@settings(deadline=None)
@given(HASHES)
def test_it_can_be_written_down(hashes: list[int]) -> None:
    sketch = sketch_of(hashes)
    assert HyperLogLog.load(sketch.dump()) == sketch


@pytest.mark.parametrize("text", ["", "x", "sAAA=A", "d", "dAAAA", "xAAAAAAAAAAA="])
def test_what_is_damaged_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        HyperLogLog.load(text)
