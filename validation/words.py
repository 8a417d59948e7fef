"""Every text of the pack, in English and in French."""

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
    "bin": ("Bin", "Classe"),
    "points": ("Points", "Points"),
    "below": ("below {high}", "moins de {high}"),
    "from": ("from {low} on", "à partir de {low}"),
    "from_below": ("from {low} to below {high}", "de {low} à moins de {high}"),
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
    # model card
    "property": ("Property", "Propriété"),
    "value": ("Value", "Valeur"),
    "measure": ("Measure", "Mesure"),
    "use": ("Intended use", "Usage prévu"),
    "use:value": (
        "Probability of default of a consumer loan application, decision at a threshold, reasons; a refused or "
        "unclear file goes to a person.",
        "Probabilité de défaut d'une demande de crédit à la consommation, décision à un seuil, motifs ; un dossier "
        "refusé ou incertain est examiné par une personne.",
    ),
    "family": ("Family", "Famille"),
    "features_read": ("Features read", "Variables lues"),
    "kept_out": ("Kept out by policy", "Exclus par la politique"),
    "calibration": ("Calibration", "Calibration"),
    "threshold": ("Threshold", "Seuil"),
    "costs": ("Cost of the two errors", "Coût des deux erreurs"),
    "costs:value": (
        "{fn} for a granted default, {fp} for a refused good client",
        "{fn} pour un défaut accordé, {fp} pour un bon client refusé",
    ),
    "run": ("Run", "Exécution"),
    "revision": ("Code revision", "Révision du code"),
    "data_hash": ("SHA-256 of the data", "SHA-256 des données"),
    "trained": ("Trained", "Entraîné"),
    "folds": ("Folds", "Plis"),
    "seed": ("Seed", "Graine"),
    "libraries": ("Libraries", "Bibliothèques"),
    "performance": ("Performance, out of fold", "Performance hors échantillon"),
    "model_facts": ("The model", "Le modèle"),
    "auc": ("AUC", "AUC"),
    "gini": ("Gini", "Gini"),
    "ks": ("KS", "KS"),
    "brier": ("Brier score", "Score de Brier"),
    "log_loss": ("Log-loss", "Perte logarithmique"),
    "calibration_error": ("Expected calibration error", "Erreur de calibration attendue"),
    "calibration_slope": ("Calibration slope", "Pente de calibration"),
    "calibration_intercept": ("Calibration intercept", "Ordonnée à l'origine de la calibration"),
    "business_score": ("Business score", "Score métier"),
    "cost_per_1000": ("Cost per 1,000 applications", "Coût pour 1 000 demandes"),
    "share_granted": ("Share granted", "Part accordée"),
    "default_rate_granted": ("Default rate of granted ones", "Taux de défaut des accordées"),
    "recall": ("Defaults refused", "Défauts refusés"),
    "accuracy": ("Accuracy", "Exactitude"),
    # data
    "missing_by_table": ("Missing values by table", "Valeurs manquantes par table"),
    "table": ("Table", "Table"),
    "missing": ("missing", "manquant"),
    "table:cross": ("ratios across tables", "ratios entre tables"),
    "missing_share": ("Missing", "Manquant"),
    "univariate": (
        "The most important features: quantiles and gaps",
        "Les variables les plus importantes : quantiles et manques",
    ),
    "feature": ("Feature", "Variable"),
    "mean": ("Mean", "Moyenne"),
    "together": ("Features that go together (Spearman)", "Variables liées (Spearman)"),
    "correlation": ("Correlation", "Corrélation"),
    "and": ("and", "et"),
    "plot:values": ("Distribution of: {name}", "Répartition de : {name}"),
    "plot:shape": (
        "Distribution of: {name} (between the 5% and 95% quantiles)",
        "Répartition de : {name} (entre les quantiles à 5 % et 95 %)",
    ),
    "density": ("Density (1: spread evenly)", "Densité (1 : répartition uniforme)"),
    "share_of_each": ("Share of each outcome, %", "Part de chaque issue, en %"),
    "all": ("all applications", "toutes les demandes"),
    "unit:share": ("%", "%"),
    "unit:amount": ("Amount", "Montant"),
    "unit:years": ("Years", "Années"),
    "unit:days": ("Days", "Jours"),
    "unit:months": ("Months", "Mois"),
    "plot:missing": (
        "Missing values: each table's features by their share of gaps",
        "Valeurs manquantes : les variables de chaque table selon leur part de manques",
    ),
    "gaps:axis": ("Share of the table's features, %", "Part des variables de la table, en %"),
    "gaps:up_to": ("below {high}", "moins de {high}"),
    "gaps:above": ("{low} and more", "{low} et plus"),
    "plot:column": ("Default rate along: {name}", "Taux de défaut selon : {name}"),
    "up_to": ("up to {high}", "jusqu'à {high}"),
    "above": ("above {low}", "au-delà de {low}"),
    "everything": ("one value", "une seule valeur"),
    # ladder and refits
    "step": ("Step", "Étape"),
    "number": ("Features", "Variables"),
    "gained": ("AUC gained", "AUC gagnée"),
    "saved": ("Cost saved per 1,000", "Coût épargné pour 1 000"),
    "step:application": ("application form", "formulaire de demande"),
    "step:terms": ("+ terms of the loan", "+ conditions du prêt"),
    "step:ratios": ("+ ratios of the form", "+ ratios du formulaire"),
    "step:scores": ("+ summaries of the external scores", "+ résumés des notes externes"),
    "step:products": ("+ products and polynomials", "+ produits et polynômes"),
    "step:bureau": ("+ other lenders", "+ autres prêteurs"),
    "step:previous": ("+ previous applications", "+ demandes antérieures"),
    "step:repayment": ("+ repayments and cards", "+ remboursements et cartes"),
    "step:cross": ("+ ratios across tables", "+ ratios entre tables"),
    "candidate": ("Candidate", "Candidat"),
    "imbalance": ("Imbalance", "Déséquilibre"),
    "can_be_served": ("Can be served", "Peut être servi"),
    # curves
    "chance": ("chance", "hasard"),
    "perfect": ("perfect", "parfait"),
    "model": ("model", "modèle"),
    "defaults": ("defaults", "défauts"),
    "repaid": ("repaid credits", "crédits remboursés"),
    "good_refused": ("Share of good credits refused", "Part des bons crédits refusés"),
    "bad_refused": ("Share of defaults refused", "Part des défauts refusés"),
    "bad_among_refused": ("Share of defaults among refused", "Part de défauts parmi les refus"),
    "refused_first": ("Share refused, the riskiest first", "Part refusée, les plus risquées d'abord"),
    "share_reached": ("Share refused of each outcome", "Part refusée de chaque issue"),
    "default_rate": ("Default rate", "Taux de défaut"),
    "default_rate_percent": ("Default rate, %", "Taux de défaut, en %"),
    "default_rate_granted_percent": ("Default rate of granted, %", "Taux de défaut des accordées, en %"),
    "granted_percent": ("Share granted, %", "Part accordée, en %"),
    "forecast": ("Forecast", "Prévision"),
    "by_decile": ("by decile", "par décile"),
    "by_part": ("in {parts} equal parts", "en {parts} parts égales"),
    "decile": ("decile {number}", "décile {number}"),
    "part": ("{number} of {parts}", "{number} sur {parts}"),
    "decile_interval": ("decile, 95% interval", "décile, intervalle à 95 %"),
    "part_interval": ("equal part, 95% interval", "part égale, intervalle à 95 %"),
    "cost_axis": ("Cost per 1,000 applications", "Coût pour 1 000 demandes"),
    "in_force": ("in force", "en vigueur"),
    "log_odds": ("Log-odds", "Log-cotes"),
    "profit": ("profit", "profit"),
    "loss": ("loss", "perte"),
    "expected_loss": ("expected loss", "perte attendue"),
    "money_axis": ("Per 1,000 of credit asked for", "Pour 1 000 de crédit demandé"),
    "approval_ratio": ("Approval ratio to the best group", "Ratio d'octroi au groupe le mieux traité"),
    "plot:roc": ("ROC curve", "Courbe ROC"),
    "plot:pr": ("Precision and recall", "Précision et rappel"),
    "plot:ks": ("Kolmogorov–Smirnov distance", "Distance de Kolmogorov–Smirnov"),
    "plot:cap": ("Cumulative accuracy profile", "Profil de précision cumulée (CAP)"),
    "plot:gain": (
        "Gain: default rate {by}, the riskiest first; dashed, the mean",
        "Gain : taux de défaut {by}, le plus risqué d'abord ; en tirets, la moyenne",
    ),
    "plot:calibration": ("Calibration {by}", "Calibration {by}"),
    "plot:cost": ("Cost against threshold", "Coût selon le seuil"),
    "plot:importance": ("The twenty features that weigh most", "Les vingt variables qui pèsent le plus"),
    "plot:strategy": (
        "Strategy curve: default rate against share granted",
        "Courbe de stratégie : taux de défaut selon la part accordée",
    ),
    "plot:money": ("Money against share granted", "Argent selon la part accordée"),
    "plot:fairness": (
        "Approval ratio by {attribute} at every threshold, with 95% intervals",
        "Ratio d'octroi par {attribute} à chaque seuil, avec intervalle à 95 %",
    ),
    "plot:gaps": (
        "Gap among good clients by {attribute} at every threshold, with 95% intervals",
        "Écart parmi les bons clients par {attribute} à chaque seuil, avec intervalle à 95 %",
    ),
    # money
    "cutoffs": ("Ways to set the threshold", "Façons de fixer le seuil"),
    "cutoff": ("Rule", "Règle"),
    "cutoff:note": (
        "“In force” is judged out of fold: each application at the threshold that was chosen without its fold "
        "({low} to {high}). The threshold shown for it is the one that serves, chosen on all folds.",
        "« En vigueur » est jugé hors échantillon : chaque demande au seuil choisi sans son pli (de {low} à {high}). "
        "Le seuil affiché est celui qui est en service, choisi sur tous les plis.",
    ),
    "cutoff:all": ("grant everybody", "accorder à tous"),
    "cutoff:in_force": ("in force", "en vigueur"),
    "cutoff:ten_to_one": ("10 to 1: 1/11", "10 contre 1 : 1/11"),
    "cutoff:by_terms": ("by these terms: margin / (margin + LGD)", "selon ces taux : marge / (marge + LGD)"),
    "cutoff:most_profit": ("most profit on these applications", "profit maximal sur ces demandes"),
    "approvals": ("Strategy curve", "Courbe de stratégie"),
    "scenarios": ("Other terms, each at its own threshold", "Autres taux, chacun à son propre seuil"),
    "lgd": ("LGD", "LGD"),
    "margin": ("Margin", "Marge"),
    "earned": ("Margin earned", "Marge gagnée"),
    # reasons
    "reason:lime": (
        "LIME against our contributions on {n} applications, by group of features: mean rank correlation {r}, same "
        "sign for {sign} of the four weightiest groups, {shared} of them named by both. LIME knows no gap, so for "
        "both every gap was filled with the median: what a gap itself weighs is not compared.",
        "LIME face à nos contributions sur {n} demandes, par groupe de variables : corrélation de rang moyenne {r}, "
        "même signe pour {sign} des quatre groupes les plus lourds, {shared} d'entre eux nommés par les deux. LIME ne "
        "connaît pas les manques : pour les deux, chacun a été remplacé par la médiane ; le poids d'un manque "
        "n'est donc pas comparé.",
    ),
    "reason:lime:none": (
        "Too few applications to compare with LIME.",
        "Trop peu de demandes pour une comparaison avec LIME.",
    ),
    "reason:verified": (
        "{reasons} reasons of {n} refused applications were taken away one by one (the group's facts set to those "
        "usual among granted applicants): the probability fell for {fell} of them (by rank: {ranks}), by a median "
        "of {fall}. With all reasons taken away, {granted} would be granted.",
        "{reasons} motifs de {n} demandes refusées ont été retirés un à un (les faits du groupe remplacés par ceux, "
        "usuels, des demandes accordées) : la probabilité a baissé pour {fell} d'entre eux (par rang : {ranks}), de "
        "{fall} en médiane. Tous les motifs retirés, {granted} seraient accordées.",
    ),
    "reason:stable": (
        "The model in force beside {refits} models made as training makes one, but on {rows} applications, at most "
        "{trees} trees, and each with a seed of its own. Of {n} applications that the model in force refuses, {which}, "
        "a refit tells the same weightiest reason to {first} and repeats {shared} of the reasons.",
        "Le modèle en vigueur face à {refits} modèles faits comme à l'entraînement, mais sur {rows} demandes, avec "
        "{trees} arbres au plus, et chacun avec sa graine. Des {n} demandes que le modèle en vigueur refuse, {which}, "
        "un réajustement donne le même premier motif à {first} et répète {shared} des motifs.",
    ),
    "reason:stable:later": (
        "later ones that none of them learned from",
        "postérieures, dont aucun n'a rien appris",
    ),
    "reason:stable:rest": (
        "from which the refits learned nothing, but the model in force did",
        "dont les réajustements n'ont rien appris, mais bien le modèle en vigueur",
    ),
    "reason:stable:among": (
        "On the same applications two refits share the weightiest reason for {first}, and {shared} of their reasons: "
        "so much is due to the seed alone, the rest to fewer applications and trees.",
        "Sur les mêmes demandes, deux réajustements ont en commun le premier motif pour {first}, et {shared} de leurs "
        "motifs : c'est l'effet de la graine seule ; le reste vient de ce qu'il y a moins de demandes et d'arbres.",
    ),
    "reason:stable:none": (
        "Refits are not compared: nobody is refused among the applications that they did not learn from.",
        "Les réajustements ne sont pas comparés : personne n'est refusé parmi les demandes dont ils n'ont rien "
        "appris.",
    ),
    "reason:none": ("Nobody is refused in the sample.", "Personne n'est refusé dans l'échantillon."),
    # fairness
    "attribute:gender": ("gender", "sexe"),
    "attribute:family_status": ("family status", "situation familiale"),
    "attribute:age": ("age", "âge"),
    "attribute:household": ("household", "foyer"),
    "at_cutoff": ("By {attribute}, at the threshold in force", "Par {attribute}, au seuil en vigueur"),
    "group": ("Group", "Groupe"),
    "applications": ("Applications", "Demandes"),
    "granted": ("Granted", "Accordé"),
    "ratio": ("Approval ratio", "Ratio d'octroi"),
    "gap": ("Gap among good clients", "Écart parmi les bons clients"),
    "group_calibration": ("Observed less forecast", "Observé moins prévu"),
    "reference": ("{name} (reference)", "{name} (référence)"),
    "group:F": ("women", "femmes"),
    "group:M": ("men", "hommes"),
    "group:Married": ("married", "mariés"),
    "group:Single / not married": ("single", "célibataires"),
    "group:Civil marriage": ("civil marriage", "union civile"),
    "group:Separated": ("separated", "séparés"),
    "group:Widow": ("widowed", "veufs et veuves"),
    "group:0": ("no children", "sans enfant"),
    "group:1–2": ("one or two children", "un ou deux enfants"),
    "group:≥ 3": ("three children or more", "trois enfants ou plus"),
    "group_parts": (
        "Observed less forecast default rate by {attribute}, by quintile of the forecast (–: too few applications)",
        "Taux de défaut observé moins prévu par {attribute}, par quintile de la prévision (– : trop peu de demandes)",
    ),
    "fair:worst": (
        "By {attribute}: the lowest approval ratio is {ratio}, {group} against {reference}; over all thresholds it is "
        "{anywhere}, where {granted} are granted.",
        "Par {attribute} : le plus faible ratio d'octroi est {ratio}, {group} face à {reference} ; sur tous les "
        "seuils, il est {anywhere}, lorsque {granted} sont accordées.",
    ),
    "fair:widest": (
        "By {attribute}: the widest gap among those who repaid is {gap}, {group} against {reference}; over all "
        "thresholds it is {anywhere}, where {granted} are granted.",
        "Par {attribute} : le plus grand écart parmi ceux qui ont remboursé est {gap}, {group} face à {reference} ; "
        "sur tous les seuils, il est {anywhere}, lorsque {granted} sont accordées.",
    ),
    "fair:spread": (
        "By {attribute}: observed less forecast default rates of the groups lie up to {spread} apart.",
        "Par {attribute} : d'un groupe à l'autre, le taux de défaut observé moins prévu diffère de {spread} au plus.",
    ),
    "fair:hidden": (
        "By {attribute}: {hidden} group(s) too small to be shown.",
        "Par {attribute} : {hidden} groupe(s) trop petit(s) pour être montré(s).",
    ),
    "fair:none": (
        "By {attribute}: fewer than two groups are large enough.",
        "Par {attribute} : moins de deux groupes sont assez grands.",
    ),
    "prices": (
        "The price of keeping an attribute out (against a model that reads all features)",
        "Le prix de chaque exclusion (face à un modèle qui lit toutes les variables)",
    ),
    "excluded": ("Kept out", "Exclu"),
    "excluded:nothing": ("nothing", "rien"),
    "alternatives": ("Search for a less discriminating model", "Recherche d'un modèle moins discriminant"),
    "alternative": ("Model", "Modèle"),
    "affordable": ("Within the cost", "Dans le coût admis"),
    "variant:in_force": ("in force", "en vigueur"),
    "variant:without": ("without {attribute}", "sans {attribute}"),
    "variant:proxies": (
        "without the {number} features that tell {attribute} best",
        "sans les {number} variables qui trahissent le mieux : {attribute}",
    ),
    "variant:smoother": ("smoother trees", "arbres plus lisses"),
    "variant:seed": ("another seed", "autre graine"),
    "gains": (
        "Lowest approval ratio of the model in force by attribute, and what each other model adds to it",
        "Plus faible ratio d'octroi du modèle en vigueur par attribut, et ce que chaque autre y ajoute",
    ),
    "as_fitted": (
        "These intervals, and those of the search, take the fitted models as given: they hold the chance of the "
        "applications, not that of another fit.",
        "Ces intervalles, comme ceux de la recherche, prennent les modèles ajustés comme donnés : ils disent le hasard "
        "des demandes, non celui d'un autre ajustement.",
    ),
    "fair:search": (
        "{n} other models were tried on {rows} applications, all compared at {granted} granted and with the model in "
        "force, on the same resampled applications. Within the cost is one that costs at most {tolerance} more on "
        "these applications: a point estimate, the interval stands under the cost saved. Less discriminating is one "
        "that raises the lowest ratio by {attribute}, where the model in force is worst, and lowers no other, both "
        "beyond chance. Each interval holds for one model alone: of many tried, one may gain by chance.",
        "{n} autres modèles ont été essayés sur {rows} demandes, tous comparés à {granted} d'accords et au modèle en "
        "vigueur, sur les mêmes demandes rééchantillonnées. Est dans le coût admis celui qui coûte au plus {tolerance} "
        "de plus sur ces demandes : une estimation ponctuelle, l'intervalle figure sous le coût épargné. Est moins "
        "discriminant celui qui relève le plus faible ratio par {attribute}, où le modèle en vigueur est le pire, et "
        "n'en abaisse aucun autre, au-delà du hasard l'un et l'autre. Chaque intervalle vaut pour un seul modèle : "
        "de plusieurs essayés, l'un peut gagner par hasard.",
    ),
    "fair:chosen": (
        "A less discriminating model within the cost was found: {name}. Look at it before the next release.",
        "Un modèle moins discriminant, dans le coût admis, a été trouvé : {name}. À examiner avant la prochaine "
        "version.",
    ),
    "fair:not_found": (
        "No other model within the cost is less discriminating beyond chance.",
        "Aucun autre modèle dans le coût admis n'est moins discriminant au-delà du hasard.",
    ),
    # stability
    "stable:later": (
        "A classifier tells {n} later applications from the labelled ones with an AUC of {auc} (0.5: they look the "
        "same). What separates them most: {telling}.",
        "Un classifieur distingue {n} demandes postérieures des demandes étiquetées avec une AUC de {auc} "
        "(0,5 : elles se ressemblent). Ce qui les sépare le plus : {telling}.",
    ),
    "stable:none": (
        "The portfolio has no later applications, so this is not measured.",
        "Le portefeuille n'a pas de demandes postérieures : ceci n'est pas mesuré.",
    ),
    "fifths": (
        "The labelled applications by quintile, from least to most like the later ones",
        "Les demandes étiquetées par quintile, des moins aux plus semblables aux suivantes",
    ),
    "fifth": ("Quintile", "Quintile"),
    "seeds": (
        "{n} fits that differ by their seed, calibrated out of fold and cut where each grants {granted}, as the model "
        "in force does: AUC {auc}, cost per 1,000 {cost}; {same} of the applications are decided alike by all, and "
        "probabilities differ by {gap} on average.",
        "{n} ajustements qui ne diffèrent que par leur graine, calibrés hors échantillon et coupés là où chacun "
        "accorde {granted}, comme le modèle en vigueur : AUC {auc}, coût pour 1 000 {cost} ; {same} des demandes "
        "reçoivent la même décision de tous, et les probabilités diffèrent de {gap} en moyenne.",
    ),
    # limits
    "limit:alone": (
        "The model does not decide alone: a refused or unclear file belongs on a person's desk (GDPR art. 22).",
        "Le modèle ne décide pas seul : un dossier refusé ou incertain est traité par une personne (RGPD, art. 22).",
    ),
    "limit:population": (
        "It knows applicants like those of its training: consumer loans of one lender, one country and time.",
        "Il connaît des demandeurs semblables à ceux de son entraînement : prêts à la consommation d'un seul prêteur, "
        "d'un seul pays et d'une seule époque.",
    ),
    "limit:granted": (
        "Outcomes are known of granted loans only; what refused applicants would have done is not.",
        "Seule l'issue des prêts accordés est connue ; ce qu'auraient fait les refusés ne l'est pas.",
    ),
    "limit:time": (
        "There is no calendar in the data, so ageing is emulated; monitoring of the logged decisions must follow.",
        "Les données n'ont pas de calendrier : le vieillissement est imité ; un suivi des décisions journalisées "
        "doit prendre le relais.",
    ),
    "limit:money": (
        "Loss given default and margin are assumptions; amounts are in one unnamed currency.",
        "La perte en cas de défaut et la marge sont des hypothèses ; les montants sont dans une monnaie non nommée.",
    ),
    "limit:sample": (
        "Refits (ladder, prices, search, seeds) use a sample and fewer trees; their levels are not the model's.",
        "Les réajustements (blocs, prix, recherche, graines) portent sur un échantillon et moins d'arbres ; leurs "
        "niveaux ne sont pas ceux du modèle.",
    ),
    "limit:proxy": (
        "Leaving an attribute out does not make a model blind to it: other features tell it in part.",
        "Écarter un attribut ne rend pas le modèle aveugle : d'autres variables le trahissent en partie.",
    ),
    "limit:never": (
        "Not for pricing, employment, insurance or any purpose but the decision on a consumer loan.",
        "Ni pour la tarification, ni pour l'emploi, ni pour l'assurance : uniquement pour décider d'un crédit à la "
        "consommation.",
    ),
    "notice": ("Note of the training: {text}", "Note de l'entraînement : {text}"),
    # clauses
    "clause": ("Clause", "Clause"),
    "asks": ("What it asks", "Ce qu'elle demande"),
    "where": ("Where", "Où"),
}  # fmt: skip
