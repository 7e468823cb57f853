"""Checks a record offline. Alone it needs Python only: ``python verify.py DIR [--public-key FILE]``.

A record is a folder. What is checked, in this order:

1. ``manifest.json`` is as it was written: its text is the canonical one and its ``digest`` fits.
2. The folder is called as its run, and holds exactly the files of the manifest, each with its size and SHA-256; for a
   notebook that differs the cells that differ are named. Links, pipes, devices and huge files are not read.
3. ``journal.jsonl``: every line is the canonical JSON of an event, whose ``hash`` is the SHA-256 of the event without
   it and whose ``prev`` is the hash of the line before; the first line opens the run, the last one closes it, and the
   last hash is the head that the manifest names.
4. ``summary.json`` claims the run, the tenant and no better verdict than the journal closes with.
5. ``manifest.sig``: an Ed25519 signature (RFC 8032) over the bytes of ``manifest.json``. Checking it needs the package
   ``cryptography``. Without a signature only accidents are found: whoever changes a file can write a new manifest, so
   such a record is called consistent and never intact.

Exit code 0: nothing is wrong; 1: something is; 2: the call was wrong.
"""

import argparse
import base64
import errno
import hashlib
import json
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
JOURNAL = "journal.jsonl"
FORMAT = "entra-id-runbook-record/1"
GENESIS = "0" * 64
_ED25519_DER = bytes.fromhex("302a300506032b6570032100")  # RFC 8410: what stands before the 32 bytes of a public key
LARGEST = 256 << 20  # bytes of one file; a notebook with its outputs has a few MiB at most
_UNREADABLE = (OSError, ValueError, RecursionError)


@dataclass
class VerifyReport:
    """What the check came to. ``ok``: nothing is wrong, so the record is also ``complete`` (its run ended).

    ``signed``: a signature is there and fits; ``expected``: it is that of the public key that was given. Without one
    ``signer`` says by whom.
    """

    folder: str
    complete: bool = False
    signed: bool = False
    expected: bool = False
    signer: str = ""
    run_id: str = ""
    target: str = ""
    tenant_id: str = ""
    verdict: str = "incomplete"
    files: int = 0
    events: int = 0
    head: str = ""
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.problems

    def as_dict(self) -> dict[str, Any]:
        """For JSON: every field, and ``ok``."""
        return {"ok": self.ok, **vars(self)}

    def __str__(self) -> str:
        where = f"target {self.target or 'unknown'}, tenant {self.tenant_id or 'unknown'}"
        lines = [f"{self._head()}. Run {self.run_id or 'unknown'}, {where}, verdict {self.verdict}."]
        lines += [f"  - {problem}" for problem in self.problems]
        lines += [f"  {note}" for note in self.notes]
        return "\n".join(map(_printable, lines))

    def _head(self) -> str:
        if not self.ok:
            return f"The record does not hold ({len(self.problems)} found)"
        if not self.signed:
            return "The record is consistent, unsigned: anybody could have written it"
        return f"The record is {'intact' if self.expected else 'consistent and signed (by whom is not checked)'}"


def _printable(line: str) -> str:
    """What a record says is not to be trusted with a terminal: control characters are shown as "?"."""
    return "".join(mark if mark.isprintable() else "?" for mark in line)


def verify(folder: str | os.PathLike[str], public_key: str | bytes | None = None) -> VerifyReport:
    """Check the record in ``folder``. ``public_key`` (PEM, or Base64 of its 32 bytes) is who must have signed it.

    Never raises for what stands in the record. Raises ``ValueError`` if ``public_key`` is not an Ed25519 key.
    """
    expected = _raw_public_key(public_key) if public_key else None
    root = Path(folder)
    report = VerifyReport(str(folder))
    if not root.is_dir():
        report.problems.append(f"there is no record at {root}")
        return report
    manifest = _check_manifest(root, report)
    _check_files(root, manifest, report)
    opening, closing = _check_journal(root, manifest, report)
    _check_summary(root, opening, closing, report)
    _check_signature(root, manifest, expected, report)
    report.complete = bool(manifest) and bool(closing)
    return report


def _bytes(path: Path) -> bytes:
    """The content of a plain file. Raises ``OSError`` for a link, a pipe, a device, or what no run would write."""
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is a link or no file at all")
    if found.st_size > LARGEST:
        raise OSError(errno.EFBIG, "it is larger than a file of a record can be")
    return path.read_bytes()


def render(document: dict[str, Any]) -> bytes:
    """The one spelling of ``manifest.json`` and ``manifest.sig``."""
    return (json.dumps(document, ensure_ascii=False, sort_keys=True, indent=1) + "\n").encode()


def digest(document: dict[str, Any]) -> str:
    """SHA-256 of a manifest without its own ``digest``."""
    return hashlib.sha256(render({key: value for key, value in document.items() if key != "digest"})).hexdigest()


def _check_manifest(root: Path, report: VerifyReport) -> dict[str, Any]:
    if not os.path.lexists(root / MANIFEST):
        report.problems.append(f"there is no {MANIFEST}: the run never ended, or the file was removed")
        return {}
    try:
        content = _bytes(root / MANIFEST)
        manifest = json.loads(content)
        if content != render(manifest) or manifest["digest"] != digest(manifest) or manifest["format"] != FORMAT:
            raise ValueError("not as written")
        _check_shape(manifest)
    except (*_UNREADABLE, LookupError, TypeError, AttributeError):
        report.problems.append(f"{MANIFEST} was changed")
        return {}
    report.run_id = str(manifest["run_id"])
    return dict(manifest)


def _check_shape(manifest: dict[str, Any]) -> None:
    """Raises if the manifest does not have the parts that the checks below rely on: anybody can write a digest."""
    rows = [row for entry in manifest["files"] for row in entry.get("cells", ())]
    texts = [entry[key] for entry in manifest["files"] for key in ("path", "sha256")]
    numbers = [manifest["journal"]["events"], *(entry["size"] for entry in manifest["files"])]
    texts += [manifest["run_id"], manifest["journal"]["head"], manifest["signed_by"] or ""]
    texts += [text for row in rows for text in row]
    sound = all(isinstance(text, str) for text in texts) and all(isinstance(number, int) for number in numbers)
    if not sound or any(len(row) != 2 for row in rows):
        raise TypeError("not a manifest")


def _paths(manifest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {entry["path"]: entry for entry in manifest["files"]}


def files_of(root: Path) -> Iterator[Path]:
    """Every file and every link in a record but the manifest and its signature, links not followed."""
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        folders.sort()
        for name in sorted([*names, *(name for name in folders if (here / name).is_symlink())]):
            if here != root or name not in (MANIFEST, SIGNATURE):
                yield here / name


def _check_files(root: Path, manifest: dict[str, Any], report: VerifyReport) -> None:
    there = {path.relative_to(root).as_posix(): path for path in files_of(root)}
    report.files = len(there)
    if not manifest:
        return
    _check_folders(root, manifest, report)
    expected = _paths(manifest)
    held = {entry["sha256"]: name for name, entry in expected.items()}
    report.problems += [f"{name} was removed" for name in sorted(expected.keys() - there.keys())]
    report.problems += [f"{name} was added: the manifest does not know it" for name in sorted(there.keys() - expected)]
    for name in sorted(expected.keys() & there.keys()):
        if problem := _file_problem(there[name], expected[name], held):
            report.problems.append(f"{name} {problem}")


def _check_folders(root: Path, manifest: dict[str, Any], report: VerifyReport) -> None:
    name = root.resolve().name
    if name != report.run_id:
        report.problems.append(f"the folder was renamed: it is called {name}, and the record is of run {report.run_id}")
    known = {parent for path in _paths(manifest) for parent in Path(path).parents}
    there = [Path(here, name).relative_to(root) for here, names, _files in os.walk(root) for name in names]
    report.problems += [f"the folder {path} was added" for path in sorted(there) if path not in known]


def _file_problem(path: Path, entry: dict[str, Any], held: dict[str, str]) -> str:
    if path.is_symlink() or not path.is_file():
        return "is a link or no file at all"
    try:
        content = _bytes(path)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    found = hashlib.sha256(content).hexdigest()
    if found == entry["sha256"] and len(content) == entry["size"]:
        return ""
    if found in held:
        return f"was swapped: it holds what {held[found]} held"
    cells = _changed_cells(content, entry["cells"]) if "cells" in entry else ""
    size = "" if len(content) == entry["size"] else f"{len(content)} bytes, once {entry['size']}"
    return f"was changed: {cells or size or 'other content, as many bytes'}"


def cell_digests(notebook: bytes) -> list[list[str]]:
    """For each cell of a notebook: a digest of the cell without its outputs, and one of its outputs."""
    return [
        [_short({key: value for key, value in cell.items() if key != "outputs"}), _short(cell.get("outputs", []))]
        for cell in json.loads(notebook)["cells"]
    ]


def _short(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _changed_cells(content: bytes, written: list[list[str]]) -> str:
    try:
        found = cell_digests(content)
    except (*_UNREADABLE, LookupError, TypeError, AttributeError):
        return "it is no notebook any more"
    if len(found) != len(written):
        return f"it has {len(found)} cells, {len(written)} when it was written"
    changes = [
        f"cell {number}" if now[0] != before[0] else f"the output of cell {number}"
        for number, (now, before) in enumerate(zip(found, written, strict=True), 1)
        if now != before
    ]
    return ", ".join(changes) or "outside its cells"


def _check_journal(root: Path, manifest: dict[str, Any], report: VerifyReport) -> tuple[dict[str, Any], dict[str, Any]]:
    """Checks the chain; returns the opening event, and the closing one or nothing if the run never ended."""
    try:
        lines = _bytes(root / JOURNAL).split(b"\n")
    except OSError:
        report.problems.append(f"{JOURNAL} is missing or cannot be read")
        return {}, {}
    if lines.pop() != b"":
        report.problems.append(f"{JOURNAL} ends in the middle of a line")
    first, event, report.head = dict[str, Any](), dict[str, Any](), GENESIS
    for number, line in enumerate(lines, 1):
        event = check_event(line, number, report)
        report.head = str(event.get("hash"))
        first = first or event
    report.events = len(lines)
    journal = manifest.get("journal") or {"head": report.head, "events": report.events}
    if (report.head, report.events) != (journal["head"], journal["events"]):
        report.problems.append(
            f"{JOURNAL} was cut or extended: it has {report.events} events, the manifest names {journal['events']}"
        )
    if first.get("event") != "run.started" or (report.run_id and first.get("run_id") != report.run_id):
        report.problems.append(f"{JOURNAL} does not begin with the start of run {report.run_id or 'that it records'}")
    report.run_id = report.run_id or str(first.get("run_id", ""))
    report.target, report.tenant_id = str(first.get("target", "")), str(first.get("tenant_id", ""))
    if event.get("event") != "run.finished":
        report.problems.append(f"the run never ended: the last event is number {report.events}, {event.get('event')}")
        return first, {}
    report.verdict = str(event.get("verdict"))
    return first, event


def check_event(line: bytes, number: int, report: VerifyReport) -> dict[str, Any]:
    """One line of a journal; what is wrong with it is a problem of ``report``, whose ``head`` is of the line before."""
    try:
        event = json.loads(line)
        intact = canonical(event) == line and event_hash(event) == event["hash"]
    except (*_UNREADABLE, LookupError, TypeError, AttributeError):
        report.problems.append(f"{JOURNAL} line {number} is not an event")
        return {}
    if not intact:
        report.problems.append(f"{JOURNAL} line {number} was changed after it was written")
    if event.get("prev") != report.head or event.get("seq") != number:
        report.problems.append(f"{JOURNAL} line {number} does not follow the line before it")
    return dict(event)


def canonical(value: Any) -> bytes:
    """The one spelling of ``value`` in JSON: what is hashed and what is written into a journal."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")).encode()


def event_hash(event: Mapping[str, Any]) -> str:
    """SHA-256 (hex) over the event without its own hash."""
    return hashlib.sha256(canonical({key: value for key, value in event.items() if key != "hash"})).hexdigest()


def _check_summary(root: Path, opening: dict[str, Any], closing: dict[str, Any], report: VerifyReport) -> None:
    try:
        summary = json.loads(_bytes(root / "summary.json"))
        claims = {name: summary[name] for name in ("run_id", "target", "tenant_id", "verdict")}
    except (*_UNREADABLE, LookupError, TypeError, AttributeError):
        report.problems.append("summary.json is missing or cannot be read")
        return
    for name in ("run_id", "target", "tenant_id"):
        if claims[name] != opening.get(name, ""):
            report.problems.append(f"summary.json names another {name} than the journal: {claims[name]}")
    if claims["verdict"] == "passed" != closing.get("verdict"):
        report.problems.append("summary.json claims that the run passed; the journal does not")
    elif closing:
        report.verdict = str(claims["verdict"])  # a run is no better than its worst section


def _raw_public_key(given: str | bytes) -> bytes:
    """The 32 bytes of an Ed25519 public key given as PEM or as Base64. Raises ``ValueError`` if it is none."""
    text = given.decode("ascii") if isinstance(given, bytes) else given
    body = "".join(line.strip() for line in text.splitlines() if not line.startswith("-----"))
    key = base64.b64decode(body, validate=True).removeprefix(_ED25519_DER)
    if len(key) != 32:
        raise ValueError("an Ed25519 public key has 32 bytes, in PEM or Base64")
    return key


def fingerprint(public_key: bytes) -> str:
    """How people name a public key: ``SHA256:`` and the hash of its 32 bytes in Base64."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(public_key).digest()).decode().rstrip("=")


def _check_signature(root: Path, manifest: dict[str, Any], expected: bytes | None, report: VerifyReport) -> None:
    path = root / SIGNATURE
    if not os.path.lexists(path):
        if manifest.get("signed_by") or expected:
            report.problems.append(f"there is no {SIGNATURE}, though this record must be signed")
        elif manifest:
            report.notes.append("Without a signature this check finds accidents only.")
        return
    try:
        content = _bytes(path)
        document = json.loads(content)
        key = base64.b64decode(document["public_key"], validate=True)
        signature = base64.b64decode(document["signature"], validate=True)
        if content != render(signature_document(key, signature)):
            raise ValueError("not as written")
    except (*_UNREADABLE, LookupError, TypeError, AttributeError):
        report.problems.append(f"{SIGNATURE} was changed")
        return
    report.signer = fingerprint(key)
    if expected is not None and key != expected:
        report.problems.append(f"signed by another key: {report.signer}, not {fingerprint(expected)}")
    if manifest and manifest.get("signed_by") != report.signer:
        report.problems.append(f"{SIGNATURE} is of another key than the manifest names")
    if problem := _signature_problem(key, signature, _bytes(root / MANIFEST) if manifest else b""):
        report.problems.append(problem)
        return
    report.signed, report.expected = True, expected is not None and key == expected
    report.notes.append(f"Signed by {report.signer}." + ("" if expected else " Compare it with a key that you trust."))


def signature_document(public_key: bytes, signature: bytes) -> dict[str, Any]:
    """What ``manifest.sig`` holds."""
    key, value = (base64.b64encode(part).decode() for part in (public_key, signature))
    return {"algorithm": "Ed25519", "public_key": key, "signature": value}


def _signature_problem(public_key: bytes, signature: bytes, content: bytes) -> str:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        return "the signature was not checked: that needs the Python package cryptography"
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, content)
    except (InvalidSignature, ValueError):
        return "the signature does not fit the manifest"
    return ""


def main() -> int:
    """``python verify.py DIR [--public-key FILE]``; returns the exit code."""
    parser = argparse.ArgumentParser(prog="verify", description="Check the record of a run, offline.")
    parser.add_argument("folder", help="the record: the folder that holds manifest.json")
    parser.add_argument("--public-key", metavar="FILE", help="the Ed25519 public key that must have signed it (PEM)")
    given = parser.parse_args()
    try:
        key = Path(given.public_key).read_text() if given.public_key else None
        report = verify(given.folder, key)
    except (OSError, ValueError) as error:
        parser.error(f"--public-key: {error}")
    print(report)
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
