from __future__ import annotations

from runbook.tenant.changes import Change, pending, plan_hash


def change(**values: object) -> Change:
    defaults = {"what": "redirect URI", "now": "absent", "wanted": "registered", "kind": "added"}
    return Change(**{**defaults, **values})  # type: ignore[arg-type]


def test_the_plan_hash_depends_on_section_name_wanted_value_and_kind() -> None:
    plans = [
        {"three": [change()]},
        {"four": [change()]},
        {"three": [change(what="another")]},
        {"three": [change(wanted="another")]},
        {"three": [change(kind="removed")]},
        {"three": [change(), change(what="another")]},
    ]
    assert len({plan_hash("a tenant", plan) for plan in plans}) == len(plans)


def test_the_plan_hash_ignores_what_differs_from_day_to_day_and_machine_to_machine() -> None:
    one = {"a": [change(), change(what="b", wanted="id 1", hashed="id")], "b": []}
    other = {"a": [change(what="b", wanted="id 2", hashed="id", data={"id": 7}), change(now="gone", note="why")]}
    assert plan_hash("a tenant", one) == plan_hash("a tenant", other)
    assert plan_hash("a tenant", one).startswith("sha256:")


def test_what_stays_the_same_is_not_pending_and_what_is_unknown_is() -> None:
    changes = [change(kind="same"), change(kind="unknown"), change(kind="removed")]
    assert [item.kind for item in pending(changes)] == ["unknown", "removed"]
