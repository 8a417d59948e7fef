"""Every text of the page in English and French, side by side."""

from __future__ import annotations

import re

from ui.figures import NARROW, Language

NO_BREAK = "\u00a0"

# DAYS_* columns count days backwards; an officer reads and writes years.
YEARS_FIELDS: dict[str, tuple[str, str]] = {
    "DAYS_BIRTH": ("Age", "Âge"),
    "DAYS_EMPLOYED": ("Time in the present job", "Ancienneté dans l'emploi actuel"),
    "DAYS_ID_PUBLISH": (
        "Time since the identity document changed",
        "Temps depuis le changement de pièce d'identité",
    ),
    "DAYS_REGISTRATION": (
        "Time since the registration changed",
        "Temps depuis le changement d'enregistrement",
    ),
    "DAYS_LAST_PHONE_CHANGE": ("Time since the phone changed", "Temps depuis le changement de téléphone"),
}

TEXTS: dict[str, tuple[str, str]] = {
    # the page
    "title": ("Credit scoring", "Score de crédit"),
    "tagline": (
        "An estimate, its reasons, and what would change it",
        "Une estimation, ses motifs, et ce qui la ferait changer",
    ),
    "language": ("Language", "Langue"),
    "tab_client": ("Client", "Client"),
    "tab_batch": ("File", "Fichier"),
    "tab_about": ("Model", "Modèle"),
    "connected": ("Service ready", "Service prêt"),
    "not_connected": ("Service not reachable", "Service injoignable"),
    "footer": (
        "The estimate supports a decision; it does not replace the person who takes it.",
        "L'estimation éclaire une décision ; elle ne remplace pas la personne qui la prend.",
    ),
    # opening
    "client_number": ("Client number", "Numéro de client"),
    "open": ("Open", "Ouvrir"),
    "random": ("Any client", "Client au hasard"),
    "new": ("New application", "Nouvelle demande"),
    "for_example": ("For example", "Par exemple"),
    "no_portfolio": (
        "No portfolio is at hand: enter a new application. Start the page with --portfolio to open clients.",
        "Aucun portefeuille n'est disponible : saisissez une nouvelle demande. Lancez la page avec "
        "--portfolio pour ouvrir des clients.",
    ),
    "unknown_client": (
        "There is no client {id} in this portfolio. Choose one of the examples, or press “Any client”.",
        "Il n'y a pas de client {id} dans ce portefeuille. Choisissez un exemple, ou appuyez sur « Client "
        "au hasard ».",
    ),
    "not_a_number": (
        "“{text}” is no client number: write digits only, such as {example}.",
        "« {text} » n'est pas un numéro de client : n'écrivez que des chiffres, comme {example}.",
    ),
    "number_long": (
        "A client number has at most {most} digits.",
        "Un numéro de client a au plus {most} chiffres.",
    ),
    "client_is": ("Client {id}", "Client {id}"),
    "new_is": ("New application", "Nouvelle demande"),
    "new_note": (
        "It starts from typical values, without credit history: change what differs.",
        "Elle part de valeurs courantes, sans historique de crédit : modifiez ce qui diffère.",
    ),
    "no_history": ("No credit history in the file.", "Aucun historique de crédit au dossier."),
    "history": ("In the file: {tables}.", "Au dossier : {tables}."),
    "table_bureau": ("credits elsewhere: {n}", "crédits ailleurs : {n}"),
    "table_bureau_balance": ("monthly statuses of these: {n}", "états mensuels de ceux-ci : {n}"),
    "table_previous_application": ("earlier requests: {n}", "demandes antérieures : {n}"),
    "table_POS_CASH_balance": ("monthly balances of loans: {n}", "soldes mensuels de prêts : {n}"),
    "table_credit_card_balance": ("monthly balances of cards: {n}", "soldes mensuels de cartes : {n}"),
    "table_installments_payments": ("instalments paid: {n}", "échéances payées : {n}"),
    # the form
    "facts": ("Facts of the application", "Données de la demande"),
    "facts_note": ("Change any fact and score again.", "Modifiez une donnée et recalculez."),
    "find_fact": ("Find a fact", "Chercher une donnée"),
    "known_of": ("{known} of {all} known", "{known} sur {all} connues"),
    "known_of_one": ("{known} of {all} known", "{known} sur {all} connue"),
    "score": ("Score again", "Recalculer"),
    "undo": ("Undo changes", "Rétablir"),
    "missing": ("Not known", "Non connu"),
    "other_value": ("Another value…", "Autre valeur…"),
    "free_value": ("{fact}: another value", "{fact} : autre valeur"),
    "was": ("was", "avant :"),
    "yes": ("Yes", "Oui"),
    "no": ("No", "Non"),
    "unit_years": ("years", "ans"),
    "unit_share": ("from 0 to 1", "de 0 à 1"),
    "unit_amount": ("money units", "unités monétaires"),
    "not_employed": ("not in employment", "sans activité professionnelle"),
    "fault_number": ("write a number, such as {example}", "écrivez un nombre, comme {example}"),
    "fault_whole": ("write a whole number", "écrivez un nombre entier"),
    "fault_low": ("must be at least {bound}", "doit valoir au moins {bound}"),
    "fault_high": ("must be at most {bound}", "doit valoir au plus {bound}"),
    "fault_long": ("must have at most {bound} characters", "doit avoir au plus {bound} caractères"),
    "fault_unseen": (
        "must be written with letters, digits and signs that can be seen",
        "doit s'écrire avec des lettres, des chiffres et des signes visibles",
    ),
    "fault_other": ("the service does not accept this value", "le service n'accepte pas cette valeur"),
    "faults": ("Nothing was scored. Please correct:", "Rien n'a été calculé. À corriger :"),
    "fault": ("{fact}: {sentence}.", "{fact} : {sentence}."),
    # the result
    "result": ("Decision", "Décision"),
    "waiting": (
        "Open a client or enter a new application.",
        "Ouvrez un client ou saisissez une nouvelle demande.",
    ),
    "waiting_note": (
        "The decision, its distance to the threshold and its reasons will stand here.",
        "La décision, sa distance au seuil et ses motifs s'afficheront ici.",
    ),
    "granted": ("Loan granted", "Prêt accordé"),
    "refused": ("Loan refused", "Prêt refusé"),
    "granted_side": ("granted", "accordé"),
    "refused_side": ("refused", "refusé"),
    "threshold": ("threshold", "seuil"),
    "probability": ("probability of default", "probabilité de défaut"),
    "points": ("points", "points"),
    "below": (
        "The probability of default is {p}, {gap} below the threshold of {t}.",
        "La probabilité de défaut est de {p}, {gap} sous le seuil de {t}.",
    ),
    "above": (
        "The probability of default is {p}, {gap} above the threshold of {t}.",
        "La probabilité de défaut est de {p}, {gap} au-dessus du seuil de {t}.",
    ),
    "at": (
        "The probability of default is {p}, exactly at the threshold; an application at the threshold is "
        "refused.",
        "La probabilité de défaut est de {p}, exactement au seuil ; une demande au seuil est refusée.",
    ),
    "score_is": (
        "That is {score} points, {gap} than the {line} points of the threshold; more points mean less risk.",
        "Cela fait {score} points, {gap} que les {line} points du seuil ; plus de points veut dire moins "
        "de risque.",
    ),
    "gap_one": ("{gap} percentage point", "{gap} point de pourcentage"),
    "gap_many": ("{gap} percentage points", "{gap} points de pourcentage"),
    "points_more": ("{n} more", "{n} de plus"),
    "points_fewer": ("{n} fewer", "{n} de moins"),
    "points_same": ("no fewer and no more", "ni plus ni moins"),
    "change": ("Against the first score", "Par rapport au premier calcul"),
    "falls": ("the probability falls from {first} to {now}", "la probabilité baisse de {first} à {now}"),
    "rises": ("the probability rises from {first} to {now}", "la probabilité monte de {first} à {now}"),
    "stays": ("the probability stays at {now}", "la probabilité reste à {now}"),
    "turns_granted": ("and the loan is now granted", "et le prêt est désormais accordé"),
    "turns_refused": ("and the loan is now refused", "et le prêt est désormais refusé"),
    "same_granted": ("and the loan stays granted", "et le prêt reste accordé"),
    "same_refused": ("and the loan stays refused", "et le prêt reste refusé"),
    "edited": ("{fact}: {before} → {after}", "{fact} : {before} → {after}"),
    "reasons": ("What speaks against the application", "Ce qui pèse contre la demande"),
    "no_reasons": ("Nothing weighs noticeably against it.", "Rien ne pèse sensiblement contre elle."),
    "warnings": ("Check these values", "Valeurs à vérifier"),
    "more_warnings": ("{n} more, most of them derived", "{n} autres, pour la plupart dérivées"),
    "more_warnings_one": ("{n} more", "{n} autre"),
    "small_print": ("Model {model} · decision {event}", "Modèle {model} · décision {event}"),
    "gauge_title": ("Probability of default {p}, threshold {t}", "Probabilité de défaut {p}, seuil {t}"),
    "gauge_text": (
        "Gauge from low risk on the left to high risk on the right. The threshold is at {t}; this "
        "application is at {p}, on the {side} side.",
        "Jauge du risque faible à gauche au risque fort à droite. Le seuil est à {t} ; cette demande est à "
        "{p}, du côté {side}.",
    ),
    "contributions": ("How the facts move the score", "Comment les données déplacent le score"),
    "contributions_note": (
        "The average application has {base} points; the facts of this one lead to {score}. The heaviest: "
        "{most} ({points}).",
        "La demande moyenne a {base} points ; les données de celle-ci mènent à {score}. La plus lourde : "
        "{most} ({points}).",
    ),
    "no_contributions": (
        "This model gives every application the same score.",
        "Ce modèle donne le même score à toute demande.",
    ),
    "chart_title": (
        "The facts that move the score most, in points",
        "Les données qui déplacent le plus le score, en points",
    ),
    "lowers": ("lowers the score", "baisse le score"),
    "raises": ("raises the score", "relève le score"),
    "fact": ("Fact", "Donnée"),
    "value": ("Value", "Valeur"),
    "effect": ("Points", "Points"),
    "base": ("Average application", "Demande moyenne"),
    "other_facts": ("{n} other facts", "{n} autres données"),
    "other_facts_one": ("{n} other fact", "{n} autre donnée"),
    "total": ("Score", "Score"),
    # batch
    "batch_heading": ("Score a file of applications", "Évaluer un fichier de demandes"),
    "batch_note": (
        "CSV, Parquet or a workbook, one application a row, columns as in application_train.csv; unknown "
        "values empty. Of a credit history, the rows have the aggregates that the file has. The file comes "
        "back in the same order, with the decision, or with what is wrong, in new columns.",
        "CSV, Parquet ou classeur, une demande par ligne, colonnes comme dans application_train.csv ; "
        "valeurs inconnues vides. De l'historique de crédit, les lignes ont les agrégats du fichier. Le "
        "fichier revient dans le même ordre, avec la décision, ou avec ce qui ne va pas, dans de nouvelles "
        "colonnes.",
    ),
    "batch_file": ("File (CSV, Parquet or workbook)", "Fichier (CSV, Parquet ou classeur)"),
    "batch_keep": (
        "Carry columns that an application does not know through to the answer",
        "Reprendre dans la réponse les colonnes qu'une demande ne connaît pas",
    ),
    "batch_drop": (
        "Drop a file here, or press to choose one",
        "Déposez un fichier ici, ou appuyez pour en choisir un",
    ),
    "batch_remove": ("Remove the file", "Retirer le fichier"),
    "batch_score": ("Score the file", "Évaluer le fichier"),
    "batch_download": ("Download the scored file", "Télécharger le fichier évalué"),
    "batch_none": ("Choose a file first.", "Choisissez d'abord un fichier."),
    "batch_reading": ("Reading the file", "Lecture du fichier"),
    "batch_progress": ("{done} of {all} applications", "{done} demandes sur {all}"),
    "batch_done": (
        "{all} applications: {granted} granted, {refused} refused, {faulty} with an error.",
        "{all} demandes – accordées : {granted}, refusées : {refused}, en erreur : {faulty}.",
    ),
    "batch_preview": ("The first {n} rows", "Les {n} premières lignes"),
    "batch_preview_one": ("The first row", "La première ligne"),
    "batch_suffix": ("scored", "evalue"),
    "tile_all": ("applications", "demandes"),
    "tile_all_one": ("application", "demande"),
    "tile_granted": ("granted", "accordées"),
    "tile_granted_one": ("granted", "accordée"),
    "tile_refused": ("refused", "refusées"),
    "tile_refused_one": ("refused", "refusée"),
    "tile_faulty": ("with an error", "en erreur"),
    "tile_faulty_one": ("with an error", "en erreur"),
    "points_head": ("Points", "Points"),
    "batch_row": ("Row", "Ligne"),
    "batch_id": ("Number", "Numéro"),
    "batch_decision": ("Decision", "Décision"),
    "batch_probability": ("Probability", "Probabilité"),
    "batch_error": ("Error", "Erreur"),
    "file_empty": ("{name} holds no application.", "{name} ne contient aucune demande."),
    "file_long": (
        "{name} holds {n} rows, and this page takes {most}. For more, use python -m scoring.client.",
        "{name} contient {n} lignes, et cette page en prend {most}. Au-delà, utilisez python -m "
        "scoring.client.",
    ),
    "file_no_number": (
        "{name} has no column SK_ID_CURR, the number of the application.",
        "{name} n'a pas de colonne SK_ID_CURR, le numéro de la demande.",
    ),
    "file_columns": (
        "{name} has columns that an application does not know: {columns}. Remove them, or have them carried "
        "through.",
        "{name} a des colonnes qu'une demande ne connaît pas : {columns}. Supprimez-les, ou faites-les "
        "reprendre dans la réponse.",
    ),
    "cell": ("{column}: {sentence}", "{column} : {sentence}"),
    "cell_unclear": (
        "is the comma of {text} for thousands or for decimals? Write {plain}, or a point for the decimals",
        "la virgule de {text} sépare-t-elle des milliers ou des décimales ? Écrivez {plain}, ou un point "
        "pour les décimales",
    ),
    "cell_value": ("not an allowed value", "n'est pas une valeur permise"),
    "cell_required": ("required", "obligatoire"),
    # about
    "about_model": ("The model in service", "Le modèle en service"),
    "about_tag": ("Model", "Modèle"),
    "about_family": ("Family", "Famille"),
    "about_threshold": ("Refused at or above", "Refus à partir d'une probabilité de"),
    "about_costs": (
        "Cost of granting a default, of refusing a good client",
        "Coût d'un défaut accordé, d'un bon client refusé",
    ),
    "about_protected": ("Kept out of the model", "Tenu hors du modèle"),
    "about_applications": ("Applications learned from", "Demandes d'apprentissage"),
    "about_created": ("Trained at", "Entraîné le"),
    "about_git_revision": ("Code revision", "Révision du code"),
    "about_data_sha256": ("Fingerprint of the data", "Empreinte des données"),
    "about_metrics": ("How good it is", "Sa qualité"),
    "about_metrics_note": (
        "Measured in training on applications that the model had not learned from.",
        "Mesurée à l'entraînement sur des demandes dont le modèle n'a rien appris.",
    ),
    "about_features": ("What it reads", "Ce qu'il lit"),
    "about_features_note": (
        "{n} facts and derived figures, by theme.",
        "{n} données et grandeurs dérivées, par thème.",
    ),
    "about_measure": ("Measure", "Mesure"),
    "about_interval": ("95% interval", "Intervalle à 95 %"),
    "about_weight": ("Weight", "Poids"),
    "about_name": ("Name", "Nom"),
    "about_count": ("{n} facts", "{n} données"),
    "about_count_one": ("{n} fact", "{n} donnée"),
    "family_lightgbm": ("Gradient-boosted trees (LightGBM)", "Arbres de décision boostés (LightGBM)"),
    "family_linear": ("Logistic regression", "Régression logistique"),
    "family_scorecard": ("Scorecard of points", "Grille de score par points"),
    "metric_business_score": (
        "Business score: share of the worst cost avoided",
        "Score métier : part du pire coût évitée",
    ),
    "metric_cost_per_1000": (
        "Cost per 1,000 applications (lower is better)",
        "Coût pour 1 000 demandes (le plus bas est le meilleur)",
    ),
    "metric_auc": (
        "AUC: how often a default is ranked above a repaid loan",
        "AUC : part des cas où un défaut est classé au-dessus d'un prêt remboursé",
    ),
    "metric_gini": ("Gini", "Gini"),
    "metric_ks": ("Kolmogorov–Smirnov distance", "Distance de Kolmogorov–Smirnov"),
    "metric_average_precision": ("Average precision", "Précision moyenne"),
    "metric_brier": ("Brier score (lower is better)", "Score de Brier (le plus bas est le meilleur)"),
    "metric_calibration_error": (
        "Calibration error (lower is better)",
        "Erreur de calibration (la plus basse est la meilleure)",
    ),
    "metric_calibration_intercept": (
        "Calibration intercept (0 is best)",
        "Ordonnée à l'origine de la calibration (0 est le meilleur)",
    ),
    "metric_calibration_slope": (
        "Calibration slope (1 is best)",
        "Pente de la calibration (1 est le meilleur)",
    ),
    "metric_log_loss": (
        "Logarithmic loss (lower is better)",
        "Perte logarithmique (la plus basse est la meilleure)",
    ),
    "metric_share_granted": ("Applications granted", "Demandes accordées"),
    "metric_default_rate_granted": (
        "Defaults among granted applications",
        "Défauts parmi les demandes accordées",
    ),
    "metric_recall": ("Defaults that are refused", "Défauts qui sont refusés"),
    "metric_precision": ("Defaults among refused applications", "Défauts parmi les demandes refusées"),
    "metric_f1": ("F1", "F1"),
    "metric_accuracy": ("Accuracy", "Exactitude"),
    "gender": ("gender", "sexe"),
    "family_status": ("family status", "situation familiale"),
    "age": ("age", "âge"),
    "household": ("household", "foyer"),
    # the service in trouble
    "service_down": (
        "The scoring service at {api} does not answer, or not in time. Start it, or ask your "
        "administrator, and try again.",
        "Le service de score à {api} ne répond pas, ou pas à temps. Démarrez-le, ou demandez à votre "
        "administrateur, puis réessayez.",
    ),
    "service_busy": (
        "The scoring service has too much to do just now. Try again in a few seconds.",
        "Le service de score est trop sollicité en ce moment. Réessayez dans quelques secondes.",
    ),
    "service_unrecorded": (
        "The scoring service cannot record decisions just now, so it gives none. Tell your administrator: "
        "the disk of its log may be full.",
        "Le service de score ne peut pas enregistrer de décision en ce moment, et n'en donne donc aucune. "
        "Prévenez votre administrateur : le disque de son journal est peut-être plein.",
    ),
    "service_refuses": (
        "The scoring service did not accept the application.",
        "Le service de score n'a pas accepté la demande.",
    ),
    "service_fails": (
        "The scoring service failed on this request. Its log says why; the page goes on working.",
        "Le service de score a échoué sur cette demande. Son journal dit pourquoi ; la page continue de "
        "fonctionner.",
    ),
    "page_fails": (
        "This page could not do that. The details are in its log.",
        "Cette page n'a pas pu le faire. Les détails sont dans son journal.",
    ),
    "host_unknown": (
        "This page is not known by the name in the address bar. Its administrator can add that name to "
        "CREDIT_SCORING_HOSTS.",
        "Cette page n'est pas connue sous le nom de la barre d'adresse. Son administrateur peut ajouter ce "
        "nom à CREDIT_SCORING_HOSTS.",
    ),
    "origin_unknown": (
        "Another web page may not ask this one. Its administrator can add the other's origin to "
        "CREDIT_SCORING_ORIGINS.",
        "Une autre page web ne peut pas interroger celle-ci. Son administrateur peut ajouter l'origine de "
        "l'autre à CREDIT_SCORING_ORIGINS.",
    ),
    "proxy_unknown": (
        "This page is for its own machine, and a proxy that it does not know brought you here. Its "
        "administrator can add the proxy to CREDIT_SCORING_PROXIES.",
        "Cette page est réservée à sa propre machine, et un mandataire qu'elle ne connaît pas vous y amène. "
        "Son administrateur peut ajouter ce mandataire à CREDIT_SCORING_PROXIES.",
    ),
    "not_here": ("There is nothing here.", "Il n'y a rien ici."),
    "not_taken": (
        "The page does not take what was sent to it. Load it again, and try once more.",
        "La page ne prend pas ce qui lui a été envoyé. Rechargez-la, et réessayez.",
    ),
    "too_large": (
        "That is more than this page takes: files may have 200 MB. For more, use python -m scoring.client.",
        "C'est plus que cette page ne prend : les fichiers peuvent avoir 200 Mo. Au-delà, utilisez python -m "
        "scoring.client.",
    ),
    "uploads_full": (
        "There is no room for another file just now. Files are deleted after an hour; try again later.",
        "Il n'y a pas de place pour un autre fichier en ce moment. Les fichiers sont effacés au bout d'une "
        "heure ; réessayez plus tard.",
    ),
    "busy": (
        "The page has too much to do just now. Try again in a few seconds.",
        "La page est trop sollicitée en ce moment. Réessayez dans quelques secondes.",
    ),
    "portfolio_fails": (
        "The portfolio cannot be read: {detail}",
        "Le portefeuille ne peut pas être lu : {detail}",
    ),
}


def spaced(text: str) -> str:
    """Put the spaces that do not break into a French text."""
    text = re.sub(r"(?<=\d) (?=\d{3})", NARROW, text)
    for mark in ";!?%":
        text = text.replace(f" {mark}", f"{NARROW}{mark}")
    return text.replace(" :", f"{NO_BREAK}:").replace("« ", f"«{NO_BREAK}").replace(" »", f"{NO_BREAK}»")


def say(key: str, lang: Language, **values: object) -> str:
    """Return a text of the page in a language, with its values filled in."""
    english, french = TEXTS[key]
    return (spaced(french) if lang == "fr" else english).format(**values)


def counted(key: str, lang: Language, count: int, /, **values: object) -> str:
    """Return a text that counts something; English has its singular for 1, French for 0 too."""
    is_one = count == 1 if lang == "en" else count < 2
    return say(f"{key}_one" if is_one else key, lang, **values)
