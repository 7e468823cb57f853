"""The papermill engine ``entra-id-runbook``: of anybody's ``papermill --engine entra-id-runbook``, and below a run.

Papermill finds it by its entry point, so that nothing is imported here that papermill has not. Kernels are forked from
one warm process (:mod:`runbook.runs.warm`) and spoken to through sockets in a folder that nobody else may enter, by TCP
on loopback and encrypted where such a path would be too long (unix(7): 107 bytes). What they are asked, and what comes
of it, is as with papermill's own engine.
"""

import os
import sys
from importlib.metadata import EntryPoint
from tempfile import TemporaryDirectory
from typing import Any

import zmq
from jupyter_client.kernelspec import NATIVE_KERNEL_NAME, KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.factory import KernelProvisionerFactory
from papermill.engines import NBClientEngine
from traitlets import Bool, default
from traitlets.config import Config

NAME = "entra-id-runbook"
_LONGEST = 107
_PROVISIONER = EntryPoint(NAME, "runbook.runs.warm:WarmProvisioner", KernelProvisionerFactory.GROUP_NAME)


class ThisInterpreter(AsyncKernelManager):
    """Starts the kernel with the interpreter that runs now; ``warm``: forked, where the system can."""

    warm = Bool(True, config=True)
    arguments: tuple[str, ...] = ()

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
            how = {"kernel_manager_class": ThisInterpreter, "config": kernel_in(room)}
            return super().execute_managed_notebook(nb_man, kernel_name, **options, **how)


def kernel_in(room: str, *, warm: bool = True) -> Config:
    """The configuration of a kernel whose sockets and connection file lie in the folder ``room``."""
    KernelProvisionerFactory.instance().provisioners[NAME] = _PROVISIONER
    about: dict[str, Any] = {"warm": warm, "connection_file": f"{room}/kernel.json"}
    if len(os.fsencode(f"{room}/k-10")) <= _LONGEST and sys.platform != "win32":
        about |= {"transport": "ipc", "ip": f"{room}/k"}
    return Config({"ThisInterpreter": about})
