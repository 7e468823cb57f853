"""What a killed proof left is removed by the next one, by its mark, and nothing that only looks like it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from runbook.proof.workshop import Mark
from runbook.sections import NAMES
from runbook.tenant.registration import require_application
from tests.sections.conftest import Journey

Begin = Callable[..., Journey]


def test_the_next_proof_removes_what_one_of_this_machine_left_and_what_is_old_and_nothing_else(journey: Begin) -> None:
    own = journey(actions=["create_user", "create_group"])
    own.run()
    with own.context() as ctx:
        mine = Mark.now(require_application(ctx)["appId"], ctx.graph.session.now())
        theirs = replace(mine, home="0000")
        gone = [f"runbook probe {mine.text} 1", f"runbook probe {replace(theirs, minute=mine.minute - 61).text} 2"]
        kept = [
            f"runbook probe {theirs.text} 3",
            f"runbook probe {replace(mine, of='00000000').text} 4",
            "runbook probe notes",
            f"about runbook probe {mine.text} 5",
        ]
        for number, name in enumerate([*gone, *kept]):
            group = {"displayName": name, "mailNickname": f"g{number}-{mine.of}", "mailEnabled": False}
            ctx.graph.post("/groups", {**group, "securityEnabled": True})
        nick = f"runbook-probe-{mine.text}-x"
        person = {"accountEnabled": False, "displayName": gone[0], "mailNickname": nick}
        login = {"userPrincipalName": f"{nick}@contoso.com", "passwordProfile": {"password": "Long-enough-9!"}}
        user: Any = ctx.graph.post("/users", {**person, **login})
        ctx.graph.remove(f"/users/{user['id']}")
    result = own.run(*NAMES[7:])[NAMES[7]]
    assert result.evidence is not None
    assert sum("Removed what an earlier proof had left" in note for note in result.evidence.notes) == 1
    with own.context() as ctx:
        names = {group["displayName"] for group in ctx.graph.list("/groups", select=("displayName",))}
        bin_ = [item["id"] for item in ctx.graph.list("/directory/deletedItems/microsoft.graph.user")]
        for group in ctx.graph.list("/groups", select=("id", "displayName")):
            if group["displayName"] in kept:
                ctx.graph.remove(f"/groups/{group['id']}")
    assert names.isdisjoint(gone)
    assert names >= set(kept)
    assert user["id"] not in bin_
