"""Which clause asks for what, and the sections that answer it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Clause:
    """A clause: its name and what it asks for in both languages, and the sections that answer it."""

    name_en: str
    name_fr: str
    asks_en: str
    asks_fr: str
    sections: tuple[str, ...]


CLAUSES = (
    Clause("EU AI Act, annex III, 5(b)", "Règlement IA, annexe III, 5 b)",
           "creditworthiness of natural persons: a high-risk system",
           "solvabilité des personnes physiques : système à haut risque", ("card", "limits")),
    Clause("EU AI Act, art. 9", "Règlement IA, art. 9", "risk management over the whole life",
           "gestion des risques tout au long du cycle de vie", ("money", "fairness", "stability", "limits")),
    Clause("EU AI Act, art. 10", "Règlement IA, art. 10", "data governance: gaps, representativeness, bias",
           "gouvernance des données : lacunes, représentativité, biais", ("data", "fairness", "stability")),
    Clause("EU AI Act, art. 11", "Règlement IA, art. 11", "technical documentation (annex IV)",
           "documentation technique (annexe IV)", ("card", "ladder", "candidates", "scorecard")),
    Clause("EU AI Act, art. 12", "Règlement IA, art. 12", "record-keeping: every decision is logged and can be replayed",
           "journalisation : chaque décision est enregistrée et rejouable", ("card",)),
    Clause("EU AI Act, art. 13", "Règlement IA, art. 13", "transparency: performance, limits, interpretation of outputs",
           "transparence : performances, limites, interprétation des résultats",
           ("card", "curves", "importance", "reasons", "limits")),
    Clause("EU AI Act, art. 14", "Règlement IA, art. 14", "human oversight", "contrôle humain", ("reasons", "limits")),
    Clause("EU AI Act, art. 15", "Règlement IA, art. 15", "accuracy, robustness", "exactitude, robustesse",
           ("curves", "stability")),
    Clause("EBA/GL/2020/06, 4.3.3 Technology-enabled innovation for credit granting",
           "EBA/GL/2020/06, 4.3.3 Innovation technologique pour l'octroi de crédit",
           "models understood, traceable and fit for purpose; interpretable where explanations are needed; no bias; "
           "performance monitored",
           "modèles compris, traçables et adaptés à leur objet ; interprétables si des explications sont requises ; "
           "sans biais ; performance suivie",
           ("card", "scorecard", "importance", "reasons", "fairness", "stability")),
    Clause("EBA/GL/2020/06, 4.3.4 Models for creditworthiness assessment and credit decision-making",
           "EBA/GL/2020/06, 4.3.4 Modèles pour l'évaluation de la solvabilité et la prise de décision en matière de "
           "crédit",
           "methodology, inputs, assumptions and limitations documented; quality of inputs and outputs assessed, "
           "with back-testing; overrides",
           "méthodologie, données, hypothèses et limites documentées ; qualité des entrées et des résultats évaluée, "
           "avec contrôle a posteriori ; dérogations",
           ("card", "data", "candidates", "curves", "money", "limits")),
    Clause("GDPR, art. 22 (CJEU C-634/21, C-203/22)", "RGPD, art. 22 (CJUE C-634/21, C-203/22)",
           "no decision by a machine alone; the procedure and principles actually applied are explained",
           "pas de décision par la seule machine ; procédure et principes réellement appliqués expliqués",
           ("reasons", "importance", "limits")),
    Clause("SR 26-2 / OCC 2026-13", "SR 26-2 / OCC 2026-13",
           "validation, effective challenge, outcomes analysis, ongoing monitoring",
           "validation, remise en cause effective, analyse des issues, suivi continu",
           ("ladder", "candidates", "curves", "money", "stability")),
)  # fmt: skip
