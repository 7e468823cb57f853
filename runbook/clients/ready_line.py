"""The JSON line of a served sandbox, read as data that may come from somebody else.

Whoever gives away a parameters file names this line too. So it may lead to loopback only, and to no files but those of
one sandbox of this user: what a line sends to a port of this machine can then be no secret of anything else.
"""

from __future__ import annotations

import ipaddress
import json
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from runbook.errors import InputError, Problem
from runbook.secrets import Secret

_ADDRESSES = ("authority", "graph", "stackone", "pages")
_FILES = ("ca_file", "client_secret_file", "stackone_api_key_file")
_NEEDED = (*_ADDRESSES[:3], *_FILES, "tenant_id", "client_id")
_LARGEST = 64 << 10
_LONGEST_SECRET = 512


@dataclass(frozen=True)
class ReadyLine:
    """A sandbox of this user on loopback; ``pages`` is where a person's browser meets it."""

    authority: str
    graph: str
    stackone: str
    pages: str
    ca_file: Path
    tenant_id: str
    client_id: str
    client_secret: Secret
    stackone_api_key: Secret


def read(path: Path) -> Mapping[str, Any]:
    """The line that ``sandbox serve`` printed, from the file that it was kept in. Raises :class:`InputError`."""
    for line in _content(path, "sandbox_file").splitlines():
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict) and "authority" in found:
            return found
    hint = "It should hold the line that `runbook sandbox serve` prints when it is ready."
    raise InputError(Problem("sandbox_file", f"{path} holds no ready line of a sandbox.", hint))


def check(line: Mapping[str, Any]) -> ReadyLine:
    """The line with its secrets. Raises :class:`InputError` for what is no sandbox of this user."""
    missing = [name for name in _NEEDED if not isinstance(line.get(name), str) or not line[name]]
    if missing:
        raise InputError(Problem("sandbox_file", f"The sandbox's ready line lacks {', '.join(missing)}."))
    addresses = {name: str(line.get(name) or line["stackone"]).rstrip("/") for name in _ADDRESSES}
    files = {name: Path(line[name]) for name in _FILES}
    problems = [*_foreign(addresses), *_strewn(files)]
    if problems:
        raise InputError(problems, next_step="name the line of a sandbox of your own, or leave sandbox_file empty.")
    return ReadyLine(
        **addresses,
        ca_file=files["ca_file"],
        tenant_id=line["tenant_id"],
        client_id=line["client_id"],
        client_secret=_secret(files["client_secret_file"]),
        stackone_api_key=_secret(files["stackone_api_key_file"]),
    )


def _foreign(addresses: Mapping[str, str]) -> Iterator[Problem]:
    for name, address in addresses.items():
        try:
            ours = _on_loopback(urlsplit(address), ("https", "http") if name == "pages" else ("https",))
        except ValueError:
            ours = False
        if not ours:
            yield Problem("sandbox_file", f"its {name} is not on loopback, and a sandbox is nowhere else.")


def _on_loopback(parts: SplitResult, schemes: tuple[str, ...]) -> bool:
    host = parts.hostname or ""
    if parts.scheme not in schemes or parts.port is None or parts.username is not None or parts.query or parts.fragment:
        return False
    return host == "localhost" or ipaddress.ip_address(host).is_loopback


def _strewn(files: Mapping[str, Path]) -> Iterator[Problem]:
    """The files of one sandbox lie in one folder, beside the CA that it made; without that CA nothing is sent."""
    if len({path.absolute().parent for path in files.values()}) > 1 or any(
        path.is_symlink() for path in files.values()
    ):
        yield Problem("sandbox_file", "its files do not lie in one folder, as those of a sandbox do.")


def _secret(path: Path) -> Secret:
    text = _content(path, str(path), private=True).strip()
    if not text:
        raise InputError(Problem(str(path), "is empty where it should hold a secret."))
    if len(text) > _LONGEST_SECRET or "\n" in text:
        raise InputError(Problem(str(path), "is no secret of a sandbox: those have one short line."))
    return Secret(text)


def _content(path: Path, where: str, *, private: bool = False) -> str:
    """A regular file of this user; with ``private`` one that nobody else may read."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise InputError(Problem(where, f"{path} cannot be read: it is not a file."))
        if found.st_size > _LARGEST:
            raise InputError(Problem(where, f"{path} is larger than a sandbox's file can be."))
        if private and sys.platform != "win32":
            _need_private(path, found)
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        hint = "Is the sandbox of this ready line still there?" if private else ""
        raise InputError(Problem(where, f"{path} cannot be read: {reason}.", hint)) from None


def _need_private(path: Path, found: os.stat_result) -> None:
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        raise InputError(
            Problem(str(path), f"holds a secret and can be read by others (mode {mode:04o}).", "Set it to 0600.")
        )
    if found.st_uid != os.geteuid():
        raise InputError(Problem(str(path), "holds a secret and belongs to another user."))
