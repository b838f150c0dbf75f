"""What sinks and pictures may expect of readings."""

from __future__ import annotations

import pytest

from rct_tools.plan import fresh_for
from rct_tools.times import SECOND


@pytest.mark.parametrize(("interval", "limit"), [(1, 13), (2, 16), (30, 100), (3600, 10_810)])
def test_two_readings_may_get_lost_and_the_third_be_late(interval: int, limit: int) -> None:
    assert fresh_for(interval * SECOND) == limit * SECOND
