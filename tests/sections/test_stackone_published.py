"""StackOne as it was and as it is published: sections 6 to 8 go through on both, and on states nobody listed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from entra_sandbox.store import Store

from runbook.operations import section
from runbook.records.journal import read
from runbook.sections import NAMES
from runbook.tenant.base import open_context, run_section
from tests.sections.conftest import Journey

Begin = Callable[..., Journey]


@contextmanager
def books(sandbox: Mapping[str, Any], **settings: Any) -> Iterator[Store]:
    """The sandbox's own books, with settings of its StackOne project for as long as the context lasts."""
    store = Store(Path(sandbox["file"]).parent / "sandbox.db")
    try:
        for name, value in settings.items():
            store.set_setting(f"stackone.{name}", value)
        yield store
        for name, value in settings.items():
            store.set_setting(f"stackone.{name}", type(value)())
    finally:
        store.close()


def asked(own: Journey) -> set[str]:
    events = read(own.journals[-1])
    return {e["path"].partition("?")[0] for e in events if e["event"] == "http.call" and e["service"] == "stackone"}


@pytest.mark.parametrize("older", [False, True])
def test_profile_account_and_proof_need_no_more_than_either_publication_has(
    sandbox: dict[str, Any], journey: Begin, older: bool
) -> None:
    own = journey(actions=["list_users"], permission_types=["delegated"])
    with books(sandbox, older=older) as store:
        store.put("stackone.account", {"id": own.values["unique_name"], "provider": "hibob", **STRANGER})
        store.update("stackone.account", own.values["unique_name"], {"origin_owner_id": own.values["account_owner_id"]})
        results = own.run()
    assert [result.verdict for result in results.values()] == ["passed"] * len(NAMES)
    assert ("/auth_configs" in asked(own)) is older
    assert "/connector_profiles" in asked(own)


STRANGER = {
    "status": "active",
    "status_reasons": [],
    "origin_owner_id": "",
    "origin_owner_name": "Another",
    "origin_username": None,
    "label": None,
    "metadata": {},
    "type": "production",
    "profile_id": "",
    "created_at": "2026-01-01T00:00:00.000Z",
    "updated_at": "2026-01-01T00:00:00.000Z",
}


def test_actions_are_called_with_the_names_that_their_metadata_has_for_parameters(
    sandbox: dict[str, Any], journey: Begin
) -> None:
    own = journey(actions=["get_user"], permission_types=["delegated"])
    with books(sandbox, renamed={"user-id": "memberKey"}):
        proof = own.run()["verify_actions"]
    assert proof.verdict == "passed"
    (action,) = proof.facts["actions"]
    assert action["stackone"]["used"] is True


@pytest.mark.parametrize("linked_anew", [False, True])
def test_a_run_asks_stackone_each_thing_once_until_a_person_has_changed_it(
    sandbox: dict[str, Any], journey: Begin, linked_anew: bool
) -> None:
    own = journey(actions=["list_users", "list_groups"], permission_types=["delegated"])
    journal, id_ = own.journal(), ""
    for name in NAMES:  # a context for each, as each notebook's kernel has
        with books(sandbox) as store, open_context(own.params(), journal) as ctx:
            if name == "verify_actions" and linked_anew:
                store.update("stackone.account", id_, {"updated_at": "2099-01-01T00:00:00.000Z"})
            result = run_section(ctx, section(name), apply=True)
        assert result.verdict == "passed"
        id_ = result.facts.get("account", {}).get("id", id_)
    calls = [e for e in read(journal.path) if e["event"].startswith("http.") and e.get("service") == "stackone"]
    found = Counter((e["section"], e["path"].partition("?")[0]) for e in calls if e["event"] != "http.intent")
    assert found == {
        ("connector_profile", "/connector_profiles"): 2,  # before a person saved it, and after
        ("link_account", "/connector_profiles"): 1,
        ("link_account", "/accounts"): 2,
        ("link_account", "/connect_sessions"): 1,
        ("link_account", "/unified/proxy"): 1,
        ("verify_actions", f"/accounts/{id_}"): 1,
        ("verify_actions", "/actions/rpc"): 2,
        **({("verify_actions", "/unified/proxy"): 1} if linked_anew else {}),
    }


@pytest.mark.parametrize("state", ["pending", "invalid_credentials", "ACTIVE_WITH_WARNINGS"])
def test_an_account_in_a_state_that_nobody_listed_is_shown_so_and_opened_again(
    sandbox: dict[str, Any], journey: Begin, state: str
) -> None:
    own = journey(actions=["list_users"], permission_types=["delegated"])
    account = own.run(*NAMES[:7])["link_account"].facts["account"]
    with books(sandbox) as store:
        store.update("stackone.account", account["id"], {"status": state})
    (change,) = own.plan("link_account")["link_account"]
    assert (change.now, change.wanted, change.kind) == (state, "active", "changed")
    again = own.run("link_account")["link_account"]
    assert again.verdict == "passed"
    assert again.facts["account"]["id"] == account["id"]
