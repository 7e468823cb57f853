"""``POST /actions/search``: actions by what they do (``ActionSearchDto`` of the npm client, ``stackone-ai``).

StackOne ranks by meaning; here words are compared, so scores differ and the order is only a likeness.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from entra_sandbox.stackone.actions import all_actions
from entra_sandbox.stackone.api import Call, parsed
from entra_sandbox.stackone.connector import connector
from entra_sandbox.stackone.project import Project

__all__ = ["search_actions"]


class Wanted(BaseModel):
    """The body of ``POST /actions/search``."""

    model_config = ConfigDict(extra="ignore", strict=True)

    query: str = Field(min_length=1, max_length=1000)
    connector: str | None = None
    project_id: str | None = None
    top_k: int | None = Field(default=None, ge=1, le=500)
    min_similarity: float | None = Field(default=None, ge=0, le=1)


def search_actions(_project: Project, call: Call) -> dict[str, Any]:
    """``{results: [{id, similarity_score}], total_count, query, connector_filter, project_filter}``, best first."""
    from rapidfuzz import fuzz, utils

    wanted = parsed(Wanted, call.body)
    least = 0.4 if wanted.min_similarity is None else wanted.min_similarity
    names = {id_: utils.default_process(one.name) for id_, one in all_actions().items()}
    known = {word for name in names.values() for word in name.split()}
    asked = utils.default_process(wanted.query)
    asked = " ".join(word for word in asked.split() if word in known) or asked
    offered = names if wanted.connector in (None, connector().key) else {}
    scored = [(fuzz.token_sort_ratio(asked, name) / 100, id_) for id_, name in offered.items()]
    best = sorted((-score, id_) for score, id_ in scored if score >= least)[: wanted.top_k or 10]
    return {
        "results": [{"id": id_, "similarity_score": round(-score, 4)} for score, id_ in best],
        "total_count": len(best),
        "query": wanted.query,
        "connector_filter": wanted.connector,
        "project_filter": wanted.project_id,
    }
