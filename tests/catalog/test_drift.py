"""Comparing the catalogue with newer lists of actions and of permissions."""

from __future__ import annotations

import contextlib
import html
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook import catalog
from runbook.catalog import drift
from runbook.errors import InputError, TransportError
from tests.catalog import microsoft


def entries() -> list[dict[str, Any]]:
    """The guide's list as it would be if it agreed with the catalogue, where the guide's scopes are known."""
    return [
        {"id": a.stackone_id, "label": a.name, "scopes": list(a.guide_scopes or a.application.least)}
        for a in catalog.actions()
    ]


def page(items: list[dict[str, Any]]) -> str:
    text = html.escape(json.dumps(items), quote=True).replace("&quot;", "&#x22;")
    return (
        "<!doctype html><html><body><h1>Connect</h1><p class='a > b'>Pick actions</p>"
        f'<div class="selector" data-guide-actions-json="{text}"><table></table></div></body></html>'
    )


def known_only(report: drift.DriftReport) -> list[drift.Change]:
    return [change for change in report.changes if change.catalogue != "not known"]


def test_a_guide_page_that_agrees_shows_only_the_scopes_that_were_not_known() -> None:
    report = drift.check(page(entries()))
    assert (report.kind, report.compared) == ("guide", len(catalog.actions()))
    assert (report.added, report.removed, report.renamed) == ((), (), ())
    assert known_only(report) == []
    assert len(report.changes) == sum(action.guide_scopes is None for action in catalog.actions())


def test_a_guide_page_with_added_removed_and_renamed_actions_and_other_scopes() -> None:
    items = [e for e in entries() if e["label"] != "Delete Domain"]
    for entry in items:
        if entry["label"] == "List Users":
            entry["scopes"] = ["Directory.Read.All"]
        if entry["label"] == "Get Directory Role":
            entry.update(id="microsoftentraid_get_a_directory_role", label="Get A Directory Role")
    items.append({"id": "microsoftentraid_reset_password", "label": "Reset Password", "scopes": ["User.ReadWrite.All"]})
    report = drift.check(page(items))
    assert report.added == ("Reset Password",)
    assert report.removed == ("Delete Domain",)
    assert [(r.old, r.new) for r in report.renamed] == [("Get Directory Role", "Get A Directory Role")]
    assert known_only(report) == [drift.Change("List Users", "guide scopes", "User.Read.All", "Directory.Read.All")]
    assert "renamed: Get Directory Role -> Get A Directory Role" in report.lines()


def test_the_bare_json_list_of_the_guide_is_read_too() -> None:
    assert drift.check(json.dumps(entries())).kind == "guide"


def test_a_new_label_under_the_same_id_is_a_changed_name() -> None:
    items = entries()
    next(e for e in items if e["label"] == "Get User")["label"] = "Read User"
    assert known_only(drift.check(json.dumps(items))) == [drift.Change("Get User", "name", "Get User", "Read User")]


def test_the_catalogues_own_list_shows_no_drift() -> None:
    report = drift.check(json.dumps([action.to_dict() for action in catalog.actions()]))
    assert (report.kind, report.changed, report.compared) == ("actions", False, len(catalog.actions()))
    assert report.lines() == (f"No difference in {len(catalog.actions())} compared.",)


def test_changed_requests_and_permissions_are_found_in_a_list_of_actions() -> None:
    rows = [action.to_dict() for action in catalog.actions()]
    row = next(row for row in rows if row["slug"] == "get_domain")
    row.update(method="POST", path="/domains/{domain-id}/read")
    row["delegated"]["alternatives"] = [["Domain.Read.All"]]
    fields = {(c.field, c.newer) for c in drift.check(json.dumps({"actions": rows})).changes}
    assert fields == {
        ("method", "POST"),
        ("path", "/domains/{domain-id}/read"),
        ("delegated permissions", "Domain.Read.All"),
    }


def test_an_action_with_the_same_request_under_another_name_is_renamed() -> None:
    rows = [action.to_dict() for action in catalog.actions()]
    row = next(row for row in rows if row["slug"] == "verify_domain")
    row.update(slug="prove_ownership", name="Prove Ownership")
    assert drift.check(json.dumps(rows)).renamed == (drift.Renamed("Verify Domain", "Prove Ownership", 100.0),)


def principal() -> dict[str, Any]:
    known = catalog.permissions().values()
    return {
        "appId": "00000003-0000-0000-c000-000000000000",
        "oauth2PermissionScopes": [{"value": p.name, "id": p.delegated_id} for p in known if p.delegated_id],
        "appRoles": [{"value": p.name, "id": p.application_id} for p in known if p.application_id],
    }


def test_a_tenants_own_service_principal_that_agrees_shows_no_drift() -> None:
    assert not drift.check(json.dumps(principal())).changed


def test_permissions_that_a_tenant_lacks_or_newly_publishes_are_found() -> None:
    data = principal()
    data["oauth2PermissionScopes"] = [p for p in data["oauth2PermissionScopes"] if p["value"] != "User.Create"]
    data["appRoles"] = [p for p in data["appRoles"] if p["value"] not in ("User.Create", "Group.Create")]
    data["appRoles"].append({"value": "AppRegistration.Create", "id": "11111111-2222-4333-8444-555555555555"})
    report = drift.check(json.dumps(data))
    assert report.kind == "permissions"
    assert report.removed == ("Group.Create", "User.Create")
    assert [(c.subject, c.field, c.catalogue) for c in report.changes] == [
        ("AppRegistration.Create", "application_id", "null")
    ]


def microsoft_table() -> dict[str, Any]:
    """A table of Microsoft's form with the marks of the day when the catalogue was made."""
    scheme = {"delegated": "DelegatedWork", "application": "Application"}
    rows: dict[str, Any] = {}
    for permission in catalog.permissions().values():
        levels = {"delegated": permission.delegated_level, "application": permission.application_level}
        schemes = {scheme[k]: {"privilegeLevel": level} for k, level in levels.items() if level}
        if permission.delegated_level:
            schemes["DelegatedWork"]["requiresAdminConsent"] = permission.delegated_admin_consent
        if schemes:
            rows[permission.name] = {"schemes": schemes, "pathSets": []}
    for action in catalog.actions():
        path = action.path.replace("/$ref", "").lower()
        for kind, marked in microsoft.MARKS[action.slug].items():
            for name in marked:
                row = rows.setdefault(name, {"schemes": {"Application": {"privilegeLevel": 3}}, "pathSets": []})
                paths = {path: f"least={scheme[kind]}"}
                row["pathSets"].append({"schemeKeys": [scheme[kind]], "methods": [action.method], "paths": paths})
    return {"permissions": rows}


def test_microsofts_table_as_it_was_shows_no_drift() -> None:
    assert list(microsoft.changes(microsoft_table()["permissions"])) == []


def test_a_moved_mark_a_changed_level_and_a_vanished_permission_are_found() -> None:
    rows = microsoft_table()["permissions"]
    del rows["Group-NestingSupport.ReadWrite.All"]
    rows["Device.Read.All"]["schemes"]["Application"]["privilegeLevel"] = 5
    rows["Domain.Read.All"]["pathSets"].append(
        {"schemeKeys": ["Application"], "methods": ["DELETE"], "paths": {"/domains/{id}": "least=Application"}}
    )
    found = set(microsoft.changes(rows))
    marked = "application, marked least privileged"
    assert {
        "removed: Group-NestingSupport.ReadWrite.All",
        "changed: Device.Read.All, application_level: 3 -> 5",
        f"changed: Delete Domain, {marked}: Domain.ReadWrite.All -> Domain.Read.All, Domain.ReadWrite.All",
        f"changed: Get Group, {marked}: Group-NestingSupport.ReadWrite.All -> none",
    } <= found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "none of the lists"),
        ("<html><body>Nothing here</body></html>", "none of the lists"),
        ("[]", "none of the lists"),
        ("[1, 2]", "none of the lists"),
        ('{"a": 1}', "none of the lists"),
        ('<div data-guide-actions-json="[{&#x22;id&#x22;:&#x22;x', "not its contents"),
        ('<div data-guide-actions-json="[]">', "not its contents"),
        ('[{"label": "x", "scopes": ["a"]}]', "not its contents"),
        ('{"permissions": {"User.Read": {}}}', "none of the lists"),
    ],
)
def test_what_is_no_list_is_bad_input(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        drift.check(text)


def test_a_file_is_read_and_a_missing_one_is_bad_input(tmp_path: Path) -> None:
    file = tmp_path / "guide.html"
    file.write_text(page(entries()), encoding="utf-8")
    assert drift.check_source(str(file)).kind == "guide"
    with pytest.raises(InputError, match="cannot be read"):
        drift.check_source(str(tmp_path / "none.html"))


@pytest.fixture
def site() -> Iterator[str]:
    """A small web server with the guide at /guide, and nothing elsewhere."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == "/guide"
            body = page(entries()).encode() if found else b"gone"
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_address_is_read_and_a_refusal_is_a_transport_error(site: str) -> None:
    assert drift.check_source(f"{site}/guide").compared == len(catalog.actions())
    with pytest.raises(TransportError, match="404"):
        drift.check_source(f"{site}/elsewhere")


def test_the_report_as_json() -> None:
    data = json.loads(json.dumps(drift.check(json.dumps(entries()[1:])).to_dict()))
    assert data["removed"] == ["Add App Role Assignment To Service Principal"]
    assert data["changed"] is True
    assert set(data) == {"kind", "compared", "changed", "added", "removed", "renamed", "changes"}


KEYS = (
    *("id", "label", "scopes", "name", "path", "method", "delegated", "alternatives", "permissions", "actions"),
    *("appRoles", "oauth2PermissionScopes", "value", "schemes", "pathSets", "delegated_id"),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)


@given(JSON, st.booleans())
def test_whatever_is_given_there_is_a_report_or_bad_input(value: Any, in_a_page: bool) -> None:
    with contextlib.suppress(InputError):
        assert drift.check(page(value) if in_a_page else json.dumps(value)).lines()


def test_json_nested_beyond_reason_is_bad_input() -> None:
    with pytest.raises(InputError):
        drift.check("[" * 100_000)
