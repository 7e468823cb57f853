"""Nothing is public that nobody outside its file needs."""

from __future__ import annotations

from tests.public_names import ROOT, unneeded

HOOKS = {
    "clients/http.py:_NoCookies.extract_cookies",
    # called by name by a library: httpx, httpcore, papermill, jupyter_client, ipykernel, dask
    "clients/calls.py:ApiKey.auth_flow",
    "clients/calls.py:Bearer.auth_flow",
    "clients/bounded.py:_Backend.connect_tcp",
    "clients/bounded.py:_Stream.get_extra_info",
    "clients/bounded.py:_Stream.start_tls",
    "fleet/cluster.py:dask_setup",
    "runs/engine.py:_WholeFiles.listdir",
    "runs/warm.py:_Forked.poll",
    "runs/engine.py:_WholeFiles.pretty_path",
    "runs/kernel.py:Kernel.init_kernel",
    "runs/kernel.py:Kernel.init_code",
    "runs/kernel.py:Kernel.init_config_files",
    "runs/kernel.py:Kernel.init_extensions",
    "runs/kernel.py:Kernel.init_control",
    "runs/kernel.py:Kernel.init_heartbeat",
    "runs/kernel.py:Kernel.init_iopub",
    "runs/kernel.py:Kernel.load_config_file",
    "runs/kernel.py:Kernel.update_config",
    "runs/kernel.py:_AtOnce.schedule",
    "runs/kernel.py:Kernel.parse_command_line",
    "runs/kernel.py:_Interruptible.pre_handler_hook",
    "runs/papermill_engine.py:Engine.execute_managed_notebook",
    "runs/papermill_engine.py:ThisInterpreter.kernel_spec",
    "runs/papermill_engine.py:_Prompt.start_channels",
    "runs/run_engine.py:_Client.execute_cell",
    "runs/run_engine.py:_Client.papermill_execute_cells",
    "runs/run_engine.py:_Client.process_message",
}


def test_nothing_is_public_that_nobody_outside_its_file_needs() -> None:
    assert set(unneeded(ROOT / "runbook")) == HOOKS
