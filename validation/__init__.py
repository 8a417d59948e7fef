"""The validation pack: all that a validator asks of a run, as one page in English and one in French."""
