from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest

from runbook.records import manifest, redaction, report, summary
from runbook.records.journal import Journal
from runbook.secrets import Secret

SECTIONS = [
    ("select_actions", "Select actions"),
    ("register_application", "Register application"),
    ("redirect_uri", "Redirect URI"),
    ("api_permissions", "API permissions"),
    ("client_secret", "Client secret"),
    ("connector_profile", "Connector profile"),
    ("link_account", "Link account"),
    ("verify_actions", "Verify actions"),
]
ACTIONS = [
    ("List Users", "GET", "/v1.0/users"),
    ("Get User", "GET", "/v1.0/users/{user-id}"),
    ("List Groups", "GET", "/v1.0/groups"),
    ("Add Group Member", "POST", "/v1.0/groups/{group-id}/members/$ref"),
    ("List Conditional Access Policies", "GET", "/v1.0/identity/conditionalAccess/policies"),
    ("Get Organization", "GET", "/v1.0/organization/{organization-id}"),
]
PERMISSIONS = [
    *("Application.Read.All", "Application.ReadWrite.All", "AppRoleAssignment.ReadWrite.All", "Device.Read.All"),
    *("Directory.Read.All", "Domain.Read.All", "Group.ReadWrite.All", "GroupMember.Read.All"),
    *("GroupMember.ReadWrite.All", "Organization.Read.All", "Policy.Read.All", "RoleManagement.Read.Directory"),
    *("User.Read.All", "User.ReadWrite.All"),
]
STAGES = ("wanted", "requested", "granted", "in_token")

Make = Callable[..., Journal]


@pytest.fixture(autouse=True)
def _no_known_values() -> Iterator[None]:
    redaction.forget()
    yield
    redaction.forget()


@pytest.fixture
def make_run(tmp_path: Path) -> Make:
    """A factory of journals as a run leaves them: of a run that passed, or of one whose proof failed in two cells."""

    def make(verdict: str = "passed", run_id: str = "20261123T220455Z-4f1c2a") -> Journal:
        journal = Journal.create(tmp_path / "records", run_id, **_opening())
        for number, (name, title) in enumerate(SECTIONS, 1):
            journal.event("section.started", section=name, title=title, notebook=f"{number:02d}_{name}")
            journal.event("section.plan", section=name, changes=_changes(name))
            _calls(journal, number)
            if name == "link_account":
                _hand_over(journal)
            journal.event("section.evidence", section=name, rows=_evidence(name), notes=[])
            passed = verdict == "passed" or number < len(SECTIONS)
            journal.event(
                "section.finished",
                section=name,
                verdict="passed" if passed else verdict,
                unchanged=sum(change["kind"] == "same" for change in _changes(name)),
                facts=_facts(name, passed),
                error=None if passed else "2 of 6 actions are not proven.",
                next_step="" if passed else "grant what is missing, then run the same command again.",
            )
        journal.event("run.finished", verdict=verdict)
        return journal

    return make


@pytest.fixture
def make_record(make_run: Make) -> Callable[..., Path]:
    """A factory of whole records: journal, two notebooks, summary, report, manifest (signed if a key is given)."""

    def make(key: Secret | None = None, **options: str) -> Path:
        folder = make_run(**options).folder
        for number, (name, _title) in enumerate(SECTIONS[:2], 1):
            (folder / f"{number:02d}_{name}.ipynb").write_text(notebook_text(f"{name} is done"))
        publish(folder, key)
        return folder

    return make


def publish(folder: Path, key: Secret | None = None) -> None:
    from runbook.records.journal import read

    summary.write(folder, summary.fold(read(folder)))
    report.write(folder)
    manifest.seal(folder, key)


def notebook_text(*outputs: str) -> str:
    cells = [nbformat.v4.new_markdown_cell("# A section", id="title")]
    for number, text in enumerate(outputs):
        output = nbformat.v4.new_output("stream", text=text)
        cells.append(nbformat.v4.new_code_cell("section()", id=f"cell-{number}", outputs=[output]))
    return str(nbformat.writes(nbformat.v4.new_notebook(cells=cells))) + "\n"


def rewrite(path: Path, change: Callable[[dict], None]) -> None:
    """Change a JSON file of a record as somebody with an editor would."""
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document, indent=1))


def _opening() -> dict:
    return {
        "target": "sandbox",
        "tenant_id": "6a8a4f0e-3f4e-4a57-8a35-0f9c3a5e7d11",
        "plan_hash": "sha256:9f2c4b7d0e6a1c3358f1d2b4a6978c0e1f2a3b4c5d6e7f8091a2b3c4d5e6f708",
        "parameters": {
            "target": "sandbox",
            "actions": ["list_users", "get_user"],
            "client_secret_ref": "",
            "apply": None,
        },
        "actor": {"kind": "application", "name": "Runbook administrator", "id": "0b3f2c9e-7a55-4a0e-8f52-71c0a8f1a001"},
        "tool": {"name": "entra-id-runbook", "version": "0.1.0", "python": "3.11.2"},
        "sections": [
            {"name": name, "title": title, "notebook": f"{number:02d}_{name}.ipynb", "sha256": f"{number:064x}"}
            for number, (name, title) in enumerate(SECTIONS, 1)
        ],
    }


def _change(what: str, now: str, wanted: str, kind: str, note: str = "") -> dict[str, str]:
    return {"what": what, "now": now, "wanted": wanted, "kind": kind, "note": note}


def _changes(section: str) -> list[dict[str, str]]:
    callback = "https://api.stackone.com/connect/oauth2/microsoftentraid/callback"
    return {
        "register_application": [
            _change("Application", "", "StackOne Entra ID connector", "added", "found by its unique name"),
            _change("Service principal", "", "in this tenant", "added"),
            _change("Accounts", "AzureADMyOrg", "AzureADMyOrg", "same"),
        ],
        "redirect_uri": [_change("Redirect URI", "", callback, "added", "those of others are kept")],
        "api_permissions": [
            _change(f"{name} (application)", "", "granted", "added", "List Users, Get User")
            for name in PERMISSIONS[-4:]
        ]
        + [_change("Mail.Read (delegated)", "granted", "", "removed", "no chosen action needs it")],
        "client_secret": [_change("Client secret", "", "StackOne connector, 180 days", "added")],
        "connector_profile": [_change("Connector profile", "", "Microsoft Entra ID", "added", "made in the dashboard")],
        "link_account": [_change("Linked account", "", "entra-id-runbook", "added")],
    }.get(section, [_change("Actions", "6 chosen", "6 chosen", "same")])


def _calls(journal: Journal, number: int) -> None:
    for call in range(6):
        fields = {
            "service": "graph",
            "host": "localhost:8443",
            "method": "GET",
            "path": f"/v1.0/applications(uniqueName='stackone-entra-id-connector')?$select=id&page={call}",
            "effect": "read",
        }
        answer = {
            "status": 200,
            "request_id": f"7d1c{number:02d}{call:02d}-55aa-4c1e-9a51-2a51a0e4a7f0",
            "ms": 12 + call,
        }
        journal.call(**fields, **answer, retries=0)
    write = {
        "service": "graph",
        "host": "localhost:8443",
        "method": "POST",
        "path": "/v1.0/applications",
        "effect": "write",
    }
    ticket = journal.intent(**write)
    journal.outcome(ticket, **write, status=201, request_id="f3a0b1c2-2222-4b6e-8f9e-111122223333", ms=48, retries=1)


def _hand_over(journal: Journal) -> None:
    journal.event(
        "hand_over",
        kind="link_account",
        title="Link the account",
        url="https://app.stackone.com/hub",
        steps=["Open the link", "Sign in as an administrator", "Accept the permissions"],
        fields={"Scopes": "User.Read.All"},
        who="an administrator of the tenant",
        expires_at="2026-11-28T22:05:11Z",
    )
    journal.event("hand_over.done", kind="link_account")


def _evidence(section: str) -> list[dict[str, str]]:
    source = "GET /v1.0/applications"
    return [{"what": f"State of {section}", "value": "as wanted", "source": source, "request_id": "0c6f8f0e-1b2a-4f3d"}]


def _facts(section: str, passed: bool) -> dict:
    rows = [dict.fromkeys(STAGES, True) | {"name": name} for name in PERMISSIONS]
    if not passed:
        rows[7] |= {"granted": False, "in_token": False}
        rows[10] |= {"in_token": None}
    return {
        "register_application": {
            "application": {
                "app_id": "3b0e7a52-2f0f-4c80-a2d6-5b8bb0a6a111",
                "object_id": "94f1c0de-8a3c-4a63-9d09-2d8f1a6ac222",
                "unique_name": "stackone-entra-id-connector",
            }
        },
        "api_permissions": {"permissions": {"delegated": rows[:9], "application": rows}},
        "client_secret": {
            "secret": {
                "key_id": "c7a1d2e3-0000-4f00-8000-5d6e7f8a9b0c",
                "ends_at": "2027-05-22T22:05:04Z",
                "ref": "keyring:entra-id-runbook/6a8a4f0e",
            }
        },
        "connector_profile": {"connector_profile": {"id": "cp_1", "name": "Microsoft Entra ID", "active": True}},
        "link_account": {"account": {"id": "acc_1", "status": "active", "origin_owner_id": "entra-id-runbook"}},
        "verify_actions": {
            "actions": [_action(*action, passed) for action in ACTIONS],
            "permissions": {"delegated": rows[:9], "application": rows},
        },
    }.get(section, {})


def _action(name: str, method: str, path: str, run_passed: bool) -> dict:
    stages = dict.fromkeys((*STAGES, "used"), True)
    row = {
        "slug": name.lower().replace(" ", "_"),
        "name": name,
        "delegated": dict(stages),
        "application": dict(stages),
        "stackone": {"used": True},
        "probe": {"method": method, "path": path, "status": 200, "outcome": "success"},
        "verdict": "passed",
    }
    if name == "Add Group Member" and not run_passed:
        row["application"] = stages | {"granted": False, "in_token": False, "used": False}
        row |= {"verdict": "failed", "probe": row["probe"] | {"status": 403, "outcome": "denied"}}
        row["probes"] = {"application": row["probe"]}
        row["explanation"] = "the text of the same for a terminal"
        row["explanations"] = {
            "application": {
                "cause": "The application permission GroupMember.ReadWrite.All is requested but not granted.",
                "who": "a Privileged Role Administrator",
                "remedy": "Grant admin consent in section 4, then run section 8 again.",
                "code": "Authorization_RequestDenied",
                "evidence": {"status": 403, "request_id": "f3a0b1c2-2222-4b6e-8f9e-111122223333"},
            }
        }
    elif name.startswith("List Conditional") and not run_passed:
        row |= {
            "application": stages | {"in_token": None, "used": "not tried"},
            "verdict": "not tried",
            "stackone": {"used": None},
        }
    return row
