"""Every resource, one module each, named as in the address. To add one: a module here that registers it."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from entra_sandbox.graph.registry import registered
from entra_sandbox.graph.resource import Resource
from entra_sandbox.graph.resources.me import mirror

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

RESOURCES: tuple[Resource, ...] = (*registered(), mirror(registered()))
