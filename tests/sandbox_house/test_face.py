"""What somebody who writes against the emulator imports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import entra_sandbox
import pytest

HEAVY = {"starlette", "uvicorn", "httpx", "cryptography", "jinja2", "pydantic", "typer", "platformdirs"}


def test_the_face_is_exactly_this() -> None:
    assert set(entra_sandbox.__all__) == set(dir(entra_sandbox)) == {"SandboxError", "ensure", "running"}
    assert all(getattr(entra_sandbox, name).__doc__ for name in entra_sandbox.__all__)
    with pytest.raises(AttributeError, match="no attribute 'server_of_all'"):
        _ = entra_sandbox.server_of_all


def test_importing_it_brings_no_heavy_library() -> None:
    code = "import sys, json, entra_sandbox; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & {name.split(".")[0] for name in json.loads(done.stdout)}


def test_whatever_keeps_it_from_serving_is_one_class_that_says_what_to_do(tmp_path: Path) -> None:
    state = tmp_path / "state.sqlite3"
    with entra_sandbox.running(state) as ready:
        assert ready["tenant_id"]
        with (
            pytest.raises(entra_sandbox.SandboxError, match=r"another process serves .*stop it"),
            entra_sandbox.running(state),
        ):
            pass
    course = tmp_path / "course.yaml"
    course.write_text("illnesses: [{kind: cold}]")
    with pytest.raises(entra_sandbox.SandboxError, match="cold"), entra_sandbox.running(state, faults=course):
        pass
    state.chmod(0o644)
    with pytest.raises(entra_sandbox.SandboxError, match="readable by its owner alone"), entra_sandbox.running(state):
        pass
