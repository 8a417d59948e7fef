"""Values in words, in English and French: numbers with their unit, and the levels of categories."""

from __future__ import annotations

import re
from typing import Literal

from scoring.features import Feature

Value = float | str | None
Language = Literal["en", "fr"]
LANGUAGES: tuple[Language, Language] = ("en", "fr")

NO_BREAK = "\u00a0"  # between a number and its unit; in French before : and inside quotation marks
NARROW = "\u202f"  # in French between thousands and before ; ! ? %
_UNITS = {
    "years": ("year", "years", "an", "ans"),
    "days": ("day", "days", "jour", "jours"),
    "months": ("month", "months", "mois", "mois"),
}
_DATE = re.compile(r"(Day|Month|First month|Latest month)\b")  # "Day of …" is a date, "Days late" a length

LEVELS: dict[str, tuple[str, str]] = {
    "Y": ("Yes", "Oui"),
    "N": ("No", "Non"),
    "Yes": ("Yes", "Oui"),
    "No": ("No", "Non"),
    "XNA": ("Not stated", "Non précisé"),
    "XAP": ("Not applicable", "Sans objet"),
    "Unknown": ("Unknown", "Inconnu"),
    "Other": ("Other", "Autre"),
    "Others": ("Other", "Autre"),
    "not specified": ("Not stated", "Non précisé"),
    # the request
    "Cash loans": ("Cash loan", "Prêt personnel"),
    "Revolving loans": ("Revolving loan", "Crédit renouvelable"),
    "Unaccompanied": ("Nobody", "Personne"),
    "Family": ("Family", "Famille"),
    "Spouse, partner": ("Spouse or partner", "Conjoint ou partenaire"),
    "Children": ("Children", "Enfants"),
    "Other_A": ("Other (A)", "Autre (A)"),
    "Other_B": ("Other (B)", "Autre (B)"),
    "Group of people": ("Group of people", "Groupe de personnes"),
    "MONDAY": ("Monday", "Lundi"),
    "TUESDAY": ("Tuesday", "Mardi"),
    "WEDNESDAY": ("Wednesday", "Mercredi"),
    "THURSDAY": ("Thursday", "Jeudi"),
    "FRIDAY": ("Friday", "Vendredi"),
    "SATURDAY": ("Saturday", "Samedi"),
    "SUNDAY": ("Sunday", "Dimanche"),
    # the person
    "F": ("Woman", "Femme"),
    "M": ("Man", "Homme"),
    "Married": ("Married", "Marié(e)"),
    "Single / not married": ("Single", "Célibataire"),
    "Civil marriage": ("Civil marriage", "Union civile"),
    "Separated": ("Separated", "Séparé(e)"),
    "Widow": ("Widowed", "Veuf ou veuve"),
    "Lower secondary": ("Lower secondary", "Collège"),
    "Secondary / secondary special": ("Secondary", "Lycée ou enseignement professionnel"),
    "Incomplete higher": ("Higher, not completed", "Supérieur, inachevé"),
    "Higher education": ("Higher", "Supérieur"),
    "Academic degree": ("Academic degree", "Diplôme universitaire avancé"),
    # work and income
    "Working": ("Employee", "Salarié(e)"),
    "Commercial associate": ("Commercial associate", "Associé(e) commercial(e)"),
    "Pensioner": ("Pensioner", "Retraité(e)"),
    "State servant": ("Civil servant", "Fonctionnaire"),
    "Unemployed": ("Unemployed", "Sans emploi"),
    "Student": ("Student", "Étudiant(e)"),
    "Businessman": ("Business owner", "Chef d'entreprise"),
    "Maternity leave": ("Maternity leave", "Congé de maternité"),
    "Laborers": ("Labourer", "Ouvrier"),
    "Sales staff": ("Sales", "Vente"),
    "Core staff": ("Core staff", "Personnel principal"),
    "Managers": ("Manager", "Cadre"),
    "Drivers": ("Driver", "Conducteur"),
    "High skill tech staff": ("Skilled technician", "Technicien qualifié"),
    "Accountants": ("Accountant", "Comptable"),
    "Medicine staff": ("Medical staff", "Personnel médical"),
    "Security staff": ("Security", "Sécurité"),
    "Cooking staff": ("Cook", "Cuisine"),
    "Cleaning staff": ("Cleaning", "Nettoyage"),
    "Private service staff": ("Personal services", "Services à la personne"),
    "Low-skill Laborers": ("Unskilled labourer", "Ouvrier non qualifié"),
    "Secretaries": ("Secretary", "Secrétariat"),
    "Waiters/barmen staff": ("Waiter or barkeeper", "Service en salle ou au bar"),
    "Realty agents": ("Estate agent", "Agent immobilier"),
    "HR staff": ("Human resources", "Ressources humaines"),
    "IT staff": ("Information technology", "Informatique"),
    "Self-employed": ("Self-employed", "À son compte"),
    "Advertising": ("Advertising", "Publicité"),
    "Agriculture": ("Agriculture", "Agriculture"),
    "Bank": ("Bank", "Banque"),
    "Cleaning": ("Cleaning", "Nettoyage"),
    "Construction": ("Construction", "Construction"),
    "Culture": ("Culture", "Culture"),
    "Electricity": ("Electricity", "Électricité"),
    "Emergency": ("Emergency services", "Services d'urgence"),
    "Government": ("Government", "Administration"),
    "Hotel": ("Hotel", "Hôtellerie"),
    "Housing": ("Housing", "Logement"),
    "Insurance": ("Insurance", "Assurance"),
    "Kindergarten": ("Kindergarten", "École maternelle"),
    "Legal Services": ("Legal services", "Services juridiques"),
    "Medicine": ("Health care", "Santé"),
    "Military": ("Military", "Armée"),
    "Mobile": ("Mobile telephony", "Téléphonie mobile"),
    "Police": ("Police", "Police"),
    "Postal": ("Postal services", "Poste"),
    "Realtor": ("Property", "Immobilier"),
    "Religion": ("Religion", "Religion"),
    "Restaurant": ("Restaurant", "Restauration"),
    "School": ("School", "École"),
    "Security": ("Security", "Sécurité"),
    "Security Ministries": ("Security ministries", "Ministères de sécurité"),
    "Services": ("Services", "Services"),
    "Telecom": ("Telecommunications", "Télécommunications"),
    "University": ("University", "Université"),
    # home and building
    "House / apartment": ("House or flat", "Maison ou appartement"),
    "With parents": ("With parents", "Chez les parents"),
    "Municipal apartment": ("Council flat", "Logement municipal"),
    "Rented apartment": ("Rented flat", "Appartement loué"),
    "Office apartment": ("Company flat", "Logement de fonction"),
    "Co-op apartment": ("Co-operative flat", "Logement coopératif"),
    "reg oper account": ("Regional operator's account", "Compte de l'opérateur régional"),
    "reg oper spec account": (
        "Regional operator's special account",
        "Compte spécial de l'opérateur régional",
    ),
    "org spec account": ("Organisation's special account", "Compte spécial de l'organisme"),
    "block of flats": ("Block of flats", "Immeuble"),
    "terraced house": ("Terraced house", "Maison mitoyenne"),
    "specific housing": ("Special housing", "Logement particulier"),
    "Panel": ("Panel", "Panneaux"),
    "Stone, brick": ("Stone or brick", "Pierre ou brique"),
    "Block": ("Block", "Parpaings"),
    "Wooden": ("Wood", "Bois"),
    "Mixed": ("Mixed", "Mixte"),
    "Monolithic": ("Monolithic", "Monolithique"),
}

NUMBERED: dict[str, tuple[str, str]] = {
    "Business Entity Type": ("Company, type", "Entreprise, type"),
    "Industry: type": ("Industry, type", "Industrie, type"),
    "Trade: type": ("Trade, type", "Commerce, type"),
    "Transport: type": ("Transport, type", "Transport, type"),
}
FAMILY = re.compile(r"(.*) (\d+)")


def in_words(feature: Feature, value: Value, language: Language, more: int = 0) -> str:
    """Write a value as people do: ``23%`` or ``23 %``, ``12,500`` or ``12 500``, ``3.4 years``, ``yes``.

    ``more`` decimals than usual tell close values apart.
    """
    is_english = language == "en"
    if value is None:
        return "not known" if is_english else "non connu"
    if isinstance(value, str):
        return level(value, language)
    match feature.unit:
        case "share":
            number = _number(100 * value, 0 if abs(value) >= 0.095 else 1, language, more)
            return number + ("%" if is_english else f"{NARROW}%")
        case "flag":
            return ("yes" if value else "no") if is_english else ("oui" if value else "non")
        case "amount" | "count":
            return _number(value, 0 if float(value).is_integer() or abs(value) >= 100 else 1, language, more)
        case "years" | "days" | "months":
            return span(feature.unit, feature.en, value, language, more)
        case _:
            is_small = 0 < abs(value) < 0.1
            is_rank = abs(value) >= 1 and float(value).is_integer()
            return _number(value, 0 if is_rank else 3 if is_small else 2, language, more)


def span(unit: str, label: str, value: float, language: Language, more: int = 0) -> str:
    """Write a length of time, or the day or month of a date counted back from the application.

    ``unit`` is years, days or months; the English ``label`` tells whether it is a length or a date.
    """
    digits = 0 if (unit == "days" and abs(value) >= 10) or float(value).is_integer() else 1
    is_past = value < 0 and _DATE.match(label) is not None
    number = _number(abs(value) if is_past else value, digits, language, more)
    one_en, many_en, one_fr, many_fr = _UNITS[unit]
    if language == "en":
        length = f"{number}{NO_BREAK}{one_en if number == '1' else many_en}"
        return f"{length} ago" if is_past else length
    length = f"{number}{NO_BREAK}{one_fr if abs(value) < 2 else many_fr}"
    return f"il y a {length}" if is_past else length


def _number(value: float, digits: int, language: Language, more: int = 0) -> str:
    text = f"{value:,.{digits + more}f}"
    if more and "." in text:
        text = text.rstrip("0").rstrip(".")
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("-")
    return text if language == "en" else text.replace(",", NARROW).replace(".", ",")


def spaced(text: str) -> str:
    """Put the spaces that do not break into a French text."""
    text = re.sub(r"(?<=\d) (?=\d{3})", NARROW, text)
    for mark in ";!?%":
        text = text.replace(f" {mark}", f"{NARROW}{mark}")
    return text.replace(" :", f"{NO_BREAK}:").replace("« ", f"«{NO_BREAK}").replace(" »", f"{NO_BREAK}»")


def level(name: str, language: Language) -> str:
    """Write a level of a category; one without words is shown as it is."""
    at = 1 if language == "fr" else 0
    if name in LEVELS:
        return LEVELS[name][at]
    numbered = FAMILY.fullmatch(name)
    if numbered and numbered[1] in NUMBERED:
        return f"{NUMBERED[numbered[1]][at]} {numbered[2]}"
    return name
