"""What the service says of itself: its model, its OpenAPI document, its first page."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

from pydantic import BaseModel

from scoring.comparison import ALL, AMONG, NEIGHBOURS, is_compared
from scoring.comparison.curve import DRAWN
from scoring.counterfactual.policy import POLICY, Lever
from scoring.features import FEATURE_BY_NAME, GROUPS, HISTORY_FEATURES
from scoring.language import by_language, say
from scoring.schema import (
    PURPOSES,
    FoundDecision,
    LoadedOutcomes,
    MonitorView,
    OutcomesRequest,
    OwnerView,
    Problem,
    RecordedPage,
    Review,
    ReviewRequest,
)
from scoring.schema.recorded import EVENT
from scoring.scorer import Scorer
from scoring.serving import header
from scoring.serving.limits import Route
from scoring.serving.lookups import PARAMETERS
from scoring.serving.media import ARROW

ERRORS = {
    400: "The body is not JSON, or a header is sent twice or says nothing that is known",
    401: "The API key is missing or not valid",
    403: "The Host or the Origin is not known, the key may not name an operator, or it came through a proxy "
    "and there are no API keys",
    408: "The body did not arrive in time",
    413: "The body is too large",
    415: "The body is sent as another content type",
    422: "An application is refused: the errors name row and field, and nothing was decided",
    429: "Too many requests at once",
    431: "The headers are too large",
    500: "The service failed",
    503: "Decisions cannot be recorded now, so none are given",
    504: "No answer in time",
}
REFERENCE = "#/components/schemas/{model}"
REQUEST_ID = {
    "name": "X-Request-ID",
    "in": "header",
    "description": "Stands in the log with each decision, and in the answer's header. What is not 1 to 128 "
    "letters, digits and `._:+/=-` is replaced by one that is made, as it is if absent.",
    "schema": {"type": "string", "example": "offer-7"},
}

IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same key and body again, from the same operator and for the same purpose, give the "
    "same event ids, logged once.",
    "schema": {"type": "string", "pattern": header.SAFE_ID, "example": "job-7:1"},
}


PURPOSE = {
    "name": "X-Purpose",
    "in": "header",
    "description": "What the answer is for. Only a decision decides and counts as one: a preview is shown to "
    "somebody, a what-if is asked of changed values, a test is none of the lender's business. All are "
    "recorded.",
    "schema": {"type": "string", "enum": list(PURPOSES), "default": "decision"},
}

OPERATOR = {
    "name": "X-Operator",
    "in": "header",
    "description": "User name of the person who asks, from a key with the role `frontend` only: it stands in "
    "the record in place of the key's name.",
    "schema": {"type": "string", "pattern": header.PERSON, "example": "ann.smith"},
}


def model(
    scorer: Scorer, tag: str, routes: Mapping[str, Route], changes: Collection[str] = ()
) -> dict[str, Any]:
    """Describe a model: what it reads, how it decides, where it comes from. No personal data.

    ``changes``: what `/counterfactual` may propose.
    """
    return {
        "model": tag,
        "family": scorer.family,
        "engine": scorer.engine,
        "threshold": scorer.threshold,
        "costs": asdict(scorer.costs),
        "points": asdict(scorer.points),
        "policy": list(scorer.policy),
        "changes": [_change(lever) for name, lever in POLICY.items() if name in changes],
        "metrics": scorer.metrics,
        "lineage": scorer.lineage,
        "groups": {key: by_language(partial(say, group.title)) for key, group in GROUPS.items()},
        "features": [_feature(name, scorer) for name in scorer.feature_names],
        "history_features": list(HISTORY_FEATURES),
        "among": [name for name in AMONG if name in (ALL, NEIGHBOURS) or name in scorer.feature_names],
        "limits": {path: {"applications": route.rows} for path, route in routes.items()},
    }


def _change(lever: Lever) -> dict[str, Any]:
    return {
        "name": lever.name,
        "title": by_language(partial(say, lever.title)),
        "facts": {name: "up" if way > 0 else "down" for name, way in lever.facts.items()},
        "most": lever.bound,
    }


def _feature(name: str, scorer: Scorer) -> dict[str, Any]:
    feature = FEATURE_BY_NAME[name]
    low, high = scorer.ranges.get(name, (None, None))
    return {
        "name": name,
        "label": by_language(partial(say, feature.label)),
        "unit": feature.unit,
        "kind": feature.kind,
        "group": feature.group,
        "table": feature.table,
        "direction": feature.direction,
        "levels": list(scorer.categories.get(name, ())),
        "minimum": low,
        "maximum": high,
        "granted_value": scorer.granted_values.get(name),
        "importance": scorer.importance.get(name, 0.0),
        "compared": is_compared(name),
        "drawn": name in DRAWN,
    }


def schema(generated: dict[str, Any], routes: Mapping[str, Route]) -> dict[str, Any]:
    """Leave out of what BentoML's clients ask for the inner endpoints, which nobody can call."""
    inner = {path for route in routes.values() for path in route.internal_routes}
    called = [route for route in generated["routes"] if route["route"] not in inner]
    paths = {path: about for path, about in generated["paths"].items() if path not in inner}
    return {**generated, "routes": called, "paths": paths}


def openapi(
    generated: dict[str, Any], tag: str, routes: Mapping[str, Route], prefix: str = ""
) -> dict[str, Any]:
    """Make BentoML's OpenAPI document true: our errors, headers and pages, and no inner endpoint.

    ``generated`` is BentoML's own document; it is changed. ``prefix``: the path below which a proxy has it.
    """
    paths, schemas = generated["paths"], generated["components"]["schemas"]
    problem = Problem.model_json_schema(ref_template=REFERENCE)
    generated["components"]["securitySchemes"] = {
        "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"}
    }
    schemas |= problem.pop("$defs", {}) | {"Problem": problem}
    refused = {"application/problem+json": {"schema": {"$ref": REFERENCE.format(model="Problem")}}}
    errors = {str(status): {"description": words, "content": refused} for status, words in ERRORS.items()}
    for path, route in routes.items():
        for internal in route.internal_routes:
            paths.pop(internal, None)
        endpoint = paths[path]["post"]
        endpoint["responses"] = {"200": endpoint["responses"].pop(200, None)} | errors
        # What takes parameters decides and records nothing.
        recorded = [] if route.parameters else [PURPOSE, OPERATOR]
        endpoint["parameters"] = [*recorded, REQUEST_ID, *route.parameters]
        endpoint["security"] = [{"key": []}, {}]  # without keys, this machine may ask as it is
        body = endpoint["requestBody"]["content"]["application/json"]["schema"]
        body["properties"]["applications"]["maxItems"] = route.rows
        endpoint["requestBody"]["required"] = True
        if route.arrow is not None:
            endpoint["parameters"].append(IDEMPOTENCY_KEY)
            for part in (endpoint["requestBody"], endpoint["responses"]["200"]):
                part["content"][ARROW] = {"schema": {"type": "string", "format": "binary"}}
    paths["/model"] = {
        "get": {"summary": "The model that decides", "responses": {"200": {"description": "OK"}}}
    }
    _recorded(paths, schemas)
    words = "Decides credit applications, explains every decision and records it."
    generated["servers"] = [{"url": prefix or "."}]
    generated["info"] = {"title": "Credit scoring", "version": tag, "description": words}
    return generated


def _asked(summary: str, role: str, answer: type[BaseModel], errors: Mapping[int, str]) -> dict[str, Any]:
    """Describe an endpoint of recorded decisions."""
    words = {**{status: ERRORS[status] for status in (400, 401, 408, 429, 500, 504)}, **errors}
    refused = {"application/problem+json": {"schema": {"$ref": REFERENCE.format(model="Problem")}}}
    content = {"application/json": {"schema": {"$ref": REFERENCE.format(model=answer.__name__)}}}
    status = "201" if role == "review" else "200"
    return {
        "summary": summary,
        "description": f"A key needs the role `{role}`. Who looks at whom is recorded.",
        "tags": ["Recorded decisions"],
        "parameters": [OPERATOR, REQUEST_ID],
        "security": [{"key": []}, {}],
        "responses": {
            status: {"description": "Created" if role == "review" else "OK", "content": content},
            **{str(one): {"description": said, "content": refused} for one, said in sorted(words.items())},
        },
    }


def _recorded(paths: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Add the endpoints of recorded decisions to a document."""
    for one in (
        RecordedPage,
        FoundDecision,
        Review,
        ReviewRequest,
        LoadedOutcomes,
        OutcomesRequest,
        OwnerView,
        MonitorView,
    ):
        found = one.model_json_schema(ref_template=REFERENCE)
        schemas |= found.pop("$defs", {}) | {one.__name__: found}
    late = {503: "The index is late or down, or the look cannot be recorded; decisions go on"}
    wrong = {
        403: "The key has not the role, or may not name an operator",
        405: "Asked by another method",
    } | late
    unread = wrong | {422: "Parameters came where none is read"}
    gone = unread | {404: "There is no such decision"}
    unusable = wrong | {422: "A parameter cannot be used: the errors name it"}
    listed = _asked("Recorded decisions, the newest first", "read", RecordedPage, unusable)
    listed["parameters"] = [
        OPERATOR,
        REQUEST_ID,
        *({"name": name, "in": "query", **about} for name, about in PARAMETERS.items()),
    ]
    event = {"name": "event_id", "in": "path", "required": True, "description": "As it was answered."}
    event["schema"] = {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,64}$", "example": EVENT}
    found = _asked("A recorded decision, explained by the model that decided", "read", FoundDecision, gone)
    errors = gone | {
        409: "It was reviewed before, is being reviewed, or was no decision",
        **{status: ERRORS[status] for status in (413, 415)},
        422: "The review cannot be used: the errors name the field",
    }
    review = _asked("Confirm a decision, or decide otherwise", "review", Review, errors)
    content = {"application/json": {"schema": {"$ref": REFERENCE.format(model="ReviewRequest")}}}
    review["requestBody"] = {"required": True, "content": content}
    for endpoint in (found, review):
        endpoint["parameters"] = [event, OPERATOR, REQUEST_ID]
    errors = wrong | {
        **{status: ERRORS[status] for status in (413, 415)},
        422: "The outcomes cannot be used: the errors name the fields",
    }
    outcomes = _asked("Say how loans ended", "outcome", LoadedOutcomes, errors)
    content = {"application/json": {"schema": {"$ref": REFERENCE.format(model="OutcomesRequest")}}}
    outcomes["requestBody"] = {"required": True, "content": content}
    owner = _asked(
        "What each threshold would approve and cost, what the model weighs", "owner", OwnerView, unread
    )
    monitor = _asked("What the monitor said of the latest windows", "owner", MonitorView, unread)
    for name, about in (("owner", owner), ("monitor", monitor)):
        about["description"] = "A key needs the role `owner`."
        paths[f"/{name}"] = {"get": about}
    paths["/outcomes"] = {"post": outcomes}
    paths["/decisions"] = {"get": listed}
    paths["/decisions/{event_id}"] = {"get": found}
    paths["/decisions/{event_id}/review"] = {"post": review}


LANDING_HEADERS = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}


def landing(tag: str, prefix: str = "") -> str:
    """Return the first page: the endpoints, in HTML that asks nothing of any other site.

    Its links are relative; ``prefix`` is the path below which a proxy has the service.
    """
    base = f'<base href="{prefix}/">' if prefix else ""
    return _LANDING.replace("MODEL", tag).replace("BASE", base)


_LANDING = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Credit scoring</title>BASE
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 44rem; margin: 3rem auto; padding: 0 1rem }
code { background: #f5f5f4; color: #1c1917; padding: .1rem .3rem }
td { padding: .2rem 1rem .2rem 0; vertical-align: top }
</style>
<h1>Credit scoring</h1>
<p>Model <code>MODEL</code></p>
<table>
<tr><td><code>POST /score</code><td>decide applications: <code>{"applications": [&hellip;]}</code>
<tr><td><code>POST /explain</code><td>decide them and say why
<tr><td><code>POST /compare</code>, <code>/curve</code><td>say where they stand, what one fact does
<tr><td><code>POST /counterfactual</code><td>say what would turn refusals; nothing is decided
<tr><td><code>GET /decisions</code><td>recorded decisions, the newest first
<tr><td><code>GET /decisions/EVENT</code><td>one of them, explained by the model that decided
<tr><td><code>POST /decisions/EVENT/review</code><td>a person confirms it, or decides otherwise
<tr><td><code>POST /outcomes</code><td>say how loans ended
<tr><td><code>GET /owner</code><td>what each threshold would approve and cost
<tr><td><code>GET /monitor</code><td>what the monitor said of the latest windows
<tr><td><a href="model"><code>GET /model</code></a><td>what the model reads, how it decides
<tr><td><a href="docs.json"><code>GET /docs.json</code></a><td>OpenAPI, with an example request
<tr><td><a href="readyz"><code>GET /readyz</code></a>, <a href="livez"><code>/livez</code></a><td>health
<tr><td><a href="metrics"><code>GET /metrics</code></a><td>for Prometheus
</table>
</html>
"""
