"""JupyterLab on a copy of the notebooks, in headless Chromium, with a HOME and a sandbox of its own."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from entra_sandbox import running
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

# The machine may be slow and shared: a wait that ends by its event costs nothing by being long.
expect.set_options(timeout=120_000)
PAGES = pytest.StashKey[list[Page]]()


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab: its address with token, and the folder that it shows."""

    address: str
    token: str
    folder: Path


@dataclass
class Notebook:
    """A notebook open in the browser."""

    page: Page

    def run_all(self) -> None:
        self.start_all()
        self.settled()

    def start_all(self) -> None:
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_text("Run All Cells", exact=True).click()

    @property
    def panel(self) -> Locator:
        """The notebook that is in front."""
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")

    def settled(self) -> None:
        """Wait until nothing is queued and the kernel is idle."""
        indicator = self.panel.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]')
        expect(self.panel.locator('.jp-InputPrompt:has-text("[*]")')).to_have_count(0)
        expect(indicator).to_be_visible()

    def output(self, source: str) -> Locator:
        """The output area of the cell whose source is ``source``."""
        cell = self.panel.locator(".jp-CodeCell").filter(has=self.page.locator(".cm-content", has_text=source))
        return cell.locator(".jp-OutputArea")

    def command(self, name: str) -> None:
        """A command of JupyterLab, by its palette and the keyboard alone."""
        self.page.keyboard.press("Control+Shift+C")
        expect(self.page.locator(".lm-CommandPalette-input")).to_be_visible()
        self.page.keyboard.type(name)
        # Exactly: another one restarts the kernel and runs all cells, and may be in front until the list is sorted.
        first = self.page.locator(".lm-CommandPalette-item.lm-mod-active .lm-CommandPalette-itemLabel")
        expect(first).to_have_text(name)
        self.page.keyboard.press("Enter")

    def focus(self) -> tuple[str, bool]:
        """What has the focus, by its name as it is read aloud, and whether that is to be seen; empty if nothing has."""
        name, seen = self.page.evaluate(_FOCUS)
        return str(name), bool(seen)

    def reach(self, name: str, key: str = "Tab", most: int = 6) -> None:
        """Go on by ``key`` until what is called ``name`` has the focus, ``most`` steps away; it is lost nowhere."""
        passed = []
        while len(passed) < most:
            self.page.keyboard.press(key)
            found, seen = self.focus()
            assert found, f"after {passed} nothing has the focus"
            passed.append(found)
            if found == name:
                assert seen, f"nobody sees that {name} has the focus"
                return
        pytest.fail(f"{name} is not among the next {most}: {passed}")


_FOCUS = """() => {
  const at = document.activeElement, how = getComputedStyle(at);
  if (at === document.body) return ["", false];
  const named = [at.getAttribute("aria-label"), at.labels?.[0]?.textContent, at.textContent, at.placeholder];
  const outlined = how.outlineStyle !== "none" && parseFloat(how.outlineWidth) > 0;
  return [named.map(name => name?.trim()).find(Boolean) ?? at.tagName, outlined || how.boxShadow !== "none"];
}"""


def accessible(page: Page, within: str = "body") -> None:
    """No serious or critical violation of axe-core's rules (WCAG 2) in what is on the page."""
    assert not violations(page, within)


def violations(page: Page, within: str = "body") -> list[tuple[str, list[str]]]:
    """The rule and the elements of each."""
    only = {"resultTypes": ["violations"]}  # of what passes the rule is enough
    found = Axe().run(page, context={"include": [[within]]}, options=only).response
    assert len(found["passes"]) > 5, "nothing was looked at"
    grave = [each for each in found["violations"] if each["impact"] in ("serious", "critical")]
    return [(each["id"], [node["html"] for node in each["nodes"]]) for each in grave]


class Services:
    """A sandbox that is served in this process, and what ails it."""

    def __init__(self, ready: Mapping[str, Any], state: Path) -> None:
        self.ready, self._state = ready, state
        self.file = state.with_name("ready.json")
        self.file.write_text(json.dumps(ready))
        self.tenants = state.with_name(f"{state.name}.d") / "tenants.csv"

    def refuse(self, method: str, path: str) -> None:
        """Microsoft Graph refuses these requests from now on."""
        said = {"status": 403, "code": "Authorization_RequestDenied", "message": "Insufficient privileges."}
        self._ail({"kind": "answer", **said, "match": {"service": "graph", "method": method, "path": path}})

    def hold(self, method: str, path: str, seconds: float) -> None:
        """Microsoft Graph takes its time with the next of these requests."""
        match = {"service": "graph", "method": method, "path": path}
        self._ail({"kind": "slow", "seconds": [seconds, seconds], "times": 1, "match": match})

    def heal(self) -> None:
        """It does so no more."""
        self._ail()

    def _ail(self, *illnesses: Mapping[str, Any]) -> None:
        token = (self._state.with_name(f"{self._state.name}.d") / "control-token").read_text()
        trusted = ssl.create_default_context(cafile=self.ready["ca_file"])
        with httpx.Client(verify=trusted, trust_env=False, headers={"authorization": f"Bearer {token}"}) as client:
            address = f"{self.ready['authority']}/_sandbox/faults"
            client.put(address, json={"seed": 1, "illnesses": illnesses}).raise_for_status()


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    state = tmp_path / "sandbox" / "state.sqlite3"
    state.parent.mkdir(mode=0o700)
    with running(state) as ready:
        yield Services(ready, state)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(home: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("RUNBOOK_", "XDG_", "JUPYTER_"))}
    places = {
        name: str(home / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    }
    return {**kept, **places, "HOME": str(home)}


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with started(tmp_path) as lab:
        yield lab


@contextmanager
def started(tmp_path: Path, *options: str, **variables: str) -> Iterator[Lab]:
    """``runbook lab`` as a user starts it; only port and token are set, by JupyterLab's own configuration."""
    home, folder, port, token = tmp_path / "home", tmp_path / "notebooks", free_port(), secrets.token_hex(16)
    env = environment(home) | variables
    configuration = Path(env["JUPYTER_CONFIG_DIR"]) / "jupyter_server_config.json"
    configuration.parent.mkdir(parents=True)
    server = {"port": port, "port_retries": 0, "allow_root": True}
    configuration.write_text(json.dumps({"ServerApp": server, "IdentityProvider": {"token": token}}))
    command = [sys.executable, "-m", "runbook", "lab", str(folder), "--", "--no-browser", *options]
    with (tmp_path / "lab.log").open("wb") as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=subprocess.STDOUT)
        try:
            address = f"http://127.0.0.1:{port}"
            answers(process, f"{address}/api/status?token={token}", tmp_path / "lab.log")
            yield Lab(address, token, folder)
        finally:
            process.terminate()
            process.wait(timeout=30)


def answers(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    end = time.monotonic() + 90
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        try:
            httpx.get(address, timeout=5).raise_for_status()
        except httpx.HTTPError:
            process_waits(process)
            continue
        return
    pytest.fail(f"JupyterLab does not answer:\n{log.read_text()}")


def process_waits(process: subprocess.Popen[bytes]) -> None:
    """A quarter of a second, or the end of the process."""
    try:
        process.wait(timeout=0.25)
    except subprocess.TimeoutExpired:
        return


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser for one module: while Playwright runs, no other test of the process can use asyncio.run."""
    with launched() as browser:
        yield browser


@contextmanager
def launched() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert path, "these tests need Chromium on the PATH: install Debian's package chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Of a test that failed, what its notebooks showed then: another machine's failure is not seen again here."""
    report = yield
    if call.when == "call" and report.failed:
        for page in item.stash.get(PAGES, ()):
            shown = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden), .jp-Dialog, #jp-main-statusbar")
            report.sections.append((page.url, "\n".join(shown.all_inner_texts())))
    return report


@pytest.fixture
def opened(lab: Lab, chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Callable[[str], Notebook]]:
    pages = request.node.stash.setdefault(PAGES, [])

    def open_notebook(name: str) -> Notebook:
        pages.append(chromium.new_page(viewport={"width": 1500, "height": 1800}))
        return opened_in(pages[-1], lab, name)

    yield open_notebook
    for page in pages:
        page.close()


def opened_in(page: Page, lab: Lab, name: str) -> Notebook:
    """The notebook of this name, its kernel idle."""
    # A workspace of its own: JupyterLab would open the notebooks of the last one too, and have one of them in front.
    page.goto(f"{lab.address}/lab/workspaces/{secrets.token_hex(8)}/tree/{name}?token={lab.token}")
    expect(page.get_by_text("| Idle")).to_be_visible()
    book = Notebook(page)
    book.settled()
    return book
