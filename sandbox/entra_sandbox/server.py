"""One process that serves Entra ID, Microsoft Graph and StackOne on loopback.

Two listeners: https for everything (certificate of the sandbox's own CA), plain http for the pages that people open
in a browser, so that nobody meets a certificate warning. Ports, CA and secrets are kept with the state.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import logging
import os
import select
import signal
import socket
import sqlite3
import ssl
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from starlette.applications import Starlette
from starlette.types import ASGIApp

from entra_sandbox import fault_effects, faults, proxy, tls
from entra_sandbox.errors import SandboxError
from entra_sandbox.folder import Folder
from entra_sandbox.guard import Guard, HttpsOnly
from entra_sandbox.listeners import Listener, bind, cut, listen, listener
from entra_sandbox.services import Addresses, Services
from entra_sandbox.store import Store
from entra_sandbox.vault import Vault

__all__ = ["AlreadyServed", "Sandbox", "running", "serve"]

log = logging.getLogger("entra_sandbox")
_CLAIM_SECONDS = 5.0


class AlreadyServed(SandboxError):
    """Another process serves this state file."""


Say = Callable[[str], None]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


observers: list[Callable[[ASGIApp], ASGIApp]] = []
"""Each is put around the services of every sandbox made from then on; for test suites that look at every call."""


def application(services: Services) -> Starlette:
    """Entra ID, Microsoft Graph, StackOne and the control calls as one app, routed by path.

    Each part is a package with ``routes(services) -> list[BaseRoute]``; the first that matches answers, and Entra's
    ``/{tenant}/…`` come last. ``seed.ready(services) -> dict`` fills an empty state and gives the ready line's
    ``tenant_id``, ``client_id``, ``client_secret_ref``, ``client_secret_file``, ``stackone_api_key_file``, ``users``.
    """
    from entra_sandbox import control, entra, graph, stackone

    routes = [*control.routes(services), *graph.routes(services), *stackone.routes(services), *entra.routes(services)]
    return Starlette(routes=routes)


@dataclass
class Sandbox:
    """A sandbox that is about to be served. Making it takes the state file; :meth:`close` gives it back."""

    state: Path
    port: int = 0
    faults: Path | None = None
    proxy: bool = False
    say: Say = _say
    plain_pages: bool = False
    tenants: int = 0

    def __post_init__(self) -> None:
        self._stack = ExitStack()
        self._servers: list[Listener] = []
        try:
            self._open()
        except BaseException as error:
            self._stack.close()
            if not isinstance(error, sqlite3.DatabaseError):
                raise
            reason = f"its state {self.state} cannot be read or written: {error}"
            raise SandboxError(f"{reason}; ENTRA_SANDBOX_STATE names another state file") from None

    def _open(self) -> None:
        from entra_sandbox import stackone
        from entra_sandbox.seed import add_customers
        from entra_sandbox.seed import ready as seeded

        self.state = self.state.expanduser().absolute()
        folder = Folder(self.state)
        store = Store(self.state)
        self._stack.callback(store.close)
        self._stack.enter_context(_claimed(folder.file("serving.lock")))
        if self.proxy:
            self._context, ca_file = proxy.listener_context(folder)
        else:
            ca, ca_file = tls.authority(folder)
            self._context = tls.listener_context(folder, ca)
        self._sockets = self._listen(store)
        https, http = (sockets[0].getsockname()[1] for sockets in self._sockets)
        addresses = Addresses(f"https://localhost:{https}", f"http://localhost:{http}")
        self.services = Services(store, Vault(folder), folder, addresses, ca_file, plain_pages=self.plain_pages)
        self.ready: dict[str, Any] = {
            "authority": addresses.api,
            "graph": addresses.api,
            "stackone": addresses.api,
            "pages": addresses.pages,
            "ca_file": str(ca_file),
            **seeded(self.services),
        }
        if not self.proxy:
            self.ready["browser_arguments"] = tls.browser_arguments(folder)
        app: ASGIApp = application(self.services)
        for observe in observers:
            app = observe(app)
        self.ready["stackone_dashboard"] = stackone.dashboard_entry(self.services)
        self._add_proxy()
        if customers := add_customers(self.services, self.ready, self.tenants):
            self.ready["tenants"] = customers
        self._play()
        sick = fault_effects.Sick(app, self.services, lambda scope, *, reset: cut(self._servers, scope, reset=reset))
        self._apps: tuple[ASGIApp, ASGIApp] = (
            Guard(sick, proxy.HOSTS if self.proxy else ()),
            Guard(HttpsOnly(sick, addresses.api)),
        )

    def _add_proxy(self) -> None:
        self._proxy: proxy.Proxy | None = None
        if self.proxy:
            listener = listen(socket.AF_INET, "127.0.0.1", 0)
            self._stack.callback(listener.close)
            self._proxy = proxy.Proxy(listener, self.services.addresses)
            address = self._proxy.address
            variables = proxy.environment(address, self.services.ca_file)
            self.ready |= {"https_proxy": address, "environment": variables}

    def _play(self) -> None:
        fault_effects.heal(self.services)
        if self.faults is not None:
            self.services.extras["faults"] = fault_effects.Played(self.services, faults.load(self.faults))
        self._stack.callback(lambda: fault_effects.heal(self.services))

    def _listen(self, store: Store) -> tuple[list[socket.socket], list[socket.socket]]:
        kept = store.setting("ports") or [0, 0]
        wanted = [self.port or kept[0], kept[1]]
        found = tuple(bind(port) for port in wanted)
        for sockets in found:
            for one in sockets:
                self._stack.callback(one.close)
        ports = [sockets[0].getsockname()[1] for sockets in found]
        for before, now in zip(wanted, ports, strict=True):
            if before and before != now:
                self.say(f"Port {before} is taken by another process; the sandbox uses {now} instead from now on.")
        store.set_setting("ports", ports)
        return found[0], found[1]

    def stop(self) -> None:
        """Ask the servers to finish; safe from any thread and from a signal handler."""
        for server in self._servers:
            server.should_exit = True

    async def run(self, started: Callable[[], None]) -> None:
        """Serve until :meth:`stop`; ``started`` is called when both listeners accept connections."""
        contexts: tuple[ssl.SSLContext | None, ...] = (self._context, None)
        self._servers = [listener(app, context) for app, context in zip(self._apps, contexts, strict=True)]
        tasks = [
            asyncio.create_task(server.serve(sockets=sockets))
            for server, sockets in zip(self._servers, self._sockets, strict=True)
        ]
        for server in self._servers:
            await server.up.wait()
        carrying = asyncio.create_task(self._proxy.run()) if self._proxy else None
        started()
        try:
            await asyncio.gather(*tasks)
        finally:
            self.stop()
            if carrying is not None:
                carrying.cancel()
                await asyncio.wait([carrying])

    def say_what_was_missing(self) -> None:
        """Name what was asked of Microsoft Graph and is not emulated, most asked first."""
        missing: Counter[str] = self.services.extras["missing"]
        if missing:
            self.say("Asked for and not emulated (answered with 501):")
        for what, times in missing.most_common():
            self.say(f"  {what}  {times} time{'s' if times > 1 else ''}")

    def close(self) -> None:
        """Close the state file and give it back."""
        self._stack.close()


@contextmanager
def _claimed(path: Path) -> Iterator[IO[bytes]]:
    """Hold the lock that says "this state is served"; waits a moment for a predecessor that is just ending."""
    deadline = time.monotonic() + _CLAIM_SECONDS
    with path.open("ab") as file:
        path.chmod(0o600)
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    state = path.parent.with_suffix("")
                    raise AlreadyServed(f"another process serves {state}: stop it, or take another file") from None
            select.select([], [], [], 0.05)
        yield file


@contextmanager
def running(
    state: Path,
    *,
    port: int = 0,
    faults: Path | None = None,
    proxy: bool = False,
    say: Say | None = None,
    plain_pages: bool = False,
    tenants: int = 0,
) -> Iterator[dict[str, Any]]:
    """Serve ``state`` (made and seeded if it is not there) in a thread of this process; yields the ready line.

    ``port``: https, 0 for the one that the state keeps; ``faults``: a file of illnesses; ``proxy``: with a CONNECT
    proxy for clients whose hosts are fixed; ``say`` takes what a person should know (default: stderr); ``plain_pages``:
    discovery names the plain http pages, for which a browser needs no CA; ``tenants``: so many of customers, besides.
    Raises :class:`~entra_sandbox.SandboxError`.
    """
    sandbox = Sandbox(Path(state), port, faults, proxy, say or _say, plain_pages, tenants)
    up = threading.Event()
    failure: list[BaseException] = []

    def work() -> None:
        try:
            asyncio.run(sandbox.run(up.set))
        except BaseException as error:  # noqa: BLE001 - raised again below, in the caller's thread
            failure.append(error)
        finally:
            up.set()

    thread = threading.Thread(target=work, name="sandbox", daemon=True)
    thread.start()
    try:
        up.wait()
        if failure:
            raise failure[0]
        yield sandbox.ready
    finally:
        sandbox.stop()
        thread.join(timeout=30)
        sandbox.close()


def _for_a_person(ready: Mapping[str, Any], file: Path) -> str:
    """The ready line as a table, without a password: they are in the file that it names."""
    people = (f"{name} ({', '.join(each.get('roles') or ['no role'])})" for name, each in ready["users"].items())
    shown = {name: value for name, value in ready.items() if isinstance(value, str) and "password" not in name}
    rows = {**shown, "people": f"\n{'':24}".join(people), "passwords": f"in {file}", "stop": "Ctrl-C"}
    return "\n".join(f"{name.replace('_', ' '):24}{value}" for name, value in rows.items())


def serve(sandbox: Sandbox, *, leased: bool = False) -> None:
    """Serve in the main thread until SIGTERM or SIGINT, or with ``leased`` until no client holds the lease.

    The ready line goes to stdout, and to ``ready.json`` in the sandbox's folder while it is served.
    """
    from entra_sandbox import lease

    folder = sandbox.services.folder

    def started() -> None:
        folder.write_json("ready.json", {**sandbox.ready, "pid": os.getpid(), "leased": leased})
        print(
            _for_a_person(sandbox.ready, folder.file("ready.json"))
            if sys.stdout.isatty()
            else json.dumps(sandbox.ready),
            flush=True,
        )
        if leased:
            lease.when_abandoned(folder, sandbox.stop)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, sandbox.stop)
        await sandbox.run(started)

    try:
        asyncio.run(main())
    finally:
        folder.file("ready.json").unlink(missing_ok=True)
        sandbox.say_what_was_missing()
        sandbox.close()
