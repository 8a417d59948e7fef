"""What can go wrong, declared once: kinds of problems, codes of faults, and the sentence of each.

A kind of problem is what a whole request meets, named on the wire by a URN; a fault is what is wrong with one
value, named by a code. Both have parameters, and their sentences are texts: every language has them.
"""

from scoring.problems.faults import FAULTS, Fault
from scoring.problems.files import FILES
from scoring.problems.kinds import KINDS, URN, ProblemKind, type_of
from scoring.problems.spelling import nearest
from scoring.problems.words import Params, Sayable, places, worded

__all__ = [
    "FAULTS",
    "FILES",
    "KINDS",
    "URN",
    "Fault",
    "Params",
    "ProblemKind",
    "Sayable",
    "nearest",
    "places",
    "type_of",
    "worded",
]
