"""Title, sections and clauses."""

from __future__ import annotations

WORDS: dict[str, tuple[str, str]] = {
    # page
    "title": ("Validation pack: credit scoring model", "Dossier de validation : modèle de score de crédit"),
    "contents": ("Contents", "Sommaire"),
    "other": ("Version française", "English version"),
    "answers": ("Answers:", "Répond à :"),
    "made": (
        "Made from run {run} on {portfolio}: {n} applications, {bad} defaults ({rate}).",
        "Établi à partir de l'exécution {run} sur {portfolio} : {n} demandes, {bad} défauts ({rate}).",
    ),
    "privacy": (
        "No person can be singled out: no identifier, no group, bin or step of a curve below {smallest} applications, "
        "counts of groups rounded to ten, quantiles instead of extremes.",
        "Aucune personne n'est identifiable : aucun identifiant, aucun groupe, aucune classe ni aucun pas de courbe de "
        "moins de {smallest} demandes, effectifs des groupes arrondis à la dizaine, quantiles au lieu des extrêmes.",
    ),
    "to": ("to", "à"),
    "yes": ("yes", "oui"),
    "no": ("no", "non"),
    "none": ("–", "–"),
    # sections
    "card": ("Model card", "Fiche du modèle"),
    "card:text": (
        "What the model is, what it is for and how good it is. All figures are out of fold: no model has seen the "
        "applications that it is judged on. Calibration and threshold of a fold are fitted on the out-of-fold "
        "scores of the other folds, whose models have seen this fold; as they are only a few numbers, the effect is "
        "small. Brackets are 95% intervals over applications, with the fitted models as given; the calibration error "
        "has none, since resampling raises it.",
        "Ce qu'est le modèle, à quoi il sert et ce qu'il vaut. Tous les chiffres sont hors échantillon : aucun modèle "
        "n'a vu les demandes sur lesquelles il est jugé. La calibration et le seuil d'un pli sont ajustés sur les "
        "scores hors échantillon des autres plis, dont les modèles ont vu ce pli ; comme ce ne sont que quelques "
        "nombres, l'effet est faible. Entre parenthèses, l'intervalle à 95 % sur les demandes, les modèles ajustés "
        "étant pris comme donnés ; l'erreur de calibration n'en a pas, car le rééchantillonnage l'augmente.",
    ),
    "data": ("Data", "Données"),
    "data:text": (
        "What is missing, how the most important features are distributed, and how the default rate follows them.",
        "Ce qui manque, comment se répartissent les variables les plus importantes, et comment le taux de défaut "
        "les suit.",
    ),
    "ladder": ("What each block of features is worth", "Ce que vaut chaque bloc de variables"),
    "ladder:text": (
        "Blocks are added one after the other on the same folds; each is compared with the step before, "
        "application by application. Refitted on {rows} applications, {folds} folds, at most {trees} trees: "
        "the differences count, the levels are lower than the model's. Intervals take the fitted models as given: "
        "they hold the chance of the applications, not that of another fit.",
        "Les blocs s'ajoutent l'un après l'autre, sur les mêmes plis ; chacun est comparé à l'étape précédente, "
        "demande par demande. Réajusté sur {rows} demandes, {folds} plis, {trees} arbres au plus : seuls comptent "
        "les écarts, les niveaux étant inférieurs à ceux du modèle. Les intervalles prennent les modèles ajustés "
        "comme donnés : ils disent le hasard des demandes, non celui d'un autre ajustement.",
    ),
    "candidates": ("Candidates", "Candidats"),
    "candidates:text": (
        "All candidates of the comparison met the same folds. The cheapest that can be served was proposed; among "
        "those whose cost is the same within chance, the one with the lowest log-loss.",
        "Tous les candidats de la comparaison ont reçu les mêmes plis. Le moins coûteux de ceux qui peuvent être "
        "mis en service a été proposé ; à coût égal au hasard près, celui dont la perte logarithmique est la plus "
        "basse.",
    ),
    "candidates:none": (
        "No other candidate met the same applications and folds; train.py --compare families trains them.",
        "Aucun autre candidat n'a reçu les mêmes demandes et les mêmes plis ; train.py --compare families les "
        "entraîne.",
    ),
    "scorecard": ("The scorecard: a readable twin", "La grille de score : un double lisible"),
    "scorecard:text": (
        "A scorecard of the same comparison, which a person can compute with pencil and paper: the points of the "
        "average application, plus those of one bin of each feature. Higher points mean a lower risk. It shows what "
        "a simple model makes of the same data; the table of candidates says what it costs more.",
        "Une grille de score issue de la même comparaison, calculable à la main : les points de la demande moyenne, "
        "plus ceux d'une classe de chaque variable. Plus de points, moins de risque. Elle montre ce qu'un modèle "
        "simple tire des mêmes données ; la table des candidats dit ce qu'elle coûte de plus.",
    ),
    "scorecard:none": (
        "No scorecard was trained on the same applications and folds; train.py --compare families trains one.",
        "Aucune grille de score n'a été entraînée sur les mêmes demandes et les mêmes plis ; "
        "train.py --compare families en entraîne une.",
    ),
    "scorecard:base": (
        "The average application has {base} points (run {run}). Default rates are those of all applications, the "
        "ones that it was fitted on; that of a bin below {smallest} applications is not shown.",
        "La demande moyenne a {base} points (exécution {run}). Les taux de défaut sont ceux de toutes les demandes, "
        "celles de l'ajustement ; celui d'une classe de moins de {smallest} demandes n'est pas montré.",
    ),
    "scorecard:bent": (
        "Its calibration bends the scale, so the points add up to the score before calibration.",
        "Sa calibration déforme l'échelle : la somme des points est le score avant calibration.",
    ),
    "bin": ("Bin (lower bound included)", "Classe (borne basse comprise)"),
    "points": ("Points", "Points"),
    "below": ("< {high}", "< {high}"),
    "from": ("≥ {low}", "≥ {low}"),
    "from_below": ("{low} to {high}", "{low} à {high}"),
    "curves": ("Curves", "Courbes"),
    "curves:text": (
        "How well the model orders applications, how true its probabilities are, and what each threshold costs.",
        "Comment le modèle ordonne les demandes, si ses probabilités sont justes, et ce que coûte chaque seuil.",
    ),
    "money": ("The decision in money", "La décision en argent"),
    "money:text": (
        "A granted loan that defaults loses {lgd} of its amount, one that is repaid earns {margin}: a default costs "
        "{ratio} margins. These two are assumptions of the reader (--lgd, --margin), not measured. Money is per "
        "1,000 of credit asked for.",
        "Un prêt accordé qui fait défaut perd {lgd} de son montant, un prêt remboursé gagne {margin} : un défaut "
        "coûte {ratio} marges. Ces deux taux sont des hypothèses du lecteur (--lgd, --margin), non des mesures. "
        "L'argent est exprimé pour 1 000 de crédit demandé.",
    ),
    "importance": ("Importance of the features", "Importance des variables"),
    "importance:text": (
        "Mean absolute contribution (exact TreeSHAP) to the log-odds of default, over a sample of all applicants.",
        "Contribution absolue moyenne (TreeSHAP exact) au logarithme des cotes de défaut, sur un échantillon de "
        "toutes les demandes.",
    ),
    "reasons": ("Explanations checked", "Explications vérifiées"),
    "reasons:text": (
        "Three questions to the reasons told to refused applicants: does another method agree, does the probability "
        "fall when the reason is taken away, and would another fit tell the same.",
        "Trois questions posées aux motifs donnés aux clients refusés : une autre méthode est-elle d'accord, la "
        "probabilité baisse-t-elle quand le motif disparaît, un autre ajustement dirait-il la même chose.",
    ),
    "fairness": ("Fairness", "Équité"),
    "fairness:text": (
        "How decisions fall on men and women, on family statuses, on ages and on households, by their children. The "
        "attributes are read for this audit; those of the policy are not in the model. At each threshold the reference "
        "is the group that fares best there: for the ratio the one granted most often, for the gap the one whose "
        "good clients are. It is read from the data and held while applications are resampled, so an interval that "
        "reaches beyond 1 (ratio) or 0 (gap) says that the two groups may fare alike. A ratio below 0.80 is a "
        "rule of thumb to look closer (four fifths, a guideline for hiring), not a law.",
        "Comment les décisions touchent femmes et hommes, situations familiales, âges et foyers, selon leurs enfants. "
        "Ces attributs ne sont lus que pour cet audit ; ceux de la politique ne sont pas dans le modèle. À chaque "
        "seuil, la référence est le groupe le mieux traité : pour le ratio, le plus souvent accepté ; pour l'écart, "
        "celui dont les bons clients le sont le plus souvent. Elle est lue sur les données et gardée quand les "
        "demandes sont rééchantillonnées : un intervalle qui va au-delà de 1 (ratio) ou de 0 (écart) dit que les deux "
        "groupes sont peut-être traités de même. Un ratio inférieur à 0,80 invite à regarder de près (quatre "
        "cinquièmes, règle indicative de l'embauche) ; ce n'est pas une loi.",
    ),
    "stability": ("Stability", "Stabilité"),
    "stability:text": (
        "Whether the model holds on applications like the later ones, and when it is fitted again. The source has no "
        "calendar: a classifier learns what separates labelled from later applications, and its probability "
        "orders the labelled ones as time would.",
        "Le modèle tient-il sur des demandes semblables aux plus récentes, et quand on le réajuste ? La source n'a "
        "pas de calendrier : un classifieur apprend ce qui sépare les demandes étiquetées des suivantes, et sa "
        "probabilité ordonne les premières comme le ferait le temps.",
    ),
    "limits": ("Limits and intended use", "Limites et usage prévu"),
    "limits:text": (
        "What the model must not be used for, and what these figures do not say.",
        "Ce à quoi le modèle ne doit pas servir, et ce que ces chiffres ne disent pas.",
    ),
    "clauses": ("Which clause is answered where", "Quelle clause trouve sa réponse où"),
    "clauses:text": (
        "Status of the texts: November 2026. This is a map for the validator, no legal opinion.",
        "État des textes : novembre 2026. C'est un plan de lecture pour le validateur, non un avis juridique.",
    ),
    # clauses
    "clause": ("Clause", "Clause"),
    "asks": ("What it asks", "Ce qu'elle demande"),
    "where": ("Where", "Où"),
}  # fmt: skip
