"""What a fleet leaves, in one place: the records, and under ``fleet/VERB/`` a small file for each tenant's last result.

The place is a folder of this machine or an address of fsspec. There a record is put whole once its run has ended, its
manifest last, without which it is no record; until then it lies in a folder of this user, and what a killed run left of
one is put there by the next run of that tenant on this machine.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import platformdirs

from runbook import whole
from runbook.errors import RecordError
from runbook.records.verify import MANIFEST, SIGNATURE, verify

_FOLDER = "fleet"
_KEY = ".signing-key.pem"


class Books:
    """The books at ``place``. What cannot be read or written there raises :class:`RecordError`."""

    def __init__(self, place: str) -> None:
        self.remote = "://" in place
        self.place = place.rstrip("/") if self.remote else str(Path(os.path.expanduser(place)).absolute())  # noqa: PTH111

    def desk(self, tenant_id: str) -> Path:
        """Where a run of this tenant writes its record."""
        if not self.remote:
            return Path(self.place)
        own = hashlib.sha256(f"{self.place}\n{tenant_id}".encode()).hexdigest()[:16]
        return platformdirs.user_data_path("entra-id-runbook", appauthor=False) / "desk" / own / "records"

    def publish(self, tenant_id: str) -> None:
        """Put what lies on the desk of this tenant where it belongs; the run has ended."""
        desk = self.desk(tenant_id)
        if not self.remote or not desk.is_dir():
            return
        for record in sorted(path for path in desk.iterdir() if path.is_dir()):
            files = sorted(path for path in record.rglob("*") if path.is_file())
            for path in sorted(files, key=lambda path: path.name in (MANIFEST, SIGNATURE)):
                self._put(f"{record.name}/{path.relative_to(record).as_posix()}", path.read_bytes())
            shutil.rmtree(record)
        if (key := desk.with_name(desk.name + _KEY)).exists():
            self._put(_KEY, key.read_bytes())

    def where(self, run_id: str) -> str:
        """The address of a record."""
        return f"{self.place}/{run_id}" if run_id else ""

    def holds(self, run_id: str) -> bool:
        """Whether this record is there, whole and unchanged, and its run passed."""
        with tempfile.TemporaryDirectory(prefix="runbook-") as folder:
            record = Path(self.place) / run_id
            if self.remote:
                record = Path(folder) / run_id
                files, root = self._files()
                try:
                    files.get(f"{root}/{run_id}", str(record), recursive=True)
                except OSError:
                    return False
            report = verify(record)
        return report.ok and report.verdict == "passed"

    def note(self, verb: str, tenant_id: str, result: Mapping[str, Any]) -> None:
        """Keep the last result of this tenant."""
        self._put(f"{_FOLDER}/{verb}/{tenant_id}.json", json.dumps(result, indent=1).encode())

    def last(self, verb: str, tenant_id: str) -> dict[str, Any]:
        """The last result of this tenant; empty if there is none, or it is not whole."""
        try:
            if self.remote:
                files, root = self._files()
                text = files.cat_file(f"{root}/{_FOLDER}/{verb}/{tenant_id}.json")
            else:
                text = (Path(self.place) / _FOLDER / verb / f"{tenant_id}.json").read_bytes()
            found = json.loads(text)
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def tenants(self, verb: str) -> Iterator[str]:
        """The tenants of which there is a result."""
        files, root = self._files()
        folder = f"{root}/{_FOLDER}/{verb}"
        names = files.ls(folder, detail=False) if files.isdir(folder) else []
        yield from (Path(name).stem for name in sorted(names) if name.endswith(".json"))

    def write(self, name: str, text: str) -> str:
        """Write a page beside the records; its address."""
        self._put(name, text.encode())
        return f"{self.place}/{name}"

    def _files(self) -> tuple[Any, str]:
        from fsspec.core import url_to_fs

        try:
            files, root = url_to_fs(self.place)
            return files, root
        except (ImportError, ValueError) as error:
            raise RecordError.named("place_unusable", place=self.place, reason=error) from None

    def _put(self, name: str, content: bytes) -> None:
        try:
            if self.remote:
                files, root = self._files()
                address = root + name if name == _KEY else f"{root}/{name}"
                files.makedirs(address.rpartition("/")[0], exist_ok=True)
                files.pipe_file(address, content)
            else:
                path = Path(self.place) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                whole.write(path, content)
        except OSError as error:
            raise RecordError.named("place_unusable", place=self.place, reason=error.strerror or error) from None
