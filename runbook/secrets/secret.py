"""A value that must never be shown."""

from __future__ import annotations

import hmac
from typing import Any, NoReturn

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

MASK = "**********"

_TELLING = 12
"""A value with fewer characters may be an ordinary word; redaction leaves it to the names it stands under."""

_seen: set[str] = set()


def seen() -> frozenset[str]:
    """Every telling value that this process has held as a secret: what redaction looks for, wherever it stands."""
    return frozenset(_seen)


def forget_seen() -> None:
    """Forget those values (between the tests of one process)."""
    _seen.clear()


class Secret:
    """Holds one secret string; every form but :meth:`reveal` is masked.

    ``str``, ``repr``, ``format``, ``%`` and logging show a mask; pickling and copying into JSON are refused
    or masked, so a value leaves this object only where the code says ``reveal()``.
    """

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        if not isinstance(value, str) or not value:
            raise ValueError("a secret is a non-empty string")
        self.__value = value
        if len(value) >= _TELLING:
            _seen.add(value)

    def reveal(self) -> str:
        """The value itself: only for the request that sends it."""
        return self.__value

    def __repr__(self) -> str:
        return f"Secret({MASK!r})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self.reveal().encode(), other.reveal().encode())

    def __hash__(self) -> int:
        return hash((Secret, self.__value))

    def __bool__(self) -> bool:
        return True

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("a secret is not pickled; pass its reference instead")

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, _memo: dict[int, Any]) -> Secret:
        return self

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: type[Any], _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            lambda value: value if isinstance(value, Secret) else cls(value),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda _secret: MASK),
        )
