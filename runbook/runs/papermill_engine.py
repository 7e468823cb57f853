"""The papermill engine ``entra-id-runbook``: of anybody's ``papermill --engine entra-id-runbook``, and below a run.

Papermill finds it by its entry point, so that nothing is imported here that papermill has not. Kernels are forked from
one warm process (:mod:`runbook.runs.warm`) and spoken to through sockets in a folder that nobody else may enter, by TCP
on loopback and encrypted where such a path would be too long (unix(7): 107 bytes). What they are asked, and what comes
of it, is as with papermill's own engine.
"""

import os
import sys
import time
from contextlib import suppress
from importlib.metadata import EntryPoint
from queue import Empty
from tempfile import TemporaryDirectory
from typing import Any

import zmq.asyncio
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_client.kernelspec import NATIVE_KERNEL_NAME, KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.factory import KernelProvisionerFactory
from papermill.engines import NBClientEngine
from traitlets import Bool, default
from traitlets.config import Config

NAME = "entra-id-runbook"
_LONGEST = 107
_SOON = 10  # milliseconds, where the base looks again after 100
_PROVISIONER = EntryPoint(NAME, "runbook.runs.warm:WarmProvisioner", KernelProvisionerFactory.GROUP_NAME)


def looking_often() -> zmq.asyncio.Context:
    """A context for the sockets of kernels, which are not there yet when they are first looked for."""
    context = zmq.asyncio.Context()
    context.reconnect_ivl = _SOON
    return context


class _Attentive(AsyncZMQSocketChannel):
    async def get_msg(self, timeout: float | None = None) -> dict[str, Any]:  # type: ignore[override]
        """As the base does. An answer that comes while nbclient sends a widget's message would go unnoticed.

        The socket's file descriptor tells of it once, to whoever looks first (zmq_getsockopt(3), ZMQ_FD).
        """
        while timeout is None:
            with suppress(Empty):
                return await super().get_msg(timeout=1)
        return await super().get_msg(timeout=timeout)


class _Heard(AsyncZMQSocketChannel):
    async def get_msg(self, timeout: float | None = None) -> dict[str, Any]:  # type: ignore[override]
        """As the base does, which asks first whether there is one, though it would wait for one anyway."""
        return await (self._recv() if timeout is None else super().get_msg(timeout=timeout))


class _Prompt(AsyncKernelClient):
    shell_channel_class, iopub_channel_class = _Attentive, _Heard

    def start_channels(self, *channels: bool, **named: bool) -> None:
        """As the base does, without its heart beats: whether the process lives is asked of the system."""
        super().start_channels(*channels, **{**named, "hb": False})

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """As the base does, but for the 0.2 s in which it drops what it hears: nbclient hears answers to itself only.

        Raises ``RuntimeError`` if the kernel dies, or does not answer within ``timeout`` seconds.
        """
        until = time.monotonic() + (timeout or float("inf"))
        while True:
            self.kernel_info()
            try:
                await self.get_shell_msg(timeout=1)
                await self.get_iopub_msg(timeout=0.2)  # what is shown will be heard
                return
            except Empty:
                if not await self.is_alive():
                    raise RuntimeError("Kernel died before replying to kernel_info") from None
                if time.monotonic() > until:
                    raise RuntimeError(f"Kernel didn't respond in {timeout} seconds") from None


class ThisInterpreter(AsyncKernelManager):
    """Starts the kernel with the interpreter that runs now; ``warm``: forked, where the system can."""

    warm = Bool(True, config=True)
    arguments: tuple[str, ...] = ()
    client_factory = _Prompt

    async def _async_wait(self, pollinterval: float = _SOON / 1000) -> None:
        await super()._async_wait(min(pollinterval, _SOON / 1000))

    @default("context")
    def _own_context(self) -> zmq.asyncio.Context:
        self._created_context = True
        return looking_often()

    def client(self, **options: Any) -> Any:
        """As the base does, but that they have one context, whose threads serve both."""
        return super().client(context=self.context, **options)

    @property
    def kernel_spec(self) -> KernelSpec:
        argv = [sys.executable, "-P", "-m", "ipykernel", "-f", "{connection_file}", *self.arguments]
        about: dict[str, Any] = {"supported_encryption": ["curve"]}
        if self.warm:
            about["kernel_provisioner"] = {"provisioner_name": NAME}
        return KernelSpec(argv=argv, display_name="Python 3", language="python", metadata=about)

    @default("transport_encryption")
    def _encrypted_where_possible(self) -> str:
        return "auto" if self.transport == "tcp" and zmq.has("curve") else "disabled"


class Engine(NBClientEngine):  # type: ignore[misc]
    """Executes a notebook of this interpreter's own kernel; any other kernel is papermill's own engine's."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> Any:
        """As the base does, with all of its options."""
        if kernel_name != NATIVE_KERNEL_NAME:
            return super().execute_managed_notebook(nb_man, kernel_name, **options)
        with TemporaryDirectory(prefix=f"{NAME}-", ignore_cleanup_errors=True) as room:
            how = {"kernel_manager_class": ThisInterpreter, "config": kernel_in(f"{room}/k")}
            return super().execute_managed_notebook(nb_man, kernel_name, **options, **how)


def kernel_in(place: str, *, warm: bool = True) -> Config:
    """The configuration of a kernel whose sockets and connection file are at ``place``, and begin with its name."""
    KernelProvisionerFactory.instance().provisioners[NAME] = _PROVISIONER
    about: dict[str, Any] = {"warm": warm, "connection_file": f"{place}.json"}
    if len(os.fsencode(f"{place}-10")) <= _LONGEST and sys.platform != "win32":
        about |= {"transport": "ipc", "ip": place}
    return Config({"ThisInterpreter": about})
