"""What our engine makes of notebooks, beside what papermill's own makes of them, cell by cell."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest
import zmq.asyncio
from jupyter_client.session import Session
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from papermill.engines import papermill_engines

from runbook.runs import papermill_engine
from runbook.runs.engine import execute
from runbook.runs.provenance import notebook
from runbook.sections import NAMES
from tests.sections.conftest import sandbox

__all__ = ["sandbox"]

CELLS = (
    "import atexit, os, sys, warnings\nword = 'default'",
    "print('out', word); print('err', file=sys.stderr)",
    "import pandas\npandas.DataFrame({'a': [1, 2], 'b': ['x', None]})",
    "from IPython.display import HTML, Markdown, display\nshown = display(Markdown('*one*'), display_id=True)",
    "shown.update(HTML('<b>two</b>'))",
    "import ipywidgets\nslider = ipywidgets.IntSlider(value=3)\nslider",
    "out = ipywidgets.Output()\nwith out:\n    print('within')\nout",
    "os.system('echo of a child')",
    "%%capture held\nprint('not shown')",
    "!echo by the shell",
    "_ = 6 * 7; print(len(In) > 3, Out.keys() >= {3})",
    "await __import__('asyncio').sleep(0)\nword",
    "atexit.register(lambda: print('too late'))\nprint('no end of line', end='')",
)
DIES = "os.write(1, b'to the file descriptor\\n')\nsys.stdout.write('buffered')\nraise ValueError('as it should')"
TIMES = re.compile(r"\d\d:\d\d(:\d\d)?|\d+\.\d+ s|\d{8}T\d+Z-id \d+|\d{8}T\d{9}Z-[0-9a-f]{6}")


def book(folder: Path, *cells: str) -> Path:
    made = new_notebook(cells=[new_markdown_cell("# Everything"), *map(new_code_cell, cells)])
    made.cells[1].metadata.tags = ["parameters"]
    made.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = folder / "book.ipynb"
    nbformat.write(made, path)
    return path


IDS = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}|0x[0-9a-f]{6,}")


def joined(outputs: Iterable[Any]) -> list[Any]:
    """A text that was sent in two parts is one text: when it is sent is a matter of the moment, with any engine."""
    found: list[Any] = []
    for each in outputs:
        if found and each.get("name") and each.get("name") == found[-1].get("name"):
            found[-1] = {**found[-1], "text": found[-1]["text"] + each["text"]}
        else:
            found.append(dict(each))
    return found


def told(path: Path) -> list[Any]:
    """All of a notebook but what differs between two executions of one engine: times, ids, numbers of processes."""
    content = nbformat.read(path, 4)
    for cell in content.cells:
        cell.pop("id", None)
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        cell["outputs"] = joined(cell.get("outputs", ()))
    seen: dict[str, str] = {}
    text = IDS.sub(lambda found: seen.setdefault(found[0], f"id {len(seen)}"), json.dumps(content.cells))
    cells: list[Any] = json.loads(re.sub(r"ipykernel_\d+", "ipykernel", text))
    widgets = [each["state"] for each in content.metadata.get("widgets", {}).values()]
    states = sorted(IDS.sub("id", json.dumps(state)) for each in widgets for state in each.values())
    return [*cells, states, content.metadata.get("language_info")]


def by_papermill(engine: str | None, source: Path, output: Path, *options: str, code: int = 0) -> None:
    """Papermill's own command, from the folder of the notebook; its engines by entry point, or here by hand."""
    line = "import sys; from papermill.cli import papermill; from papermill.engines import papermill_engines as known; "
    line += "from runbook.runs.papermill_engine import Engine, NAME; known.register(NAME, Engine); sys.exit(papermill())"
    chosen = [] if engine is None else ["--engine", engine]
    command = [sys.executable, "-c", line, str(source), str(output), "--no-progress-bar", *chosen, *options]
    how: dict[str, Any] = {"cwd": source.parent, "capture_output": True, "text": True, "env": dict(os.environ)}
    for last in (engine is not None, False, True):  # papermill's own engine can miss an answer for ever (ZMQ_FD)
        try:
            done = subprocess.run(command, check=False, timeout=120 if last else 60, **how)
            break
        except subprocess.TimeoutExpired as expired:
            if last:
                shown = output.read_text() if output.exists() else ""
                pytest.fail(f"{engine or 'stock'} does not end: {expired.stderr!r}; {shown}")
    assert done.returncode == code, done.stderr


@pytest.mark.parametrize("last", [(), (DIES,)], ids=["to its end", "failing"])
def test_every_kind_of_output_is_as_with_papermills_own_engine(last: tuple[str, ...], tmp_path: Path) -> None:
    source, code = book(tmp_path, *CELLS, *last), 1 if last else 0
    for engine, name in ((None, "stock"), (papermill_engine.NAME, "ours")):
        files = ["--stdout-file", str(tmp_path / f"{name}.out"), "--stderr-file", str(tmp_path / f"{name}.err")]
        by_papermill(engine, source, tmp_path / f"{name}.ipynb", "-p", "word", "given", *files, code=code)
    assert told(tmp_path / "ours.ipynb") == told(tmp_path / "stock.ipynb")
    for kind in ("out", "err"):
        assert (tmp_path / f"ours.{kind}").read_text() == (tmp_path / f"stock.{kind}").read_text()
    assert "given" in (tmp_path / "ours.out").read_text()


@pytest.mark.parametrize("name", [NAMES[0], NAMES[3]])
def test_notebooks_of_the_guide_are_as_with_papermills_own_engine(
    name: str, sandbox: dict[str, Any], tmp_path: Path
) -> None:
    given = ("-p", "sandbox_file", sandbox["file"], "-y", "apply: false")
    for engine, folder in ((None, tmp_path / "stock"), (papermill_engine.NAME, tmp_path / "ours")):
        folder.mkdir()
        source = folder / "section.ipynb"
        source.write_text(notebook(name).read_text(encoding="utf-8"), encoding="utf-8")
        by_papermill(engine, source, folder / "done.ipynb", *given)
    ours, stock = (json.dumps(told(tmp_path / folder / "done.ipynb")) for folder in ("ours", "stock"))
    assert TIMES.sub("", ours) == TIMES.sub("", stock)


def test_another_language_s_kernel_is_papermills_own_business(tmp_path: Path) -> None:
    source = book(tmp_path, "1")
    source.write_text(source.read_text().replace('"name": "python3"', '"name": "a-kernel-nobody-has"'))
    by_papermill(papermill_engine.NAME, source, tmp_path / "done.ipynb", code=1)


def test_a_folder_whose_path_no_socket_can_have_takes_the_loopback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    short = tempfile.TemporaryDirectory(dir="/tmp")
    request.addfinalizer(short.cleanup)
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    source = book(tmp_path, "", "import os, sys\nopen('seen', 'w').write(open(sys.argv[sys.argv.index('-f') + 1]).read())")
    for folder, transport in ((Path(short.name), "ipc"), (deep, "tcp")):
        monkeypatch.setenv("TMPDIR", str(folder))
        by_papermill(papermill_engine.NAME, source, tmp_path / "done.ipynb")
        seen = json.loads((tmp_path / "seen").read_text())
        assert seen["transport"] == transport
        assert bool(seen.get("curve_publickey")) == (transport == "tcp")
        assert not [each for each in folder.iterdir() if each.name.startswith(papermill_engine.NAME)]


def test_an_answer_is_heard_though_a_sending_took_notice_of_it_first(tmp_path: Path) -> None:
    async def heard() -> str:
        with zmq.asyncio.Context() as context, zmq.Context() as elsewhere:
            with context.socket(zmq.PAIR) as ours, elsewhere.socket(zmq.PAIR) as theirs:
                theirs.bind(f"ipc://{tmp_path}/s")
                ours.connect(f"ipc://{tmp_path}/s")
                session = Session(key=b"")
                channel = papermill_engine.ThisInterpreter.client_factory.shell_channel_class(ours, session)
                waiting = asyncio.create_task(channel.get_msg())
                await asyncio.sleep(0)  # until it waits
                session.send(theirs, "execute_reply", {})
                while not zmq.Socket.shadow(ours).get(zmq.EVENTS) & zmq.POLLIN:  # as any use of the socket does
                    pass
                return str((await asyncio.wait_for(waiting, 60))["msg_type"])

    assert asyncio.run(heard()) == "execute_reply"


LINES = ("--IPKernelApp.exec_lines=size = 7", "--IPKernelApp.exec_lines=get_ipython().cache_size = size")


@pytest.mark.parametrize("more", [("--InteractiveShell.cache_size=7",), ("--cache-size=7",), LINES])
def test_a_forked_kernel_takes_every_argument_that_a_kernel_takes(more: tuple[str, ...], tmp_path: Path) -> None:
    class Told(papermill_engine.ThisInterpreter):
        arguments = ("--Application.log_level=CRITICAL", *more)

    shown = nbformat.read(book(tmp_path, "app = get_ipython().parent.parent; print(app.shell.cache_size, app.log_level)"), 4)
    config = papermill_engine.kernel_in(f"{tmp_path}/k")
    NotebookClient(shown, kernel_manager_class=Told, kernel_name="python3", config=config).execute()
    assert shown.cells[1].outputs[0].text == "7 50\n"


def test_beside_a_run_of_the_same_process_a_kernel_is_anybody_s(tmp_path: Path) -> None:
    told = "shell = get_ipython(); print(shell.history_manager.enabled, shell.ipython_dir, 'x' in globals()); x = 1"
    source = book(tmp_path, "word = ''", told)
    for number, (engine, of_run) in enumerate([("run", True), (papermill_engine.NAME, False), ("run", True)]):
        output = tmp_path / f"{number}.ipynb"
        if of_run:
            assert execute(source, output, {}).ok
        else:
            papermill_engines.register(engine, papermill_engine.Engine)
            papermill.execute_notebook(source, output, engine_name=engine, progress_bar=False)
        enabled, place, seen = nbformat.read(output, 4).cells[-1].outputs[0].text.split()
        assert (enabled, place.startswith(f"{tempfile.gettempdir()}/entra-id-runbook-"), seen) == (
            str(not of_run),
            of_run,
            "False",
        )
