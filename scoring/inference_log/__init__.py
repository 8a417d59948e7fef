"""The inference log: every decision on the disk before it is given, chained, anchored, and read back.

A worker writes files of its own, ``DAY.WORKER.jsonl`` (UTC; ``DAY.WORKER.1.jsonl`` when the first is full),
and opens no file twice. A header says what the records after it have in common; a record is one line of
strict JSON::

    {"seq": 0, "prev": "…", "header": {"id": "5478a4d1a709981f", "model": "credit_scoring:…",
     "numbers": ["ext_mean", …], "categories": ["NAME_INCOME_TYPE", …]}, "schema_version": 3, "hash": "…"}
    {"seq": 1, "prev": "…", "schema_version": 3, "header": "5478a4d1a709981f", "event_id": "…",
     "time": "2026-11-21T09:30:00.000000Z", "probability_of_default": 0.042, "threshold": 0.09,
     "decision": "granted", "audit": {"applicant": "…", "request_id": "…", "operator": null,
     "purpose": "decision", "reasons": null},
     "numbers": [0.51, …], "categories": ["Working", …], "hash": "…"}

The two streams are two parts of one record, so that they can never disagree: ``audit`` says who was decided
(a keyed pseudonym), for whom, what for and why (one without a purpose was a decision); the rest says what the
model read. ``read`` gives the table that monitoring needs, ``python -m scoring.inference_log export`` writes
either stream without the other; ``find`` gives a record under its names, as each line had them before
(``schema_version`` 1), with their hash.

Closed files are packed, and nobody who reads sees a difference: see `scoring.inference_log.packing`.

The decisions of a request of many rows lie in tables beside, each bound into the chain by one line: see
`scoring.inference_log.table`. Who reads the log sees no difference.

What is recorded beside decisions, that somebody looked or reviewed, is a note: see
`scoring.inference_log.note`. Who follows the log as it grows does so by `scoring.inference_log.following`.

The applicant's pseudonym needs the key, but the inputs beside it describe a person: a few amounts are enough
to name one. The log is pseudonymous, with or without its key, and never anonymous.

``hash`` is the SHA-256 of the line before it, ``prev`` the hash of the line above. The last hash of each
file stands, signed, in the folder of anchors: see `scoring.inference_log.chain`. A log whose key is
lost is put aside on the record: see `scoring.inference_log.renewal`.
"""

from scoring.inference_log.anchor import Anchor, anchors_folder
from scoring.inference_log.audit import audit_table
from scoring.inference_log.chain import ChainFault, Verification, purge, verify
from scoring.inference_log.following import (
    SETTLED_S,
    BrokenError,
    Checkpoint,
    ErasedError,
    FollowedLine,
    anchor_of,
    at,
    erased_events,
    files,
    follow,
    identity,
    standing,
)
from scoring.inference_log.keys import pseudonym, pseudonym_key
from scoring.inference_log.note import Note
from scoring.inference_log.packing import length
from scoring.inference_log.pieces import Quarantined
from scoring.inference_log.reader import Log, find, read
from scoring.inference_log.record import SCHEMA_VERSION, Entry, LogError, inputs_hash, strict_json
from scoring.inference_log.recording import TableRecording
from scoring.inference_log.renewal import log_key, renew
from scoring.inference_log.table import event_ids
from scoring.inference_log.together import Together
from scoring.inference_log.writer import InferenceLog
from scoring.tables.decisions import COLUMNS, LOGGED

__all__ = [
    "COLUMNS",
    "LOGGED",
    "SCHEMA_VERSION",
    "SETTLED_S",
    "Anchor",
    "BrokenError",
    "ChainFault",
    "Checkpoint",
    "Entry",
    "ErasedError",
    "FollowedLine",
    "InferenceLog",
    "Log",
    "LogError",
    "Note",
    "Quarantined",
    "TableRecording",
    "Together",
    "Verification",
    "anchor_of",
    "anchors_folder",
    "at",
    "audit_table",
    "erased_events",
    "event_ids",
    "files",
    "find",
    "follow",
    "identity",
    "inputs_hash",
    "length",
    "log_key",
    "pseudonym",
    "pseudonym_key",
    "purge",
    "read",
    "renew",
    "standing",
    "strict_json",
    "verify",
]
