"""Who acts, with which tool, and with which notebooks: what a record says of its own making.

The notebooks lie in a clone at the top level, in an installed wheel inside the package.
"""

import hashlib
import os
import platform
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from runbook.clients.entra import Identity
from runbook.errors import RunbookError, SignInError, TransportError
from runbook.sections import NAMES
from runbook.version import VERSION

_SESSION = "JPY_SESSION_NAME"
"""Where Jupyter's server tells a kernel which file was opened (jupyter_server, ``get_kernel_env``)."""


def actor(identity: Callable[[], Identity], client_id: str) -> dict[str, str]:
    """The administrator's sign-in: ``kind`` is ``user`` or ``app``; of an app also its ``client_id``.

    A refused sign-in must leave a record too: then ``kind`` is ``unknown``, with the reason.
    """
    try:
        who = identity()
    except (SignInError, TransportError) as error:
        return {"kind": "unknown", "client_id": client_id, "reason": error.code or error.what}
    told = {"kind": who.kind, "name": who.name, "object_id": who.object_id, "tenant_id": who.tenant_id}
    return {**told, "client_id": who.client_id} if who.kind == "app" else told


def tool() -> dict[str, str]:
    """This package and the Python that runs it."""
    return {"name": "entra-id-runbook", "version": VERSION, "python": platform.python_version()}


def notebook_origin(name: str) -> dict[str, str]:
    """The notebook ``name`` of this version as ``{"notebook", "sha256"}``: the hash of the file without outputs.

    In a kernel of Jupyter's also ``opened`` and ``opened_sha256``: the person's own copy, as it was last saved. A
    frontend that does not tell its kernel the file leaves them out.
    """
    origin = {"notebook": Path(name).name, "sha256": _sha256(folder() / name)}
    opened = Path(os.environ.get(_SESSION) or "")
    if opened.name == origin["notebook"] and opened.is_file():
        origin |= {"opened": opened.name, "opened_sha256": _sha256(opened)}
    return origin


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def folder() -> Path:
    """The folder with the notebooks as they were written, without outputs."""
    package = Path(str(files("runbook")))
    for candidate in (package / "_notebooks", package.parent / "notebooks"):
        if (candidate / "00_start.ipynb").is_file():
            return candidate
    raise RunbookError.named("no_notebooks")


def notebook_name(section: str) -> str:
    """The notebook of a section or operation: ``03_redirect_uri.ipynb``, ``operations/rotate_secret.ipynb``."""
    if section not in NAMES:
        return f"operations/{section}.ipynb"
    return f"{NAMES.index(section) + 1:02d}_{section}.ipynb"


def notebook(section: str) -> Path:
    """The notebook of a section or operation."""
    return folder() / notebook_name(section)
