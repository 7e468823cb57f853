"""Finding actions by what people call them: name, slug or StackOne id, singly, in lists and in files."""

from collections.abc import Iterable, Mapping
from functools import cache

from runbook.catalog import loader
from runbook.catalog.model import Action
from runbook.errors import InputError, Problem

_CLOSE, _SAME_WORDS = 75, 80
"""Least rapidfuzz scores (0 to 100) of a suggestion: the whole name is alike, or the words given are part of it."""


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
    return resolve([text])[0]


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


def _unknown(text: str) -> Problem:
    from rapidfuzz import fuzz, process

    known = {item.slug: item.name.lower() for item in loader.actions()}
    asked = " ".join(_key(text).removeprefix("microsoftentraid_").split("_"))
    for scorer, cutoff in ((fuzz.token_sort_ratio, _CLOSE), (fuzz.token_set_ratio, _SAME_WORDS)):
        close = process.extract(asked, known, scorer=scorer, limit=3, score_cutoff=cutoff)
        likely = [slug for _, score, slug in close if score >= close[0][1] - 8]
        if likely:
            meant = " or ".join(action(slug).name for slug in likely)
            return Problem("actions", f"{text!r} is not an action.", f"Did you mean {meant}?")
    return Problem("actions", f"{text!r} is not an action.", "`runbook actions` lists all of them.")
