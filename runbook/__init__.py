"""Connect Microsoft Entra ID to StackOne, section by section, through their APIs.

What a script or somebody's own notebook needs is here (``docs/in-a-script.md``); the rest is the package's own.
Importing this touches no network and none of the heavy libraries: each name is fetched when it is used.
"""

# ruff: noqa: F401 - what is imported for type checkers is given out by __getattr__

import sys

if sys.argv[:1] == ["-m"] and not sys.flags.safe_path:
    # ``python -m`` puts the folder one stands in before everything; what lies there is not code of ours.
    del sys.path[0]

from importlib import import_module
from typing import TYPE_CHECKING, Any

from runbook.version import VERSION as __version__

if TYPE_CHECKING:
    from runbook.actions import call as call
    from runbook.catalog.scopes import compute as scopes
    from runbook.errors import GraphError as GraphError
    from runbook.errors import InputError as InputError
    from runbook.errors import Interrupted as Interrupted
    from runbook.errors import NotSettled as NotSettled
    from runbook.errors import Parked as Parked
    from runbook.errors import PlanRefused as PlanRefused
    from runbook.errors import RecordError as RecordError
    from runbook.errors import RunbookError as RunbookError
    from runbook.errors import SecretStoreError as SecretStoreError
    from runbook.errors import ServiceError as ServiceError
    from runbook.errors import SignInError as SignInError
    from runbook.errors import StackOneError as StackOneError
    from runbook.errors import TransportError as TransportError
    from runbook.parameters import load as load
    from runbook.parameters import parse as choose
    from runbook.parameters import save as save
    from runbook.records.journal import read as read_record
    from runbook.records.summary import fold as summarise
    from runbook.records.verify import verify as verify_record
    from runbook.runs.run import plan as plan
    from runbook.runs.run import run as run
    from runbook.tenant.base import open_context as connect

_FACE = {
    "call": ("actions", "call"),
    "choose": ("parameters", "parse"),
    "connect": ("tenant.base", "open_context"),
    "load": ("parameters", "load"),
    "plan": ("runs.run", "plan"),
    "read_record": ("records.journal", "read"),
    "run": ("runs.run", "run"),
    "save": ("parameters", "save"),
    "scopes": ("catalog.scopes", "compute"),
    "summarise": ("records.summary", "fold"),
    "verify_record": ("records.verify", "verify"),
}
_ERRORS = (
    *("GraphError", "InputError", "Interrupted", "NotSettled", "Parked", "PlanRefused", "RecordError", "RunbookError"),
    *("SecretStoreError", "ServiceError", "SignInError", "StackOneError", "TransportError"),
)
__all__ = ["__version__", *_ERRORS, *_FACE]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _FACE.get(name, ("errors", name))
    return getattr(import_module(f"runbook.{module}"), attribute)


def __dir__() -> list[str]:
    return sorted(__all__)
