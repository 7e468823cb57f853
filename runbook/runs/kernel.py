"""The kernel that the warm process becomes: ipykernel's own, without what only one that was started anew needs.

A front end may ask ipykernel while a cell is at work, debug it, or look for its heart beat: there is a thread for each.
Here nobody does, so that one loop looks at all channels, and what is shown is sent by whoever shows it.
"""

import os
import re
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import zmq
from ipykernel import iostream, ipkernel, kernelapp
from ipykernel.compiler import XCachingCompiler
from ipykernel.zmqshell import ZMQInteractiveShell
from traitlets.config import Config
from traitlets.config.loader import DeferredConfigString
from zmq.eventloop.zmqstream import ZMQStream

# What runs and nbclient ask for: single values. Of a list traitlets takes each option as a member.
_OPTION = re.compile(
    r"--(\w+)\.(log_level|enabled|capture_fd_output|ignore_cwd|exec_PYTHONSTARTUP|connection_file)=(.*)", re.DOTALL
)
_OF_RUN = "--InteractiveShellApp.exec_PYTHONSTARTUP=False"
_GIVEN = ("session", "iopub_thread", "iopub_socket", "stdin_socket", "log", "profile_dir", "user_ns")
sys.modules.setdefault("debugpy", None)  # type: ignore[arg-type]  # ipykernel goes without where it is not installed
import_module("ipykernel.debugger")
if sys.modules["debugpy"] is None:
    del sys.modules["debugpy"]

_BackgroundSocket: Any = iostream.BackgroundSocket
_IOPubThread: Any = iostream.IOPubThread
_OutStream: Any = iostream.OutStream
_App: Any = kernelapp.IPKernelApp
_listed: Any = ipkernel
_IPythonKernel: Any = ipkernel.IPythonKernel


class _NoThread(SimpleNamespace):
    def __bool__(self) -> bool:
        return False


class _AtOnce(_IOPubThread):  # type: ignore[misc]
    """Sends at once, and a message as a whole; by a thread, as the base does, since a cell has forked.

    What its child shows comes through a socket, at which only that thread looks.
    """

    late = sending = _pipe_flag = _stopped = False
    io_loop = None

    def __init__(self, socket: Any, session: Any) -> None:
        self.socket, self.session, self._master_pid = socket, session, os.getpid()
        self.background_socket, self.thread = _BackgroundSocket(self), threading.Thread()
        self._turn = threading.RLock()
        os.register_at_fork(before=self._listen)

    def schedule(self, f: Callable[[], object]) -> None:
        """As the base does, which sends at once where its thread is not."""
        if self._pipe_flag:
            super().schedule(f)
            return
        main = threading.current_thread() is threading.main_thread()
        with self._turn:
            self.sending = main
            try:
                super().schedule(f)
            finally:
                self.sending = False
        if main and self.late:
            self.late = False
            raise KeyboardInterrupt

    def _listen(self) -> None:
        with self._turn:
            if not self._pipe_flag and self._is_master_process():
                super().__init__(self.socket, True, self.session)
                self.start()


class _Output(_OutStream):  # type: ignore[misc]
    """Is sent at the end of a cell, and while that is at work as often as the base does."""

    _flush_pending: bool

    def _schedule_flush(self) -> None:
        if not self._flush_pending:
            self._flush_pending = True
            soon = threading.Timer(self.flush_interval, self.flush)
            soon.daemon = True
            soon.start()


class _Interruptible(_IPythonKernel):  # type: ignore[misc]
    """Is interrupted within a cell only: a moment before or after, the base would never answer what it was asked."""

    _within = _asked = _supports_kernel_subshells = False

    def pre_handler_hook(self) -> None:
        """As the base does, for each message."""
        super().pre_handler_hook()
        self._asked = False
        signal.signal(signal.SIGINT, self._hear)

    def _hear(self, *_: object) -> None:
        self._asked = True
        if self._within and self.iopub_thread.sending:  # of a message cut short all that follow would be unreadable
            self.iopub_thread.late = True
        elif self._within:
            raise KeyboardInterrupt

    async def do_execute(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        """As the base does."""
        self._within = True
        try:
            if self._asked:
                raise KeyboardInterrupt
            reply: dict[str, Any] = await super().do_execute(*arguments, **options)
            return reply
        except KeyboardInterrupt:
            self._within = False  # of a second one
            self.shell.showtraceback(exception_only=True)
            about = {"ename": "KeyboardInterrupt", "evalue": "", "traceback": []}
            return {"status": "error", "execution_count": self.shell.execution_count, **about}
        finally:
            self._within = False

    def _process_children(self) -> list[Any]:
        # The base looks through all processes of the machine.
        with suppress(ChildProcessError):
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            return list(super()._process_children())
        return []


class Kernel(_App):  # type: ignore[misc]
    """One that was forked."""

    control_port: Any
    iopub_port: Any
    modules: set[str]
    _ready: list[str] | None = None

    @classmethod
    def of(cls, arguments: list[str]) -> "Kernel":
        """The one that was made ready with these arguments before the fork; else a new one."""
        if (found := cls._instance) and found._ready != arguments[2:]:
            cls.clear_instance()
            ZMQInteractiveShell.clear_instance()
        kernel: Kernel = cls.instance()
        return kernel

    @classmethod
    def make_ready(cls, arguments: list[str]) -> bool:
        """Make before the fork what is the same for all kernels of a run; whether it is one's."""
        if not (ours := _OF_RUN in arguments) or cls.initialized():
            return ours
        app = cls.instance()
        app.parse_command_line(arguments[2:])
        app.init_profile_dir()
        about = {"parent": app, "profile_dir": app.profile_dir, "compiler_class": XCachingCompiler}
        shell: Any = ZMQInteractiveShell.instance(**about)
        shell.run_cell("pass", store_history=False, silent=True)
        app.shell = shell
        app.init_extensions()
        _ = shell.display_formatter.formatters, app.session  # made when they are first asked for
        app.modules, app._ready = {*sys.modules}, arguments[2:]
        return ours

    def __init__(self, **options: Any) -> None:
        output = f"{__name__}.{_Output.__name__}"
        super().__init__(outstream_class=output, kernel_class=_Interruptible, **options)

    def parse_command_line(self, argv: list[str]) -> None:
        """As the base does. For the usual ones alone nothing is to be known of all classes and their flags."""
        if argv[2:] == self._ready:
            self.connection_file, self.session.pid = argv[1], os.getpid()
        elif (given := _single_values(argv)) is None:
            super().parse_command_line(argv)
        else:
            self.update_config(given)
        self.log.setLevel(self.log_level)  # else each message is made first, and left out by what writes it

    def update_config(self, config: Config) -> None:
        """As the base does, which would look through all of it once more though it is the same."""
        if config != self.config:
            super().update_config(config)

    def init_config_files(self) -> None:
        """As the base does, once."""
        if self._ready is None:
            super().init_config_files()

    def init_extensions(self) -> None:
        """As the base does, once."""
        if self._ready is None:
            super().init_extensions()

    def load_config_file(self, *arguments: Any, **options: Any) -> None:
        """As the base does; of a run nothing else is a part."""
        if self.exec_PYTHONSTARTUP:
            super().load_config_file(*arguments, **options)

    def init_control(self, context: Any) -> None:
        """As the base does, for this loop."""
        self.control_socket = self._socket(context, zmq.ROUTER)
        self.control_socket.router_handover = 1
        self.control_port = self._bind_socket(self.control_socket, self.control_port)

    def init_iopub(self, context: Any) -> None:
        """As the base does, without its thread."""
        socket = self._socket(context, zmq.PUB)
        self.iopub_port = self._bind_socket(socket, self.iopub_port)
        self.configure_tornado_logger()
        self.iopub_thread = _AtOnce(socket, session=self.session)
        self.iopub_socket = self.iopub_thread.background_socket

    def _socket(self, context: Any, kind: int) -> Any:
        socket = context.socket(kind)
        socket.linger = 1000
        self._apply_curve_server_options(socket)
        return socket

    def init_heartbeat(self) -> None:
        """None beats: whether the process lives is asked of the system."""

    def init_kernel(self) -> None:
        """As the base does, without a debugger, for which it would list the files of all modules."""
        given = {name: getattr(self, name) for name in _GIVEN}
        given |= {name: ZMQStream(getattr(self, f"{name[:-7]}_socket")) for name in ("control_stream", "shell_stream")}
        # Without subshells it still asks for the thread that messages for them came from (7.4).
        given["shell_channel_thread"] = _NoThread(parent_thread=threading.main_thread())
        _listed.sys = SimpleNamespace(modules={})
        try:
            self.kernel = self.kernel_class.instance(parent=self, **given)
        finally:
            _listed.sys = sys
        self.kernel.record_ports({f"{name}_port": port for name, port in self._ports.items()})
        self.displayhook.get_execution_count = lambda: self.kernel.execution_count
        if self._ready is not None:
            shell = self.kernel.shell
            shell.kernel = shell.parent = self.kernel
            shell.init_environment()
            shell.starting_dir, shell.history_manager.dir_hist[:] = str(Path.cwd()), [Path.cwd()]

    def init_code(self) -> None:
        """As the base does, where anything is to be executed first."""
        if self.exec_PYTHONSTARTUP:
            super().init_code()
        else:
            self.shell._sys_modules_keys = self.modules


def _single_values(argv: list[str]) -> Config | None:
    given = Config()
    for option in argv if argv[:1] != ["-f"] else [f"--IPKernelApp.connection_file={argv[1]}", *argv[2:]]:
        if not (found := _OPTION.fullmatch(option)):
            return None
        given[found[1]][found[2]] = DeferredConfigString(found[3])
    return given
