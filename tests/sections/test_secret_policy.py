from __future__ import annotations

import pytest

from runbook.tenant.credentials import days, when


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        ("P90D", 90),
        ("P4DT12H30M5S", 4),
        ("P2W", 14),
        ("P1Y2M", 425),
        ("PT36H", 1),
        ("PT0.5S", 0),
        ("P", None),
        ("90 days", None),
        ("", None),
    ],
)
def test_iso_durations_become_whole_days_that_are_never_too_long(duration: str, expected: int | None) -> None:
    assert days(duration) == expected


def test_times_of_graph_are_read_with_seven_decimals_and_without_any() -> None:
    assert when("2026-11-23T22:30:00.1234567Z") == when("2026-11-23T22:30:00.123456Z")
    assert when("2026-11-23T22:30:00Z").isoformat() == "2026-11-23T22:30:00+00:00"  # type: ignore[union-attr]
    assert when(None) is None
