"""What the sandbox raises when it cannot be had: one class for callers, a class of its own for each reason."""


class SandboxError(Exception):
    """The sandbox cannot be had; the text says why and what to do."""
