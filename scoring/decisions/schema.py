"""The tables of the index, as SQLAlchemy knows them: the same in SQLite and in PostgreSQL.

A page of a filter must cost the same whatever is asked for and however many decisions there are. What is
filtered by (model, purpose, decision, review, outcome) has few combinations, the kinds. Each index
begins with what is asked for, goes on with the kind, and is ordered by time: a page is the newest rows of
each kind that will do, merged.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
)

VERSION = 3  # of these tables: an index of another is made again from the log
metadata = MetaData()
WHOLE = BigInteger().with_variant(Integer, "sqlite")  # only an INTEGER is a rowid there

about = Table(
    "about",
    metadata,
    Column("id", SmallInteger, primary_key=True),  # 1: there is one row
    Column("version", Integer, nullable=False),
    Column("log", String(64), nullable=False),  # `inference_log.identity`
    Column("made", String(32), nullable=False),  # differs for each index that was begun: cursors are of one
    Column("next", BigInteger, nullable=False),  # id of the next decision
    Column("duplicates", BigInteger, nullable=False),
    Column("set_aside", BigInteger, nullable=False),
)
instances = Table(
    "instances",
    metadata,
    Column("name", String(63), primary_key=True),  # "" where there is one
    Column(
        "followed", BigInteger, nullable=False
    ),  # when all that was in its files was in here; microseconds
)
files = Table(
    "files",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("instance", String(63), nullable=False),  # in whose folder it is
    Column("name", String(255), nullable=False),
    Column("seq", BigInteger, nullable=False),  # the checkpoint: see `inference_log.Place`
    Column("offset", BigInteger, nullable=False),
    Column("head", String(64), nullable=False),
    Column("state", String(8), nullable=False),  # open, whole, purged or broken
    Column("fault", String(500)),
    Column("first", BigInteger),  # ids of its decisions lie between these
    Column("last", BigInteger),
    UniqueConstraint("instance", "name"),
)
names = Table(
    "names",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(255), nullable=False, unique=True),
)
"""Names of operators; 0 stands for none."""

kinds = Table(
    "kinds",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("model", String(255), nullable=False),
    Column("purpose", String(16), nullable=False),
    Column("decision", String(16), nullable=False),
    Column("review", String(16), nullable=False),  # none, waiting, confirmed or otherwise
    Column("outcome", String(16), nullable=False),  # unknown, repaid or defaulted
    UniqueConstraint("model", "purpose", "decision", "review", "outcome"),
)
decisions = Table(
    "decisions",
    metadata,
    Column("id", WHOLE, primary_key=True, autoincrement=False),
    Column("event", LargeBinary, nullable=False, unique=True),
    Column("time", BigInteger, nullable=False),  # microseconds since 1970, UTC
    Column("applicant", LargeBinary, nullable=False),
    Column("kind", Integer, nullable=False),
    Column("operator", Integer, nullable=False),
    Column("probability_of_default", Float(53), nullable=False),
    Column("threshold", Float(53), nullable=False),
    Column("file", Integer, nullable=False),
    Column("start", BigInteger, nullable=False),  # of its line in the file
    Column("row", Integer),  # in the line's table
    Index("by_kind", "kind", "time", "id"),
    Index("by_operator", "operator", "kind", "time", "id"),
    Index("by_applicant", "applicant", "kind", "time", "id"),
)
reviews = Table(
    "reviews",
    metadata,
    Column("event", LargeBinary, primary_key=True),
    Column("is_recorded", Boolean, nullable=False),  # false: claimed by who is recording it now
    Column("claim", String(32), nullable=False),
    Column("claimed", BigInteger, nullable=False),
    Column("is_applied", Boolean, nullable=False),  # its decision has the state
    Column("time", BigInteger),
    Column("file", Integer),
    Column("start", BigInteger),
    Column("verdict", String(16)),
    Column("decision", String(16)),
    Column("reason", String(2_000)),
    Column("operator", String(255)),
)
outcomes = Table(
    "outcomes",
    metadata,
    Column("event", LargeBinary, primary_key=True),
    Column("observed_on", Date, primary_key=True),  # the latest one of an event counts
    Column("defaulted", Boolean, nullable=False),
    Column("is_applied", Boolean, nullable=False),  # its decision has the outcome
    Column("time", BigInteger, nullable=False),
    Column("file", Integer, nullable=False),
    Column("start", BigInteger, nullable=False),
)


def packed(text: str) -> bytes:
    """Return an id as the index keeps it: 32 hexadecimal digits as 16 bytes, another text as more."""
    try:
        found = bytes.fromhex(text) if len(text) == 32 and text == text.lower() else b""
    except ValueError:
        found = b""
    return found if len(found) == 16 else b"text:".ljust(16, b"\0") + text.encode("utf-8", "replace")


def unpacked(content: bytes) -> str:
    """Return an id as it was given to `packed`."""
    return content.hex() if len(content) == 16 else content[16:].decode()
