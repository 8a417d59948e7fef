"""Every source becomes the same polars tables: a Kaggle folder, the Kaggle zip, any file, or requests.

The tables of many applicants together are a *portfolio*. Its key is ``row``, the position of the
application, never SK_ID_CURR: the same client may stand twice in a batch. Values are typed and checked
here, not cleaned: the odd ones of the source (365243, XNA) are dealt with where a feature reads them.
"""

from scoring.tables.faults import RECORD, TableError
from scoring.tables.files import LABEL, is_portfolio
from scoring.tables.partitions import Partitions
from scoring.tables.portfolio import (
    DTYPES,
    Portfolio,
    absent,
    concat,
    from_requests,
    parts,
    take,
    to_requests,
)
from scoring.tables.raw import NO_LIMITS, Batch, Raw, ReadLimits, TooLong, open_raw
from scoring.tables.reading import Population, read

__all__ = [
    "DTYPES",
    "LABEL",
    "NO_LIMITS",
    "RECORD",
    "Batch",
    "Partitions",
    "Population",
    "Portfolio",
    "Raw",
    "ReadLimits",
    "TableError",
    "TooLong",
    "absent",
    "concat",
    "from_requests",
    "is_portfolio",
    "open_raw",
    "parts",
    "read",
    "take",
    "to_requests",
]
