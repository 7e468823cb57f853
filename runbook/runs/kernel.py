"""The kernel that the warm process becomes: ipykernel's own, without what only one that was started anew needs."""

import re
import signal
import sys
from types import SimpleNamespace
from typing import Any

from ipykernel import iostream, ipkernel, kernelapp
from traitlets.config import Config
from traitlets.config.loader import DeferredConfigString

# What runs and nbclient ask for: single values. Of a list traitlets takes each option as a member.
_OPTION = re.compile(r"--(\w+)\.(log_level|hist_file|ignore_cwd|exec_PYTHONSTARTUP|connection_file)=(.*)", re.DOTALL)
_OutStream: Any = iostream.OutStream
_App: Any = kernelapp.IPKernelApp
_listed: Any = ipkernel
_IPythonKernel: Any = ipkernel.IPythonKernel


class _Output(_OutStream):  # type: ignore[misc]
    """Has its thread send what was written, and waits for it, only where something was."""

    def flush(self) -> None:
        """As the base does."""
        if getattr(self, "_buffers", True):
            super().flush()


class _Interruptible(_IPythonKernel):  # type: ignore[misc]
    """Is interrupted within a cell only: a moment before or after, the base would never answer what it was asked."""

    _within = _asked = False

    def pre_handler_hook(self) -> None:
        """As the base does, for each message."""
        super().pre_handler_hook()
        self._asked = False
        signal.signal(signal.SIGINT, self._hear)

    def _hear(self, *_: object) -> None:
        self._asked = True
        if self._within:
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


class Kernel(_App):  # type: ignore[misc]
    """One that was forked."""

    def __init__(self, **options: Any) -> None:
        output = f"{__name__}.{_Output.__name__}"
        super().__init__(outstream_class=output, kernel_class=_Interruptible, **options)

    def parse_command_line(self, argv: list[str]) -> None:
        """As the base does. For the usual ones alone nothing is to be known of all classes and their flags."""
        options = argv if argv[:1] != ["-f"] else [f"--IPKernelApp.connection_file={argv[1]}", *argv[2:]]
        given = Config()
        for option in options:
            if not (found := _OPTION.fullmatch(option)):
                super().parse_command_line(argv)
                return
            given[found[1]][found[2]] = DeferredConfigString(found[3])
        self.update_config(given)

    def init_kernel(self) -> None:
        """As the base does, which for a debugger lists the files of all modules.

        What is looked at is copied: a third of what its start copies.
        """
        _listed.sys = SimpleNamespace(modules={})
        try:
            super().init_kernel()
        finally:
            _listed.sys = sys
