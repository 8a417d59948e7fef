"""Words for the levels of the source's categories; a level without words is shown as it is."""

from __future__ import annotations

import re

from ui.figures import Language

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
    "Civil marriage": ("Civil partnership", "Union civile"),
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


def words(level: str, lang: Language) -> str:
    """Return the words for a level of a category."""
    at = 1 if lang == "fr" else 0
    if level in LEVELS:
        return LEVELS[level][at]
    numbered = FAMILY.fullmatch(level)
    if numbered and numbered[1] in NUMBERED:
        return f"{NUMBERED[numbered[1]][at]} {numbered[2]}"
    return level
