"""Our papermill engine, on small notebooks of its own."""

from __future__ import annotations

import os
import signal
import tempfile
import sys
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import certifi
import nbformat
import pytest
from jupyter_client.asynchronous import AsyncKernelClient
from nbformat.v4 import new_code_cell, new_notebook

from runbook.runs.engine import execute, kernels
from runbook.runs.stopping import STOP
from tests.safety.processes import kernels as living
from tests.safety.processes import wait_for_end, watched

PEM = "-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7\\n-----END PRIVATE KEY-----"


def written(folder: Path, *cells: str) -> Path:
    book = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    book.metadata.kernelspec = {"name": "a-kernel-nobody-has", "display_name": "x", "language": "python"}
    book.cells[0].metadata.tags = ["parameters"]
    path = folder / "book.ipynb"
    nbformat.write(book, path)
    return path


def texts(path: Path) -> str:
    return "".join(
        output.get("text", "") for cell in nbformat.read(path, 4).cells for output in cell.get("outputs", [])
    )


def test_the_kernel_is_the_running_interpreter_whatever_specs_are_installed(tmp_path: Path) -> None:
    source = written(tmp_path, "word = ''", "import sys; print(sys.executable, word)")
    assert execute(source, tmp_path / "out.ipynb", {"word": "given"}).ok
    assert texts(tmp_path / "out.ipynb") == f"{sys.executable} given\n"


def test_each_cell_tells_when_it_began_and_ended_also_one_that_failed(tmp_path: Path) -> None:
    assert not execute(written(tmp_path, "x = 1", "x / 0"), tmp_path / "out.ipynb", {}).ok
    told = [cell.metadata["papermill"] for cell in nbformat.read(tmp_path / "out.ipynb", 4).cells]
    assert [about["status"] for about in told] == ["completed", "failed"]
    for about in told:
        began, ended = (datetime.fromisoformat(about[name]) for name in ("start_time", "end_time"))
        assert about["duration"] == (ended - began).total_seconds() > 0


def test_what_a_forked_process_prints_is_heard_and_what_is_printed_after_it(tmp_path: Path) -> None:
    source = written(
        tmp_path,
        "print('before')",
        "import multiprocessing, threading\n"
        "child = multiprocessing.get_context('fork').Process(target=print, args=('of a child',))\n"
        "child.start(); child.join(); threading.Event().wait(1)",
        "print('after'); threading.Thread(target=print, args=('of a thread',)).start()",
        "print('last')",
    )
    assert execute(source, tmp_path / "out.ipynb", {}).ok
    assert texts(tmp_path / "out.ipynb").split("\n")[:-1] == ["before", "of a child", "after", "of a thread", "last"]


def test_what_was_printed_while_a_cell_is_at_work_is_not_lost_with_it(tmp_path: Path) -> None:
    source = written(tmp_path, "import os, threading; print('begun'); threading.Event().wait(1); os._exit(9)")
    assert execute(source, tmp_path / "out.ipynb", {}).died
    assert texts(tmp_path / "out.ipynb") == "begun\n"


def test_a_kernel_is_in_its_folder_has_a_namespace_of_its_own_and_listens_on_no_port(tmp_path: Path) -> None:
    with closing(kernels(count=2)) as given:
        for folder in (tmp_path / "one", tmp_path / "two"):
            folder.mkdir()
            source = written(
                folder,
                "word = ''",
                "import os, pathlib, psutil; shell = get_ipython()",
                "mine, ports = 'x' in globals(), psutil.Process().net_connections(); x = 1",
                "here = [pathlib.Path.cwd()]; print(_dh == here, shell.starting_dir == os.getcwd(), shell.ipython_dir)",
                "print(mine, [each for each in ports if each.status == 'LISTEN'], os.environ['PAGER'], shell.kernel.shell is shell)",
                "print(len(In), word, '_i' in globals(), get_ipython().history_manager.enabled)",
            )
            assert execute(source, folder / "out.ipynb", {"word": folder.name}, of=given).ok
            said = texts(folder / "out.ipynb").splitlines()
            assert said[0].startswith(f"True True {tempfile.gettempdir()}")
            assert said[1:] == ["False [] cat True", f"8 {folder.name} True False"]


def test_what_is_the_same_for_each_notebook_was_read_before_the_kernel_began(tmp_path: Path) -> None:
    source = written(
        tmp_path,
        "import sys; known = {*sys.modules}",
        "from runbook import catalog, data, notebook, secrets; print({*sys.modules} - known)",
        "read = [catalog.permissions, catalog.base_permissions, catalog.power_words, catalog.presets]",
        "print(all(each.cache_info().currsize for each in read), data.table.cache_info().currsize > 3)",
    )
    assert execute(source, tmp_path / "out.ipynb", {}).ok
    assert texts(tmp_path / "out.ipynb") == "set()\nTrue True\n"


def test_what_a_run_trusts_was_read_before_the_kernel_began_and_is_not_told_to_it(tmp_path: Path) -> None:
    source = written(
        tmp_path,
        "import certifi, os, pathlib; from runbook.clients import target; read = target._trusting.cache_info",
        "before = read().misses; target.tls_context(pathlib.Path(certifi.where()))",
        "print(read().misses - before, 'RUNBOOK_TRUSTED' in os.environ)",
    )
    with closing(kernels({"RUNBOOK_TRUSTED": certifi.where()})) as given:
        assert execute(source, tmp_path / "out.ipynb", {}, of=given).ok
    assert texts(tmp_path / "out.ipynb") == "0 False\n"


def test_a_folder_with_braces_in_its_name_is_only_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "{run}"
    folder.mkdir()
    assert execute(written(folder, "1"), folder / "out.ipynb", {}).ok


def test_a_failing_cell_is_told_and_the_notebook_is_kept_without_papermills_markers(tmp_path: Path) -> None:
    source = written(tmp_path, "x = 1", "raise ValueError('no')", "print('never')")
    outcome = execute(source, tmp_path / "out.ipynb", {"x": 2})
    assert (outcome.ok, outcome.error, outcome.message, outcome.died) == (False, "ValueError", "no", False)
    book = nbformat.read(tmp_path / "out.ipynb", 4)
    nbformat.validate(book)
    assert [cell.cell_type for cell in book.cells] == ["code"] * 4
    assert "never" not in texts(tmp_path / "out.ipynb")


def test_a_kernel_that_dies_is_told_and_leaves_a_readable_notebook(tmp_path: Path) -> None:
    source = written(tmp_path, "print('begun')", "import os; os._exit(9)", "print('never')")
    outcome = execute(source, tmp_path / "out.ipynb", {})
    assert outcome.died
    assert not outcome.ok
    assert texts(tmp_path / "out.ipynb") == "begun\n"


def test_secrets_in_outputs_and_paths_of_this_machine_are_not_written(tmp_path: Path) -> None:
    source = written(tmp_path, "x = 1", f"print('{PEM}')")
    assert execute(source, tmp_path / "out.ipynb", {"x": 2}).ok
    text = (tmp_path / "out.ipynb").read_text()
    assert "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7" not in text
    assert str(tmp_path) not in text


def test_a_kernel_does_not_see_secrets_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_CLIENT_SECRET", "x")
    source = written(tmp_path, "import os", "print('SOME_CLIENT_SECRET' in os.environ, 'PATH' in os.environ)")
    execute(source, tmp_path / "out.ipynb", {})
    assert texts(tmp_path / "out.ipynb") == "False True\n"


def test_an_output_that_cannot_be_written_is_an_error_and_nothing_is_left_behind(tmp_path: Path) -> None:
    source = written(tmp_path, "1")
    with pytest.raises(OSError):
        execute(source, tmp_path / "absent" / "out.ipynb", {})
    assert [path.name for path in tmp_path.iterdir()] == ["book.ipynb"]


def test_a_large_output_is_cut(tmp_path: Path) -> None:
    source = written(tmp_path, "1", "print('x' * 5_000_000)")
    assert execute(source, tmp_path / "out.ipynb", {}).ok
    assert (tmp_path / "out.ipynb").stat().st_size < 250_000


def test_what_a_cell_waits_for_is_told_and_only_its_last_state_stays(tmp_path: Path) -> None:
    source = written(
        tmp_path,
        "x = 1",
        "from runbook.widgets.message import Message\n"
        "for seen in range(3):\n"
        "    Message('Waited', 'none', f'seen {seen}').display('one', again=seen > 0, wait=f'waiting, seen {seen}')",
    )
    told: list[str] = []
    assert execute(source, tmp_path / "out.ipynb", {}, told.append).ok
    assert told == ["waiting, seen 0", "waiting, seen 1", "waiting, seen 2"]
    (shown,) = nbformat.read(tmp_path / "out.ipynb", 4).cells[-1].outputs
    assert shown.data["text/plain"] == "Waited: seen 2"


def test_whoever_stops_a_run_as_a_cell_is_sent_stops_that_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel ignores interrupts until its cell runs; the cell would wait for a minute."""
    send = AsyncKernelClient.execute

    def stopped_meanwhile(client: AsyncKernelClient, code: str, **options: Any) -> Any:
        told = send(client, code, **options)
        if "wait" in code:
            STOP.ask()
        return told

    monkeypatch.setattr(AsyncKernelClient, "execute", stopped_meanwhile)
    source = written(tmp_path, "1", "import threading; threading.Event().wait(60)")
    STOP.begin()
    try:
        ended = execute(source, tmp_path / "out.ipynb", {})
    finally:
        STOP.begin()
    assert (ended.ok, ended.error) == (False, "KeyboardInterrupt")


NUMBER = "import os; print(os.getpid(), 'seen' in globals()); seen = 1"


def numbers(tmp_path: Path, of: Any) -> tuple[int, bool]:
    """The process of the next kernel, and whether it has seen an earlier notebook."""
    assert execute(written(tmp_path, "1", NUMBER), tmp_path / "out.ipynb", {}, of=of).ok
    number, seen = texts(tmp_path / "out.ipynb").split()
    return int(number), seen == "True"


def test_the_next_kernel_starts_meanwhile_is_another_and_ends_if_nobody_takes_it(tmp_path: Path) -> None:
    with closing(kernels(count=4)) as given:
        first, _ = numbers(tmp_path, given)
        (waiting,) = living(os.getpid())
        assert waiting != first
        assert numbers(tmp_path, given) == (waiting, False)
        (killed,) = living(os.getpid())
        os.kill(killed, signal.SIGKILL)
        assert not wait_for_end(watched([killed]), 10)
        assert numbers(tmp_path, given)[0] != killed
        left = watched(living(os.getpid()))
        assert len(left) == 1
    assert not wait_for_end(left, 10)


def test_an_interrupt_as_something_is_sent_leaves_the_message_whole(tmp_path: Path) -> None:
    source = written(
        tmp_path,
        "1",
        "import os, signal, zmq; shown = get_ipython().kernel.iopub_thread\n"
        "def cut(parts, *given, **named):\n"
        "    del shown._really_send\n"
        "    shown.socket.send(parts[0], zmq.SNDMORE); os.kill(os.getpid(), signal.SIGINT)\n"
        "    shown.socket.send_multipart(parts[1:], *given, **named)\n"
        "def begin(): shown._really_send = cut",
        "print('sent', flush=begin() is None); print('never')",
    )
    ended = execute(source, tmp_path / "out.ipynb", {})
    assert (ended.ok, ended.error) == (False, "KeyboardInterrupt")
    assert texts(tmp_path / "out.ipynb") == "sent\n"


@pytest.mark.parametrize(
    ("place", "ends"),
    [
        ("kernel._publish_execute_input", "KeyboardInterrupt"),
        ("transform_cell", "KeyboardInterrupt"),
        ("kernel.finish_metadata", ""),
    ],
)
def test_an_interrupt_a_moment_before_or_after_the_cell_costs_no_answer(place: str, ends: str, tmp_path: Path) -> None:
    owner, _, name = f"get_ipython().{place}".rpartition(".")
    interrupted = (
        f"import os, signal; was = {owner}.{name}\n"
        "def interrupted(*given, **named):\n"
        f"    {owner}.{name} = was; os.kill(os.getpid(), signal.SIGINT); return was(*given, **named)\n"
        f"def begin(): {owner}.{name} = interrupted\n"
        "get_ipython().events.register('post_run_cell', lambda _: begin() if 'begun' in globals() else None)"
    )
    last = "print('last')"
    source = written(tmp_path, "1", interrupted, "begun = 1", last)
    ended = execute(source, tmp_path / "out.ipynb", {})
    assert (ended.ok, ended.error) == (not ends, ends)
    assert ("last" in texts(tmp_path / "out.ipynb")) is not ends.startswith("Key")
