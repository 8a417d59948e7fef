"""A synthetic portfolio shaped like the Home Credit tables: any size, from a seed, nobody in it exists."""

from scoring.synthetic.portfolio import generate
from scoring.synthetic.writing import write

__all__ = ["generate", "write"]
