"""What libraries do as they are imported although nobody may ever need it, put off until somebody does."""

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

_IRIS = "rfc3987_syntax"
_OF_MACOS = "keyring.backends.macOS.api"


def grammar() -> None:
    """Import jsonschema, and so what nbformat needs, in a tenth of the time.

    A package that it uses where it is there builds a grammar of IRIs for nearly a second; here with the first IRI.
    """
    if "jsonschema" in sys.modules or _IRIS in sys.modules or find_spec(_IRIS) is None:
        return
    late: Any = ModuleType(_IRIS)
    late.is_valid_syntax = lambda *arguments: import_module(_IRIS).is_valid_syntax(*arguments)
    sys.modules[_IRIS] = late
    try:
        import_module("jsonschema")
    finally:
        sys.modules.pop(_IRIS, None)


def macos() -> None:
    """Keyring looks for libraries of macOS on every system, with gcc and ld where they are there; here on macOS."""
    if sys.platform != "darwin":
        sys.modules.setdefault(_OF_MACOS, None)  # type: ignore[arg-type]


def command_of_httpx() -> None:
    """Httpx imports its own command line, which draws on pygments; it goes without where that cannot be had."""
    if "httpx" not in sys.modules:
        sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
