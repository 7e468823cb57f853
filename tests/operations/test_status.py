"""How a tenant stands: five lines, a verdict and an exit code that monitoring can act on; only reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from runbook.cli.app import app
from runbook.parameters import save
from runbook.runs.run import run
from runbook.sections import NAMES
from runbook.tenant.registration import require_application, require_principal
from tests.sections.conftest import Journey, journey, sandbox  # noqa: F401 - fixtures

Begin = Callable[..., Journey]


@pytest.fixture
def own(journey: Begin, tmp_path: Path) -> Journey:  # noqa: F811
    return journey(records=str(tmp_path / "records"), actions=["get_organization"])


def ask(own: Journey, **changes: Any) -> tuple[Result, dict[str, Any], dict[str, str]]:
    """The answer of the command, its document, and the state by line."""
    save(own.params(**changes), file := own.records / "parameters.yaml")
    result = CliRunner().invoke(app, ["status", "--json", "--parameters", str(file)])
    document = json.loads(result.stdout)
    return result, document, {each["about"]: each["state"] for each in document["findings"]}


def test_before_the_first_run_it_does_not_work(own: Journey) -> None:
    result, _, states = ask(own)
    assert result.exit_code == 1
    assert (states["tenant"], states["last proof"]) == ("failed", "not tried")


def test_what_was_set_up_and_proven_is_in_order_and_nothing_is_written(own: Journey) -> None:
    assert run(own.params(), records=Path(own.values["records"])).exit_code == 0
    result, document, states = ask(own)
    assert result.exit_code == 0
    assert set(states.values()) == {"passed"}
    assert len(states) == 5
    assert 170 <= document["days_left"] <= 180
    assert document["last_proof"]["verdict"] == "passed"
    record = Path(own.values["records"]) / document["last_proof"]["run_id"]
    (record / "summary.json").write_text(f"{(record / 'summary.json').read_text()} ")
    assert ask(own)[2]["last proof"] == "failed"


def test_what_is_due_or_was_changed_has_an_exit_code_of_its_own(own: Journey) -> None:
    own.run(*NAMES[:7])
    result, _, states = ask(own, secret_renew_before_days=200, secret_lifetime_days=365)
    assert (result.exit_code, states["client secret"]) == (4, "changed")
    assert ask(own)[0].exit_code == 0
    with own.context() as ctx:
        path = f"/applications/{require_application(ctx)['id']}/addPassword"
        ctx.graph.post(path, {"passwordCredential": {"displayName": "by hand"}})
    result, document, states = ask(own)
    assert (result.exit_code, states["made by others"]) == (4, "changed")
    assert "by hand" in document["others"][0]["what"]
    assert "Contoso" in document["others"][0]["by"]


def test_a_disabled_service_principal_is_a_failure(own: Journey) -> None:
    own.run(*NAMES[:7])
    with own.context() as ctx:
        principal = require_principal(ctx, require_application(ctx)["appId"])
        ctx.graph.set(f"/servicePrincipals/{principal['id']}", {"accountEnabled": False})
    result, _, states = ask(own)
    assert (result.exit_code, states["client secret"], states["as chosen"]) == (1, "failed", "changed")
