"""What the cells of a step show in each state: before, planned, applied, failed, parked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runbook import catalog, words
from runbook.catalog.scopes import Scopes
from runbook.errors import Parked, RunbookError
from runbook.tenant.base import SectionResult
from runbook.widgets import message
from runbook.widgets.evidence import ActionMatrix, EvidenceTable, PermissionMatrix, SecretAges
from runbook.widgets.hand_over import HandOverCard, KeyValue
from runbook.widgets.message import Message
from runbook.widgets.panel import Panel, Several


def not_reached(what: str) -> Message:
    """A cell whose turn did not come because one above it failed."""
    return Message("Not tried", "none", f"{what}: an earlier cell of this notebook failed.")


def kept(file: Path) -> Message:
    """The apply cell of section 1, where a choice is all there is."""
    return Message("Nothing to apply", "none", f"the choice is kept in {file} with every click.")


def applied(result: SectionResult | None, error: RunbookError | None, said: str, *, allowed: bool) -> Panel:
    """The outcome of applying where nobody is there to press a button; ``said``: what was done, in words."""
    if error is not None:
        return message.failure(error)
    if result is None or result.verdict == "planned":
        hint = "" if allowed else "set apply=True in the parameters, or press the button in JupyterLab."
        return message.verdict("planned", "nothing was written; applying was not allowed.", hint)
    if result.verdict == "parked":
        return message.verdict("parked", "applied as far as possible; a person must act.", result.next_step)
    return Message("Applied", words.tone(result.verdict), said)


def beside_button(result: SectionResult | None, error: RunbookError | None, said: str) -> str:
    """A few words for the place beside the button."""
    if error is not None:
        return f"Failed: {error.what}"
    return f"{result.verdict.capitalize()}: {said}" if result else ""


def evidence(
    result: SectionResult | None, error: RunbookError | None, scopes: Scopes, record: Path | None, *, attended: bool
) -> Panel:
    """What was read back, and where the ``record`` of it lies; or why there is nothing yet."""
    if result is not None and result.hand_over is not None:
        return HandOverCard(result.hand_over, attended=attended)
    if error is not None and not isinstance(error, Parked):
        return message.failure(error)
    if result is None or result.evidence is None:
        waiting = "press the button above; what is read back appears here." if attended else "nothing was applied."
        return Message("Nothing yet", "none", waiting)
    shown = [*_panels(result.section, result.facts, scopes), EvidenceTable(result.evidence.rows, result.evidence.notes)]
    if record is not None:
        how = f"read {record / 'report.html'}; check it, here or elsewhere, with: runbook records verify {record}"
        shown.append(Message("Record", "none", str(record), {"How to verify": how}))
    return Several(shown)


def parked_here(result: SectionResult) -> Message:
    """The verdict where the person who must act may be at this screen."""
    title = result.hand_over.title if result.hand_over else ""
    how = "follow the steps above; the notebook notices when it is done, or press “I have done it”."
    return message.verdict("parked", f"{result.title}: {title}", how)


def verdict(title: str, result: SectionResult | None, error: RunbookError | None, said: str, following: str) -> Message:
    """One line, the word first, with what was done (``said``) and the next thing to do."""
    if result is not None and result.verdict == "parked":
        who = result.hand_over.title if result.hand_over else "what was asked could not be found out."
        return message.verdict(
            "parked", f"{title}: {who}", result.next_step or "act as described, then run this again."
        )
    if error is not None:
        return message.verdict("failed", f"{title}: {error.what}", error.next_step)
    if result is None:
        return message.verdict("not tried", f"{title}: the plan is not applied yet.", "press the button above.")
    if result.verdict == "planned":
        return message.verdict("planned", f"{title}: nothing was written.", result.next_step)
    if result.verdict == "failed":
        return message.verdict("failed", f"{title}: what was read back is not what was wanted.", result.next_step)
    return message.verdict("passed", f"{title}: {said}", result.next_step or following)


def _panels(section: str, facts: Mapping[str, Any], scopes: Scopes) -> list[Panel]:
    """What the facts of ``section`` look like: the client id, the ages of secrets, permissions, the matrix of actions.

    ``scopes`` says why a permission is wanted.
    """
    shown: list[Panel] = []
    if section == "register_application" and facts.get("application"):
        shown.append(KeyValue("Application (client) id", str(facts["application"]["app_id"])))
    if section == "client_secret" and facts.get("secrets"):
        shown.append(SecretAges(facts["secrets"]))
    if section == "verify_actions" and facts.get("actions"):
        shown.append(ActionMatrix(facts["actions"]))
    if section in ("api_permissions", "verify_actions") and facts.get("permissions"):
        shown.append(PermissionMatrix(facts["permissions"], _reasons(scopes)))
    return shown


def _reasons(scopes: Scopes) -> dict[str, dict[str, str]]:
    """By type and permission, the actions that need it."""
    base = dict.fromkeys(scopes.base, "sign-in")
    return {
        kind: (base if kind == "delegated" else {})
        | {name: ", ".join(catalog.action(slug).name for slug in slugs) for name, slugs in scopes.of(kind).why.items()}
        for kind in scopes.types
    }
