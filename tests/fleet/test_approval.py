"""A fleet on real tenants: what was not approved waits, with its hash, and the approved plan is carried out."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Callable

from tests.disguise.conftest import Desk, desk, tenant  # noqa: F401 - fixtures

OTHER = "no-such-tenant.example"


def test_what_nobody_approved_waits_with_its_hash_and_the_approved_plan_is_carried_out(
    desk: Callable[..., Desk],  # noqa: F811
) -> None:
    one = desk(unasked=[])
    name, table = one.values.pop("tenant_id"), one.folder / "tenants.csv"

    def fleet(approve: str) -> subprocess.CompletedProcess[str]:
        with table.open("w", newline="") as file:
            csv.writer(file).writerows([("tenant_id", "approve"), (name, approve)])
        line = [sys.executable, "-m", "runbook", "fleet", "run", str(table), "--parameters", str(one.parameters)]
        return one.spoken([*line, "--sections", "1..3", "--workers", "1", "--records", "records"])

    waits = fleet("")
    assert waits.returncode == 3, waits.stdout + waits.stderr
    assert "1 parked" in waits.stdout
    plan_hash = waits.stdout.partition("waiting for approval: ")[2].partition("put ")[2].split()[0]
    assert plan_hash.startswith("sha256:")
    with one.tenant.graph() as graph:
        unique = one.values["unique_name"]
        assert graph.get(f"/applications(uniqueName='{unique}')").status_code == 404
        done = fleet(plan_hash)
        assert done.returncode == 0, done.stdout + done.stderr
        assert graph.get(f"/applications(uniqueName='{unique}')").status_code == 200
    again = fleet("")
    assert again.returncode == 0
    assert "1 skipped" in again.stdout
