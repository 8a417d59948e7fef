"""The application: every column of application_train.csv and application_test.csv except TARGET.

Amounts are in the one anonymous currency of the source. DAYS_* count days before the application, as
negative numbers; 365243 stands for "not employed" in DAYS_EMPLOYED.
"""

from typing import Any

from scoring.language import texts
from scoring.schema import extension, levels
from scoring.schema.columns import (
    Amount,
    Category,
    Count,
    Days,
    Flag,
    Hour,
    Identifier,
    Integer,
    PastDays,
    Record,
    Share,
    column,
)

FORM_GROUPS = texts(
    "form",
    {
        "request": "The request",
        "person": "The person",
        "work": "Work and income",
        "home": "Home and region",
        "external_scores": "External scores",
        "enquiries": "Enquiries at the credit bureau",
        "circle": "Social circle",
        "contact": "Contact details",
        "documents": "Documents provided",
        "building": "The building (normalised to 0-1)",
    },
)
"""Sections of the form, in order, by key."""

AVERAGE, MODE, MEDIAN = "average", "mode", "median"

# The source describes the building by 14 normalised quantities, each as average, mode and median.
APARTMENTS = "Flats"
BASEMENT = "Basement area"
OPENING = "Year of first use"
CONSTRUCTION = "Year of construction"
COMMON = "Common area"
ELEVATORS = "Lifts"
ENTRANCES = "Entrances"
HIGHEST = "Highest number of floors"
LOWEST = "Lowest number of floors"
LAND = "Land area"
LIVING_FLATS = "Flats lived in"
LIVING = "Living area"
OTHER_FLATS = "Flats not lived in"
OTHER = "Area not lived in"


def building(quantity: str, statistic: str) -> Any:
    """Return the declaration of one statistic of one quantity of the building."""
    return column(f"{quantity}, {statistic}", group="building")


def document(number: int) -> Any:
    """Return the declaration of the flag of one document; the source does not say which it is."""
    return column(f"Document {number} provided", group="documents")


class _Application(Record):
    """The columns of the source."""

    SK_ID_CURR: Identifier = column("Application number", group="request", required=True)

    NAME_CONTRACT_TYPE: Category = column("Type of loan", group="request", levels=levels.CONTRACT_TYPES)
    AMT_CREDIT: Amount = column("Amount of the loan", group="request")
    AMT_ANNUITY: Amount = column("Instalment of the loan", group="request")
    AMT_GOODS_PRICE: Amount = column("Price of the goods financed", group="request")
    NAME_TYPE_SUITE: Category = column("Accompanied by", group="request", levels=levels.COMPANIONS)
    WEEKDAY_APPR_PROCESS_START: Category = column(
        "Weekday of the request", group="request", levels=levels.WEEKDAYS
    )
    HOUR_APPR_PROCESS_START: Hour = column("Hour of the request", group="request")

    CODE_GENDER: Category = column("Gender", group="person", levels=levels.GENDERS)
    DAYS_BIRTH: PastDays = column("Date of birth, in days before the request (negative)", group="person")
    NAME_FAMILY_STATUS: Category = column("Family status", group="person", levels=levels.FAMILY_STATUSES)
    CNT_CHILDREN: Count = column("Children", group="person")
    CNT_FAM_MEMBERS: Count = column("Members of the family", group="person")
    NAME_EDUCATION_TYPE: Category = column("Highest education", group="person", levels=levels.EDUCATIONS)
    FLAG_OWN_CAR: Category = column("Owns a car", group="person", levels=levels.YES_NO)
    OWN_CAR_AGE: Count = column("Age of the car (years)", group="person")
    DAYS_ID_PUBLISH: PastDays = column("Last change of identity document, in days (negative)", group="person")

    AMT_INCOME_TOTAL: Amount = column("Yearly income", group="work")
    NAME_INCOME_TYPE: Category = column("Source of income", group="work", levels=levels.INCOME_TYPES)
    OCCUPATION_TYPE: Category = column("Occupation", group="work", levels=levels.OCCUPATIONS)
    ORGANIZATION_TYPE: Category = column("Type of employer", group="work", levels=levels.ORGANIZATIONS)
    DAYS_EMPLOYED: Days = column(
        "Start of the job, in days (negative; 365243 = not in employment)", group="work"
    )

    NAME_HOUSING_TYPE: Category = column("Housing", group="home", levels=levels.HOUSINGS)
    FLAG_OWN_REALTY: Category = column("Owns a house or flat", group="home", levels=levels.YES_NO)
    DAYS_REGISTRATION: PastDays = column("Last change of registration, in days (negative)", group="home")
    REGION_POPULATION_RELATIVE: Share = column("Population of the region (normalised)", group="home")
    REGION_RATING_CLIENT: Integer = column("Rating of the region (1-3)", group="home")
    REGION_RATING_CLIENT_W_CITY: Integer = column(
        "Rating of the region with the city (1-3)", group="home"
    )  # one row of the test file has -1
    REG_REGION_NOT_LIVE_REGION: Flag = column(
        "Registered and home address in different regions", group="home"
    )
    REG_REGION_NOT_WORK_REGION: Flag = column(
        "Registered and work address in different regions", group="home"
    )
    LIVE_REGION_NOT_WORK_REGION: Flag = column("Home and work address in different regions", group="home")
    REG_CITY_NOT_LIVE_CITY: Flag = column("Registered and home address in different cities", group="home")
    REG_CITY_NOT_WORK_CITY: Flag = column("Registered and work address in different cities", group="home")
    LIVE_CITY_NOT_WORK_CITY: Flag = column("Home and work address in different cities", group="home")

    EXT_SOURCE_1: Share = column("External score 1", group="external_scores")
    EXT_SOURCE_2: Share = column("External score 2", group="external_scores")
    EXT_SOURCE_3: Share = column("External score 3", group="external_scores")

    AMT_REQ_CREDIT_BUREAU_HOUR: Count = column("Enquiries in the last hour", group="enquiries")
    AMT_REQ_CREDIT_BUREAU_DAY: Count = column("Enquiries in the day before", group="enquiries")
    AMT_REQ_CREDIT_BUREAU_WEEK: Count = column("Enquiries in the week before", group="enquiries")
    AMT_REQ_CREDIT_BUREAU_MON: Count = column("Enquiries in the month before", group="enquiries")
    AMT_REQ_CREDIT_BUREAU_QRT: Count = column("Enquiries in the quarter before", group="enquiries")
    AMT_REQ_CREDIT_BUREAU_YEAR: Count = column("Enquiries in the year before", group="enquiries")

    OBS_30_CNT_SOCIAL_CIRCLE: Count = column("People around observed for 30 days late", group="circle")
    DEF_30_CNT_SOCIAL_CIRCLE: Count = column("People around who were 30 days late", group="circle")
    OBS_60_CNT_SOCIAL_CIRCLE: Count = column("People around observed for 60 days late", group="circle")
    DEF_60_CNT_SOCIAL_CIRCLE: Count = column("People around who were 60 days late", group="circle")

    FLAG_MOBIL: Flag = column("Mobile phone given", group="contact")
    FLAG_EMP_PHONE: Flag = column("Employer's phone given", group="contact")
    FLAG_WORK_PHONE: Flag = column("Work phone given", group="contact")
    FLAG_CONT_MOBILE: Flag = column("Mobile phone reachable", group="contact")
    FLAG_PHONE: Flag = column("Home phone given", group="contact")
    FLAG_EMAIL: Flag = column("E-mail given", group="contact")
    DAYS_LAST_PHONE_CHANGE: PastDays = column("Last change of phone, in days (negative)", group="contact")

    FLAG_DOCUMENT_2: Flag = document(2)
    FLAG_DOCUMENT_3: Flag = document(3)
    FLAG_DOCUMENT_4: Flag = document(4)
    FLAG_DOCUMENT_5: Flag = document(5)
    FLAG_DOCUMENT_6: Flag = document(6)
    FLAG_DOCUMENT_7: Flag = document(7)
    FLAG_DOCUMENT_8: Flag = document(8)
    FLAG_DOCUMENT_9: Flag = document(9)
    FLAG_DOCUMENT_10: Flag = document(10)
    FLAG_DOCUMENT_11: Flag = document(11)
    FLAG_DOCUMENT_12: Flag = document(12)
    FLAG_DOCUMENT_13: Flag = document(13)
    FLAG_DOCUMENT_14: Flag = document(14)
    FLAG_DOCUMENT_15: Flag = document(15)
    FLAG_DOCUMENT_16: Flag = document(16)
    FLAG_DOCUMENT_17: Flag = document(17)
    FLAG_DOCUMENT_18: Flag = document(18)
    FLAG_DOCUMENT_19: Flag = document(19)
    FLAG_DOCUMENT_20: Flag = document(20)
    FLAG_DOCUMENT_21: Flag = document(21)

    APARTMENTS_AVG: Share = building(APARTMENTS, AVERAGE)
    BASEMENTAREA_AVG: Share = building(BASEMENT, AVERAGE)
    YEARS_BEGINEXPLUATATION_AVG: Share = building(OPENING, AVERAGE)
    YEARS_BUILD_AVG: Share = building(CONSTRUCTION, AVERAGE)
    COMMONAREA_AVG: Share = building(COMMON, AVERAGE)
    ELEVATORS_AVG: Share = building(ELEVATORS, AVERAGE)
    ENTRANCES_AVG: Share = building(ENTRANCES, AVERAGE)
    FLOORSMAX_AVG: Share = building(HIGHEST, AVERAGE)
    FLOORSMIN_AVG: Share = building(LOWEST, AVERAGE)
    LANDAREA_AVG: Share = building(LAND, AVERAGE)
    LIVINGAPARTMENTS_AVG: Share = building(LIVING_FLATS, AVERAGE)
    LIVINGAREA_AVG: Share = building(LIVING, AVERAGE)
    NONLIVINGAPARTMENTS_AVG: Share = building(OTHER_FLATS, AVERAGE)
    NONLIVINGAREA_AVG: Share = building(OTHER, AVERAGE)
    APARTMENTS_MODE: Share = building(APARTMENTS, MODE)
    BASEMENTAREA_MODE: Share = building(BASEMENT, MODE)
    YEARS_BEGINEXPLUATATION_MODE: Share = building(OPENING, MODE)
    YEARS_BUILD_MODE: Share = building(CONSTRUCTION, MODE)
    COMMONAREA_MODE: Share = building(COMMON, MODE)
    ELEVATORS_MODE: Share = building(ELEVATORS, MODE)
    ENTRANCES_MODE: Share = building(ENTRANCES, MODE)
    FLOORSMAX_MODE: Share = building(HIGHEST, MODE)
    FLOORSMIN_MODE: Share = building(LOWEST, MODE)
    LANDAREA_MODE: Share = building(LAND, MODE)
    LIVINGAPARTMENTS_MODE: Share = building(LIVING_FLATS, MODE)
    LIVINGAREA_MODE: Share = building(LIVING, MODE)
    NONLIVINGAPARTMENTS_MODE: Share = building(OTHER_FLATS, MODE)
    NONLIVINGAREA_MODE: Share = building(OTHER, MODE)
    APARTMENTS_MEDI: Share = building(APARTMENTS, MEDIAN)
    BASEMENTAREA_MEDI: Share = building(BASEMENT, MEDIAN)
    YEARS_BEGINEXPLUATATION_MEDI: Share = building(OPENING, MEDIAN)
    YEARS_BUILD_MEDI: Share = building(CONSTRUCTION, MEDIAN)
    COMMONAREA_MEDI: Share = building(COMMON, MEDIAN)
    ELEVATORS_MEDI: Share = building(ELEVATORS, MEDIAN)
    ENTRANCES_MEDI: Share = building(ENTRANCES, MEDIAN)
    FLOORSMAX_MEDI: Share = building(HIGHEST, MEDIAN)
    FLOORSMIN_MEDI: Share = building(LOWEST, MEDIAN)
    LANDAREA_MEDI: Share = building(LAND, MEDIAN)
    LIVINGAPARTMENTS_MEDI: Share = building(LIVING_FLATS, MEDIAN)
    LIVINGAREA_MEDI: Share = building(LIVING, MEDIAN)
    NONLIVINGAPARTMENTS_MEDI: Share = building(OTHER_FLATS, MEDIAN)
    NONLIVINGAREA_MEDI: Share = building(OTHER, MEDIAN)
    TOTALAREA_MODE: Share = building("Total area", MODE)
    FONDKAPREMONT_MODE: Category = column(
        "Fund for major repairs", group="building", levels=levels.REPAIR_FUNDS
    )
    HOUSETYPE_MODE: Category = column("Type of building", group="building", levels=levels.HOUSE_TYPES)
    WALLSMATERIAL_MODE: Category = column("Material of the walls", group="building", levels=levels.WALLS)
    EMERGENCYSTATE_MODE: Category = column(
        "Building in a dangerous state", group="building", levels=levels.EMERGENCY_STATES
    )


extension.check_columns(_Application, FORM_GROUPS)


class Application(extension.application(), _Application):  # type: ignore[misc]
    """A credit application: the raw columns that the lender knows at the time of the request."""
