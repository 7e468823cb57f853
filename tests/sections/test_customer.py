"""A customer's tenant: its administrator consents by a link, its person links, and that account proves the actions."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from entra_sandbox.entra import credentials
from entra_sandbox.seed import data
from entra_sandbox.store import Store

from runbook import rehearsal
from runbook.errors import HandOver, InputError
from runbook.parameters import parse
from runbook.sections import NAMES
from tests.sections.conftest import Journey
from tests.sections.test_parking import run_alone

Begin = Callable[..., Journey]
CONSENT = "before, an administrator of the customer consents"


@pytest.fixture(scope="module")
def customer(sandbox: dict[str, Any]) -> dict[str, Any]:
    """The ready line as a customer's administrator has it: the sandbox's second tenant, and somebody there."""
    store = Store(Path(sandbox["file"]).parent / "sandbox.db")
    try:
        name = data()["tenants"][1]["name"]
        tenant_id = next(row.id for row in store.rows("organization") if row.doc["displayName"] == name)
        person, password = store.find("user", tenant_id)[0], secrets.token_urlsafe(15)
        credentials.keep_password(store, person["id"], password)
    finally:
        store.close()
    users = {person["userPrincipalName"]: {"password": password, "roles": ["Global Administrator"]}}
    return {**sandbox, "tenant_id": tenant_id, "users": users}


def acts(line: dict[str, Any], hand_over: HandOver) -> None:
    assert rehearsal.attend(line, hand_over, lambda _reference: "")


def test_a_customers_account_is_linked_after_one_consent_link_and_proven_beside_our_own(
    customer: dict[str, Any], journey: Begin
) -> None:
    own = journey(actions=["list_users"], permission_types=["delegated"], account_owner_id="")
    assert {result.verdict for result in own.run().values()} == {"passed"}
    theirs = {"customer_tenant_id": customer["tenant_id"]}
    parked = run_alone(own, "link_account", **theirs).hand_over
    assert parked is not None
    link = parked.fields[CONSENT]
    assert f"/{customer['tenant_id']}/v2.0/adminconsent?" in link
    acts(customer, HandOver("admin_consent", "", link))
    acts(customer, parked)

    linked = run_alone(own, "link_account", **theirs)
    assert linked.verdict == "passed", linked.error
    assert customer["tenant_id"] in linked.facts["account"]["owner_id"]
    proof = own.run("verify_actions", **theirs)["verify_actions"]
    assert [action["stackone"]["used"] for action in proof.facts["actions"]] == [True]
    ours = own.run("link_account", "verify_actions")
    assert {result.verdict for result in ours.values()} == {"passed"}
    assert ours["link_account"].facts["account"]["id"] != linked.facts["account"]["id"]
    assert own.writes() == {}


def test_our_own_person_is_not_taken_for_the_customers(
    sandbox: dict[str, Any], customer: dict[str, Any], journey: Begin
) -> None:
    own = journey(actions=["list_users"], permission_types=["delegated"])
    own.run(*NAMES[:6])
    refused = own.run("link_account", customer_tenant_id=customer["tenant_id"])["link_account"]
    assert refused.verdict == "failed"
    assert refused.error is not None
    assert sandbox["tenant_id"] in str(refused.error)


def test_a_customer_takes_an_application_for_several_tenants() -> None:
    with pytest.raises(InputError, match="sign_in_audience multi"):
        parse({"customer_tenant_id": "11111111-1111-4111-8111-111111111111", "sign_in_audience": "single"})
