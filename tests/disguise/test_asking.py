"""A real tenant is not written to before somebody approved exactly what is going to be done."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
from collections.abc import Callable

import pytest

from runbook.runs.provenance import folder, notebook_name
from tests.disguise.conftest import NEEDED, Desk, Tenant

Begin = Callable[..., Desk]


def registered(tenant: Tenant, at: Desk) -> bool:
    with tenant.graph() as graph:
        return graph.get(f"/applications(uniqueName='{at.values['unique_name']}')").status_code == 200


def typed(at: Desk, answer: str) -> tuple[int, str]:
    """``runbook run --sections 2`` on a terminal where a person types ``answer`` when asked."""
    ours, theirs = pty.openpty()
    line = [sys.executable, "-m", "runbook", "run", "--parameters", str(at.parameters), "--sections", "2"]
    process = subprocess.Popen(
        line, stdin=theirs, stdout=theirs, stderr=theirs, env=at.tenant.environment, cwd=at.folder
    )
    os.close(theirs)
    said, answered = b"", False
    while select.select([ours], [], [], 240)[0]:
        try:
            part = os.read(ours, 4096)
        except OSError:
            break
        said += part
        at.sign_in(" ".join(said.decode(errors="replace").split()))
        if not answered and b"type the tenant's name" in said:
            os.write(ours, f"{answer}\n".encode())
            answered = True
        if not part:
            break
    process.wait(timeout=240)
    os.close(ours)
    assert answered
    return process.returncode, said.decode()


def test_without_a_terminal_the_hash_of_the_plan_approves_it_and_nothing_else_does(desk: Begin, tenant: Tenant) -> None:
    at = desk(unasked=[])
    done = at.call("plan", "--json", "--exit-code", "--sections", "2")
    assert done.returncode == 4
    plan = json.loads(done.stdout)
    refused = at.call("run", "--json", "--sections", "2")
    assert refused.returncode == 3
    assert f"--approve {plan['plan_hash']}" in json.loads(refused.stdout)["next"]
    for told in ("Contoso, contoso.com", plan["signed_in"], "registered as"):
        assert told in refused.stderr
    assert at.call("run", "--sections", "2", "--approve", "sha256:" + "0" * 64).returncode == 3
    assert not registered(tenant, at)
    assert at.call("run", "--sections", "2", "--approve", plan["plan_hash"]).returncode == 0
    assert registered(tenant, at)
    assert at.call("plan", "--exit-code", "--sections", "2").returncode == 0
    assert at.call("run", "--sections", "2").returncode == 0, "nothing to write, nothing to ask"


def test_on_a_terminal_the_typed_name_of_the_tenant_approves_it(desk: Begin, tenant: Tenant) -> None:
    at = desk(unasked=[], sign_in="device-code", client_id=tenant.application(*NEEDED))
    code, said = typed(at, "contoso.com")
    assert (code, registered(tenant, at)) == (3, False), said
    code, said = typed(at, "Contoso")
    assert (code, registered(tenant, at)) == (0, True), said
    assert len(at.codes) == 2, "one code a command, shown on the terminal"


def test_kinds_of_changes_may_pass_unasked(desk: Begin) -> None:
    at = desk(unasked=["changed"])
    assert at.call("run", "--sections", "2").returncode == 3
    at.values["unasked"] = ["added"]
    assert at.call("run", "--sections", "2").returncode == 0
    at.values["application_name"] += " renamed"
    assert at.call("run", "--sections", "2").returncode == 3


def test_a_domain_is_the_tenants_id_in_everything_that_is_kept_and_in_the_hash(desk: Begin, tenant: Tenant) -> None:
    at = desk(tenant_id="contoso.com")
    by_domain = json.loads(at.call("plan", "--json", "--sections", "2").stdout)
    at.values["tenant_id"] = tenant.ready["tenant_id"]
    by_id = json.loads(at.call("plan", "--json", "--sections", "2").stdout)
    assert by_domain == by_id
    at.values["tenant_id"] = "contoso.com"
    code, document = at.run("--sections", "1")
    assert code == 0
    assert document["tenant_id"] == tenant.ready["tenant_id"]
    assert "contoso.com" not in (at.folder / document["record"] / "parameters.json").read_text()
    at.values["tenant_id"] = "nobody.example"
    assert "does not know the tenant" in at.call("plan").stderr


@pytest.mark.parametrize("command", ["plan", "run", "doctor", "sign-in"])
def test_a_national_cloud_is_told_before_anything_that_the_guide_is_for_another(desk: Begin, command: str) -> None:
    said = desk(cloud="china", client_secret_ref="env:NOT_THERE").call(command, "--json").stderr
    assert "worldwide cloud only" in said.splitlines()[0]


def test_a_bad_secret_of_the_administrator_is_not_mended_by_section_5(desk: Begin) -> None:
    at = desk(client_secret_ref="env:ADMIN")
    said = at.call("plan", ADMIN="abc8Q~wrong.secret_value-000000000000000").stderr
    assert "AADSTS7000215" in said
    assert "Section 5 does not help" in said


def test_a_notebook_by_itself_asks_as_a_run_does(desk: Begin, tenant: Tenant) -> None:
    at = desk(unasked=[], apply=True)
    notebook = folder() / notebook_name("register_application")
    line = [sys.executable, "-m", "papermill", str(notebook), "out.ipynb", "-p", "parameters_file", str(at.parameters)]
    refused = at.spoken(line)
    assert refused.returncode != 0
    assert "a person must act" in refused.stderr
    shown = (at.folder / "out.ipynb").read_text(encoding="utf-8")
    hashed = re.findall(r"approve: (sha256:[0-9a-f]{64})", shown)
    assert hashed, shown[-3000:]
    assert not registered(tenant, at)
    assert at.spoken([*line, "-p", "approve", "sha256:" + "0" * 64]).returncode != 0
    assert not registered(tenant, at)
    done = at.spoken([*line, "-p", "approve", hashed[0]])
    assert done.returncode == 0, done.stderr[-3000:]
    assert registered(tenant, at)


BY_HAND = """
import sys
from contextlib import closing
from dataclasses import replace
from runbook.notebook import inputs
from runbook.notebook.bench import Workbench
from runbook.notebook.step import Step
from runbook.notebook.subject import Guided
given = replace(inputs.read({"parameters_file": sys.argv[1]}), attended=True)
with closing(Workbench(given)) as bench:
    step = Step(Guided("teardown"), bench)
    step.plan()
    buttons = step.apply()
    def click(label):
        found = [each for each in buttons.layout.children if getattr(each, "description", "") == label]
        found[-1].click()
        print(f"said: {buttons.value}")
    click("Apply")
    click("Remove")
    field = buttons.layout.children[1]
    field.value = "contoso.com"
    click("Remove")
    buttons.layout.children[1].value = "Contoso"
    click("Remove")
"""


def test_a_teardown_by_hand_asks_for_the_typed_name_of_the_tenant(desk: Begin, tenant: Tenant) -> None:
    at = desk()
    assert at.call("run", "--sections", "2").returncode == 0
    done = at.spoken([sys.executable, "-c", BY_HAND, str(at.parameters)])
    assert done.returncode == 0, done.stderr
    asked, empty, domain, removed = re.findall(r"^said: (.*)", done.stdout, re.MULTILINE)
    assert asked.endswith("If that is meant, type the tenant's name, Contoso, and press Remove.")
    assert "Target: PRODUCTION tenant" in asked
    assert empty == domain == "That is not the tenant's name, Contoso; nothing was removed."
    assert removed.startswith("Passed")
    assert not registered(tenant, at)
