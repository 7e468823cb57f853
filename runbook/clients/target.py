"""Where a run goes: the sandbox or a real tenant, with its addresses and the credentials of the administrator.

Nothing else in the product knows a host name, nor whom to trust: a target's own CA file and nothing else, or what this
machine trusts. A sandbox describes itself by its ready line; Microsoft's clouds lie in
``clouds.json``.
"""

import ipaddress
import json
import os
import ssl
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import SplitResult, urlsplit

import certifi

from runbook import rehearsal, whole
from runbook.clients import retry
from runbook.clients.retry import Pace
from runbook.data import table
from runbook.errors import HandOver, InputError, Problem
from runbook.parameters import Parameters
from runbook.secrets import Secret
from runbook.secrets.stores import SecretStore

# In the order in which requests (and so msal and the Azure libraries) and then OpenSSL look.
_KEYLOG = "SSLKEYLOGFILE"
_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_ADDRESSES = ("authority", "graph", "stackone", "pages")
_FILES = ("ca_file", "client_secret_file", "stackone_api_key_file")
_NEEDED = (*_ADDRESSES[:3], *_FILES, "tenant_id", "client_id")
_LONGEST_SECRET = 512


@dataclass(frozen=True)
class Endpoints:
    """Base addresses without trailing slash. ``pages`` is where a person's browser meets StackOne.

    ``ca_file`` is the only CA to trust; ``None`` means what this machine trusts. ``portal`` is Microsoft's portal of
    the cloud, empty where there is none.
    """

    authority: str
    graph: str
    stackone: str
    pages: str
    ca_file: Path | None = None
    portal: str = ""


@dataclass(frozen=True)
class Target:
    """One tenant and one StackOne project to work on.

    ``description`` says in plain words what is at stake. On a ``rehearsal`` nothing real is touched; ``attend`` then
    plays the person of a hand-over and returns whether it did. ``discovery`` holds the documents that Entra ID's
    addresses were read from, so that a process asks for each once.
    """

    name: Literal["sandbox", "entra"]
    description: str
    endpoints: Endpoints
    tenant_id: str
    client_id: str
    client_secret: Secret | None = field(default=None, repr=False)
    stackone_api_key: Secret | None = field(default=None, repr=False)
    rehearsal: bool = False
    pace: Pace = field(default_factory=lambda: retry.pace(rehearsal=False), repr=False)
    attend: Callable[[HandOver], bool] | None = field(default=None, repr=False)
    passwords: Callable[[], Mapping[str, Secret]] = field(default=dict, repr=False)
    discovery: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


@contextmanager
def open_target(params: Parameters, store: SecretStore) -> Iterator[Target]:
    """The target of ``params``, for as long as the context lasts.

    A real tenant's secrets come from the store by their references. A sandbox is the served one that ``sandbox_file``
    or the environment (``READY_FILES``) names by the file with its ready line; else one is started, or joined, for
    the time of the context. Raises :class:`InputError`, :class:`SecretStoreError`, :class:`RunbookError`.
    """
    if params.target == "entra":
        yield _real(params, store)
        return
    with ExitStack() as stack:
        yield _sandbox(served(params) or stack.enter_context(rehearsal.serving()), store)


def served(params: Parameters) -> Mapping[str, Any] | None:
    """The ready line of the served sandbox that ``params`` or the environment names, if one does.

    Where it lists several tenants, the line of the tenant that ``params`` names. Raises :class:`InputError`.
    """
    named = (os.environ.get(name, "") for name in rehearsal.READY_FILES)
    file = params.sandbox_file or next(filter(None, named), "")
    ready = _read(Path(os.path.expanduser(file))) if file else None  # noqa: PTH111 - pathlib's raises
    if ready and params.tenant_id and params.tenant_id in (ready.get("tenants") or ()):
        return _read(Path(str(ready.get("client_secret_file"))).with_name(f"tenant-{params.tenant_id}.json"))
    return ready


def _real(params: Parameters, store: SecretStore) -> Target:
    known = table("clients/clouds.json")
    cloud, stackone = known["clouds"][params.cloud], known["stackone"]
    return Target(
        name="entra",
        description=f"PRODUCTION tenant {params.tenant_id}, {cloud['label']}",
        endpoints=Endpoints(cloud["authority"], cloud["graph"], stackone, stackone, portal=cloud["portal"]),
        tenant_id=params.tenant_id,
        client_id=params.client_id,
        client_secret=store.get(params.client_secret_ref) if params.by_secret else None,
        stackone_api_key=store.get(params.stackone_api_key_ref) if params.stackone_api_key_ref else None,
    )


def _sandbox(ready: Mapping[str, Any], store: SecretStore) -> Target:
    """The served sandbox of a ready line, which may come from somebody else.

    Whoever gives away a parameters file names this line too. So it may lead to loopback only, and to no files but those
    of one sandbox of this user: what a line sends to a port of this machine can then be no secret of anything else.
    Raises :class:`InputError` for what is no sandbox of this user.
    """
    missing = [name for name in _NEEDED if not isinstance(ready.get(name), str) or not ready[name]]
    if missing:
        raise InputError(Problem("sandbox_file", f"The sandbox's ready line lacks {', '.join(missing)}."))
    addresses = {name: str(ready.get(name) or ready["stackone"]).rstrip("/") for name in _ADDRESSES}
    files = {name: Path(ready[name]) for name in _FILES}
    problems = [*_foreign(addresses), *_strewn(files)]
    if problems:
        raise InputError(problems, next_step="name the line of a sandbox of your own, or leave sandbox_file empty.")
    return Target(
        name="sandbox",
        description="SANDBOX, nothing real is touched",
        endpoints=Endpoints(**addresses, ca_file=files["ca_file"]),
        tenant_id=ready["tenant_id"],
        client_id=ready["client_id"],
        client_secret=_secret(files["client_secret_file"]),
        stackone_api_key=_secret(files["stackone_api_key_file"]),
        rehearsal=True,
        pace=retry.pace(rehearsal=True),
        attend=lambda hand_over: rehearsal.attend(ready, hand_over, lambda ref: store.get(ref).reveal()),
        passwords=lambda: {who: Secret(password) for who, password in rehearsal.passwords(ready).items()},
    )


def _read(path: Path) -> Mapping[str, Any]:
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
        text = whole.text(path)
        if private and sys.platform != "win32":
            _need_private(path, path.stat())
        return text
    except OSError as error:
        hint = "Is the sandbox of this ready line still there?" if private else ""
        raise InputError(Problem(where, f"{path} cannot be read: {error.strerror}.", hint)) from None


def _need_private(path: Path, found: os.stat_result) -> None:
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        raise InputError(
            Problem(str(path), f"holds a secret and can be read by others (mode {mode:04o}).", "Set it to 0600.")
        )
    if found.st_uid != os.geteuid():
        raise InputError(Problem(str(path), "holds a secret and belongs to another user."))


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """A verifying TLS context.

    With ``ca_file`` exactly that CA is trusted, whatever the environment says: on many machines REQUESTS_CA_BUNDLE is
    set, and a sandbox must work in spite of it. Without it, those variables are honoured as real tenants behind
    company proxies need; else the system's store. Raises :class:`InputError` for a file that cannot be used.
    """
    if ca_file is not None:
        return _from(str(ca_file), "the target's CA file")
    for name in _VARIABLES:
        if value := os.environ.get(name):
            return _from(value, name)
    context = _from(None, "the system's certificates")
    if not context.cert_store_stats()["x509_ca"]:
        # Some installations of Python come without a store of their own.
        context.load_verify_locations(cafile=certifi.where())
    return context


@lru_cache(8)
def _trusting(value: str | None, _keylog: str | None, *_state: int) -> ssl.SSLContext:
    """Made once of each state of a file: to read certificates takes as long as several requests."""
    folder = value if value and Path(value).is_dir() else None
    return ssl.create_default_context(cafile=None if folder else value, capath=folder)


def _from(value: str | None, where: str) -> ssl.SSLContext:
    try:
        file = Path(value).stat() if value else None
        state = (file.st_ino, file.st_size, file.st_mtime_ns) if file else ()
        return _trusting(value, os.environ.get(_KEYLOG), *state)
    except (OSError, ssl.SSLError) as error:
        if error.filename and error.filename == os.environ.get(_KEYLOG):
            where, value = _KEYLOG, error.filename
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it holds no certificate"
        raise InputError(Problem(where, f"{value} cannot be used: {reason}.")) from None
