"""Decide and record: the one path from applications to decisions that may be given.

A few applications, or slices of a table, come in; decisions under the names of `schema.Decision` come out, as
dictionaries or as frames. What carries them, and who asks by which means, is known above.
"""

from scoring.decider.few import Decided, Decider
from scoring.decider.slices import DecidedSlice, Slices
from scoring.schema import Asked

__all__ = ["Asked", "Decided", "DecidedSlice", "Decider", "Slices"]
