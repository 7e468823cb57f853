"""An executed notebook as it goes into a record: without secrets, of a sensible size, valid, and whole on disk."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runbook.errors import RecordError
from runbook.records import atomic, redaction

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["LONGEST_TEXT", "clean", "finish", "withhold"]

LONGEST_TEXT = 200_000
"""Characters of one output; what is longer keeps its beginning and its end."""
_LONGEST_DATA = 2_000_000  # a picture cannot be cut: it is left out as a whole
_WIDGET_STATE = "application/vnd.jupyter.widget-state+json"


def finish(path_in: str | os.PathLike[str], path_out: str | os.PathLike[str] | None = None) -> Path:
    """Write the executed notebook ``path_in`` as it may be published to ``path_out`` (default: in its place).

    Outputs, tracebacks and the state of widgets are scrubbed, huge outputs trimmed, the result held against the schema
    of nbformat and searched for secrets once more. Raises :class:`RecordError` if it is no notebook, or if a secret is
    still in it: then nothing is published but a note that says so (see :func:`withhold`).
    """
    source, target = Path(path_in), Path(path_in if path_out is None else path_out)
    try:
        text = _text(clean(_read(source)))
    except (OSError, ValueError) as error:
        reason = redaction.scrub_text(str(error).partition("\n")[0])
        raise RecordError(f"{source.name} is not a notebook that can be published: {reason}") from None
    findings = [*redaction.find(text), *_findings_of_leaves(json.loads(text))]
    if findings:
        withhold(target, findings)
    atomic.write(target, text)
    return target


def clean(notebook: NotebookNode) -> NotebookNode:
    """The same notebook, scrubbed, trimmed and valid against nbformat 4. Raises ``ValueError`` if it is not valid."""
    import nbformat

    scrubbed = redaction.scrub(notebook)
    for cell in scrubbed.get("cells", ()):
        for output in cell.get("outputs", ()):
            _trim(output)
    widgets = scrubbed.get("metadata", {}).get("widgets", {}).get(_WIDGET_STATE, {}).get("state", {})
    for model in widgets.values():
        _mask_password(model)
    node: NotebookNode = nbformat.from_dict(scrubbed)  # type: ignore[no-untyped-call]
    try:
        nbformat.validate(node)
    except nbformat.ValidationError as error:
        # The error quotes the cell that it is about; its first line names the rule only.
        raise ValueError(str(error).partition("\n")[0]) from None
    return node


def _read(path: Path) -> NotebookNode:
    import nbformat

    node: NotebookNode = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    return node


def _text(notebook: NotebookNode) -> str:
    """As nbformat writes it to disk."""
    import nbformat

    return str(nbformat.writes(notebook)) + "\n"  # type: ignore[no-untyped-call]


def withhold(path: Path, findings: list[redaction.Finding]) -> None:
    """Take a file that holds a secret out of the record and leave a note in its place. Always raises RecordError."""
    kinds = ", ".join(sorted({finding.kind for finding in findings}))
    path.unlink(missing_ok=True)
    note = path.with_name(path.name + ".withheld.txt")
    atomic.write(
        note,
        f"{path.name} is not part of this record: the scan before publishing found a secret in it ({kinds}).\n"
        "Nothing of it was kept. The journal tells what happened; the secret that was shown should be replaced.\n",
    )
    raise RecordError(
        f"{path.name} was not published: it held a secret ({kinds})",
        meaning="redaction missed it, which is a defect of the runbook; the record says that the file was withheld.",
        next_step="replace the secret (runbook rotate) and report the defect with the note, which holds no secret.",
    )


def _findings_of_leaves(value: Any) -> list[redaction.Finding]:
    """Secrets that the file's own escaping hides: in nbformat a text is a list of lines, and quotes are escaped."""
    if isinstance(value, str):
        return list(redaction.find(value))
    if isinstance(value, list):
        if value and all(isinstance(member, str) for member in value):
            return list(redaction.find("".join(value)))
        return [finding for member in value for finding in _findings_of_leaves(member)]
    if isinstance(value, Mapping):
        return [finding for member in value.values() for finding in _findings_of_leaves(member)]
    return []


def _trim(output: dict[str, Any]) -> None:
    if isinstance(output.get("text"), str):
        output["text"] = _shorten(output["text"])
    if isinstance(output.get("traceback"), list):
        output["traceback"] = [_shorten(line) for line in output["traceback"]]
    data = output.get("data", {})
    for kind in [kind for kind, content in data.items() if len(json.dumps(content)) > LONGEST_TEXT]:
        content = data[kind]
        if kind == "text/plain" and isinstance(content, str):
            data[kind] = _shorten(content)
        elif not kind.startswith("image/") or len(json.dumps(content)) > _LONGEST_DATA:
            del data[kind]
            data.setdefault("text/plain", f"[{kind} of {len(json.dumps(content)):,} bytes left out of the record]")


def _shorten(text: str) -> str:
    if len(text) <= LONGEST_TEXT:
        return text
    half = LONGEST_TEXT // 2
    return f"{text[:half]}\n[… {len(text) - 2 * half:,} characters left out of the record …]\n{text[-half:]}"


def _mask_password(model: dict[str, Any]) -> None:
    """The value of ipywidgets' Password field is stored like any other; nothing of ours uses it."""
    state = model.get("state", {})
    if state.get("_model_name") == "PasswordModel" and state.get("value"):
        state["value"] = redaction.MASK
