"""No secret that was really used is in anything that a run leaves or shows, whether it passes or fails anywhere."""

from __future__ import annotations

import json
import os
import ssl
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from runbook.parameters import parse
from runbook.sections import NAMES, section
from runbook.tenant.base import open_context, run_section
from tests.safety.canary import Cage, Watcher, files, leaks

ACTIONS = ["list_users", "create_user", "get_organization"]
ROOT = Path(__file__).parents[2]


@dataclass
class Sandbox:
    """The served sandbox of these tests: what it printed, its log, and every secret that passed through it."""

    folder: Path
    ready: Mapping[str, Any]

    @property
    def file(self) -> Path:
        return self.folder / "ready.json"

    def secrets(self) -> list[tuple[str, str]]:
        """Every secret value so far, with its kind: learned from the traffic, or kept by the sandbox."""
        learned = [json.loads(line) for line in (self.folder / "learned").read_text().splitlines()]
        own = [(path.name, path.read_text().strip()) for path in self.private("client-secret", "stackone-api-key")]
        keys = [(path.name, "".join(path.read_text().splitlines()[1:-1])) for path in self.private("ca.key")]
        others = [(path.name, path.read_text().strip()) for path in self.private("control-token", "vault.key")]
        people = [("password of a user", user["password"]) for user in self.ready["users"].values()]
        return [*map(tuple, learned), *own, *keys, *others, *people]

    def private(self, *names: str) -> Iterator[Path]:
        return (self.folder / "state.sqlite3.d" / name for name in names)

    def fall_ill(self, *illnesses: Mapping[str, Any]) -> None:
        """Play these illnesses from now on; none: be well."""
        (token,) = self.private("control-token")
        answer = httpx.Client(verify=ssl.create_default_context(cafile=self.ready["ca_file"]), trust_env=False).put(
            f"{self.ready['authority']}/_sandbox/faults",
            json={"illnesses": list(illnesses)},
            headers={"Authorization": f"Bearer {token.read_text()}"},
        )
        answer.raise_for_status()


@dataclass
class Run:
    """How a command ended and all that it showed."""

    code: int
    said: bytes
    samples: dict[tuple[str, bytes], None] = field(default_factory=dict)
    programs: set[bytes] = field(default_factory=set)

    @property
    def text(self) -> str:
        return self.said.decode()


@pytest.fixture(scope="module")
def cage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cage]:
    """The folder of all runs here; this process works in it, too, when it prepares or looks at the tenant."""
    own = Cage(tmp_path_factory.mktemp("cage"))
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("XDG_", "RUNBOOK_"))]:
            patch.delenv(name)
        patch.setenv("HOME", str(own.folder / "home"))
        yield own


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    folder = tmp_path_factory.mktemp("sandbox")
    command = [sys.executable, "-m", "tests.safety.recording", str(folder / "state.sqlite3"), str(folder / "learned")]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT)
    with server:
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            own = Sandbox(folder, json.loads(line))
            own.file.touch(mode=0o600)
            own.file.write_text(line)
            yield own
        finally:
            server.terminate()


def run(cage: Cage, *arguments: str, **extra: str) -> Run:
    """Carry out a command of the runbook, watched."""
    watcher = Watcher(cage.folder / "tmp")
    output = cage.folder / "logs" / f"output-{len(list((cage.folder / 'logs').iterdir()))}"
    with output.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "runbook", *arguments],
            cwd=cage.folder / "work",
            env=cage.environment(**extra),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
        watcher.watch(process, 240)
    return Run(process.returncode, output.read_bytes(), watcher.samples, watcher.programs)


@pytest.fixture
def choice(cage: Cage, sandbox: Sandbox) -> Callable[..., str]:
    """Write a parameters file for an application of the name given; returns the file's name."""

    def write(name: str, **changes: Any) -> str:
        values = {
            "sandbox_file": str(sandbox.file),
            "application_name": f"Canary {name}",
            "unique_name": f"canary-{name}",
            "connector_profile_name": f"Canary {name}",
            "account_owner_id": f"canary-{name}",
            "secret_store": "file",
            "actions": ACTIONS,
            "permission_types": ["delegated", "application"],
            **changes,
        }
        (cage.folder / "work" / f"{name}.yaml").write_text(yaml.safe_dump(values))
        return f"{name}.yaml"

    return write


def clean(cage: Cage, sandbox: Sandbox, done: Run) -> None:
    """Nothing that was known, and nothing that became known in this run, is anywhere."""
    secrets = sandbox.secrets()
    (store_key,) = (cage.folder / "home").rglob("secrets.key")
    secrets.append(("the key of the secret store", store_key.read_text().strip()))
    state = [(path.name, path.read_bytes()) for path in sandbox.folder.glob("state.sqlite3*") if path.is_file()]
    log = [("the sandbox's log", (sandbox.folder / "server.log").read_bytes())]
    own = [(name, content) for name, content in cage.artefacts() if not name.endswith("secrets.key")]
    found = leaks(secrets, [*own, *done.samples, ("the output", done.said), *state, *log])
    assert not found, "\n".join(found)


def prepare(cage: Cage, file: str, last: int) -> None:
    """Carry out the sections up to ``last`` in this process."""
    values = yaml.safe_load((cage.folder / "work" / file).read_text())
    with open_context(parse(values)) as ctx:
        for name in NAMES[:last]:
            assert run_section(ctx, section(name), apply=True).verdict == "passed"


def test_the_search_finds_a_secret_in_each_of_its_forms() -> None:
    """The canary itself: what it cannot see would pass unseen below."""
    import base64
    from urllib.parse import quote

    value = 'Ab8Q~"\\ /+=&xyz0123456789'
    for shown in (
        value,
        quote(value),
        json.dumps([value]),
        json.dumps(json.dumps(value)),
        base64.b64encode(f"user:{value}!".encode()).decode(),
    ):
        assert leaks([("it", value)], [("here", f"… {shown} …".encode())]) == ["it in here"]
    assert leaks([("it", value)], [("here", b"Ab8Q~ and nothing else")]) == []


def test_a_passing_run_shows_and_leaves_no_secret(cage: Cage, sandbox: Sandbox, choice: Callable[..., str]) -> None:
    done = run(cage, "run", "--parameters", choice("passing"))
    assert done.code == 0, done.text[-2000:]
    kinds = {kind for kind, _ in sandbox.secrets()}
    assert kinds >= {
        *("access_token", "refresh_token", "id_token", "client_secret", "secretText", "password", "code"),
        *("basic credentials", "client-secret", "stackone-api-key", "ca.key", "device_code", "cookie"),
    }
    kernels = [name for name, content in done.samples if "arguments" in name and b"runbook.runs.warm" in content]
    assert len(kernels) >= 1 + 8, "the warm process and what it forked"
    logs = b"".join(path.read_bytes() for path in (cage.folder / "logs").glob("*.log"))
    for logger in (b"INFO:httpx:", b"DEBUG:httpcore.", b"DEBUG:msal."):
        assert logger in logs, "a library is not at its loudest"
    clean(cage, sandbox, done)


def test_what_lies_on_the_disk_afterwards_is_encrypted_or_private(cage: Cage, sandbox: Sandbox) -> None:
    (store,) = (cage.folder / "home").rglob("secrets.enc")
    assert store.read_bytes().startswith(b"gAAAA")
    private = [store, *(cage.folder / "home").rglob("secrets.key"), *sandbox.folder.glob("state.sqlite3*")]
    private += list(files(sandbox.folder / "state.sqlite3.d"))
    assert {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in private if path.is_file()} == {
        path.name: "0o600" for path in private if path.is_file()
    }
    assert stat.S_IMODE((sandbox.folder / "state.sqlite3.d").stat().st_mode) == 0o700


def reply(status: int, code: str, service: str, method: str | None, path: str, **more: Any) -> dict[str, Any]:
    match = {"service": service, "method": method, "path": path}
    return {"kind": "answer", "status": status, "code": code, "match": match, **more}


@dataclass(frozen=True)
class Failure:
    """A way to fail in one section: what is changed, what is ill, what is in the environment."""

    number: int
    changes: dict[str, Any] = field(default_factory=dict)
    illnesses: tuple[dict[str, Any], ...] = ()
    flags: tuple[str, ...] = ()
    extra: dict[str, str] = field(default_factory=dict)
    own: bool = False
    """On an application of its own, with the sections before done."""


DENIED = "Authorization_RequestDenied"
TOKENS = ("entra", "POST", "*/oauth2/v2.0/token")
FAILURES = (
    # The token that the kernel asks for; the runner needs none to plan this section.
    Failure(1, illnesses=(reply(401, "invalid_client", *TOKENS),), flags=("--json",)),
    Failure(2, illnesses=(reply(403, DENIED, "graph", "PATCH", "/v1.0/applications*"),), own=True),
    Failure(3, {"redirect_uri": "https://contoso.com/x"}, (reply(400, "Request_BadRequest", "graph", "PATCH", "*"),)),
    Failure(4, {"consent": "link"}, ({"kind": "consent_lies"},), own=True),
    # Entra ID has issued the secret, and there is nowhere to keep it.
    Failure(5, extra={"RUNBOOK_SECRETS_DIR": "/dev/null/secrets"}, own=True, flags=("--json",)),
    Failure(6, {"connector_profile_name": "6"}, (reply(500, "x", "stackone", "POST", "/dashboard/*"),)),
    # The code that StackOne wants to redeem, after the token that the kernel asks for itself.
    Failure(7, {"account_owner_id": "7"}, (reply(400, "invalid_grant", *TOKENS, skip=1, times=1),), flags=("--json",)),
    Failure(8, illnesses=(reply(403, DENIED, "graph", None, "/v1.0/users*"),)),
)


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: NAMES[failure.number - 1])
def test_a_run_that_fails_in_a_section_shows_and_leaves_no_secret(
    cage: Cage, sandbox: Sandbox, choice: Callable[..., str], failure: Failure
) -> None:
    name = f"failing-{failure.number}" if failure.own else "passing"
    file = choice(name, **failure.changes)
    if failure.own:
        prepare(cage, file, failure.number - 1)
    sandbox.fall_ill(*failure.illnesses)
    span = f"{failure.number}..{failure.number}"
    done = run(cage, "run", "--traceback", *failure.flags, "--parameters", file, "--sections", span, **failure.extra)
    sandbox.fall_ill()
    record = max((cage.folder / "work" / "records").iterdir())
    summary = json.loads((record / "summary.json").read_text())
    assert (done.code, [each["verdict"] for each in summary["sections"]]) == (1, ["failed"]), done.text[-2000:]
    assert (record / "report.html").is_file()
    clean(cage, sandbox, done)


def test_a_secret_in_the_wrong_place_is_refused_and_not_repeated(
    cage: Cage, sandbox: Sandbox, choice: Callable[..., str]
) -> None:
    value = dict(sandbox.secrets())["client-secret"]
    file = cage.folder / "work" / choice("mistaken", client_secret_ref=value, stackone_api_key_ref=value)
    done = run(cage, "run", "--json", "--traceback", "--parameters", file.name)
    file.unlink()  # it is the user's, and it does hold the secret
    assert done.code == 2, done.text
    assert done.text.count("must be a reference into a secret store") >= 2
    clean(cage, sandbox, done)


def test_a_sandbox_that_a_run_starts_itself_gets_no_secret_by_its_arguments_or_environment(
    cage: Cage, sandbox: Sandbox
) -> None:
    done = run(cage, "run", "--sections", "1..2")
    assert done.code == 0, done.text[-2000:]
    assert any(b"entra_sandbox" in program for program in done.programs)
    (folder,) = (cage.folder / "home").rglob("state.sqlite3.d")
    its_own = [(name, (folder / name).read_text().strip()) for name in ("client-secret", "stackone-api-key")]
    assert leaks(its_own, [*cage.artefacts(), *done.samples, ("the output", done.said)]) == []
    clean(cage, sandbox, done)
