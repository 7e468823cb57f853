"""The emulator alone: installed by its README's commands into an empty environment, it serves every kind of client."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from entra_sandbox.faults import load

from tests.conftest import environment

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "sandbox" / "README.md").read_text(encoding="utf-8")
CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "PYTHONPATH")


def block(heading: str, language: str) -> str:
    """The first block of the language below the heading."""
    _, _, below = README.partition(f"# {heading}\n")
    found = re.search(rf"```{language}\n(.*?)```", below, re.DOTALL)
    assert found, heading
    return found[1]


@dataclass
class Alone:
    """A folder with the README's environment, and a sandbox that its second command serves."""

    folder: Path
    variables: dict[str, str]

    @property
    def ready(self) -> dict[str, Any]:
        line: dict[str, Any] = json.loads((self.folder / "ready.json").read_text())
        return line

    def run(self, *command: str, **more: str) -> str:
        """What the command prints; it must succeed."""
        done = subprocess.run(
            command, cwd=self.folder, env={**self.variables, **more}, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def python(self, code: str) -> str:
        return self.run(".venv/bin/python", "-c", code)


def pinned(folder: Path) -> Path:
    """The locked versions, without the hashes: pip takes no local folder with those."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    file = folder / "constraints.txt"
    file.write_text("\n".join(re.findall(r"^\S+==[^\\\n]*", lock, re.MULTILINE)))
    return file


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alone]:
    folder = tmp_path_factory.mktemp("alone")
    (folder / "sandbox").symlink_to(ROOT / "sandbox")
    home = folder / "home"
    home.mkdir()
    variables = environment(home, PIP_CONSTRAINT=str(pinned(folder)), PIP_DISABLE_PIP_VERSION_CHECK="1")
    found = Alone(folder, {name: value for name, value in variables.items() if name not in CA_VARIABLES})
    install, serve = block("Install and serve", "bash").splitlines()
    found.run("bash", "-c", install)
    server = subprocess.Popen(
        ["bash", "-c", serve],
        cwd=folder,
        env=found.variables,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert server.stdout is not None
        line = server.stdout.readline()
        while not (folder / "ready.json").read_text().endswith("\n"):  # tee writes to the terminal first
            assert server.poll() is None
            threading.Event().wait(0.01)
        assert json.loads(line) == found.ready
        yield found
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.communicate(timeout=60)


def test_it_stands_without_the_runbook(alone: Alone) -> None:
    done = subprocess.run(
        [".venv/bin/python", "-c", "import runbook"],
        cwd=alone.folder,
        env=alone.variables,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "No module named 'runbook'" in done.stderr
    assert Path(alone.python("import entra_sandbox; print(entra_sandbox.__file__)").strip()).is_relative_to(
        alone.folder / ".venv"
    )
    assert Path(alone.ready["ca_file"]).is_relative_to(alone.folder / "home")


def test_every_part_of_the_ready_line_is_in_the_readme(alone: Alone) -> None:
    table = re.findall(r"^\| (`.*?) \|", README, re.MULTILINE)
    told = {name for row in table for name in re.findall(r"`(\w+)`", row)}
    assert told == {*alone.ready, "https_proxy", "environment"}


@pytest.mark.skipif(not shutil.which("curl") or not shutil.which("jq"), reason="curl and jq are not both here")
def test_curl_gets_a_token_reads_users_and_lists_the_actions(alone: Alone) -> None:
    *names, actions = alone.run("bash", "-euo", "pipefail", "-c", block("curl", "bash")).splitlines()
    assert len(names) == 3
    assert int(actions) > 0


@pytest.mark.skipif(not shutil.which("curl") or not shutil.which("jq"), reason="curl and jq are not both here")
def test_an_application_of_ones_own_signs_people_in(alone: Alone) -> None:
    code = block("curl", "bash") + block("An application of your own", "bash")
    address = alone.run("bash", "-euo", "pipefail", "-c", code).splitlines()[-1]
    shown = httpx.get(address, trust_env=False, follow_redirects=True)
    assert (shown.status_code, "My website" in shown.text, "Password" in shown.text) == (200, True, True)
    assert json.loads((alone.folder / "secret.json").read_text())["secretText"]
    assert (alone.folder / "secret.json").stat().st_mode & 0o077 == 0


def test_msal_gets_a_token_with_which_graph_answers(alone: Alone) -> None:
    command = re.search(r"`(\.venv/bin/python -m pip install -q msal)`", README)
    assert command
    alone.run(*command[1].split())
    assert alone.python(block("Python: msal and httpx", "python")).strip() == "Contoso"


def test_microsofts_own_graph_client_reads_users(alone: Alone) -> None:
    code = block("Python: msgraph-sdk", "python")
    assert alone.run(sys.executable, "-c", code, SSL_CERT_FILE=alone.ready["ca_file"]).strip() == "100"


@pytest.mark.skipif(not shutil.which("node"), reason="node is not here")
def test_node_reads_groups(alone: Alone) -> None:
    (alone.folder / "groups.mjs").write_text(block("JavaScript", "js"))
    assert alone.run("node", "groups.mjs", NODE_EXTRA_CA_CERTS=alone.ready["ca_file"]).strip() == "5"


@pytest.mark.skipif(not all(map(shutil.which, ("javac", "jq"))), reason="a JDK and jq are not both here")
def test_java_counts_the_people(alone: Alone) -> None:
    (alone.folder / "People.java").write_text(block("Java", "java"))
    told = alone.run("bash", "-euo", "pipefail", "-c", block("Java", "bash")).splitlines()
    assert int(told[-1]) >= 300


def test_a_test_serves_one_of_its_own(alone: Alone) -> None:
    assert alone.python(block("In a test", "python")).startswith("https://localhost:")


def test_the_example_of_a_bad_day_is_a_course(tmp_path: Path) -> None:
    file = tmp_path / "faults.yaml"
    file.write_text(block("Bad days", "yaml"))
    assert len(load(file).illnesses) == len(yaml.safe_load(file.read_text())["illnesses"]) == 2


def test_every_document_that_the_readme_names_is_there() -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", README)
    assert targets
    assert not [target for target in targets if not (ROOT / "sandbox" / target).exists()]
