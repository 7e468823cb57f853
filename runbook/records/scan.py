"""The last look before anything is published: a file that still holds a secret is withheld, and a note says so."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from runbook import whole
from runbook.errors import RecordError
from runbook.records import redaction
from runbook.records.redaction import Finding

_NOTE = """{name} is not part of this record: the scan before publishing found a secret in it ({kinds}).
Nothing of it was kept. The journal tells what happened; the secret that was shown should be replaced.
"""


def _find_in(path: Path, text: str | None = None) -> tuple[Finding, ...]:
    """Secrets in one file of a record (or in the ``text`` that is about to become it). Raises ``OSError``.

    JSON is also searched value by value: its escaping, and nbformat's way to keep a text as a list of lines, can hide
    what a reader of the notebook would see.
    """
    if text is None:
        text = path.read_bytes().decode("utf-8", "replace")
    findings = list(redaction.find(text))
    if path.suffix in (".json", ".ipynb"):
        try:
            findings += (finding for leaf in _leaves(json.loads(text)) for finding in redaction.find(leaf))
        except ValueError:
            return tuple(findings)  # not JSON after all: searched as text already
    return tuple(findings)


def check(folder: str | os.PathLike[str]) -> None:
    """Search every file of a record. Raises :class:`RecordError` if a secret is found, after withholding the file.

    The journal is never withheld: it is the only witness, and its events were scrubbed when they were written.
    """
    from runbook.records.verify import files_of

    found = {path: findings for path in files_of(Path(folder)) if path.is_file() and (findings := _find_in(path))}
    for path, findings in found.items():
        _withhold(path, findings)
    if found:
        raise _refusal(found)


def check_text(path: Path, text: str) -> str:
    """``text`` itself if it may be written to ``path``; else ``path`` is withheld and :class:`RecordError` raised."""
    findings = _find_in(path, text)
    if findings:
        _withhold(path, findings)
        raise _refusal({path: findings})
    return text


def _withhold(path: Path, findings: tuple[Finding, ...]) -> None:
    """Take a file out of the record and leave a note in its place."""
    if path.name == "journal.jsonl":
        return
    path.unlink(missing_ok=True)
    whole.write(path.with_name(path.name + ".withheld.txt"), _NOTE.format(name=path.name, kinds=_kinds(findings)))


def _refusal(found: Mapping[Path, tuple[Finding, ...]]) -> RecordError:
    files = ", ".join(f"{path.name} ({_kinds(findings)})" for path, findings in sorted(found.items()))
    return RecordError(
        f"the record was not published: a secret was found in {files}",
        meaning="redaction missed it, which is a defect of the runbook. A note stands in the place of each file.",
        next_step="replace the secret (runbook rotate) and report the defect with the note, which holds no secret.",
    )


def _kinds(findings: tuple[Finding, ...]) -> str:
    return ", ".join(sorted({finding.kind for finding in findings}))


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        if len(value) > 1 and all(isinstance(member, str) for member in value):
            yield "".join(value)
        for member in value:
            yield from _leaves(member)
    elif isinstance(value, Mapping):
        for member in value.values():
            yield from _leaves(member)
