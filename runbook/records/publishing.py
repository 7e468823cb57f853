"""What may be published: executed notebooks are scrubbed, trimmed and valid, and every file gets a last look.

A file that still holds a secret is withheld, and a note in its place says so.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from runbook import whole
from runbook.errors import RecordError
from runbook.records import redaction
from runbook.records.redaction import Finding
from runbook.records.verify import files_of
from runbook.secrets.secret import MASK

_NOTE = """{name} is not part of this record: the scan before publishing found a secret in it ({kinds}).
Nothing of it was kept. The journal tells what happened; the secret that was shown should be replaced.
"""
_LONGEST_TEXT = 200_000
"""Characters of one output; of a longer text the beginning and the end are kept."""
_LARGEST_PICTURE = 2_000_000
"""Characters of one picture; it cannot be cut, so a larger one is left out as a whole."""
_WIDGET_STATE = "application/vnd.jupyter.widget-state+json"


def _find_in(path: Path, text: str | None = None) -> tuple[Finding, ...]:
    """Secrets in one file of a record (or in the ``text`` that is about to become it). Raises ``OSError``.

    JSON is also searched value by value: its escaping, and nbformat's way to keep a text as a list of lines, can hide
    what a reader of the notebook would see.
    """
    if text is None:
        text = path.read_bytes().decode("utf-8", "replace")
    findings = list(redaction.find(text))
    if path.suffix in (".json", ".ipynb"):
        with suppress(ValueError):  # not JSON after all: searched as text already
            findings += (finding for leaf in {*_leaves(json.loads(text))} for finding in redaction.find(leaf))
    return tuple(findings)


def check(folder: str | os.PathLike[str]) -> None:
    """Search every file of a record. Raises :class:`RecordError` if a secret is found, after withholding the file.

    The journal is never withheld: it is the only witness, and its events were scrubbed when they were written.
    """
    found = {path: findings for path in files_of(Path(folder)) if path.is_file() and (findings := _find_in(path))}
    for path, findings in found.items():
        _withhold(path, findings)
    if found:
        raise _refusal(found)


def check_text(path: Path, text: str) -> str:
    """``text`` itself if it may be written to ``path``; else ``path`` is withheld and :class:`RecordError` raised."""
    if findings := _find_in(path, text):
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
    return RecordError.named("not_published", files=files)


def _kinds(findings: tuple[Finding, ...]) -> str:
    return ", ".join(sorted({finding.kind for finding in findings}))


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        if texts := len(value) > 1 and all(isinstance(member, str) for member in value):
            yield "".join(value)
        if not texts or not all(line.endswith("\n") for line in value[:-1]):  # else as good as one text
            for member in value:
                yield from _leaves(member)
    elif isinstance(value, Mapping):
        for member in value.values():
            yield from _leaves(member)


def write_notebook(path: Path, document: Mapping[str, Any]) -> None:
    """Write an executed notebook, as it would lie on the disk, as it may be published: scrubbed, trimmed and valid.

    Raises :class:`RecordError` if it is no notebook of nbformat 4, or if a secret is still in it after scrubbing: then
    nothing is published but a note that says so. Raises ``OSError`` if it cannot be written.
    """
    import nbformat

    try:
        clean = _scrubbed(document)
        nbformat.validate(clean)
    except (nbformat.ValidationError, LookupError, TypeError, AttributeError) as error:
        # A validation error quotes the cell that it is about; its first line names the rule only.
        reason = redaction.scrub_text(str(error).partition("\n")[0])
        raise RecordError(f"{path.name} is not a notebook that can be published: {reason}") from None
    text = json.dumps(clean, ensure_ascii=False, indent=1, sort_keys=True, separators=(",", ": "))
    whole.write(path, check_text(path, text + "\n"))


def _scrubbed(document: Mapping[str, Any]) -> dict[str, Any]:
    clean: dict[str, Any] = redaction.scrub(document)
    for cell in clean["cells"]:
        for output in cell.get("outputs", ()):
            _trim(output)
    for model in clean["metadata"].get("widgets", {}).get(_WIDGET_STATE, {}).get("state", {}).values():
        _mask_password(model)
    return clean


def _trim(output: dict[str, Any]) -> None:
    if "text" in output:
        output["text"] = _shorten(output["text"])
    if isinstance(output.get("traceback"), list):
        output["traceback"] = [_shorten(line) for line in output["traceback"]]
    data = output.get("data", {})
    for kind, content in list(data.items()):
        if kind == "text/plain":
            data[kind] = _shorten(content)
        elif (size := _size(content)) > (_LARGEST_PICTURE if kind.startswith("image/") else _LONGEST_TEXT):
            del data[kind]
            data.setdefault("text/plain", f"[{kind} of {size:,} characters left out of the record]")


def _shorten(text: str | list[str]) -> str | list[str]:
    """On the disk a text is a list of its lines."""
    if _size(text) <= _LONGEST_TEXT:
        return text
    whole_text, half = "".join(text), _LONGEST_TEXT // 2
    left_out = len(whole_text) - 2 * half
    return f"{whole_text[:half]}\n[… {left_out:,} characters left out of the record …]\n{whole_text[-half:]}"


def _size(content: Any) -> int:
    if isinstance(content, list) and all(isinstance(line, str) for line in content):
        return sum(map(len, content))
    return len(content if isinstance(content, str) else json.dumps(content))


def _mask_password(model: dict[str, Any]) -> None:
    """The value of ipywidgets' Password field is stored like any other; nothing of ours uses one."""
    state = model.get("state", {})
    if state.get("_model_name") == "PasswordModel" and state.get("value"):
        state["value"] = MASK
