"""The words of states, each with its sign and its tone, and the columns of a plan: said once.

Terminal, notebook and report read them here. A word is said first; the tone only colours it: ``good``, ``bad``,
``wait`` (somebody has to look or to act) or ``none``. It is the CSS class of a word, and names its style in a terminal.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

Kind = Literal["added", "changed", "removed", "same", "unknown"]
Tone = Literal["good", "bad", "wait", "none"]

SIGNS: Mapping[Kind, str] = {"added": "+", "changed": "~", "removed": "-", "same": "=", "unknown": "?"}
VERDICTS = ("passed", "failed", "parked", "planned", "incomplete", "not tried")
_STYLES: Mapping[Tone, str] = {"good": "green", "bad": "red", "wait": "yellow", "none": ""}
_TONES: Mapping[str, Tone] = {
    # kinds of change
    **{"added": "good", "changed": "wait", "removed": "bad", "same": "none", "unknown": "wait"},
    # verdicts
    **{"passed": "good", "failed": "bad", "parked": "wait", "planned": "wait", "incomplete": "bad"},
    # answers, and effects of an action
    **{"yes": "good", "no": "bad", "read": "good", "write": "wait", "delete": "bad"},
    # states of a section of the guide
    **{"done": "good", "next": "wait"},
}


_UNUSUAL = re.compile(r"[^ -~\n]")


def visible(text: str) -> str:
    """What a tenant says is shown, never obeyed: control characters and changes of direction as JSON writes them."""
    return text if text.isprintable() else _UNUSUAL.sub(_visible, text)


def _visible(found: re.Match[str]) -> str:
    units = "" if (mark := found[0]).isprintable() else mark.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4)) or mark


def word(value: object) -> str:
    """A value as a person reads it: ``yes``, ``no``, or its text; what is missing is ``unknown``, never blank."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if value or value == 0 else "unknown"


def tone(value: object) -> Tone:
    """The tone of a word, with or without its sign before it."""
    return _TONES.get(word(value).lower().lstrip("".join(SIGNS.values()) + " "), "none")


def style(value: object) -> str:
    """The style of a word in a terminal, as rich takes it."""
    return _STYLES[tone(value)]


def signed(kind: Kind) -> str:
    """A kind of change with its sign: ``+ added``."""
    return f"{SIGNS[kind]} {kind}"


def plural(count: int, noun: str) -> str:
    """``1 action``, ``2 actions``, ``3 retries``."""
    many = noun[:-1] + "ies" if noun.endswith("ry") else noun + "s"
    return f"{count} {noun if count == 1 else many}"


def tally(found: Iterable[str], nothing: str = "nothing") -> str:
    """Words counted: ``2 added, 1 removed``; verdicts and kinds of change in the order of their tables."""
    words = list(found)
    order = [*SIGNS, *VERDICTS, *words]
    return ", ".join(f"{words.count(each)} {each}" for each in dict.fromkeys(order) if each in words) or nothing


def done(section: Mapping[str, Any]) -> str:
    """What a section did: ``1 application, 1 service principal created``; and how many actions were proven.

    ``section`` has ``done``, counts by what was done and to what kind of object, and perhaps ``facts``.
    """
    kinds = ((did, ", ".join(plural(count, what) for what, count in of.items())) for did, of in section["done"].items())
    said = ", ".join(f"{counted} {did}" for did, counted in kinds)
    actions = (section.get("facts") or {}).get("actions")
    made, gone = (sum(section["done"].get(did, {}).values()) for did in ("created", "deleted"))
    if actions and made == gone:
        said = f"{plural(made, 'disposable object')} made and removed" if made else ""
    return "; ".join(filter(None, (proven(actions) if actions else "", said))) or "nothing changed"


def proven(actions: Iterable[Mapping[str, Any]]) -> str:
    """``5 of 6 actions proven``."""
    verdicts = [action.get("verdict") for action in actions]
    return f"{verdicts.count('passed')} of {plural(len(verdicts), 'action')} proven"


def left_behind(things: Sequence[str]) -> str:
    """What a proof made, or may have made, and could not remove, and what becomes of it."""
    more = f" and {len(things) - 3} more" if len(things) > 3 else ""
    said = f"Left behind on the tenant, or perhaps so: {', '.join(things[:3])}{more}"
    return f"{said}. The next run of section 8 removes what is there."


class _Column(NamedTuple):
    """A column of a plan: its title, the field of a change that it shows, and what an empty field reads as."""

    title: str
    field: str
    empty: str = ""


PLAN = (
    _Column("What", "what"),
    _Column("Now", "now", "none"),
    _Column("Wanted", "wanted", "none"),
    _Column("Change", "kind"),
    _Column("Note", "note"),
)


def plan_table(changes: Iterable[Mapping[str, str]]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The titles and the rows of a plan as every medium shows it; a column that is empty in every row is left out."""
    shown = [{**change, "kind": signed(change["kind"])} for change in changes]  # type: ignore[arg-type]
    columns = [column for column in PLAN if any(change.get(column.field) for change in shown)]
    rows = [tuple(change.get(column.field) or column.empty for column in columns) for change in shown]
    return tuple(column.title for column in columns), rows
