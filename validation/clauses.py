"""Which clause asks for what, and the sections that answer it."""

from __future__ import annotations

from dataclasses import dataclass

from scoring.language import Text


@dataclass(frozen=True)
class Clause:
    """A clause: its name, what it asks for, and the sections that answer it."""

    name: Text
    asks: Text
    sections: tuple[str, ...]


def _clause(key: str, name: str, asks: str, sections: tuple[str, ...]) -> Clause:
    """Declare a clause: the texts' keys are ``clause.<key>`` and ``clause.<key>.asks``."""
    return Clause(Text(f"clause.{key}", name), Text(f"clause.{key}.asks", asks), sections)


CLAUSES = (
    _clause(
        "ai_act_annex_3",
        "EU AI Act, annex III, 5(b)",
        "creditworthiness of natural persons: a high-risk system",
        ("card", "limits"),
    ),
    _clause(
        "ai_act_9",
        "EU AI Act, art. 9",
        "risk management over the whole life",
        ("money", "fairness", "stability", "limits"),
    ),
    _clause(
        "ai_act_10",
        "EU AI Act, art. 10",
        "data governance: gaps, representativeness, bias",
        ("data", "fairness", "stability"),
    ),
    _clause(
        "ai_act_11",
        "EU AI Act, art. 11",
        "technical documentation (annex IV)",
        ("card", "ladder", "candidates", "scorecard"),
    ),
    _clause(
        "ai_act_12",
        "EU AI Act, art. 12",
        "record-keeping: every decision is logged and can be replayed",
        ("card",),
    ),
    _clause(
        "ai_act_13",
        "EU AI Act, art. 13",
        "transparency: performance, limits, interpretation of outputs",
        ("card", "curves", "importance", "reasons", "limits"),
    ),
    _clause(
        "ai_act_14",
        "EU AI Act, art. 14",
        "human oversight",
        ("verdict", "reasons", "limits"),
    ),
    _clause(
        "ai_act_15",
        "EU AI Act, art. 15",
        "accuracy, robustness",
        ("curves", "stability"),
    ),
    _clause(
        "eba_4_3_3",
        "EBA/GL/2020/06, 4.3.3 Technology-enabled innovation for credit granting",
        "models understood, traceable and fit for purpose; interpretable where explanations are "
        "needed; no bias; performance monitored",
        ("card", "scorecard", "importance", "reasons", "fairness", "stability"),
    ),
    _clause(
        "eba_4_3_4",
        "EBA/GL/2020/06, 4.3.4 Models for creditworthiness assessment and credit decision-making",
        "methodology, inputs, assumptions and limitations documented; quality of inputs and outputs "
        "assessed, with back-testing; overrides",
        ("card", "data", "candidates", "curves", "money", "limits"),
    ),
    _clause(
        "gdpr_22",
        "GDPR, art. 22 (CJEU C-634/21, C-203/22)",
        "no decision by a machine alone; the procedure and principles actually applied are explained",
        ("reasons", "importance", "limits"),
    ),
    _clause(
        "sr_26_2",
        "SR 26-2 / OCC 2026-13",
        "validation, effective challenge, outcomes analysis, ongoing monitoring",
        ("ladder", "candidates", "curves", "money", "stability"),
    ),
)
