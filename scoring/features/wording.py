"""A feature's value in words: a number with its unit, or the level of a category."""

from __future__ import annotations

import re

from scoring import language as words
from scoring.features.base import Feature, Unit
from scoring.language import Duration, Text, say, texts
from scoring.schema import extension

Value = float | str | None

NOT_KNOWN = Text("value.missing", "not known")
FLAGS = (Text("value.no", "no"), Text("value.yes", "yes"))
LENGTHS: dict[Unit, Duration] = {
    "years": "years",
    "months": "months",
    "days": "days",
    "month": "months",
    "date": "days",
}

LEVELS = texts(
    "level",
    {
        "Y": "Yes",
        "N": "No",
        "Yes": "Yes",
        "No": "No",
        "XNA": "Not stated",
        "XAP": "Not applicable",
        "Unknown": "Unknown",
        "Other": "Other",
        "Others": "Other",
        "not specified": "Not stated",
        # the request
        "Cash loans": "Cash loan",
        "Revolving loans": "Revolving loan",
        "Unaccompanied": "Nobody",
        "Family": "Family",
        "Spouse, partner": "Spouse or partner",
        "Children": "Children",
        "Other_A": "Other (A)",
        "Other_B": "Other (B)",
        "Group of people": "Group of people",
        "MONDAY": "Monday",
        "TUESDAY": "Tuesday",
        "WEDNESDAY": "Wednesday",
        "THURSDAY": "Thursday",
        "FRIDAY": "Friday",
        "SATURDAY": "Saturday",
        "SUNDAY": "Sunday",
        # the person
        "F": "Woman",
        "M": "Man",
        "Married": "Married",
        "Single / not married": "Single",
        "Civil marriage": "Civil marriage",
        "Separated": "Separated",
        "Widow": "Widowed",
        "Lower secondary": "Lower secondary",
        "Secondary / secondary special": "Secondary",
        "Incomplete higher": "Higher, not completed",
        "Higher education": "Higher",
        "Academic degree": "Academic degree",
        # work and income
        "Working": "Employee",
        "Commercial associate": "Commercial associate",
        "Pensioner": "Pensioner",
        "State servant": "Civil servant",
        "Unemployed": "Unemployed",
        "Student": "Student",
        "Businessman": "Business owner",
        "Maternity leave": "Maternity leave",
        "Laborers": "Labourer",
        "Sales staff": "Sales",
        "Core staff": "Core staff",
        "Managers": "Manager",
        "Drivers": "Driver",
        "High skill tech staff": "Skilled technician",
        "Accountants": "Accountant",
        "Medicine staff": "Medical staff",
        "Security staff": "Security",
        "Cooking staff": "Cook",
        "Cleaning staff": "Cleaning",
        "Private service staff": "Personal services",
        "Low-skill Laborers": "Unskilled labourer",
        "Secretaries": "Secretary",
        "Waiters/barmen staff": "Waiter or barkeeper",
        "Realty agents": "Estate agent",
        "HR staff": "Human resources",
        "IT staff": "Information technology",
        "Self-employed": "Self-employed",
        "Advertising": "Advertising",
        "Agriculture": "Agriculture",
        "Bank": "Bank",
        "Cleaning": "Cleaning",
        "Construction": "Construction",
        "Culture": "Culture",
        "Electricity": "Electricity",
        "Emergency": "Emergency services",
        "Government": "Government",
        "Hotel": "Hotel",
        "Housing": "Housing",
        "Insurance": "Insurance",
        "Kindergarten": "Kindergarten",
        "Legal Services": "Legal services",
        "Medicine": "Health care",
        "Military": "Military",
        "Mobile": "Mobile telephony",
        "Police": "Police",
        "Postal": "Postal services",
        "Realtor": "Property",
        "Religion": "Religion",
        "Restaurant": "Restaurant",
        "School": "School",
        "Security": "Security",
        "Security Ministries": "Security ministries",
        "Services": "Services",
        "Telecom": "Telecommunications",
        "University": "University",
        # home and building
        "House / apartment": "House or flat",
        "With parents": "With parents",
        "Municipal apartment": "Council flat",
        "Rented apartment": "Rented flat",
        "Office apartment": "Company flat",
        "Co-op apartment": "Co-operative flat",
        "reg oper account": "Regional operator's account",
        "reg oper spec account": "Regional operator's special account",
        "org spec account": "Organisation's special account",
        "block of flats": "Block of flats",
        "terraced house": "Terraced house",
        "specific housing": "Special housing",
        "Panel": "Panel",
        "Stone, brick": "Stone or brick",
        "Block": "Block",
        "Wooden": "Wood",
        "Mixed": "Mixed",
        "Monolithic": "Monolithic",
    },
)

NUMBERED = texts(
    "level",
    {
        "Business Entity Type": "Company, type {number}",
        "Industry: type": "Industry, type {number}",
        "Trade: type": "Trade, type {number}",
        "Transport: type": "Transport, type {number}",
    },
)
FAMILY = re.compile(r"(.*) (\d+)")
ADDED = {level for column in extension.added_columns() for level in column.levels} - LEVELS.keys()
LEVELS |= texts("level", {level: level for level in sorted(ADDED)})


def in_words(feature: Feature, value: Value, language: str, more: int = 0) -> str:
    """Write a feature's value as people do: see `written`."""
    return written(feature.unit, value, language, more)


def written(unit: Unit, value: Value, language: str, more: int = 0) -> str:
    """Write a value of a unit as people do: ``23%`` or ``23 %``, ``12,500``, ``3.4 years``, ``yes``.

    ``more`` decimals than usual, without zeros at the end, tell close values apart.
    """
    if value is None:
        return say(NOT_KNOWN, language)
    if isinstance(value, str):
        return level(value, language)
    if unit == "flag":
        return say(FLAGS[bool(value)], language)
    is_whole, size, trims = float(value).is_integer(), abs(value), bool(more)
    if unit == "share":
        return words.percent(value, language, (size < 0.095) + more, is_trimmed=trims)
    if unit in ("amount", "count"):
        return words.number(value, language, (not is_whole and size < 100) + more, is_trimmed=trims)
    if unit not in LENGTHS:
        digits = 0 if is_whole and size >= 1 else 3 if 0 < size < 0.1 else 2
        return words.number(value, language, digits + more, is_trimmed=trims)
    length = LENGTHS[unit]
    digits = (not is_whole and not (length == "days" and size >= 10)) + more
    if unit in ("date", "month") and value < 0:
        return words.ago(size, length, language, digits, is_trimmed=trims)
    return words.duration(value, length, language, digits, is_trimmed=trims)


def level(name: str, language: str) -> str:
    """Write a level of a category; one without words is shown as it is."""
    if name in LEVELS:
        return say(LEVELS[name], language)
    numbered = FAMILY.fullmatch(name)
    if numbered and numbered[1] in NUMBERED:
        return say(NUMBERED[numbered[1]], language, number=numbered[2])
    return name
