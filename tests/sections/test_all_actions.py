"""All actions in one run, on every road that each one has."""

from __future__ import annotations

from collections.abc import Callable

from runbook import catalog
from runbook.sections import NAMES
from tests.sections.conftest import Journey


def test_every_action_of_the_guide_is_proven_in_one_run(journey: Callable[..., Journey]) -> None:
    own = journey(actions=[action.slug for action in catalog.actions()])
    results = own.run()
    assert {name: f"{r.verdict} {r.error or ''}".strip() for name, r in results.items()} == dict.fromkeys(
        NAMES, "passed"
    )
    facts = results["verify_actions"].facts
    assert len(facts["actions"]) == len(catalog.actions())
    unproven = {a["slug"]: a["explanation"] for a in facts["actions"] if a["verdict"] != "passed"}
    assert unproven == {}
    assert facts["litter"] == []
