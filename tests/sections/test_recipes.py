"""What a probe may write on, read from its recipe."""

from __future__ import annotations

import pytest

from runbook import catalog
from runbook.proof.recipes import fill, need, recipes

WRITES = [action.slug for action in catalog.actions() if action.effect != "read"]
READS = [action.slug for action in catalog.actions() if action.effect == "read"]


def subjects(slug: str) -> list[str]:
    """The needs from which the path of a probe is filled."""
    recipe = recipes()
    probe = recipe.probes[slug]
    needs = {**(recipe.made[probe.makes].needs if probe.makes else {}), **probe.needs}
    return [needs[text[1:].split(".")[0]] for text in probe.path.values() if text[1:].split(".")[0] in needs]


@pytest.mark.parametrize("slug", WRITES)
def test_a_write_reaches_only_objects_of_our_own(slug: str) -> None:
    probe = recipes().probes[slug]
    foreign = [text for text in subjects(slug) if need(text)[0] != "made"]
    # A role is nobody's disposable object: a disposable user becomes a member of a harmless one.
    allowed = ["found:harmless_role"] if slug == "add_directory_role_member" else []
    assert foreign == allowed or probe.rehearsal_only


@pytest.mark.parametrize("slug", WRITES)
def test_a_probe_that_creates_says_what_so_that_it_is_removed(slug: str) -> None:
    action = catalog.action(slug)
    created = action.method == "POST" and slug != "verify_domain"
    assert bool(recipes().probes[slug].makes) == created


@pytest.mark.parametrize("slug", READS)
def test_a_read_needs_no_write_permission_of_the_token(slug: str) -> None:
    assert not recipes().probes[slug].makes
    assert recipes().probes[slug].body is None


def test_every_action_has_its_recipe_with_its_path_parameters() -> None:
    wanted = {action.slug: {each.name for each in action.path_parameters} for action in catalog.actions()}
    assert {slug: set(probe.path) for slug, probe in recipes().probes.items()} == wanted


def test_every_name_in_a_recipe_leads_to_an_object() -> None:
    found, made, probes = recipes().found, recipes().made, recipes().probes
    assert {probe.makes for probe in probes.values()} <= {*made, ""}
    needs = [text for each in (*made.values(), *probes.values()) for text in each.needs.values()]
    for source, name in map(need, needs):
        assert name in made or source == "found"
        assert name in found or source == "made"


def test_templates_take_values_and_keep_their_types() -> None:
    values = {"graph": "https://g/v1.0", "user": {"id": "u1", "mails": ["a"]}}
    filled = fill({"@odata.id": "$graph/users/$user.id", "mails": "$user.mails", "n": 1, "p": "/x/$ref"}, values)
    assert filled == {"@odata.id": "https://g/v1.0/users/u1", "mails": ["a"], "n": 1, "p": "/x/$ref"}


def test_a_template_with_an_unknown_name_is_refused() -> None:
    with pytest.raises(KeyError):
        fill("$nobody.id", {})
