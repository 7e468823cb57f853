"""A real target with nobody at the screen: the run parks where a person must act, and for no other reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.disguise.conftest import Desk, Tenant, desks


def to_the_end(at: Desk) -> tuple[list[int], dict[str, Any]]:
    """Run, let each person act who is asked, and run again: the exit codes and the last document."""
    codes: list[int] = []
    while True:
        code, document = at.run()
        codes.append(code)
        if code != 3 or len(codes) > 5:
            return codes, document
        at.tenant.act(at.hand_over(document))


@pytest.fixture(scope="module")
def linked(tenant: Tenant, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Where the whole guide passed."""
    actions = ["List Users", "Create Group"]
    own = {"account_owner_id": "", "connector_profile_name": ""}
    at = desks(tenant, tmp_path_factory.mktemp("linked"))(actions=actions, permission_types=["delegated"], **own)
    codes, at.passed = to_the_end(at)
    assert codes == [3, 3, 0], at.passed["sections"]
    return at


def test_what_parameters_forbid_is_not_tried_and_does_not_park(linked: Desk) -> None:
    document = linked.passed
    verdicts = {action["slug"]: action["verdict"] for action in document["actions"]}
    assert verdicts == {"list_users": "passed", "create_group": "not tried"}
    forbidden = next(action for action in document["actions"] if action["slug"] == "create_group")
    assert "allow_writes is off" in forbidden["explanation"]


def test_a_customers_account_is_proven_after_two_links_and_never_stands_for_our_own(
    linked: Desk, tenant: Tenant
) -> None:
    theirs = ("--sections", "7..8", "--set", f"customer_tenant_id={tenant.another}")
    code, document = linked.run(*theirs)
    assert code == 3, document
    item = linked.hand_over(document)
    consent = item["fields"]["before, an administrator of the customer consents"]
    assert f"login.microsoftonline.com/{tenant.another}/" in consent
    tenant.customer.act({"kind": "admin_consent", "url": consent})
    tenant.customer.act(item)
    code, document = linked.run(*theirs)
    assert code == 0, document
    account = document["account"]
    assert account["id"] != linked.passed["account"]["id"]
    assert tenant.another in account["owner_id"]

    code, planted = linked.run("--sections", "7..8", "--set", f"account_id={account['id']}")
    assert code == 1, planted
    assert [section["verdict"] for section in planted["sections"]] == ["failed", "not tried"]
    code, ours = linked.run("--sections", "8")
    assert code == 0, ours


def test_two_tenants_of_one_project_are_each_proven_through_their_own_account_only(
    linked: Desk, tenant: Tenant, tmp_path: Path
) -> None:
    names = ("unique_name", "application_name", "account_owner_id", "connector_profile_name", "actions")
    same = {name: linked.values[name] for name in names}
    beside = desks(tenant.neighbour, tmp_path)(
        permission_types=["delegated"], client_secret_ref="file:neighbour/secret", **same
    )
    codes, theirs = to_the_end(beside)
    assert codes == [3, 3, 0], theirs["sections"]
    for what in ("connector_profile", "account"):
        assert theirs[what]["id"] != linked.passed[what]["id"]
    assert theirs["tenant_id"] in theirs["account"]["owner_id"]

    ours = linked.passed["account"]["id"]
    for sections in ("7..8", "8"):
        code, planted = beside.run("--sections", sections, "--set", f"account_id={ours}")
        assert code == 1, planted
    tried = {action["slug"]: action["stackone"]["used"] for action in planted["actions"]}
    assert tried["list_users"] is False, "asked, the account says that it is of another organization"
    for at in (beside, linked):
        code, document = at.run("--sections", "8")
        assert code == 0, document
