"""The version of the package, as ``pyproject.toml`` says it."""

__all__ = ["VERSION"]

VERSION = "0.1.0"
