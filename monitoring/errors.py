"""What ends a run of the monitor with a sentence."""


class InputError(ValueError):
    """The log or the reference cannot be used; the text says which, and what to do."""
