"""Kinds of problems that a request can meet (RFC 9457), by the last part of their URN."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scoring.language import ENGLISH, Text
from scoring.problems.words import Params, worded

URN = "urn:credit-scoring:problem:"


def type_of(name: str) -> str:
    """Return the URN of a kind."""
    return URN + name


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """A kind of problem.

    Attributes
    ----------
    name : str
        The last part of its URN.
    status : int
        The HTTP status that it has.
    title : Text
        What it is, in a few words; the same each time.
    detail : Text
        What happened, with the remedy; parameters fill its places.
    """

    name: str
    status: int
    title: Text
    detail: Text

    @property
    def type(self) -> str:
        """Its URN."""
        return type_of(self.name)

    def say(self, params: Params, language: str = ENGLISH) -> str:
        """Return what happened, in words."""
        return worded(self.detail, params, language)


def _kinds(
    *declared: tuple[int, str, str, str] | tuple[int, str, str, str, str],
) -> Mapping[str, ProblemKind]:
    return {
        name: ProblemKind(
            name, status, Text(f"problem.{name}.title", title), Text(f"problem.{name}.detail", *detail)
        )
        for status, name, title, *detail in declared
    }


KINDS = _kinds(
    # HTTP itself.
    (400, "not-http", "Not HTTP", "This is not HTTP/1.1 as RFC 9112 has it."),
    (400, "no-host", "No host", "Send one header Host, with the name or address of the service."),
    (400, "two-hosts", "Two hosts", "The request's target and its header Host name two hosts; name one."),
    (400, "not-a-path", "No path", "The request asks for no path; it begins with /, as GET /docs.json does."),
    (400, "repeated-header", "Header sent twice", "The header {header} is sent twice; send it once."),
    (400, "body-cut-off", "Body cut off", "The request ended before its body did; send it again."),
    (405, "not-a-proxy", "No proxy", "This is no proxy; ask for a path of the service."),
    (408, "headers-late", "Headers too slow", "The headers did not arrive within {seconds} seconds."),
    (
        408,
        "body-late",
        "Body too slow",
        "The body did not arrive within {seconds} seconds, with no pause of {pause}; "
        "send fewer applications at a time.",
    ),
    (431, "headers-too-large", "Headers too large", "The headers are larger than {kib} KiB; send fewer."),
    (431, "too-many-headers", "Too many headers", "There are more than {most} headers; send fewer."),
    # Who asks, and where.
    (
        401,
        "local-only",
        "Answers here only",
        "This service has no API keys, so it answers on its own machine only.",
    ),
    (401, "no-valid-key", "No valid API key", "Send an API key that is valid, in the header X-API-Key."),
    (
        403,
        "proxy-without-keys",
        "Behind a proxy without API keys",
        "This service has no API keys, and {sign} shows a proxy. Behind one it needs API keys.",
    ),
    (
        403,
        "unknown-host",
        "Unknown host",
        "The service is not known by this Host; CREDIT_SCORING_HOSTS names those it has.",
    ),
    (
        403,
        "unknown-origin",
        "Unknown origin",
        "Pages of this Origin may not ask; CREDIT_SCORING_ORIGINS names those that may.",
    ),
    (404, "not-found", "Nothing here", "There is nothing here; GET / lists the endpoints."),
    (
        405,
        "method-not-allowed",
        "Method not allowed",
        "This endpoint does not take this method; GET / lists the endpoints.",
    ),
    (405, "read-only", "Read only", "This page can only be read; ask with GET."),
    (
        403,
        "operator-not-taken",
        "Key names no person",
        "This key may not name the person who asks; leave X-Operator out, or give the key the role {role} in "
        "the service's keys: NAME+{role}:KEY.",
    ),
    (
        403,
        "operator-is-a-key",
        "Operator is a key",
        "X-Operator names a key of the service, and no person; give the person another name.",
    ),
    (
        400,
        "operator-malformed",
        "Operator malformed",
        "X-Operator is no user name: 1 to 64 letters, digits and ._@+- signs, a letter or digit first.",
    ),
    # What is sent.
    (
        400,
        "unknown-purpose",
        "Unknown purpose",
        "X-Purpose must be one of {values}; nothing was decided.",
    ),
    (
        400,
        "key-malformed",
        "Idempotency key malformed",
        "The Idempotency-Key is not 1 to 128 letters, digits and ._:+/=- signs.",
    ),
    (
        400,
        "key-not-taken",
        "No idempotency key here",
        "POST {path} takes no Idempotency-Key: ask without one.",
    ),
    (
        400,
        "not-json",
        "Not JSON",
        "The body is not JSON: see line {line} column {column}.",
    ),
    (400, "unreadable-json", "Unreadable JSON", "The body is not JSON that can be read; write it anew."),
    (
        400,
        "not-arrow",
        "Not Arrow",
        "The body is not a whole Arrow IPC stream of valid columns; write it anew.",
    ),
    (
        413,
        "body-too-large",
        "Body too large",
        "The body is larger than {mib} MiB; send fewer applications at a time.",
    ),
    (
        413,
        "unmeasured-body-too-large",
        "Body without a length too large",
        "The body without Content-Length is larger than {mib} MiB; send fewer applications at a time.",
    ),
    (
        413,
        "engine-missing",
        "Body too large without the engine",
        "Without the engine (`python -m scoring.engine`) a body has at most {mib} MiB; "
        "send fewer applications at a time, or an Arrow table.",
    ),
    (415, "wrong-content-type", "Wrong content type", "Send the applications as Content-Type: {type}."),
    (415, "content-encoded", "Content encoded", "Send the body without Content-Encoding."),
    (
        415,
        "transfer-encoded",
        "Transfer encoded",
        "Send the body without a Transfer-Encoding other than chunked.",
    ),
    (
        422,
        "invalid-request",
        "Invalid request",
        "The request has {n} fault; nothing was decided.",
        "The request has {n} faults; nothing was decided.",
    ),
    (
        422,
        "more-faults",
        "Invalid request, more faults than are named",
        "The request has at least {n} fault, and {named} of them named; nothing was decided.",
        "The request has at least {n} faults, and {named} of them named; nothing was decided.",
    ),
    (
        422,
        "wrong-columns",
        "Wrong columns",
        "The columns are not those of an application; nothing was decided.",
    ),
    (
        422,
        "too-many-applications",
        "Too many applications",
        "More than {most} applications in one request; send fewer at a time.",
    ),
    (422, "no-rows", "No rows", "The stream has no row; send at least one application."),
    (
        422,
        "schema-too-large",
        "Schema too large",
        "The schema is too large; send the columns without metadata.",
    ),
    (422, "big-endian", "Big-endian", "The stream is big-endian; write it little-endian."),
    (
        422,
        "dictionary-in-parts",
        "Dictionary in parts",
        "A dictionary comes in parts; write each one whole.",
    ),
    (
        422,
        "too-many-batches",
        "Too many record batches",
        "More than {most} record batches; send larger ones.",
    ),
    (422, "compressed", "Compressed", "The stream is compressed; write it without compression."),
    # Recorded decisions.
    (
        403,
        "no-role",
        "Role missing",
        "This key has not the role {role}, which this asks for; give it in the service's keys: "
        "NAME+{role}:KEY.",
    ),
    (
        404,
        "no-such-decision",
        "No such decision",
        "There is no decision of this event; what was decided in the last second may come yet.",
    ),
    (
        408,
        "review-late",
        "Review too slow",
        "The review did not arrive within {seconds} seconds; send it again.",
    ),
    (
        409,
        "reviewed-before",
        "Reviewed before",
        "This decision was reviewed before, and the first review stays; GET /decisions/EVENT shows it.",
    ),
    (
        409,
        "being-reviewed",
        "Being reviewed",
        "Somebody is reviewing this decision at this moment; look at it again.",
    ),
    (
        409,
        "nothing-to-review",
        "Nothing to review",
        "This was asked for as {purpose}, which decides nothing; there is nothing to review.",
    ),
    (413, "review-too-large", "Review too large", "A review has at most {kib} KiB; say it in fewer words."),
    (
        415,
        "review-not-json",
        "Review not as JSON",
        "Send the review as Content-Type: application/json.",
    ),
    (
        422,
        "wrong-parameters",
        "Wrong parameters",
        "{n} parameter cannot be used; nothing was looked up.",
        "{n} parameters cannot be used; nothing was looked up.",
    ),
    (
        422,
        "no-parameters",
        "No parameters here",
        "This path takes no parameters; leave them out. What a request is for says X-Purpose.",
    ),
    (
        422,
        "too-many-parameters",
        "Too many parameters",
        "There are more than {most} parameters; GET /docs.json lists those that there are.",
    ),
    (
        422,
        "invalid-review",
        "Invalid review",
        "The review has {n} fault; nothing was recorded.",
        "The review has {n} faults; nothing was recorded.",
    ),
    (
        408,
        "outcomes-late",
        "Outcomes too slow",
        "The outcomes did not arrive within {seconds} seconds; send fewer at a time.",
    ),
    (
        413,
        "outcomes-too-large",
        "Outcomes too large",
        "Outcomes have at most {kib} KiB; send fewer at a time.",
    ),
    (
        415,
        "outcomes-not-json",
        "Outcomes not as JSON",
        "Send the outcomes as Content-Type: application/json.",
    ),
    (
        422,
        "invalid-outcomes",
        "Invalid outcomes",
        "The outcomes have {n} fault; nothing was recorded.",
        "The outcomes have {n} faults; nothing was recorded.",
    ),
    (
        503,
        "index-late",
        "Index late",
        "The index is behind the record, so what was decided last cannot be found yet; decisions go on. "
        "Try again shortly.",
    ),
    (
        503,
        "index-down",
        "Index down",
        "Recorded decisions cannot be looked up now; decisions go on. The service's log says why.",
    ),
    (
        421,
        "record-elsewhere",
        "Record of another instance",
        "The record of this decision is on the machine of the instance {instance}; ask it there. "
        "GET /decisions gives what is known of it here.",
    ),
    (
        503,
        "record-harmed",
        "Record harmed",
        "The record of this decision is not in the log as it was; `python -m scoring.inference_log verify` "
        "says more.",
    ),
    (
        503,
        "nothing-recorded",
        "Nothing recorded",
        "Nothing can be found here: the service runs with CREDIT_SCORING_LOG=off or "
        "CREDIT_SCORING_INDEX=off.",
    ),
    # Not now.
    (
        429,
        "too-many-requests",
        "Too many requests at once",
        "Too many requests at once; try again shortly.",
    ),
    (
        429,
        "too-many-large-requests",
        "Too many large requests at once",
        "Too many large requests at once; try again shortly.",
    ),
    (
        429,
        "too-fast",
        "Too many requests",
        "More than {rate} requests a second; slow down.",
    ),
    (503, "too-many-connections", "Too many connections", "Too many connections at once; try again shortly."),
    (
        503,
        "memory-full",
        "No memory for more requests",
        "The requests inside take {mib} MiB; try again shortly.",
    ),
    (
        503,
        "large-memory-full",
        "No memory for more large requests",
        "The large requests inside take all the memory for them; try again shortly.",
    ),
    (503, "not-ready", "Not ready", "The service is not ready or overloaded; try again shortly."),
    (
        503,
        "unrecorded",
        "Decisions cannot be recorded",
        "Decisions cannot be recorded now, so none are given; try again shortly.",
    ),
    (504, "time-over", "Time over", "The time for this request is over; send fewer applications at a time."),
    (
        504,
        "no-answer-in-time",
        "No answer in time",
        "No answer within {seconds} seconds; send fewer applications at a time.",
    ),
    # The service itself.
    (500, "failed", "The service failed", "The service failed on this request; its log says where."),
    (500, "unanswered", "No answer", "The service could not answer; its log says why."),
)
"""Kinds by name."""
