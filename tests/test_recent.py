"""What was used last, of what there may be without end."""

from __future__ import annotations

from rct_tools.recent import Recent


def test_what_was_put_longest_ago_has_to_go() -> None:
    recent: Recent[str, int] = Recent(2)
    assert [recent.put("a", 1), recent.put("b", 2), recent.put("a", 3)] == [None, None, None]
    assert list(recent.items()) == [("b", 2), ("a", 3)]
    assert recent.put("c", 4) == ("b", 2)
    assert recent.get("a") == 3  # which is no use of it
    assert recent.put("d", 5) == ("a", 3)
    assert list(recent.items()) == [("c", 4), ("d", 5)]
