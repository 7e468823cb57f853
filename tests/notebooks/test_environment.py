"""What a kernel inherits."""

from __future__ import annotations

from runbook.runs.engine import _child_environment
from runbook.records import redaction


def test_variables_that_name_a_secret_do_not_reach_a_kernel() -> None:
    parent = {
        "PATH": "/bin",
        "AZURE_CLIENT_SECRET": "x",
        "GITHUB_TOKEN": "x",
        "STACKONE_API_KEY": "x",
        "DB_PASSWORD": "x",
        "RUNBOOK_SANDBOX": "/tmp/ready.json",
        "STACKONE_API_KEY_FILE": "/run/key",
    }
    assert _child_environment(parent) == {
        "PATH": "/bin",
        "RUNBOOK_SANDBOX": "/tmp/ready.json",
        "STACKONE_API_KEY_FILE": "/run/key",
    }


def test_a_known_secret_does_not_reach_a_kernel_under_any_name() -> None:
    redaction.register("canary-value-1234567890")
    try:
        assert _child_environment({"HARMLESS": "see canary-value-1234567890"}) == {}
    finally:
        redaction.forget()
