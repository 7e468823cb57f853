"""A year on the sandbox's clock: a timer that rotates when it is due, a missed month, a portal click, the end."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from entra_sandbox.entra.credentials import is_secret
from entra_sandbox.store import Store

from runbook.operations.status import standing
from runbook.records import redaction
from runbook.secrets.stores import open_store
from runbook.sections import NAMES
from tests.safety.census import LOGS
from tests.sections.conftest import Journey, journey, sandbox
from tests.sections.test_refresh import set_clock

__all__ = ["journey", "sandbox"]

DAY = 86_400
LIFE = {"secret_lifetime_days": 140, "secret_renew_before_days": 35}
MISSED, PORTAL = range(200, 232), 112


def books(store: Store) -> dict[tuple[str, str], str]:
    """Every object of the tenant and of StackOne; the deleted items and what the services note of themselves apart."""
    kinds = (*LOGS, "stackone.connectSession")
    rows = [row for row in store.rows(None, deleted=False) if row.kind not in kinds]
    shown = [row for row in rows if "." not in row.kind or row.kind in ("stackone.profile", "stackone.account")]
    return {(row.kind, row.id): json.dumps(row.doc | {"signInActivity": None}, sort_keys=True) for row in shown}


def working(store: Store, own: Journey, tenant: str) -> tuple[list[str], list[str]]:
    """The key ids of the application's secrets, and of those whose value is kept and which the tenant takes now."""
    (found,) = store.find("application", uniqueName=own.values["unique_name"])
    kept, keys = open_store("file"), [one["keyId"] for one in found["passwordCredentials"]]
    refs = {key: kept.reference(f"{tenant}/{found['appId']}/{key}") for key in keys}
    good = [key for key, ref in refs.items() if kept.has(ref) and is_secret(store, key, kept.get(ref).reveal())]
    return keys, good


def stands(own: Journey) -> dict[str, str]:
    """What ``runbook status`` says of each of its lines."""
    return {each.about: each.state for each in standing(own.params())[0]}


def test_a_year_of_rotations_ends_with_the_books_of_before_it(
    sandbox: dict[str, Any], journey: Callable[..., Journey]
) -> None:
    tenant, own = sandbox["tenant_id"], journey(actions=["list_users"], **LIFE)
    with closing(Store(Path(sandbox["file"]).with_name("sandbox.db"))) as store:
        before = books(store)
        assert {result.verdict for result in own.run(*NAMES).values()} == {"passed"}
        seen, theirs = dict.fromkeys(working(store, own, tenant)[0], 0), ""
        for day in (day for day in range(0, 366, 2) if day not in MISSED):
            redaction.forget()  # each day has a process of its own
            set_clock(sandbox, day * DAY)
            store.shift_clock(day * DAY)  # of this handle of the books
            if day == PORTAL:  # a person adds a secret, called as ours are, in the middle of an overlap
                (found,) = store.find("application", uniqueName=own.values["unique_name"])
                with own.context() as ctx:
                    like_ours = {"passwordCredential": {"displayName": own.params().secret_description}}
                    added: Any = ctx.graph.post(f"/applications/{found['id']}/addPassword", like_ours)
                theirs = added["keyId"]
            if day - 1 in MISSED:
                assert stands(own)["client secret"] == "changed"
            result = own.run("rotate_secret", only_when_due=True)["rotate_secret"]
            assert (day, result.verdict, result.error) == (day, "passed", None)
            keys, good = working(store, own, tenant)
            assert good, day
            assert not theirs or theirs in keys
            assert len(good) <= 2
            seen |= {key: day for key in good if key not in seen}
            told = stands(own)
            assert (day, told["client secret"], told["as chosen"]) == (day, "passed", "passed")
            assert (day, told["made by others"]) == (day, "changed" if theirs else "passed")
            if day % 28 == 0:  # StackOne works through the account all year
                with own.context() as ctx:
                    owner = own.params().account_owner_id
                    (account,) = ctx.stackone.accounts(provider="microsoftentraid", owner_id=owner)
                    assert ctx.stackone.proxied(account["id"], "/users?$top=1")["value"]
        made = list(seen.values())
        assert made == [0, 106, 232, 338], "three rotations: when due, as soon as the month was over, and when due"
        assert set(working(store, own, tenant)[0]) == {theirs, *list(seen)[-1:]}, "each old one went after its overlap"
        refused = own.run("teardown")["teardown"]
        (approved,) = re.findall(r"--approve (sha256:[0-9a-f]{64})", str(refused.error))
        assert own.run("teardown", approve=approved)["teardown"].verdict == "passed"
        assert books(store) == before
        assert {row.kind for row in store.rows(None, deleted=True)} == {"application", "servicePrincipal"}
        set_clock(sandbox, 0)
