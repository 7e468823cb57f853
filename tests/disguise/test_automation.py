"""docs/automation.md: its files are what they say, and its command lines are read and carried out by the runbook."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from runbook.cli.app import app
from runbook.parameters import parse
from tests.disguise.conftest import Desk, Tenant

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "automation.md").read_text(encoding="utf-8")
BLOCKS = {
    title: dict(re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL))
    for title, text in re.findall(r"^#+ (.+?)\n(.*?)(?=^#+ |\Z)", PAGE, re.DOTALL | re.MULTILINE)
}
PARAMETERS: dict[str, Any] = yaml.safe_load(BLOCKS["Without anybody there"]["yaml"])

Begin = Callable[..., Desk]


def texts(node: Any) -> Iterator[str]:
    """Every command line in a platform's file: scripts line by line, and lists of arguments as one."""
    if isinstance(node, dict):
        if isinstance(node.get("command"), list):
            yield shlex.join([*node["command"], *node.get("args", ())])
        for value in node.values():
            yield from texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from texts(value)
    elif isinstance(node, str):
        yield from node.replace("\\\n", " ").splitlines()


def unit() -> configparser.RawConfigParser:
    found = configparser.RawConfigParser(strict=False)
    found.optionxform = str  # type: ignore[assignment,method-assign]
    found.read_string(BLOCKS["systemd"]["ini"])
    return found


def lines() -> list[list[str]]:
    files = [yaml.safe_load(BLOCKS[name]["yaml"]) for name in ("GitHub Actions", "Azure DevOps", "Kubernetes")]
    start = unit()["Service"]["ExecStart"].replace("%d", "/run/credentials/runbook.service")
    said = [line for file in files for line in texts(file)] + [start]
    found = [re.search(r"(?:^|[ /])runbook ((?:run|plan|doctor|secrets) [^|>]*)", line) for line in said]
    return [shlex.split(match[1]) for match in found if match]


def test_the_parameters_of_the_page_are_right() -> None:
    assert parse(PARAMETERS).sign_in == "federated"


def test_every_command_line_of_the_page_is_one_that_the_runbook_reads() -> None:
    assert len(lines()) >= 7
    group = typer.main.get_command(app)
    for line in lines():
        name, command, rest = group.resolve_command(group.make_context("runbook", list(line)), list(line))  # type: ignore[attr-defined]
        if name == "secrets":
            inner = command.make_context(name, list(rest))
            name, command, rest = command.resolve_command(inner, list(rest))
        given = command.make_context(name, list(rest)).params
        parse({**PARAMETERS, **dict(one.split("=", 1) for one in given.get("set_") or ())})


def test_the_unit_of_systemd_says_what_systemd_knows(tmp_path: Path) -> None:
    assert unit()["Service"]["Type"] == "oneshot"
    if shutil.which("systemd-analyze"):
        file = tmp_path / "runbook.service"
        file.write_text(BLOCKS["systemd"]["ini"].replace("/opt/runbook/bin/runbook", "/bin/true"))
        done = subprocess.run(["systemd-analyze", "verify", str(file)], capture_output=True, text=True, check=False)
        assert "Unknown" not in done.stderr, done.stderr


@pytest.mark.parametrize("line", [line for line in lines() if line[0] == "doctor"][:1], ids=" ".join)
def test_the_jobs_look_and_plan_as_the_page_says(desk: Begin, tenant: Tenant, line: list[str]) -> None:
    own = {name: PARAMETERS[name] for name in ("actions", "unasked", "link_to", "stackone_api_key_ref")}
    at = desk(client_secret_ref="env:ADMIN_CLIENT_SECRET", **own)
    assert at.parameters.name == "contoso.yaml"
    names = {"ADMIN_CLIENT_SECRET": "client_secret_file", "STACKONE_API_KEY": "stackone_api_key_file"}
    secrets = {name: Path(tenant.ready[file]).read_text(encoding="utf-8").strip() for name, file in names.items()}
    looked = at.spoken([sys.executable, "-m", "runbook", *line], **secrets)
    assert looked.returncode == 0, looked.stdout + looked.stderr
    planned = at.spoken([sys.executable, "-m", "runbook", "plan", *line[1:], "--exit-code"], **secrets)
    assert planned.returncode == 4, planned.stdout + planned.stderr
    for value in secrets.values():
        assert value not in looked.stdout + looked.stderr + planned.stdout + planned.stderr
