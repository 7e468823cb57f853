"""Ownership is a mark, not a name: what is not listed as ours is not changed, removed, adopted or proven through.

On a served sandbox whose own books are read before and after. What only prepares is carried out without notebooks
(:mod:`tests.safety.carried_out`); what is judged is the real command, or the same sections.
"""

from __future__ import annotations

import json
import re
import secrets
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from entra_sandbox.entra import credentials
from entra_sandbox.folder import write_private
from entra_sandbox.seed import GRAPH_APP_ID
from entra_sandbox.seed.applications import add_administrator
from entra_sandbox.seed.tenant import Tenant, data, moment
from entra_sandbox.server import running
from entra_sandbox.store import Store

from runbook.parameters import parse
from runbook.records.journal import read
from runbook.sections import NAMES
from runbook.tenant.registration import marks
from tests.conftest import environment, runner
from tests.safety.carried_out import Child
from tests.safety.census import LOGS, others
from tests.safety.foreign import Life, account, adoptable, application, plant, profile

READS = "List Users,Get Organization"


class Desk:
    """One StackOne project and its tenants, and people at machines who run the command."""

    def __init__(self, folder: Path, ready: dict[str, Any]) -> None:
        self.folder, self.ready = folder, ready
        self.store = Store(Path(ready["ca_file"]).parent.with_suffix(""))
        self.file, self.trust = self.line("ready", ready), ssl.create_default_context(cafile=ready["ca_file"])

    def line(self, name: str, ready: dict[str, Any]) -> Path:
        file = self.folder / f"{name}.json"
        file.write_text(json.dumps(ready))
        return file

    def machine(self, name: str) -> Callable[..., dict[str, Any]]:
        """``run(…)`` on a machine of its own: exit code, the document on stdout, what was said, and the record."""
        home, folder = self.folder / name / "home", self.folder / name
        home.mkdir(parents=True, exist_ok=True)
        command = runner(home, folder)

        def run(*arguments: str, do: str = "run", file: Path | None = None, **values: Any) -> dict[str, Any]:
            both = {"secret_store": "file", "permission_types": "delegated,application"}
            given = [f"{key}={value}" for key, value in {**both, **values}.items()]
            options = [part for one in given for part in ("--set", one)]
            done = command(do, "--json", "--sandbox", str(file or self.file), "--actions", READS, *arguments, *options)
            return self._told(done, folder)

        return run

    def sections(self, name: str) -> Callable[..., dict[str, Any]]:
        """``run(…)`` on such a machine without notebooks: the same sections in one process, with a record."""
        home, folder = self.folder / name / "home", self.folder / name
        home.mkdir(parents=True, exist_ok=True)

        def run(actions: str = READS, last: int = 7, file: Path | None = None, **values: Any) -> dict[str, Any]:
            given = {"secret_store": "file", "sandbox_file": str(file or self.file), "actions": actions}
            given |= {"permission_types": ["delegated", "application"], **values}
            ended = Child(given, folder / "records", environment(home), last).ended()
            code = {"passed": 0}.get(ended.verdict, 1)
            return {**ended.summary, "code": code, "said": ended.error, "record": ended.record}

        return run

    def _told(self, done: subprocess.CompletedProcess[str], folder: Path) -> dict[str, Any]:
        document = json.loads(done.stdout) if done.stdout.strip() else {}
        record = folder / document["record"] if document.get("record") else None
        return {**document, "code": done.returncode, "said": done.stdout + done.stderr, "record": record}

    def signs_in(self, app_id: str, secret: str) -> int:
        form = {"grant_type": "client_credentials", "client_id": app_id, "client_secret": secret}
        form["scope"] = "https://graph.microsoft.com/.default"
        url = f"{self.ready['authority']}/{self.ready['tenant_id']}/oauth2/v2.0/token"
        return httpx.post(url, data=form, verify=self.trust, trust_env=False).status_code

    def registered(self, **equals: Any) -> dict[str, Any]:
        found = self.store.first("application", **equals)
        assert found is not None
        return found

    def books(self) -> dict[str, str]:
        """Everything that Entra ID and StackOne keep, but for who signed in when and what the machinery notes."""
        kinds = ("stackone.profile", "stackone.account")
        return {
            f"{row.kind} {row.id}": json.dumps([row.deleted, {**row.doc, "signInActivity": None}], sort_keys=True)
            for row in self.store.rows(None, deleted=None)
            if ("." not in row.kind and row.kind not in LOGS) or row.kind in kinds
        }


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("desk")
    with running(folder / "sandbox.db") as ready:
        found = Desk(folder, ready)
        yield found
        found.store.close()


def own() -> dict[str, str]:
    """Names that nobody else uses."""
    name = secrets.token_hex(4)
    return {"unique_name": f"own-{name}", "application_name": f"Own {name}"}


def writes(told: dict[str, Any], *names: str) -> list[str]:
    """What was written by these sections (default: 1 to 7)."""
    events = [event for event in read(told["record"] / "journal.jsonl") if event["event"] == "http.intent"]
    return [f"{e['section']} {e['method']} {e['path']}" for e in events if e["section"] in (names or NAMES[:7])]


def test_an_adopted_application_lives_on_as_it_was_and_only_what_is_missing_is_added(desk: Desk) -> None:
    found, secret = adoptable(desk.store, desk.ready["tenant_id"])
    before, run = Life.read(desk.store, found["id"]), desk.machine("adopting")
    values = {**own(), "application_object_id": found["id"]}
    planned = run(do="plan", **values)
    assert "stays, unless take_over" in planned["said"]
    assert "removed" not in {change["kind"] for one in planned["sections"] for change in one["changes"]}
    for _ in range(2):
        told = run(**values)
        assert told["code"] == 0, told["said"]
        assert list(before.lost(Life.read(desk.store, found["id"]))) == []
        assert desk.signs_in(found["appId"], secret) == 200
    assert writes(told) == []
    extra = {row["name"] for row in told["permissions"]["application"] if row["granted"] and not row["wanted"]}
    assert extra == {"Mail.Send", "Application.ReadWrite.All"}
    assert told["connector_profile"]["type"] == "OAuth 2.0 (Tenant)", "the profile follows the audience that it keeps"

    # Another choice takes back what was added, and nothing else.
    told = run("--sections", "1..5", "--actions", "List Groups", **values)
    assert told["code"] == 0, told["said"]
    now = Life.read(desk.store, found["id"])
    assert list(before.lost(now)) == []
    roles = {one["id"]: one["value"] for one in graph_of(desk, desk.ready["tenant_id"])["appRoles"]}
    granted = {roles[one["appRoleId"]] for one in now.assignments.values()}
    assert granted == {"Mail.Send", "Application.ReadWrite.All", "GroupMember.Read.All"}


def graph_of(desk: Desk, tenant: str) -> dict[str, Any]:
    found = desk.store.first("servicePrincipal", tenant, appId=GRAPH_APP_ID)
    assert found is not None
    return found


def test_taking_an_adopted_application_over_needs_the_hash_of_exactly_that_plan(desk: Desk) -> None:
    found, _ = adoptable(desk.store, desk.ready["tenant_id"])
    run = desk.machine("taking")
    values = {**own(), "application_object_id": found["id"], "take_over": "true"}
    arguments = ("--sections", "1..5")
    before = desk.books()
    refused = run(*arguments, **values)
    assert refused["code"] == 1
    assert "Mail.Send (application)" in refused["said"]
    assert "not ours, taken over" in run(*arguments, do="plan", **values)["said"]
    hashed = re.findall(r"--approve (sha256:[0-9a-f]{64})", refused["said"])[0]
    assert run(*arguments, do="plan", **values)["plan_hash"] == hashed
    wrong = "sha256:" + "0" * 64
    for other in (("--approve", wrong), ("--approve", hashed, "--actions", "List Groups")):
        assert run(*arguments, *other, **values)["code"] == 1
    assert desk.books() == before, "nothing was written"

    told = run(*arguments, "--approve", hashed, **values)
    assert told["code"] == 0, told["said"]
    now = Life.read(desk.store, found["id"])
    assert now.application["displayName"] == values["application_name"]
    assert now.application["signInAudience"] == "AzureADMultipleOrgs"
    asked = {row["name"] for kind in told["permissions"].values() for row in kind if row["requested"] or row["granted"]}
    assert not asked & {"Mail.Send", "Mail.Read", "Application.ReadWrite.All"}
    assert set(found["tags"]) <= set(now.application["tags"])
    assert found["passwordCredentials"][0] in now.application["passwordCredentials"]
    again = run(*arguments, **values)
    assert again["code"] == 0, again["said"]
    assert writes(again) == []


def test_look_alikes_of_everything_are_left_alone_by_a_run_that_makes_the_same(desk: Desk) -> None:
    run, names, choice = desk.sections("beside"), own(), "Create Group,List Users,Create User"
    values = {
        **names,
        "connector_profile_name": f"P {names['unique_name']}",
        "account_owner_id": f"o{names['unique_name']}",
    }
    params = parse(values)
    planted = plant(desk.store, desk.ready["tenant_id"], params)
    before = others(desk.store, params)
    assert planted <= {id for _, id in before}
    told = run(choice, 8, **values)
    assert told["code"] == 0, told["said"]
    added = by_hand(desk, desk.registered(uniqueName=names["unique_name"]))
    again = run(choice, 8, **values)
    assert again["code"] == 0, again["said"]
    assert writes(again) == []
    fewer = run(**values)
    assert fewer["code"] == 0, fewer["said"]
    assert others(desk.store, params) == before
    now = Life.read(desk.store, told["application"]["object_id"])
    assert added["secret"] in [one["keyId"] for one in now.application["passwordCredentials"]]
    assert added["role"] in [one["appRoleId"] for one in now.assignments.values()]
    assert "Mail.Read" in " ".join(one["scope"] for one in now.grants.values()).split()
    assert "by-hand" in now.application["tags"]
    assert "secrets" not in fewer or {one["key_id"]: one["ours"] for one in fewer["secrets"]}[added["secret"]] is False


def by_hand(desk: Desk, found: dict[str, Any]) -> dict[str, str]:
    """On our own application, by hand: a secret that is called as ours, a role, a scope in our grant, and a tag."""
    tenant, key_id = desk.ready["tenant_id"], secrets.token_hex(16)
    graph = graph_of(desk, tenant)
    role = next(one["id"] for one in graph["appRoles"] if one["value"] == "Mail.Send")
    key_id = "-".join((key_id[:8], key_id[8:12], key_id[12:16], key_id[16:20], key_id[20:]))
    entry = {"keyId": key_id, "displayName": "StackOne connector", "hint": "abc", "secretText": None}
    entry |= {"startDateTime": "2024-05-01T08:00:00Z", "endDateTime": "2100-01-01T00:00:00Z"}
    kept = {"passwordCredentials": [*found["passwordCredentials"], entry], "tags": [*found["tags"], "by-hand"]}
    desk.store.update("application", found["id"], kept)
    credentials.keep_secret(desk.store, key_id, secrets.token_urlsafe(20))
    principal = desk.store.first("servicePrincipal", tenant, appId=found["appId"])
    assert principal is not None
    assigned = {"principalId": principal["id"], "principalType": "ServicePrincipal", "resourceId": graph["id"]}
    desk.store.put("appRoleAssignment", {"id": secrets.token_urlsafe(32), **assigned, "appRoleId": role}, tenant)
    (grant,) = desk.store.find("oAuth2PermissionGrant", clientId=principal["id"])
    desk.store.update("oAuth2PermissionGrant", grant["id"], {"scope": f"Mail.Read {grant['scope']}"})
    return {"secret": key_id, "role": role}


@pytest.mark.parametrize("what", ["profile", "account"])
def test_a_profile_or_an_account_of_our_name_that_is_not_listed_stops_the_run_with_two_ways_out(
    desk: Desk, what: str
) -> None:
    run, values = desk.sections(f"stopped-by-{what}"), own()
    values |= {"connector_profile_name": f"P {values['unique_name']}", "account_owner_id": f"o-{values['unique_name']}"}
    theirs = profile(desk.store, values["connector_profile_name"] + ("" if what == "profile" else " of others"))
    linked = account(desk.store, values["account_owner_id"] if what == "account" else "somebody", theirs["id"])
    kept = {id: text for id, text in desk.books().items() if theirs["id"] in id or linked["id"] in id}
    assert len(kept) == 2
    for _ in range(2):
        told = run(**values)
        assert told["code"] == 1
        assert "is not listed on this tenant's application" in told["said"]
        assert ("connector_profile_id" if what == "profile" else "account_id") in told["said"]
        assert kept.items() <= desk.books().items()
    other = {"profile": "connector_profile_name", "account": "account_owner_id"}[what]
    told = run(**{**values, other: f"another {values['unique_name']}"})
    assert told["code"] == 0, told["said"]
    assert kept.items() <= desk.books().items()


def test_two_machines_that_take_turns_come_to_rest_and_neither_takes_the_others_secret(desk: Desk) -> None:
    values, (first, second) = own(), (desk.sections("first"), desk.sections("second"))
    assert first(**values)["code"] == 0
    app = {"uniqueName": values["unique_name"]}
    (mine,) = desk.registered(**app)["passwordCredentials"]
    refused = desk.machine("second")("--sections", "1..7", **values)
    assert refused["code"] == 1
    assert "Azure Key Vault" in refused["said"]
    assert "new_secret" in refused["said"]
    assert desk.registered(**app)["passwordCredentials"] == [mine], "not replaced, and no other made unasked"

    told = second(new_secret=True, **values)
    assert told["code"] == 0, told["said"]
    keys = desk.registered(**app)["passwordCredentials"]
    assert len(keys) == 2
    kept = {kind: desk.store.find(f"stackone.{kind}") for kind in ("profile", "account")}
    for _ in range(3):
        for run, more in ((first, {}), (second, {"new_secret": True})):
            told = run(**values, **more)
            assert told["code"] == 0, told["said"]
            assert writes(told) == []
    assert desk.registered(**app)["passwordCredentials"] == keys
    assert {kind: desk.store.find(f"stackone.{kind}") for kind in kept} == kept


@pytest.fixture(scope="module")
def fabrikam(desk: Desk) -> Path:
    """The line of another tenant of the same StackOne project, with an administrator's application of its own."""
    tenant = Tenant(desk.store, data()["tenants"][1], 7)
    tenant.users = desk.store.find("user", tenant.tenant_id)
    client_id, secret = add_administrator(tenant, graph_of(desk, tenant.tenant_id))
    person, password = tenant.users[0], secrets.token_urlsafe(15)
    credentials.keep_password(desk.store, person["id"], password)
    file = Path(desk.ready["client_secret_file"]).with_name("fabrikam")
    write_private(file, secret)
    users = {person["userPrincipalName"]: {"password": password, "roles": ["Global Administrator"]}}
    of_tenant = {"tenant_id": tenant.tenant_id, "client_id": client_id, "client_secret_file": str(file), "users": users}
    return desk.line("fabrikam", {**desk.ready, **of_tenant})


def test_two_tenants_of_one_project_are_each_proven_through_their_own_account_only(desk: Desk, fabrikam: Path) -> None:
    names, prepare, run = own(), desk.sections("msp"), desk.machine("msp")
    told = {"contoso": prepare(last=8, **names), "fabrikam": prepare(last=8, file=fabrikam, **names)}
    assert [one["code"] for one in told.values()] == [0, 0], told["fabrikam"]["said"]
    for what in ("connector_profile", "account"):
        assert told["contoso"][what]["id"] != told["fabrikam"][what]["id"]
    for one in told.values():
        assert {action["stackone"]["used"] for action in one["actions"]} == {True}
        assert one["tenant_id"] in one["connector_profile"]["name"]
        assert one["tenant_id"] in one["account"]["owner_id"]
    theirs = told["contoso"]["account"]["id"]

    # Named by a parameter, or planted among the marks: asked, it says that it is of another organization.
    ours = desk.registered(uniqueName=names["unique_name"], appId=told["fabrikam"]["application"]["app_id"])
    (listed,) = marks(ours, "account")
    tags = [tag.replace(listed, theirs) for tag in ours["tags"]]
    for way in ("parameter", "mark"):
        values = {**names, "account_id": theirs} if way == "parameter" else names
        if way == "mark":
            desk.store.update("application", ours["id"], {"tags": tags})
        kept = desk.store.get("stackone.account", theirs)
        red = run(do="verify", file=fabrikam, **values)
        assert red["code"] == 1
        assert {action["stackone"]["used"] for action in red["actions"]} == {False}
        assert told["contoso"]["tenant_id"] in red["said"]
        relinked = prepare(file=fabrikam, **values)
        assert relinked["code"] == 1
        assert "reaches the organization" in relinked["said"]
        assert desk.store.get("stackone.account", theirs) == kept


def test_an_account_that_cannot_be_asked_proves_nothing(desk: Desk) -> None:
    run, names = desk.machine("silent"), own()
    told = desk.sections("silent")(**names)
    assert told["code"] == 0, told["said"]
    control = (Path(desk.ready["ca_file"]).parent / "control-token").read_text()
    refusing = {"kind": "answer", "status": 403, "code": "Forbidden", "message": "no proxy"}
    course = {"illnesses": [{**refusing, "match": {"service": "stackone", "path": "/unified/proxy"}}]}
    headers = {"authorization": f"Bearer {control}"}
    with httpx.Client(base_url=desk.ready["graph"], verify=desk.trust, headers=headers, trust_env=False) as to:
        to.put("/_sandbox/faults", json=course).raise_for_status()
        try:
            silent = run(do="verify", **names)
        finally:
            to.delete("/_sandbox/faults").raise_for_status()
    assert {action["stackone"]["used"] for action in silent["actions"]} == {"not tried"}
    assert "could not be asked whose organization" in silent["said"]


def test_a_value_that_is_kept_here_and_not_listed_yet_is_listed_and_nothing_else_is_written(desk: Desk) -> None:
    """As a kill between keeping and listing leaves it."""
    run, names = desk.sections("listing"), own()
    assert run(last=5, **names)["code"] == 0
    found = desk.registered(uniqueName=names["unique_name"])
    tags = [tag for tag in found["tags"] if ":key:" not in tag]
    assert len(tags) == len(found["tags"]) - 1
    desk.store.update("application", found["id"], {"tags": tags})
    told = run(last=5, **names)
    assert told["code"] == 0, told["said"]
    assert [one.split()[1] for one in writes(told)] == ["PATCH"]
    assert sorted(desk.registered(uniqueName=names["unique_name"])["tags"]) == sorted(found["tags"])


def test_what_others_disabled_or_deleted_is_mended_only_when_approved(desk: Desk) -> None:
    run = desk.machine("mending")
    for damage in ("disabled", "deleted"):
        found, _ = application(desk.store, desk.ready["tenant_id"], f"Theirs {damage}", "x", tags=[])
        values = {**own(), "application_object_id": found["id"]}
        assert desk.sections("mending")(last=2, **values)["code"] == 0
        values.pop("application_object_id")
        if damage == "disabled":
            principal = desk.store.first("servicePrincipal", appId=found["appId"])
            assert principal is not None
            desk.store.update("servicePrincipal", principal["id"], {"accountEnabled": False})
        else:
            desk.store.bury(
                "application", found["id"], {"deletedDateTime": moment(desk.store.now())}, desk.ready["tenant_id"]
            )
        before = desk.books()
        refused = run("--sections", "2", **values)
        assert refused["code"] == 1, refused["said"]
        assert desk.books() == before
        hashed = re.findall(r"--approve (sha256:[0-9a-f]{64})", refused["said"])[0]
        told = run("--sections", "2", "--approve", hashed, **values)
        assert told["code"] == 0, told["said"]
