"""People: reasons, fairness, stability, limits."""

from __future__ import annotations

WORDS: dict[str, tuple[str, str]] = {
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
        "beyond chance. Each interval holds for one model alone: of many tried, one may gain by chance. The line of "
        "another seed shows how much a new fit alone moves.",
        "{n} autres modèles ont été essayés sur {rows} demandes, tous comparés à {granted} d'accords et au modèle en "
        "vigueur, sur les mêmes demandes rééchantillonnées. Est dans le coût admis celui qui coûte au plus {tolerance} "
        "de plus sur ces demandes : une estimation ponctuelle, l'intervalle figure sous le coût épargné. Est moins "
        "discriminant celui qui relève le plus faible ratio par {attribute}, où le modèle en vigueur est le pire, et "
        "n'en abaisse aucun autre, au-delà du hasard l'un et l'autre. Chaque intervalle vaut pour un seul modèle : "
        "de plusieurs essayés, l'un peut gagner par hasard. La ligne « autre graine » montre ce que bouge un nouvel "
        "ajustement à lui seul.",
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
}  # fmt: skip
