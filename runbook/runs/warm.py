"""Kernels that are forked from one warm process, which has imported what every notebook imports.

To start a kernel is mostly to import. Each notebook still has a process, a namespace and an IPython of its own. The
warm process is asked through a pair of sockets that nobody else has, one line of JSON for each kernel. It ends with the
process that started it, and its kernels end with it (prctl(2), PR_SET_PDEATHSIG). Linux alone has all that this takes;
elsewhere a kernel is started the usual way.
"""

import atexit
import ctypes
import gc
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from runbook.errors import RunbookError
from runbook.run_socket import TRUSTED
from runbook.sections import NAMES

_PACKAGE, _FORKED = "ipykernel", "runbook.runs.kernel"
# What a kernel imports as it starts, and what notebooks import when they need it.
_KERNEL = (
    *(_FORKED, "IPython.extensions.storemagic", "sqlite3"),
    *(f"IPython.core.{name}" for name in ("completerlib", "debugger", "logger", "oinspect")),
    *("tornado.platform.asyncio", "faulthandler", "encodings.utf_8_sig", "html.parser"),
)
_NOTEBOOK = ("ipywidgets", "msal_extensions", "runbook.notebook", "runbook.secrets.encrypted_file")
# What is read, compiled or computed once a process.
_ONCE: tuple[tuple[Any, ...], ...] = (
    *(("runbook.clients.answers", "table"), ("runbook.mapping_file", "loader"), ("runbook.proof.recipes", "recipes")),
    *(("runbook.records.timeline", "template"), ("runbook.widgets.panel", "macros")),
    *(("runbook.records.report", "render", ()), ("runbook", "choose", {"actions": ["List Users"], "apply": True})),
    *(("runbook.clients.target", "tls_context", None), ("runbook.rehearsal", "load")),
    *(("runbook.catalog", name) for name in ("permissions", "base_permissions", "power_words", "presets")),
    *(("runbook.data", "table", "clients/pace.json"), ("runbook.widgets.panel", "style", "")),
)
_NEEDED = re.compile(r"PATH|HOME|LANG|TZ|TMPDIR|VIRTUAL_ENV|(PYTHON|LC_|LD_)[A-Z_]+")
_PR_SET_PDEATHSIG = 1
_turn = threading.Lock()
_warm: socket.socket | None = None


class WarmProvisioner(LocalProvisioner):
    """Jupyter's own way to run a kernel on this machine, but for how its process begins."""

    async def launch_kernel(self, cmd: list[str], **options: Any) -> Any:
        """As the base does. Raises ``RuntimeError`` when the warm process does not answer."""
        if sys.platform != "linux":
            return await super().launch_kernel(cmd, **options)
        self.cwd = options.get("cwd") or Path.cwd()
        self.process = _fork(cmd[cmd.index(_PACKAGE) + 1 :], options["env"], str(self.cwd))
        self.pid = self.pgid = self.process.pid
        return self.connection_info


class _Forked(psutil.Process):  # type: ignore[misc]
    """What the base asks of a process. It is a child of the warm one, so its exit code is not known here."""

    stdin = stdout = stderr = None

    def _send_signal(self, sig: int) -> None:
        """As a ``Popen`` does, which nobody's end surprises."""
        with suppress(psutil.NoSuchProcess):
            super()._send_signal(sig)

    def poll(self) -> int | None:
        try:
            return None if self.is_running() and self.status() != psutil.STATUS_ZOMBIE else 0
        except psutil.NoSuchProcess:
            return 0


def warm_up() -> None:
    """Have the warm process, which then imports while others go on.

    Its environment is what an interpreter needs to start: what else is there may hold secrets that are not known yet.
    """
    global _warm
    with _turn:
        if _warm is None and sys.platform == "linux":
            _warm, theirs = socket.socketpair()
            profile = TemporaryDirectory(prefix="entra-id-runbook-", ignore_cleanup_errors=True)
            needed = {name: value for name, value in os.environ.items() if _NEEDED.fullmatch(name)}
            needed["IPYTHONDIR"] = profile.name
            line, null = [sys.executable, "-P", "-m", __name__, str(theirs.fileno())], subprocess.DEVNULL
            how: dict[str, Any] = {"stdin": null, "stdout": null, "stderr": null, "start_new_session": True}
            with theirs:
                process = subprocess.Popen(line, env=needed, pass_fds=[theirs.fileno()], **how)
            atexit.register(_end, process, profile)


def _end(process: subprocess.Popen[bytes], profile: TemporaryDirectory[str]) -> None:
    """With its kernels; waited for, so that what they took is known to whoever asks what a run took."""
    with profile:
        process.kill()
        process.wait()


def _fork(arguments: list[str], environment: Mapping[str, str], folder: str) -> _Forked:
    global _warm
    for _attempt in range(2):
        warm_up()
        with _turn:
            try:
                assert _warm is not None
                _warm.sendall(json.dumps([arguments, dict(environment), folder]).encode() + b"\n")
                return _Forked(int(_warm.recv(32)))
            except (OSError, ValueError, psutil.Error):  # it was ended meanwhile, and is started anew
                _warm = None
    raise RuntimeError("The process from which kernels are forked does not answer.")


def load(*modules: str) -> None:
    """Import ``modules``, and import, read and compute what every notebook of a run would."""
    for module in (*modules, *_NOTEBOOK, *(f"runbook.sections.{name}" for name in NAMES)):
        import_module(module)
    for module, name, *arguments in _ONCE:
        getattr(import_module(module), name)(*arguments)


def _serve(connection: socket.socket) -> tuple[list[str], dict[str, str], str]:
    """Fork for each line; returns in the new process, with its line."""
    load(*_KERNEL)
    signal.signal(signal.SIGCHLD, _reap)
    for line in connection.makefile("rb"):
        asked = json.loads(line)
        if trusted := asked[1].pop(TRUSTED, ""):
            with suppress(RunbookError):  # who needs it will tell
                import_module("runbook.clients.target").tls_context(Path(trusted))
        if not import_module(_FORKED).Kernel.make_ready(asked[0]):
            import_module("pandas")  # no notebook of a run needs it, and all that is there costs each kernel
        gc.freeze()
        if not (pid := os.fork()):
            connection.close()
            return tuple(asked)
        connection.sendall(str(pid).encode())
    sys.exit()


def _reap(*_: object) -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _begin(arguments: list[str], environment: dict[str, str], folder: str) -> None:
    os.setsid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = [_PACKAGE, *arguments]
    kernel = import_module(_FORKED).Kernel.of(arguments)
    kernel.initialize(arguments)
    kernel.start()
    # As an interpreter ends, but for giving back what it has, object by object: that would copy nearly all of it.
    gc.freeze()  # what IPython collects as it ends would be all that this kernel made
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)


if __name__ == "__main__":
    _begin(*_serve(socket.socket(fileno=int(sys.argv[1]))))
