import pytest

from documents.profile.formats import formats_of

CASES: list[tuple[str, set[str]]] = [
    ("", set()),
    ("a", set()),
    ("2024-02-29", {"date"}),
    ("2023-02-29", set()),
    ("2024-02-29T10:00:00Z", {"date-time"}),
    ("2024-02-29t10:00:00.123456z", {"date-time"}),
    ("2024-02-29 10:00:00+05:30", {"date-time"}),
    ("2024-02-29T10:00:00", set()),
    ("2024-02-29T25:00:00Z", set()),
    ("a@example.com", {"email"}),
    ("a@localhost", set()),
    ("a b@example.com", set()),
    ("https://example.com/a?b=c", {"uri"}),
    ("https://", set()),
    ("://x", set()),
    ("73ffd264-44b3-4c69-90e8-e7d1dfc035d4", {"uuid"}),
    ("73ffd264-44b3-4c69-90e8e7d1dfc035d4-", set()),
    ("65920080090dc4cfcb0320c3", {"objectid"}),
    ("123456789012345678901234", {"objectid", "decimal"}),
    ("0", {"decimal"}),
    ("-19.90", {"decimal"}),
    ("007", set()),
    ("1e5", set()),
    ("١٢", set()),
    ("1" * 50, set()),
    ("2024-02-29\n", set()),
    ("https://" + "a" * 3000, set()),
]


@pytest.mark.parametrize(("text", "formats"), CASES)
def test_formats(text: str, formats: set[str]) -> None:
    assert set(formats_of(text)) == formats
