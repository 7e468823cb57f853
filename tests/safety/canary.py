"""Looking for known secrets in everything that a run leaves or shows while it lasts."""

from __future__ import annotations

import base64
import html
import json
import os
import subprocess
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from tests.safety import processes

__all__ = ["Cage", "Watcher", "forms", "leaks"]

_PIECE = 40


def forms(value: str) -> set[bytes]:
    """A secret as it may stand somewhere: whole or a long piece of it; plain, URL-encoded, escaped, in Base64, hex."""
    middle = len(value) // 2
    # A token that was cut short is still one; what holds the whole holds the pieces.
    pieces = [value[-_PIECE:], value[middle : middle + _PIECE]] if len(value) > 3 * _PIECE else [value]
    found = set()
    for piece in pieces:
        escaped = json.dumps(piece)[1:-1]
        encoded = quote(piece, safe="")
        found |= {piece, encoded, quote(piece), encoded.lower(), quote(encoded, safe=""), escaped}
        found |= {json.dumps(escaped)[1:-1], html.escape(piece), piece.encode().hex(), *_in_base64(piece.encode())}
    return {form.encode() for form in found}


def _in_base64(value: bytes) -> Iterator[str]:
    """What stands in any Base64 text around it: the characters that do not depend on what is before and after."""
    for shift in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(b"\0" * shift + value).decode()[-(-shift * 8 // 6) : (shift + len(value)) * 8 // 6]


def leaks(secrets: Iterable[tuple[str, str]], artefacts: Iterable[tuple[str, bytes]]) -> list[str]:
    """``kind in artefact`` for each secret that is found; never the secret. An artefact is a name and its bytes."""
    contents = {content: name for name, content in artefacts}
    return sorted(
        {
            f"{kind} in {name}"
            for kind, value in secrets
            for form in forms(value)
            for content, name in contents.items()
            if form in content
        }
    )


@dataclass
class Watcher:
    """Samples what others may see of a process and its descendants: arguments, environments, temporary files."""

    temporary: Path
    samples: dict[tuple[str, bytes], None] = field(default_factory=dict)
    programs: set[bytes] = field(default_factory=set)

    def watch(self, process: subprocess.Popen[bytes], timeout: float) -> None:
        """Sample until the process ends."""
        ended = threading.Event()
        thread = threading.Thread(target=self._sample, args=(process.pid, ended))
        thread.start()
        try:
            process.wait(timeout)
        finally:
            ended.set()
            thread.join()

    def _sample(self, pid: int, ended: threading.Event) -> None:
        known: dict[int, bytes] = {}
        while not ended.wait(0.05):
            for one in [pid, *processes.descendants(pid)]:
                arguments = processes.shown(one, "cmdline")
                if known.get(one) == arguments:
                    continue
                known[one] = arguments
                self.programs.add(arguments)
                self.samples[f"arguments of process {one}", arguments] = None
                self.samples[f"environment of process {one}", processes.shown(one, "environ")] = None
            for path in files(self.temporary):
                with suppress(OSError):
                    self.samples[f"temporary file {path.name}", path.read_bytes()] = None


LOUD = Path(__file__).with_name("loud")


@dataclass(frozen=True)
class Cage:
    """Where one run lives: every file that it makes lies below ``folder``."""

    folder: Path

    def __post_init__(self) -> None:
        for name in ("home", "work", "tmp", "logs"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)

    def environment(self, **extra: str) -> dict[str, str]:
        """Nothing of this machine's user, and every process loud."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "SYSTEMROOT") if name in os.environ}
        return {
            **kept,
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            "NO_COLOR": "1",
            "PYTHONPATH": os.pathsep.join(
                filter(None, [str(Path(__file__).with_name("loud")), os.environ.get("PYTHONPATH")])
            ),
            "PYTHON_LOUD_LOGS": str(self.folder / "logs"),
            **extra,
        }

    def artefacts(self) -> Iterator[tuple[str, bytes]]:
        """Every file in it, the sandbox's own private folder apart."""
        for path in files(self.folder):
            if not any(parent.name.endswith(".sqlite3.d") for parent in path.parents):
                yield str(path.relative_to(self.folder)), path.read_bytes()


def files(folder: Path) -> Iterator[Path]:
    """Every plain file below ``folder``, while others may make and remove some."""
    for here, _folders, names in os.walk(folder):
        for name in names:
            path = Path(here) / name
            if path.is_file() and not path.is_symlink():
                yield path
