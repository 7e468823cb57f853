"""Finding actions by what people call them: name, slug or StackOne id, singly, in lists and in files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from runbook.catalog import loader
from runbook.catalog.model import Action
from runbook.errors import InputError, Problem

__all__ = ["action", "parse_list", "read_file", "resolve"]

_CLOSE_ENOUGH = 72
"""Least rapidfuzz score (0 to 100) of a suggestion: one or two letters wrong, or a word left out."""


@cache
def _index() -> Mapping[str, Action]:
    """Normalised name, slug and StackOne id -> action."""
    return {_key(text): found for found in loader.actions() for text in (found.name, found.slug, found.stackone_id)}


def _key(text: str) -> str:
    return "_".join(text.replace("-", " ").replace("_", " ").lower().split())


def action(text: str) -> Action:
    """The action with this name, slug or StackOne id; case, blanks, hyphens and underscores do not matter.

    Raises InputError with the likely ones meant.
    """
    found = _index().get(_key(text))
    if found is None:
        raise InputError(_unknown(text))
    return found


def resolve(texts: Iterable[str]) -> tuple[Action, ...]:
    """The actions meant, each once, sorted by name. Raises InputError that names every unknown one."""
    found: dict[str, Action] = {}
    problems = []
    for text in texts:
        known = _index().get(_key(text))
        if known is None:
            problems.append(_unknown(text))
        else:
            found[known.slug] = known
    if problems:
        raise InputError(problems)
    return tuple(sorted(found.values(), key=lambda item: item.name))


def parse_list(text: str) -> tuple[Action, ...]:
    """Actions from text with commas, semicolons or line breaks between them; ``#`` begins a comment.

    Raises InputError that names every unknown one, and for a text without any.
    """
    lines = (line.split("#", 1)[0] for line in text.splitlines())
    items = [item.strip() for line in lines for item in line.replace(";", ",").split(",") if item.strip()]
    if not items:
        raise InputError(Problem("actions", "the list is empty.", "`runbook actions` lists all of them."))
    return resolve(items)


def read_file(path: Path) -> tuple[Action, ...]:
    """Actions from a UTF-8 text file, as :func:`parse_list`. Raises InputError, also when it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(Problem(f"actions file {path}", f"cannot be read: {error}.")) from error
    return parse_list(text)


def _unknown(text: str) -> Problem:
    from rapidfuzz import fuzz, process

    names = {item.slug: item.name for item in loader.actions()}
    close = process.extract(
        text.lower().replace("_", " ").replace("-", " "),
        {slug: name.lower() for slug, name in names.items()},
        scorer=fuzz.WRatio,
        limit=3,
        score_cutoff=_CLOSE_ENOUGH,
    )
    if not close:
        return Problem("actions", f"{text!r} is not an action.", "`runbook actions` lists all of them.")
    best = close[0][1]
    likely = [names[slug] for _, score, slug in close if score >= best - 5]
    return Problem("actions", f"{text!r} is not an action.", f"Did you mean {' or '.join(likely)}?")
