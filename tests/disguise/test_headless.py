"""A real target with nobody at the screen: the run parks where a person must act, and for no other reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.disguise.conftest import Desk

Begin = Callable[..., Desk]


def to_the_end(at: Desk) -> tuple[list[int], dict[str, Any]]:
    """Run, let each person act who is asked, and run again: the exit codes and the last document."""
    codes: list[int] = []
    while True:
        code, document = at.run()
        codes.append(code)
        if code != 3 or len(codes) > 5:
            return codes, document
        at.tenant.act(at.hand_over(document))


def test_what_parameters_forbid_is_not_tried_and_does_not_park(desk: Begin) -> None:
    at = desk(actions=["List Users", "Create Group"], permission_types=["delegated"])
    codes, document = to_the_end(at)
    assert codes == [3, 3, 0], document["sections"]
    verdicts = {action["slug"]: action["verdict"] for action in document["actions"]}
    assert verdicts == {"list_users": "passed", "create_group": "not tried"}
    forbidden = next(action for action in document["actions"] if action["slug"] == "create_group")
    assert "allow_writes is off" in forbidden["explanation"]
