"""What may be published: executed notebooks are scrubbed, trimmed and valid, and every file gets a last look.

A file that still holds a secret is withheld, and a note in its place says so.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from runbook import late, whole
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
            findings += (finding for leaf in _leaves(json.loads(text)) for finding in redaction.find(leaf))
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
        if len(value) > 1 and all(isinstance(member, str) for member in value):
            yield "".join(value)
        for member in value:
            yield from _leaves(member)
    elif isinstance(value, Mapping):
        for member in value.values():
            yield from _leaves(member)


def finish(path_in: str | os.PathLike[str], path_out: str | os.PathLike[str] | None = None) -> Path:
    """Write the executed notebook ``path_in`` as it may be published to ``path_out`` (default: in its place).

    Raises :class:`RecordError` if it is no notebook, or if a secret is still in it after scrubbing: then nothing is
    published but a note that says so. Raises ``OSError`` if it cannot be written.
    """
    source, target = Path(path_in), Path(path_in if path_out is None else path_out)
    try:
        text = _publishable(source.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = redaction.scrub_text(str(error))
        raise RecordError(f"{source.name} is not a notebook that can be published: {reason}") from None
    whole.write(target, check_text(target, text))
    return target


def _publishable(text: str) -> str:
    """A notebook's JSON with sources, outputs, tracebacks and widget state scrubbed, huge outputs trimmed, and valid.

    Raises ``ValueError`` if it is no notebook of nbformat 4.
    """
    late.grammar()
    import nbformat

    try:
        document = nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]
        clean = nbformat.from_dict(scrubbed(document))  # type: ignore[no-untyped-call]
        nbformat.validate(clean)
    except (nbformat.ValidationError, LookupError, TypeError, AttributeError) as error:
        # A validation error quotes the cell that it is about; its first line names the rule only.
        raise ValueError(str(error).partition("\n")[0]) from None
    return str(nbformat.writes(clean)) + "\n"  # type: ignore[no-untyped-call]


def scrubbed(document: Mapping[str, Any]) -> dict[str, Any]:
    """A notebook scrubbed and trimmed, be it as nbformat keeps it in memory or as it lies on the disk."""
    clean: dict[str, Any] = redaction.scrub(document)
    for cell in clean["cells"]:
        for output in cell.get("outputs", ()):
            _trim(output)
    for model in clean["metadata"].get("widgets", {}).get(_WIDGET_STATE, {}).get("state", {}).values():
        _mask_password(model)
    return clean


def _trim(output: dict[str, Any]) -> None:
    if "text" in output:
        output["text"] = _shorten(_whole(output["text"]))
    if isinstance(output.get("traceback"), list):
        output["traceback"] = [_shorten(line) for line in output["traceback"]]
    data = output.get("data", {})
    for kind, content in list(data.items()):
        size = len(content) if isinstance(content, str) else len(json.dumps(content))
        if kind == "text/plain":
            data[kind] = _shorten(_whole(content))
        elif size > (_LARGEST_PICTURE if kind.startswith("image/") else _LONGEST_TEXT):
            del data[kind]
            data.setdefault("text/plain", f"[{kind} of {size:,} characters left out of the record]")


def _whole(text: str | list[str]) -> str:
    """On the disk a text is a list of its lines."""
    return text if isinstance(text, str) else "".join(text)


def _shorten(text: str) -> str:
    if len(text) <= _LONGEST_TEXT:
        return text
    half = _LONGEST_TEXT // 2
    return f"{text[:half]}\n[… {len(text) - 2 * half:,} characters left out of the record …]\n{text[-half:]}"


def _mask_password(model: dict[str, Any]) -> None:
    """The value of ipywidgets' Password field is stored like any other; nothing of ours uses one."""
    state = model.get("state", {})
    if state.get("_model_name") == "PasswordModel" and state.get("value"):
        state["value"] = MASK
