"""What can be wrong with a file, in the words of every door: the sentence names the place and the remedy.

No sentence repeats what stands in a file: it may be a person's.
"""

from __future__ import annotations

from typing import Literal

import polars as pl

FAULTS: dict[str, pl.DataType] = {
    "row": pl.Int64(),
    "column": pl.String(),
    "code": pl.String(),
    "found": pl.Int64(),
}
"""Faults as a table: record from 1, column (null: the whole line), code, fields found."""

WORDS = {
    "fields": (
        "line {line} has {found} of {width} fields; write a separator for each column, "
        "or export the file again if it is cut off",
        "la ligne {line} a {found} champs sur {width} ; écrivez un séparateur par colonne, "
        "ou exportez de nouveau le fichier s'il est coupé",
    ),
    "quote": (
        "line {line} has a quotation mark that is not paired around a field; double it inside quotes",
        "la ligne {line} a un guillemet qui n'encadre pas un champ ; doublez-le entre guillemets",
    ),
    "encoding": (
        "line {line} is not UTF-8 as other lines are; export the file again in one encoding",
        "la ligne {line} n'est pas en UTF-8 comme d'autres ; exportez le fichier dans un seul encodage",
    ),
    "number": ("not a number", "n'est pas un nombre"),
    "integer": ("not a whole number of 32 bits", "n'est pas un nombre entier de 32 bits"),
    "id": ("not an identifier (whole number)", "n'est pas un identifiant (nombre entier)"),
    "label": ("neither 0 (repaid) nor 1 (default)", "ni 0 (remboursé) ni 1 (défaut)"),
    "shortened": (
        "a spreadsheet has rounded this identifier; show the column as a whole number and export again",
        "un tableur a arrondi cet identifiant ; affichez la colonne en nombre entier et exportez de nouveau",
    ),
    "comma": (
        "its comma may separate thousands or decimals; leave out the comma, or write a point for decimals",
        "sa virgule peut séparer des milliers ou des décimales ; enlevez-la, ou écrivez un point décimal",
    ),
    "point": (
        "its point may separate thousands or, unlike elsewhere in the file, decimals; leave out the point, "
        "or write a comma for decimals",
        "son point peut séparer des milliers ou, autrement qu'ailleurs, des décimales ; enlevez-le, ou "
        "écrivez une virgule décimale",
    ),
}
"""Code -> what is wrong, in English and in French."""

WHOLE_LINE = ("fields", "quote", "encoding")
"""Codes of lines that have no values."""


class TableError(ValueError):
    """A file that cannot be read; the text names the file, the place and the remedy.

    Attributes
    ----------
    en, fr : str
        The sentence in both languages.
    """

    def __init__(self, en: str, fr: str | None = None) -> None:
        super().__init__(en)
        self.en, self.fr = en, fr or en


def sentence(
    code: str, lang: Literal["en", "fr"] = "en", line: int = 0, found: int | None = None, width: int = 0
) -> str:
    """Return what is wrong, in words."""
    return WORDS[code][lang == "fr"].format(line=line, found=found, width=width)


def no_faults() -> pl.DataFrame:
    """Return a table of faults that has none."""
    return pl.DataFrame(schema=FAULTS)
