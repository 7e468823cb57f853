"""The choice behind the picker: which actions, which permission types, and the parameters file that keeps it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from runbook import catalog, mapping_file
from runbook.catalog.scopes import Scopes
from runbook.errors import InputError
from runbook.parameters import Parameters, parse, save

TYPES: tuple[catalog.PermissionType, ...] = ("delegated", "application")


class Choice:
    """Changes with every click. It is kept when it is a valid one; an empty choice is shown but not kept."""

    def __init__(self, params: Parameters, file: Path, *, chosen: bool = True) -> None:
        self._params = params
        self._file = file
        self.actions: set[str] = set(params.actions) if chosen else set()
        self.types: tuple[catalog.PermissionType, ...] = params.permission_types
        self.source: Literal["guide", "least"] = params.permission_source
        self.note = ""

    @property
    def slugs(self) -> tuple[str, ...]:
        """The chosen actions in the order of the catalogue."""
        return tuple(action.slug for action in catalog.actions() if action.slug in self.actions)

    @property
    def scopes(self) -> Scopes:
        """The permissions of the choice as it stands."""
        return catalog.compute(self.slugs, self.types, self.source)

    @property
    def complete(self) -> bool:
        """Whether it can be kept and planned with."""
        return bool(self.actions) and bool(self.types)

    def set(self, slugs: Iterable[str], chosen: bool) -> None:
        """Choose these actions, or no longer."""
        self.actions = self.actions | set(slugs) if chosen else self.actions - set(slugs)

    def parameters(self) -> Parameters:
        """The parameters with this choice. Raises :class:`InputError` if it is not complete."""
        return parse({**self._params.model_dump(), **self._own()})

    def keep(self) -> None:
        """Write the choice into the parameters file, whole; everything else in the file stays as it is."""
        if not self.complete:
            self.note = "Not saved: choose at least one action and one permission type."
            return
        try:
            others = mapping_file.read(self._file) if self._file.is_file() else {}
            save(parse({**others, **self._own()}), self._file)
        except InputError as error:
            self.note = f"Not saved: {'; '.join(map(str, error.problems))}"
        except OSError as error:
            self.note = f"Not saved: {self._file} cannot be written ({error.strerror})."
        else:
            self.note = f"Saved to {self._file}."

    def _own(self) -> dict[str, object]:
        return {"actions": list(self.slugs), "permission_types": list(self.types), "permission_source": self.source}
