"""The table of a fleet, a row a tenant: every mistake of every row is named at once, before anything runs."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runbook.catalog.body import close
from runbook.clients.target import served
from runbook.errors import InputError, Problem
from runbook.parameters import Parameters, parse, typed

_ID, _CANARY = "tenant_id", "canary"
# The fleet's own, not a tenant's.
_NOT_A_COLUMN = ("records", "link_to")
_SWITCH = {"": False, "no": False, "false": False, "0": False, "yes": True, "true": True, "1": True, "x": True}


@dataclass(frozen=True)
class Tenant:
    """One row: its whole choice, and whether it goes before the others."""

    params: Parameters
    canary: bool = False


def read(path: Path, values: Mapping[str, Any]) -> list[Tenant]:
    """The tenants of the CSV file ``path``, in its order; its cells override ``values``, the fleet's parameters.

    An empty cell overrides nothing. Raises :class:`InputError` that names every mistake of every row with its line.
    """
    table = _Table(path, values)
    tenants = [found for line, cells in table.rows() if (found := table.tenant(line, cells))]
    if not tenants and not table.problems:
        table.problems[Problem(str(path), "names no tenant.", "A row a tenant, after the header.")] = None
    if table.problems:
        raise InputError(list(table.problems))
    return tenants


class _Table:
    def __init__(self, path: Path, values: Mapping[str, Any]) -> None:
        self.path, self.values = path, values
        self.problems: dict[Problem, None] = {}  # in their order; what holds for the whole fleet is said once
        self._columns: Sequence[str] = ()
        self._lines: dict[str, int] = {}

    def rows(self) -> Iterator[tuple[int, dict[str, str]]]:
        """Line and cells of each row that can be read."""
        try:
            text = self.path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            self._wrong(0, "", f"cannot be read: {why}.")
            return
        first = text.partition("\n")[0]
        delimiter = ";" if ";" in first and "," not in first else ","
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        try:
            self._columns = [name.strip() for name in next(reader, [])]
            if not self._header():
                return
            while True:
                before = reader.line_num
                if (cells := next(reader, None)) is None:
                    return
                if any(cell.strip() for cell in cells):
                    yield before + 1, self._cells(before + 1, cells)
        except csv.Error as error:
            self._wrong(reader.line_num, "", f"is not CSV: {error}.")

    def _header(self) -> bool:
        if _ID not in self._columns:
            self._wrong(1, _ID, "is no column, and is needed.", "The first line names the columns.")
        for name in dict.fromkeys(self._columns):
            if self._columns.count(name) > 1:
                self._wrong(1, name, "is there more than once.")
            elif name in _NOT_A_COLUMN:
                self._wrong(1, name, "is the fleet's, not a tenant's.")
            elif name not in (*Parameters.model_fields, _CANARY):
                self._wrong(1, name or "a column", "is not a parameter.", close(name, Parameters.model_fields))
        return not self.problems

    def _cells(self, line: int, cells: Sequence[str]) -> dict[str, str]:
        if len(cells) != len(self._columns):
            self._wrong(line, "", f"has {len(cells)} cells where the header has {len(self._columns)}.")
        return {name: cell.strip() for name, cell in zip(self._columns, cells, strict=False)}

    def tenant(self, line: int, cells: dict[str, str]) -> Tenant | None:
        """The tenant of a row, unless it has mistakes."""
        canary = _SWITCH.get(cells.pop(_CANARY, "").lower())
        if canary is None:
            self._wrong(line, _CANARY, "must be yes or no.")
        if not cells.get(_ID):
            self._wrong(line, _ID, "is empty.")
        try:
            own = {name: typed(name, cell) for name, cell in cells.items() if cell}
            params = parse({**self.values, **own})
            self._check_served(line, params)
        except InputError as error:
            for problem in error.problems:
                name = problem.where.partition("[")[0]
                self._wrong(line if name in self._columns else 0, problem.where, problem.what, problem.hint)
            return None
        if (before := self._lines.setdefault(params.tenant_id, line)) != line:
            self._wrong(line, _ID, f"is that of line {before}: a tenant has one row.")
        return Tenant(params, bool(canary))

    def _check_served(self, line: int, params: Parameters) -> None:
        """A rehearsal of many tenants needs a served sandbox that has them."""
        if params.target != "sandbox":
            return
        ready = served(params)
        makes = "`runbook sandbox serve --tenants N` serves many, `runbook sandbox tenants` prints their table."
        if ready is None:
            self._wrong(0, "sandbox_file", "is needed: the line of a served sandbox.", makes)
        elif params.tenant_id and ready.get(_ID) != params.tenant_id:
            self._wrong(line, _ID, "is no tenant of this sandbox.", makes)

    def _wrong(self, line: int, where: str, what: str, hint: str = "") -> None:
        place = f"{self.path.name} line {line}" if line else "" if where else str(self.path)
        self.problems[Problem(", ".join(filter(None, (place, where))), what, hint)] = None
