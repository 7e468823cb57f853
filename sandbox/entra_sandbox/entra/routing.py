"""Addresses of Entra ID: the same in any casing."""

from __future__ import annotations

import re
from typing import Any

from starlette import routing


class Route(routing.Route):
    """A route whose words may be written in any casing, as ``/Common/OAuth2/V2.0/Token``."""

    def __init__(self, path: str, endpoint: Any, **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self.path_regex = re.compile(self.path_regex.pattern, re.IGNORECASE)
