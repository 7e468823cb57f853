"""The directive ``{generated} NAME``: what the book says of commands, parameters, actions and so on, from the code."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import typer
import yaml
from docutils import nodes
from entra_sandbox.cli import app as sandbox_app
from map_of_rooms import drawn
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from runbook import catalog, errors
from runbook.cli.app import app
from runbook.data import table
from runbook.parameters import Parameters
from runbook.records import journal, verify

MEANINGS = Path(__file__).parent / "reference" / "parameters.yaml"


def rows(head: Iterable[str], body: Iterable[Iterable[str]]) -> Iterator[str]:
    """A table in Markdown."""
    head = tuple(head)
    for line in (head, ["---"] * len(head), *body):
        yield "| " + " | ".join(cell.replace("\n", " ").replace("|", "\\|") for cell in line) + " |"


def code(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def leaves(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, with the words that call it."""
    inner = getattr(command, "commands", None)
    if not inner:
        yield path, command
    for name, each in (inner or {}).items():
        if not each.hidden:
            yield from leaves(each, (*path, name))


def tree() -> Iterator[tuple[tuple[str, ...], Any]]:
    """The commands of ``runbook``, and those of the sandbox as the runbook offers them."""
    yield from leaves(typer.main.get_command(app), ("runbook",))
    yield from leaves(typer.main.get_command(sandbox_app), ("runbook", "sandbox"))


def commands() -> Iterator[str]:
    for path, command in sorted(tree()):
        yield from (f"### {' '.join(path)}", "", inspect.cleandoc(command.help or ""), "")
        shown = [each for each in command.params if not getattr(each, "hidden", False) and each.name != "help"]
        yield from rows(("Option", "Takes", "Means"), (option(each) for each in shown))
        yield ""


def option(of: Any) -> tuple[str, str, str]:
    about = getattr(of, "help", None) or ""
    if of.param_type_name == "argument":
        return f"`{of.metavar or of.name.upper()}`", "", about
    takes = "" if of.is_flag else f"`{of.metavar or of.opts[0].strip('-').upper()}`"
    variable = f" Variable: `{of.envvar}`." if of.envvar else ""
    return code([*of.opts, *of.secondary_opts]), takes, about + variable


def parameters() -> Iterator[str]:
    told: dict[str, Any] = yaml.safe_load(MEANINGS.read_text(encoding="utf-8"))
    schema = Parameters.model_json_schema()["properties"]
    assert list(told) == list(schema), "each parameter has its meaning, in the order of the code"
    yield from rows(("Parameter", "Default", "Means"), (parameter(name, told[name]) for name in told))


def parameter(name: str, told: Any) -> tuple[str, str, str]:
    default = Parameters.model_fields[name].default
    if isinstance(told, dict):
        return f"`{name}`", told["default"], told["means"]
    shown = default if isinstance(default, str | int) else ", ".join(default or ())
    return f"`{name}`", f"`{shown}`" if shown or shown == 0 else "", told


def accepted() -> Iterator[str]:
    """What is checked of each parameter's value: choices, bounds, lengths."""
    for name, field in Parameters.model_json_schema()["properties"].items():
        kinds = [field, *field.get("anyOf", ()), field.get("items", {})]
        choices = [str(each) for kind in kinds for each in kind.get("enum", ())]
        bounds = [f"{word} {field[key]}" for key, word in BOUNDS.items() if key in field]
        bounds += [f"{word} {field[key]} characters" for key, word in LENGTHS.items() if key in field]
        types = [kind["type"] for kind in kinds[1:-1] or kinds[:1] if kind.get("type") not in (None, "null")]
        what = "a list of" if field.get("type") == "array" and choices else ", ".join(TYPES[each] for each in types)
        yield f"- `{name}`: {' '.join(filter(None, [what * (not choices or what == 'a list of'), code(choices)]))}" + (
            f", {' and '.join(bounds)}" if bounds else ""
        )


TYPES = {"string": "text", "integer": "a whole number", "boolean": "`true` or `false`", "array": "a list"}
BOUNDS = {"minimum": "at least", "maximum": "at most"}
LENGTHS = {"minLength": "at least", "maxLength": "at most"}


def actions() -> Iterator[str]:
    resource = ""
    for each in sorted(catalog.actions(), key=lambda action: action.resource):
        if each.resource != resource:
            resource = each.resource
            yield from ("", f"## {resource}", "")
        least = [f"{kind}: {code(getattr(each, kind).least) or 'none'}" for kind in ("delegated", "application")]
        guide = f"the guide's: {code(each.guide_scopes)}" if each.guide_scopes else ""
        asked = f"`{each.method} {each.path}`"
        yield from entry(
            f"[{each.name}]({each.docs_page}), {each.effect}", asked, "; ".join(filter(None, [*least, guide]))
        )


def presets() -> Iterator[str]:
    found = catalog.presets()
    body = ((f"`{name}`", str(len(found[name].actions)), found[name].about) for name in found)
    yield from rows(("Preset", "Actions", "For"), body)


def entry(term: str, *said: str) -> Iterator[str]:
    """One of a list of definitions, which can be read at any width."""
    yield from (term, *(f": {each}" for each in said if each), "")


def answers() -> Iterator[str]:
    known = table("clients/answers.json")
    for row in known["rows"]:
        remedy, who = row["remedy"], known["people"][row["who"]]
        yield from entry(answered(row["when"]), row["cause"], f"**What to do**, {who}: {remedy}")


def answered(when: dict[str, Any]) -> str:
    services = [" or ".join(SERVICES[each] for each in when["service"])] if "service" in when else []
    statuses, codes = [" or ".join(map(str, when.get("status", ())))], [code(when.get("code", ()))]
    calls = [" to ".join(f"`{when[key]}`" for key in ("method", "path") if key in when)]
    words = [f"saying `{when['message']}`"] if when.get("message") else []
    facts = [FACTS[f"{name}: {value}"] for name, value in when.get("facts", {}).items()]
    said = "; ".join(filter(None, [*services, *statuses, *codes, *calls, *words, *facts]))
    return said[0].upper() + said[1:]


SERVICES = {"entra": "Entra ID", "graph": "Microsoft Graph", "stackone": "StackOne"}
FACTS = {
    "broken: untrusted": "the certificate of the other side is not trusted",
    "broken: proxy": "a proxy refused",
    "broken: bounds": "an answer beyond all bounds",
    "broken: unsent": "no connection came about",
    "broken: sent": "the connection was lost after the request was sent",
    "broken: unanswered": "no answer in time",
    "code: ": "without a code",
    "consent_redirected: True": "consent came back from the sign-in",
    "account_active: False": "the linked account is not active",
    "secret_looks_like_id: True": "the secret has the form of an id",
    "whose: administrator": "at the administrator's own sign-in",
    "whose: linked": "through the linked account",
    "fresh: True": "what is asked for was made a moment ago",
    "clock_skewed: True": "the clock of this machine is off",
    "misplaced: True": "two ids are in each other's place",
    "requested: False": "the application does not request the permission",
    "granted: False": "the permission is not granted",
    "granted: True": "the permission is granted",
    "in_token: False": "the token lacks it",
    "in_token: True": "the token has the permission",
    "permission_type: application": "as an application",
    "permission_type: delegated": "on behalf of a person",
}


def messages() -> Iterator[str]:
    for text in table("errors.json").values():
        what, means, step = (literal(text.get(name, "")) for name in ("what", "meaning", "next_step"))
        yield from entry(what, means, step and f"**What to do**: {step}")


def literal(text: str) -> str:
    """A text whose braces stand for something of the moment."""
    return re.sub(r"\{(\w+)[^}]*\}", lambda found: f"*{found[1].replace('_', ' ')}*", text)


def tree_of_errors() -> Iterator[str]:
    yield from ("```text", inspect.cleandoc(errors.__doc__ or "").partition("\n\n")[2], "```")


def events() -> Iterator[str]:
    text = inspect.cleandoc(journal.__doc__ or "")
    before, _, after = text.partition("::\n\n")
    yield from (prose(before) + ":", "", "```text", inspect.cleandoc(after), "```")


def checks() -> Iterator[str]:
    yield prose(inspect.cleandoc(verify.__doc__ or ""))


def prose(text: str) -> str:
    """A docstring as Markdown."""
    return re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text).replace("``", "`")


def map_of_rooms() -> Iterator[str]:
    yield from ("```{raw} html", drawn(), "```")


KINDS: dict[str, Callable[[], Iterator[str]]] = {
    each.__name__: each
    for each in (
        *(commands, parameters, accepted, actions, presets, answers, messages, tree_of_errors, events, checks),
        *(map_of_rooms,),
    )
}


class Generated(SphinxDirective):
    """Puts what the code says of ``NAME`` in its place."""

    required_arguments: ClassVar[int] = 1

    def run(self) -> list[nodes.Node]:
        text = "\n".join(KINDS[self.arguments[0]]())
        self.env.note_reread()
        return self.parse_text_to_nodes(text, allow_section_headings=True)


# What Sphinx and the theme leave out for those who read by a screen reader or by keyboard alone: the level of a caption
# that is a heading (WAI-ARIA 1.2, role heading), and that what can be scrolled can be reached.
REACHABLE = {
    'class="caption" role="heading"': 'class="caption" role="heading" aria-level="2"',
    "<pre>": '<pre tabindex="0">',
    '<div class="table-wrapper': '<div tabindex="0" class="table-wrapper',
}


def reachable(_sphinx: Sphinx, _page: str, _template: str, context: dict[str, Any], _tree: object) -> None:
    for name in ("body", "furo_navigation_tree"):
        for lacking, whole in REACHABLE.items():
            context[name] = str(context.get(name, "")).replace(lacking, whole)


def setup(sphinx: Sphinx) -> dict[str, bool]:
    sphinx.add_directive("generated", Generated)
    sphinx.connect("html-page-context", reachable, priority=900)  # after the theme's own
    return {"parallel_read_safe": True}
