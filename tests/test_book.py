"""The book (``docs/``) and the README: built without a warning, nothing left out, every command carried out or read."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import typer
import yaml
from entra_sandbox.cli import app as sandbox_app

from runbook import catalog
from runbook.cli.app import app
from runbook.data import table
from runbook.parameters import Parameters, parse
from tests.conftest import environment

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", *sorted(DOCS.rglob("*.md")))
    if "_build" not in path.parts
}
FENCE = re.compile(r"^```([^\n`]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SCRIPTS = {
    name: blocks
    for name, text in PAGES.items()
    if (blocks := [block for language, block in FENCE.findall(text) if language in ("bash", "")])
}

# What is read by our command line and not carried out here, by page or by the beginning of a line of a block, and why.
NOT_CARRIED_OUT = {
    "python3 -m venv": "installs for minutes from an index; tests/run and tests/test_wheel.py do the same",
    "export PATH=": "goes with the line above",
    "bash tests/run": "is what carries out this test",
    "runbook lab": "serves until it is ended; tests/browser opens it",
    "runbook fleet run TENANTS.csv": "stands for any table; tests/fleet carries out the rehearsal below it",
    "runbook sandbox serve --tenants": "twenty tenants take minutes; tests/fleet carries it out with three",
    "docs/first-checks.md": "asks StackOne itself",
    "docs/proxies.md": "contoso.com has no proxy here; tests/disguise/test_company_proxies.py has some",
    "runbook secrets set file:admin/secret": "asks on a terminal; the rehearsal on the page takes both from files",
    "runbook plan --parameters contoso.yaml": "needs the real tenant; tests/disguise carries it out",
    "runbook run --parameters contoso.yaml": "needs the real tenant or a customer's; tests/disguise carries it out",
    "curl -s -H": "needs a runner of GitHub Actions",
}


def left(page: str, block: str) -> bool:
    """Whether a block is only read: its page, or its first line, is on the list."""
    return page in NOT_CARRIED_OUT or any(block.startswith(begin) for begin in NOT_CARRIED_OUT)


def calls(block: str) -> Iterator[list[str]]:
    """The words of each ``runbook …`` of a block, without what the shell does around it."""
    without_files = re.sub(r"<<END\n.*?^END$", "", block, flags=re.DOTALL | re.MULTILINE)
    for line in re.sub(r' \d?>\s*\S+| < ("[^"]*"|\S+)| +#.*', " ", without_files.replace("\\\n", " ")).splitlines():
        for found in re.finditer(r"(?:^|[|&;(] *|/)runbook ((?:\"[^\"]*\"|'[^']*'|<[^>]*>|[^|&;)#<>\"'])*)", line):
            words = found[1].replace("<", "'<").replace(">", ">'") if "<" in found[1] else found[1]
            yield [re.sub(r"\$\(.*?\)", "x", word) for word in shlex.split(words)]


def inline(text: str) -> Iterator[str]:
    """Commands in the running text."""
    prose = FENCE.sub("", text)
    yield from re.findall(r"`runbook (?:[^`]+)`", prose)


def read(words: list[str]) -> None:
    """What typer says of a command line, raised; and the parameters that it sets are right by name and value."""
    group = typer.main.get_command(app)
    if words[:1] == ["sandbox"]:
        group, words = typer.main.get_command(sandbox_app), words[1:]
    while getattr(group, "commands", None):
        if not words or words[0] in ("--install-completion", "--version", "--help"):
            return
        assert words[0] in group.commands, words  # type: ignore[attr-defined]
        group, words = group.commands[words[0]], words[1:]  # type: ignore[attr-defined]
    given = group.make_context("runbook", list(words)).params
    values = dict(one.split("=", 1) for one in given.get("set_") or ())
    assert values.keys() <= Parameters.model_fields.keys()
    parse({name: value for name, value in values.items() if "<" not in value})


@pytest.mark.parametrize("page", SCRIPTS)
def test_every_command_of_a_page_is_one_that_the_command_line_reads(page: str) -> None:
    for block in SCRIPTS[page]:
        for words in calls(block):
            read(words)


def test_every_command_in_the_running_text_exists() -> None:
    group = typer.main.get_command(app)
    known = {*group.commands, "sandbox"}  # type: ignore[attr-defined]
    for page, text in PAGES.items():
        for command in inline(text):
            first = command.strip("`").split()[1]
            assert first in known or first.startswith("-"), (page, command)
            for name in re.findall(r"(?<= )--[a-z][a-z-]+", command):
                assert name in OPTIONS, (page, command)


def options(command: object) -> Iterator[str]:
    for each in getattr(command, "params", ()):
        yield from each.opts
    for each in getattr(command, "commands", {}).values():
        yield from options(each)


OPTIONS = {"--help", *options(typer.main.get_command(app)), *options(typer.main.get_command(sandbox_app))}


def test_every_exception_is_needed() -> None:
    needed = {
        begin
        for page, blocks in SCRIPTS.items()
        for block in blocks
        for begin in NOT_CARRIED_OUT
        if page == begin or block.startswith(begin) or f"\n{begin}" in block
    }
    assert needed == NOT_CARRIED_OUT.keys()


CARRIED_OUT = [
    name
    for name, blocks in SCRIPTS.items()
    if any(not left(name, block) for block in blocks) and not name.startswith("docs/sandbox")
]


def shell(blocks: list[str]) -> str:
    """One script of a page's blocks; a line that says ``# exit code N`` must end so."""
    lines = "\n".join(blocks).splitlines()
    expected = (re.sub(r"^(.*?) +# exit code (\d+)$", r"{ \1; } || [ $? = \2 ]", line) for line in lines)
    return "set -euo pipefail\n" + "\n".join(expected) + "\n"


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A HOME for all pages, with one sandbox in it, and the programs that an installed runbook has."""
    home = tmp_path_factory.mktemp("home")
    programs = home / "bin"
    programs.mkdir()
    for name in ("runbook", "papermill"):
        (programs / name).write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m {name} "$@"\n')
        (programs / name).chmod(0o755)
    return home


@pytest.mark.parametrize("page", CARRIED_OUT)
def test_the_commands_of_a_page_do_what_it_says(page: str, walked: Path, tmp_path: Path) -> None:
    assert shutil.which("jq"), "the book's commands need jq"
    (tmp_path / "notebooks").symlink_to(ROOT / "notebooks")
    variables = environment(walked, PATH=f"{walked / 'bin'}{os.pathsep}{os.environ['PATH']}")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "HTTPS_PROXY", "https_proxy"):
        variables.pop(name, None)
    script = shell([block for block in SCRIPTS[page] if not left(page, block)])
    process = subprocess.Popen(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=600)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        said, _ = process.communicate()
    assert process.returncode == 0, f"{script}\n{said[-4000:]}"


class Links(HTMLParser):
    """The ids of a page and where its links lead."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.targets: list[str] = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids |= {str(given["id"])} if given.get("id") else set()
        self.targets += [str(given[name]) for name in ("href", "src") if given.get(name)]


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages, built as ``bash docs/build`` does it: any warning fails."""
    folder = tmp_path_factory.mktemp("book")
    command = re.search(r'^exec "\$python" (.*)$', (DOCS / "build").read_text(), re.MULTILINE)
    assert command
    words = [sys.executable, *shlex.split(command[1].replace("${1:-docs/_build}", str(folder)))]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "html"


def test_every_link_of_the_book_leads_somewhere(book: Path) -> None:
    pages = {path: Links(path) for path in book.rglob("*.html")}
    assert len(pages) > 30
    for path, page in pages.items():
        for target in page.targets:
            parts = urlsplit(target)
            if parts.scheme in ("http", "https"):
                assert re.fullmatch(r"[a-z0-9.-]+\.[a-z]+", parts.netloc), (path, target)
                continue
            if parts.scheme or parts.netloc:
                continue
            there = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert there.exists(), (path.name, target)
            if parts.fragment and there in pages:
                assert unquote(parts.fragment) in pages[there].ids, (path.name, target)


def test_every_link_of_the_sources_leads_to_a_file_and_its_heading() -> None:
    for page, text in PAGES.items():
        for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", FENCE.sub("", text)):
            path, _, anchor = target.partition("#")
            there = (ROOT / page).parent / path if path else ROOT / page
            assert there.exists(), (page, target)
            if anchor:
                heads = re.findall(r"^#+ (.+)$", there.read_text(encoding="utf-8"), re.MULTILINE)
                slugs = {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
                assert anchor in slugs, (page, target)


def test_the_reference_holds_what_the_code_has(book: Path) -> None:
    def page(name: str) -> str:
        return re.sub(r"<[^>]+>", "", (book / "reference" / f"{name}.html").read_text(encoding="utf-8"))

    actions, commands, parameters = page("actions"), page("commands"), page("parameters")
    assert not [each.name for each in catalog.actions() if each.name not in actions]
    long = {name for name in OPTIONS if name.startswith("--")} - {"--help", "--leased"}
    assert not long - set(re.findall(r"--[a-z-]+", commands))
    assert not [name for name in Parameters.model_fields if name not in parameters]
    entries = (book / "reference" / "answers.html").read_text(encoding="utf-8").count("<dt>")
    assert entries == len(table("clients/answers.json")["rows"]) + len(table("errors.json"))
    assert "hand_over.done" in page("record")
    assert (book / "architecture.html").read_text(encoding="utf-8").count("<rect") > 20


def test_every_parameter_has_its_meaning() -> None:
    told = yaml.safe_load((DOCS / "reference" / "parameters.yaml").read_text(encoding="utf-8"))
    assert list(told) == list(Parameters.model_fields)


def test_every_variable_that_the_code_reads_is_in_the_book() -> None:
    page = PAGES["docs/reference/environment.md"]
    sources = [path for name in ("runbook", "sandbox/entra_sandbox") for path in (ROOT / name).rglob("*.py")]
    reading = (
        r"environ(?:\.get\(|\[)\s*\"([A-Z_]+)\"|envvar=\"([A-Z_]+)\""
        r"|^(?:VARIABLE|_SESSION|_KEYLOG) = \"([A-Z_]+)\""
    )
    found = {
        name
        for path in sources
        for groups in re.findall(reading, path.read_text(encoding="utf-8"), re.MULTILINE)
        for name in groups
        if name
    }
    assert len(found) > 6
    assert not [name for name in sorted(found) if f"`{name}`" not in page]
