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
    head = ("Action", "Request", "Delegated, least", "Application, least", "Guide's scopes")
    resource = ""
    for each in sorted(catalog.actions(), key=lambda action: action.resource):
        if each.resource != resource:
            resource = each.resource
            yield from ("", f"## {resource}", "")
            yield from list(rows(head, ()))
        guide = code(each.guide_scopes) if each.guide_scopes else "not public"
        least = [code(getattr(each, kind).least) or "none" for kind in ("delegated", "application")]
        name = f"[{each.name}]({each.docs_page}) ({each.effect})"
        yield list(rows(head, [(name, f"`{each.method} {each.path}`", *least, guide)]))[-1]


def presets() -> Iterator[str]:
    found = catalog.presets()
    body = ((f"`{name}`", str(len(found[name].actions)), found[name].about) for name in found)
    yield from rows(("Preset", "Actions", "For"), body)


def answers() -> Iterator[str]:
    known = table("clients/answers.json")
    body = ((answered(row["when"]), row["cause"], row["remedy"], known["people"][row["who"]]) for row in known["rows"])
    yield from rows(("Answer", "What it means", "What to do", "Who"), body)


def answered(when: dict[str, Any]) -> str:
    said = [*when.get("service", ()), *map(str, when.get("status", ())), *(f"`{one}`" for one in when.get("code", ()))]
    patterns = [f"{key} `{when[key]}`" for key in ("method", "path", "message") if key in when]
    facts = [f"{key}: {value}" for key, value in when.get("facts", {}).items()]
    return ", ".join([*said, *patterns, *facts])


def messages() -> Iterator[str]:
    body = ((text["what"], text.get("meaning", ""), text["next_step"]) for text in table("errors.json").values())
    yield from rows(("Says", "Means", "What to do"), ([literal(cell) for cell in line] for line in body))


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


def setup(sphinx: Sphinx) -> dict[str, bool]:
    sphinx.add_directive("generated", Generated)
    return {"parallel_read_safe": True}
