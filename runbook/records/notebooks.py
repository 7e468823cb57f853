"""An executed notebook as it goes into a record: without secrets, of a sensible size, valid, and whole on disk."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from runbook import whole
from runbook.errors import RecordError
from runbook.records import redaction, scan
from runbook.secrets.secret import MASK

_LONGEST_TEXT = 200_000
"""Characters of one output; of a longer text the beginning and the end are kept."""
_LARGEST_PICTURE = 2_000_000
"""Characters of one picture; it cannot be cut, so a larger one is left out as a whole."""
_WIDGET_STATE = "application/vnd.jupyter.widget-state+json"


def finish(path_in: str | os.PathLike[str], path_out: str | os.PathLike[str] | None = None) -> Path:
    """Write the executed notebook ``path_in`` as it may be published to ``path_out`` (default: in its place).

    Raises :class:`RecordError` if it is no notebook, or if a secret is still in it after scrubbing: then nothing is
    published but a note that says so (:mod:`runbook.records.scan`). Raises ``OSError`` if it cannot be written.
    """
    source, target = Path(path_in), Path(path_in if path_out is None else path_out)
    try:
        text = publishable(source.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = redaction.scrub_text(str(error))
        raise RecordError(f"{source.name} is not a notebook that can be published: {reason}") from None
    whole.write(target, scan.check_text(target, text))
    return target


def publishable(text: str) -> str:
    """A notebook's JSON with sources, outputs, tracebacks and widget state scrubbed, huge outputs trimmed, and valid.

    Raises ``ValueError`` if it is no notebook of nbformat 4.
    """
    import nbformat

    try:
        document = redaction.scrub(nbformat.reads(text, as_version=4))  # type: ignore[no-untyped-call]
        for cell in document["cells"]:
            for output in cell.get("outputs", ()):
                _trim(output)
        for model in document["metadata"].get("widgets", {}).get(_WIDGET_STATE, {}).get("state", {}).values():
            _mask_password(model)
        clean = nbformat.from_dict(document)  # type: ignore[no-untyped-call]
        nbformat.validate(clean)
    except (nbformat.ValidationError, LookupError, TypeError, AttributeError) as error:
        # A validation error quotes the cell that it is about; its first line names the rule only.
        raise ValueError(str(error).partition("\n")[0]) from None
    return str(nbformat.writes(clean)) + "\n"  # type: ignore[no-untyped-call]


def _trim(output: dict[str, Any]) -> None:
    if isinstance(output.get("text"), str):
        output["text"] = _shorten(output["text"])
    if isinstance(output.get("traceback"), list):
        output["traceback"] = [_shorten(line) for line in output["traceback"]]
    data = output.get("data", {})
    for kind, content in list(data.items()):
        size = len(content) if isinstance(content, str) else len(json.dumps(content))
        if kind == "text/plain" and isinstance(content, str):
            data[kind] = _shorten(content)
        elif size > (_LARGEST_PICTURE if kind.startswith("image/") else _LONGEST_TEXT):
            del data[kind]
            data.setdefault("text/plain", f"[{kind} of {size:,} characters left out of the record]")


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
