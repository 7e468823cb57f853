"""Lists as tables: pages become typed columns as they arrive, and what came stays when a later page does not come.

The objects of a page are let go once their values are in columns: memory holds the table and one page for each reader.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from runbook.clients.bounded import Pages

if TYPE_CHECKING:
    import pandas as pd

_TYPES: Mapping[type, str] = {bool: "boolean", int: "Int64", float: "Float64", str: "string"}
_TIME = "datetime64[us, UTC]"


class Page(Protocol):
    """One page of a list: its objects, and what brings the next one (empty: it was the last)."""

    @property
    def objects(self) -> Sequence[Mapping[str, Any]]: ...

    @property
    def following(self) -> str: ...


@dataclass(eq=False)
class Part:
    """A part of a list as far as it was read: its own ``condition``, typed pages with their length, the next link."""

    condition: str = ""
    pages: list[tuple[int, dict[str, pd.Series[Any]]]] = field(default_factory=list)
    following: str = ""
    ended: bool = False

    def take(self, page: Page) -> None:
        """Keep a page that came."""
        if page.objects:
            self.pages.append((len(page.objects), typed(page.objects)))
        self.following, self.ended = page.following, not page.following


class Reading:
    """A list on its way into a table, its ``parts`` read at once by as many ``readers``.

    What came stays: after a failure :meth:`read` goes on behind the last page of each part. ``name`` is the list's.
    """

    def __init__(self, name: str, parts: Iterable[str] = ("",), *, readers: int = 1) -> None:
        self.parts = [Part(condition) for condition in parts]
        self._pages = [Pages(f"The list of {name}") for _ in self.parts]
        self._readers = readers
        self._stopped = threading.Event()
        self.rows = 0
        """How many have come."""

    def take(self, page: Page) -> None:
        """Begin with a page that is there already."""
        self.rows += len(page.objects)
        self.parts[0].take(page)

    @property
    def ended(self) -> bool:
        """Whether everything came."""
        return all(part.ended for part in self.parts)

    def read(
        self, ask: Callable[[str, str], Page], limit: int | None = None, seen: Callable[[int], None] | None = None
    ) -> None:
        """Read until everything came, or at least ``limit`` rows.

        ``ask`` brings a page of a part by its condition and next link; ``seen`` is told how many rows have come.
        Raises what ``ask`` raises, once the other readers have taken the pages that were on their way.
        """
        self._stopped.clear()
        lock = threading.Lock()

        def read(part: Part, pages: Pages) -> None:
            while not part.ended and not self._stopped.is_set() and (limit is None or self.rows < limit):
                page = ask(part.condition, part.following)
                if page.following:
                    pages.turn(page.following)
                part.take(page)
                with lock:
                    self.rows += len(page.objects)
                    if seen is not None:
                        seen(self.rows)

        if self._readers == 1:
            for part, pages in zip(self.parts, self._pages, strict=True):
                read(part, pages)
            return
        with ThreadPoolExecutor(self._readers, "page") as pool:
            tasks = [pool.submit(read, *each) for each in zip(self.parts, self._pages, strict=True)]
            try:
                for task in tasks:
                    task.result()
            finally:
                self._stopped.set()
                pool.shutdown(wait=False, cancel_futures=True)

    def frame(self, limit: int | None = None) -> pd.DataFrame:
        """What came as a table, in the order of the parts, each object once; at most ``limit`` rows.

        The pages are used up by it unless more are to come.
        """
        import pandas as pd

        pages = [page for part in self.parts for page in part.pages]
        if self.ended:  # each column's pages go as it is joined: never are two copies of all there
            for part in self.parts:
                part.pages = []
        else:
            pages = [(count, dict(columns)) for count, columns in pages]
        names = dict.fromkeys(name for _, columns in pages for name in columns)
        table = pd.DataFrame({name: _joined(name, pages) for name in names}, copy=False)
        if len(self.parts) > 1 and "id" in table and (twice := table["id"].duplicated()).any():
            table = table[~twice].reset_index(drop=True)  # renamed meanwhile, from one part into another
        return table if limit is None else table.head(limit)


def table(objects: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """These objects as a table, one row each."""
    import pandas as pd

    return pd.DataFrame(typed(objects))


def typed(objects: Sequence[Mapping[str, Any]]) -> dict[str, pd.Series[Any]]:
    """The columns of one page, without annotations.

    Truth, numbers and text have pandas' types with a mark for what is missing; names that end in ``DateTime`` are
    times in UTC; everything else stays as Graph gave it. A page without a value in a column says nothing of its type.
    """
    names = dict.fromkeys(name for one in objects for name in one if not name.startswith("@odata."))
    return {name: _column(name, [one.get(name) for one in objects]) for name in names}


def _column(name: str, values: list[Any]) -> pd.Series[Any]:
    import pandas as pd

    types = {*map(type, values)} - {type(None)}
    if types == {str} and name.endswith("DateTime"):
        try:
            times: Any = pd.to_datetime(pd.Series(values, dtype=object), utc=True, format="ISO8601")
            return times.astype(_TIME)  # type: ignore[no-any-return]
        except ValueError:  # no time after all: text
            pass
    kind = _TYPES.get(types.pop(), "object") if len(types) == 1 else "Float64" if types == {int, float} else "object"
    return pd.Series(values, dtype=kind)


def _joined(name: str, pages: Sequence[tuple[int, dict[str, Any]]]) -> pd.Series[Any]:
    """One column of all pages; pages whose types differ make it one of objects."""
    import pandas as pd

    found = [(count, columns.pop(name, None)) for count, columns in pages]
    found = [(count, None if column is None or column.isna().all() else column) for count, column in found]
    kinds = {column.dtype for _, column in found if column is not None}
    kind: Any = kinds.pop() if len(kinds) == 1 else object
    pieces = (pd.Series([None] * count if column is None else column, dtype=kind) for count, column in found)
    return pd.concat(pieces, ignore_index=True)
