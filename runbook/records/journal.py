"""The journal of a run: one event a line, appended, synced and hash-chained.

A line is the canonical JSON (UTF-8, keys sorted, no spaces) of ``{"seq", "at", "event", "prev", "hash", …data}``.
``hash`` is the SHA-256 of the canonical JSON of the event without ``hash``; ``prev`` is the hash of the line before, so
no line can be changed, removed or put in between without breaking the chain. A line is on disk before
:meth:`Journal.event` returns: an intent is there before the request that it announces goes out.

Kinds of event, and the data that the summary and the report read from them::

    run.started       run_id, target, tenant_id, parameters, plan_hash, sections [{name, title, notebook, sha256}],
                      actor {kind, name, object_id, tenant_id}, tool {name, version, python}
    section.started   section, title, notebook
    section.plan      section, changes [{what, now, wanted, kind, note}]
    http.call         service, host, section, method, path, status, effect, request_id, ms, retries     a read
    http.intent       the same as far as known before the request goes out                              a write
    http.outcome      intent (the seq of its http.intent), and the rest as in http.call; id of what was made; uncertain
                      where the write may have been applied all the same; of a batch parts [{method, path, status}]
    http.settled      intent, applied, created: what reading showed of a write whose outcome was uncertain
    change.made       did (created, updated, deleted), what, number: what a person did who was asked
    disposable        what, there: an object that a proof made and has yet to remove, or has removed
    secret.kept       secret {key_id, ends_at, ref, description}
    hand_over         kind, title, url, steps, fields, who, expires_at                          a person must act
    hand_over.done    kind
    section.evidence  section, rows [{what, value, source, request_id}], notes
    section.finished  section, verdict, unchanged, facts {…}, error, next_step
    journal.torn      bytes, text: what a killed writer left of its last line
    run.finished      verdict, reason
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from runbook import whole
from runbook.errors import RecordError
from runbook.records import redaction, verify
from runbook.records.summary import Did, Done
from runbook.records.verify import GENESIS, JOURNAL, canonical, event_hash

# One writer at a time, among processes; the lock goes with the process that held it. It is on the journal itself: a
# lock file beside it would be a stray file in every record.
if sys.platform == "win32":
    import msvcrt

    # Windows locks are mandatory: a byte far behind the end is locked, so that readers are not kept out.
    _FAR = 1 << 40

    def _lock(file: IO[bytes]) -> None:
        file.seek(_FAR)
        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)

    def _unlock(file: IO[bytes]) -> None:
        file.seek(_FAR)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)

    def _unlock(file: IO[bytes]) -> None:
        fcntl.flock(file.fileno(), fcntl.LOCK_UN)


Event = dict[str, Any]

_OWN_KEYS = frozenset({"seq", "at", "event", "prev", "hash"})
_TAIL = 64 * 1024


class NullJournal:
    """Takes every event and keeps none: for reading and planning without a record.

    ``done`` counts what the writes of this process did since it was set last; ``calls`` are its latest calls.
    """

    def __init__(self) -> None:
        self._section = ""
        self.done = Done()
        self.calls: deque[dict[str, Any]] = deque(maxlen=60)

    def event(self, kind: str, /, **data: Any) -> int:
        """Record one event; returns its number in the journal."""
        del kind, data
        return 0

    def call(self, **facts: Any) -> None:
        """Record a read after its answer; ``facts`` as in ``http.call``."""
        self.calls.append(facts)
        self.event("http.call", **self._named(facts))

    def intent(self, **facts: Any) -> int:
        """Record a write before it is sent; the number that is returned belongs to its :meth:`outcome`."""
        return self._counted("http.intent", **facts)

    def outcome(self, ticket: int, **facts: Any) -> None:
        """Record what became of the write that ``ticket`` (the number of its intent) announced."""
        self.calls.append(facts)
        self._counted("http.outcome", intent=ticket, **facts)

    def settled(self, ticket: int, *, applied: bool, created: bool = False) -> None:
        """Record what reading has shown of a write whose outcome was uncertain."""
        self._counted("http.settled", intent=ticket, applied=applied, created=created)

    def made(self, did: Did, what: str, number: int = 1) -> None:
        """Record what a person did who was asked to, once it was seen; ``what`` is the kind of object."""
        if number:
            self._counted("change.made", did=did, what=what, number=number)

    def _counted(self, kind: str, **facts: Any) -> int:
        number = self.event(kind, **self._named(facts))
        self.done.add({"seq": number, "event": kind, **facts})
        return number

    @contextlib.contextmanager
    def section(self, name: str) -> Iterator[None]:
        """Name the section that the calls inside belong to (between its own events that is known already)."""
        before, self._section = self._section, name
        try:
            yield
        finally:
            self._section = before

    def _named(self, facts: dict[str, Any]) -> dict[str, Any]:
        return {"section": self._section, **facts}


class Journal(NullJournal):
    """An append-only journal file that several processes may write in turn (the runner and its kernels).

    Every event is scrubbed of secrets. All methods that write raise :class:`RecordError` when the line could not be
    made durable; whoever was about to send a write must then not send it.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._thread_lock = threading.Lock()
        self._size = -1  # of the file when this process wrote last; another size means that somebody else wrote
        self._seq = 0
        self._head = GENESIS

    @classmethod
    def create(cls, records: str | os.PathLike[str], run_id: str, **started: Any) -> Journal:
        """Make the record folder ``records/run_id`` with a journal whose first event is ``run.started``.

        Raises :class:`RecordError` if that record exists already or cannot be written.
        """
        folder = Path(records) / run_id
        try:
            folder.mkdir(parents=True)
            path = folder / JOURNAL
            path.open("xb").close()
            whole.sync_folder(folder)
            whole.sync_folder(folder.parent)
        except FileExistsError as error:
            if error.filename != str(folder):
                raise RecordError.named("no_folder_there", path=error.filename) from error
            raise RecordError(f"the record {folder} exists already", next_step="choose another run id.") from error
        except OSError as error:
            raise _unwritable(folder, error) from error
        journal = cls(path)
        journal.event("run.started", run_id=run_id, **started)
        return journal

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Journal:
        """Go on with a journal: its file, or the record folder that holds it.

        Raises :class:`RecordError` if there is none, or if its record is sealed.
        """
        file = _file_of(path)
        if not file.is_file():
            raise RecordError(f"there is no journal at {file}")
        if file.with_name("manifest.json").exists():
            raise RecordError.named("record_sealed", record=file.parent)
        return cls(file)

    @property
    def folder(self) -> Path:
        """The record that this journal belongs to."""
        return self.path.parent

    @property
    def run_id(self) -> str:
        return self.folder.name

    def event(self, kind: str, /, **data: Any) -> int:
        """Append one event, durable when this returns; its number (from 1) is returned."""
        if clash := _OWN_KEYS & data.keys():
            raise ValueError(f"these names belong to the journal itself: {', '.join(sorted(clash))}")
        clean = redaction.scrub(data)
        try:
            with self._thread_lock, self.path.open("r+b", buffering=0) as file, _locked(file):
                descriptor = file.fileno()
                if torn := self._catch_up(descriptor):
                    self._append(descriptor, "journal.torn", _torn_data(torn))
                self._append(descriptor, kind, clean)
                os.fsync(descriptor)
        except OSError as error:
            raise _unwritable(self.path, error) from error
        return self._seq

    def _catch_up(self, descriptor: int) -> bytes:
        """Learn the head that others wrote since; returns what a killed writer left after the last whole line."""
        size = os.fstat(descriptor).st_size
        if size == self._size:
            return b""
        last, torn = _last_line(descriptor, size)
        event = _parse(last, f"the last line of {self.path}") if last else None
        self._seq, self._head = (event["seq"], event["hash"]) if event else (0, GENESIS)
        self._size = size - len(torn)
        return torn

    def _append(self, descriptor: int, kind: str, data: Mapping[str, Any]) -> None:
        event = {**data, "seq": self._seq + 1, "at": _now(), "event": kind, "prev": self._head}
        event["hash"] = event_hash(event)
        line = canonical(event) + b"\n"
        # Over a torn tail the line is written first and the rest cut off after: killed in between, the rest is a
        # torn tail again, so nothing of it ever goes without an event that says so.
        os.lseek(descriptor, self._size, os.SEEK_SET)
        _write_all(descriptor, line)
        end = self._size + len(line)
        if os.fstat(descriptor).st_size > end:
            os.ftruncate(descriptor, end)
        self._seq, self._head, self._size = event["seq"], event["hash"], end
        if kind in ("section.started", "section.finished"):
            self._section = event["section"] if kind == "section.started" else ""


def read(path: str | os.PathLike[str]) -> list[Event]:
    """Every whole event of a journal (its file, or its record folder), oldest first; a torn last line is absent.

    Raises :class:`RecordError` if there is no journal or a whole line of it is not an event. The chain is checked by
    :func:`verify_chain`, not here: a report of a damaged record must be possible.
    """
    file = _file_of(path)
    try:
        lines = file.read_bytes().split(b"\n")
    except OSError as error:
        raise RecordError(f"the journal {file} cannot be read: {error.strerror}") from error
    return [_parse(line, f"line {number} of {file}") for number, line in enumerate(lines[:-1], 1)]


@contextlib.contextmanager
def as_written(record: Path) -> Iterator[None]:
    """Raise :class:`RecordError` where what stands in a record is not of the shape in which a run writes it."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        raise RecordError.named("record_misshapen", record=record) from None


def verify_chain(events: Iterable[Mapping[str, Any]]) -> list[str]:
    """What is wrong with the chain, in words; empty if every event follows from the one before it."""
    report = verify.VerifyReport("", head=GENESIS)
    for number, event in enumerate(events, 1):
        verify.check_event(canonical(event), number, report)
        report.head = event["hash"]
    return report.problems


def _file_of(path: str | os.PathLike[str]) -> Path:
    given = Path(path)
    return given / JOURNAL if given.is_dir() else given


def _last_line(descriptor: int, size: int) -> tuple[bytes, bytes]:
    """The last whole line without its end, and the torn bytes after it."""
    length = 0
    while True:
        length = min(size, max(_TAIL, length * 4))
        os.lseek(descriptor, size - length, os.SEEK_SET)
        tail = _read_all(descriptor, length)
        whole, end, torn = tail.rpartition(b"\n")
        _before, _, last = whole.rpartition(b"\n")
        if length == size or (end and len(whole) > len(last)):
            return last, torn


def _parse(line: bytes, where: str) -> Event:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict) or not event.keys() >= _OWN_KEYS:
        raise RecordError.named("not_an_event", where=where)
    return event


def _unwritable(path: Path, error: OSError) -> RecordError:
    return RecordError.named("journal_not_written", path=path, reason=error.strerror or error)


def _torn_data(torn: bytes) -> dict[str, Any]:
    # What stands there was scrubbed before it was written, but a cut can hide the telling name: scrub it again.
    return {"bytes": len(torn), "text": redaction.scrub_text(torn[:2000].decode("utf-8", "replace"))}


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _read_all(descriptor: int, length: int) -> bytes:
    data = b""
    while len(data) < length and (piece := os.read(descriptor, length - len(data))):
        data += piece
    return data


@contextlib.contextmanager
def _locked(file: IO[bytes]) -> Iterator[None]:
    """Hold the exclusive lock on ``file``; waits for whoever holds it. Raises ``OSError`` if it cannot be had."""
    _lock(file)
    try:
        yield
    finally:
        _unlock(file)
