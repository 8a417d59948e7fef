"""The validation pack: all that a validator asks of a run, as one page for each language."""
