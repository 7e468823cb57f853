"""Clients that anybody can install, each doing a job of its users against one served sandbox.

What is not on the machine is fetched into the user's cache, with the versions and hashes of the lock files here; where
it cannot be had the test is skipped and says so.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from entra_sandbox.server import running

from tests.sandbox_entra.conftest import CALLBACK, App, World
from tests.sandbox_entra.conftest import _no_foreign_ca as _no_foreign_ca
from tests.sandbox_entra.conftest import plain as plain
from tests.sandbox_entra.conftest import ready as ready
from tests.sandbox_entra.conftest import state as state
from tests.sandbox_entra.conftest import world as world

PROGRAMS = Path(__file__).with_name("programs")
_NPM = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
_PIP = (
    "pip",
    "install",
    "--quiet",
    "--require-hashes",
    "--no-deps",
    "--disable-pip-version-check",
    "--target",
    "packages",
)


class Conversation:
    """A program that prints lines and reads them."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def hear(self) -> str:
        """The next line that it prints."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        assert line, "the program ended without a word (what went wrong is on stderr)"
        return line

    def say(self, line: str) -> None:
        assert self._process.stdin is not None
        print(line, file=self._process.stdin, flush=True)


Talk = Callable[..., Any]


@dataclass
class Proxied:
    """A sandbox at the services' own names, for programs whose hosts are fixed."""

    ready: dict[str, Any]

    @property
    def environment(self) -> dict[str, str]:
        """The variables of this process, with those that lead a program to the sandbox."""
        return {**os.environ, **self.ready["environment"]}

    @property
    def secret(self) -> str:
        """That of the administrator's application."""
        return Path(self.ready["client_secret_file"]).read_text(encoding="utf-8")

    def token(self, http: httpx.Client, **form: str) -> str:
        """An access token of the administrator's application, or of a person at it."""
        asked = {"client_id": self.ready["client_id"], "client_secret": self.secret, **form}
        answer = http.post(f"https://login.microsoftonline.com/{self.ready['tenant_id']}/oauth2/v2.0/token", data=asked)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    @contextmanager
    def graph(self) -> Iterator[httpx.Client]:
        """Microsoft Graph for the administrator's application, at its own name."""
        trust = ssl.create_default_context(cafile=self.ready["ca_file"])
        base = "https://graph.microsoft.com/v1.0/"
        proxy = self.ready["https_proxy"]
        with httpx.Client(base_url=base, proxy=proxy, verify=trust, trust_env=False, timeout=30) as http:
            own = self.token(http, grant_type="client_credentials", scope="https://graph.microsoft.com/.default")
            http.headers["authorization"] = f"Bearer {own}"
            yield http


@pytest.fixture(scope="session")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    """One for all programs whose hosts are fixed."""
    with running(tmp_path_factory.mktemp("proxied") / "state.sqlite3", proxy=True) as ready:
        yield Proxied(ready)


@pytest.fixture(scope="session")
def told(world: World, tmp_path_factory: pytest.TempPathFactory) -> Callable[[App], Path]:
    """A private file with what a program needs to know of the sandbox and of its application."""
    folder = tmp_path_factory.mktemp("told")

    def write(app: App) -> Path:
        known = {"client_id": app.id, "client_secret": app.secret, "redirect_uri": CALLBACK}
        names = ("authority", "graph", "tenant_id", "ca_file")
        file = folder / f"{app.id}.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps({**known, **{name: world.ready[name] for name in names}}))
        return file

    return write


@pytest.fixture(scope="session")
def node_folder() -> Path:
    """Where the packages for Node are."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("Node.js and npm are not on this machine")
    return _installed("node", _NPM, "package.json", "package-lock.json", "through_proxy.mjs")


@pytest.fixture(scope="session")
def node(node_folder: Path) -> Talk:
    """Talk with a program for Node: ``with node("name.mjs", file) as program``."""
    return _talk(node_folder, ["node"], {})


@pytest.fixture(scope="session")
def python_folder() -> Path:
    """Where the packages for Python are that the project does not use."""
    return _installed("python", (sys.executable, "-m", *_PIP, "-r", "requirements.lock"), "requirements.lock")


@pytest.fixture(scope="session")
def python(python_folder: Path) -> Talk:
    """Talk with a program for Python that uses packages which the project does not."""
    return _talk(python_folder, [sys.executable], {"PYTHONPATH": str(python_folder / "packages")})


def _installed(kind: str, command: tuple[str, ...], *inputs: str) -> Path:
    """The folder in the user's cache where the command was run once for these inputs."""
    texts = [(PROGRAMS / name).read_bytes() for name in inputs]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "entra-sandbox-strangers"
    folder = cache / f"{kind}-{hashlib.sha256(b''.join(texts)).hexdigest()[:12]}"
    if folder.exists():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=cache))
    for name, text in zip(inputs, texts, strict=True):
        (fresh / name).write_bytes(text)
    done = subprocess.run(command, cwd=fresh, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        shutil.rmtree(fresh)
        pytest.skip(f"{kind}: its packages cannot be had here: {(done.stderr.strip() or 'no word').splitlines()[-1]}")
    try:
        fresh.rename(folder)
    except OSError:  # another test process was faster
        shutil.rmtree(fresh)
    return folder


def _talk(folder: Path, command: list[str], more: dict[str, str]) -> Talk:
    @contextmanager
    def talk(program: str, file: Path) -> Iterator[Conversation]:
        script = shutil.copy(PROGRAMS / program, folder / f"{os.getpid()}-{program}")
        ca_file = json.loads(file.read_text())["ca_file"]
        environment = {**os.environ, "NODE_EXTRA_CA_CERTS": ca_file, "SSL_CERT_FILE": ca_file, **more}
        process = subprocess.Popen(
            [*command, script, str(file)], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            yield Conversation(process)
            process.communicate(timeout=60)
            assert process.returncode == 0
        finally:
            process.kill()
            process.communicate()
            Path(script).unlink()

    return talk
