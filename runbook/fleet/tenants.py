"""The table of a fleet, a row a tenant: every mistake of every row is named at once, before anything runs."""

import csv
import io
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runbook import whole
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
        self._served: dict[str, Collection[str] | None] = {}
        self._of_all = _mistakes(values)

    def rows(self) -> Iterator[tuple[int, dict[str, str]]]:
        """Line and cells of each row that can be read."""
        try:
            text = whole.text(self.path, 32 * whole.LARGEST)
        except OSError as error:
            self._wrong(0, "", f"cannot be read: {error.strerror}.")
            return
        first = text.partition("\n")[0]
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count), strict=True)
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader, None)
            except csv.Error as error:
                self._wrong(line, "", f"is not CSV: {error}.")
                continue
            if cells is None or (not self._columns and not self._header(cells)):
                return
            if line > 1 and any(cell.strip() for cell in cells):
                yield line, self._cells(line, cells)

    def _header(self, cells: Sequence[str]) -> bool:
        """Whether the first line names columns. What else it says is not repeated: it may be a row, with a secret."""
        self._columns = [name.strip() for name in cells]
        known = (*Parameters.model_fields, _CANARY)
        if not set(known) & {*self._columns}:
            self._wrong(1, "", "is no header.", f"The first line names the columns, {_ID} among them.")
            return False
        if _ID not in self._columns:
            self._wrong(1, _ID, "is no column, and is needed.", "The first line names the columns.")
        for number, name in enumerate(self._columns):
            if name not in known:
                self._wrong(1, f"column {number + 1}", "is not a parameter.", close(name, known))
            elif self._columns.index(name) < number:
                self._wrong(1, name, "is there more than once.")
            elif name in _NOT_A_COLUMN:
                self._wrong(1, name, "is the fleet's, not a tenant's.")
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
            told = {name: typed(name, cell) for name, cell in cells.items() if cell}
            params = parse({**self.values, **told})
            self._check_served(line, params)
        except InputError as error:
            for problem in error.problems:
                name = problem.where.partition("[")[0]
                own = name in self._columns or problem not in self._of_all
                self._wrong(
                    line if own else 0, problem.where, _unsaid(problem.what, name, cells.get(name, "")), problem.hint
                )
            return None
        if (before := self._lines.setdefault(params.tenant_id, line)) != line:
            self._wrong(line, _ID, f"is that of line {before}: a tenant has one row.")
        return Tenant(params, bool(canary))

    def _check_served(self, line: int, params: Parameters) -> None:
        """A rehearsal of many tenants needs a served sandbox that has them."""
        if params.target != "sandbox":
            return
        makes = "`runbook sandbox serve --tenants N` serves many, `runbook sandbox tenants` prints their table."
        if (file := params.sandbox_file) not in self._served:
            ready = served(params.model_copy(update={_ID: ""}))  # thousands of rows may name one file
            self._served[file] = ready and {ready.get(_ID), *(ready.get("tenants") or ())}
        if (tenants := self._served[file]) is None:
            here = {"target", "sandbox_file"} & {*self._columns}
            self._wrong(line if here else 0, "sandbox_file", "is needed: the line of a served sandbox.", makes)
        elif params.tenant_id and params.tenant_id not in tenants:
            self._wrong(line, _ID, "is no tenant of this sandbox.", makes)

    def _wrong(self, line: int, where: str, what: str, hint: str = "") -> None:
        place = f"{self.path.name} line {line}" if line else "" if where else str(self.path)
        self.problems[Problem(", ".join(filter(None, (place, where))), what, hint)] = None


def _mistakes(values: Mapping[str, Any]) -> Collection[Problem]:
    try:
        parse(values)
    except InputError as error:
        return error.problems
    return ()


def _unsaid(text: str, name: str, cell: str) -> str:
    """``text`` without what stands in the cell: in a row that slipped by a column that may be a secret."""
    for part in filter(None, map(str.strip, (cell, *re.split(r"[,\n]", cell)))):
        path = [str(Path(os.path.expanduser(part)))] if name == "sandbox_file" else []  # noqa: PTH111 - pathlib's raises
        for shown in (repr(part), *path):
            text = re.sub(rf"(?<!\w){re.escape(shown)}(?!\w)", "what stands there", text)
    return text
