"""What a client sends: applications, each with its history in one of two forms, or with none."""

from typing import Any

from pydantic import ConfigDict, Field, create_model, model_validator
from pydantic_core import PydanticCustomError

from scoring.problems import FAULTS
from scoring.schema import extension
from scoring.schema.application import Application
from scoring.schema.columns import Aggregate, Record
from scoring.schema.history import (
    HISTORY,
    Bureau,
    BureauBalance,
    CreditCardBalance,
    InstallmentsPayment,
    PosCashBalance,
    PreviousApplication,
)

PLACE = "place"  # in the context of an error of pydantic's: where in the application it lies


_LISTS: dict[str, Any] = {
    name: (list[record], Field([], title=name))  # type: ignore[valid-type]
    for name, record in extension.tables().items()
}
_Added = create_model("_Added", __base__=Record, **_LISTS)


class History(_Added):  # type: ignore[valid-type, misc]
    """The raw records of the history tables; a table that is absent has no record."""

    bureau: list[Bureau] = Field([], title="Credits at other lenders")
    bureau_balance: list[BureauBalance] = Field([], title="Monthly status of credits at other lenders")
    previous_application: list[PreviousApplication] = Field([], title="Earlier requests at this lender")
    POS_CASH_balance: list[PosCashBalance] = Field([], title="Monthly balances of earlier loans")
    credit_card_balance: list[CreditCardBalance] = Field([], title="Monthly balances of earlier cards")
    installments_payments: list[InstallmentsPayment] = Field([], title="Payments of earlier instalments")


class ApplicationRequest(Application):
    """An application with its history: raw records, or aggregates computed ahead, or neither."""

    history: History | None = Field(
        None, title="Raw history", description="Raw records of the history tables. Not with history_features."
    )
    history_features: dict[str, Aggregate] | None = Field(
        None,
        title="History features",
        description="Aggregates of the history, computed ahead on the lender's side. Not with history.",
    )

    @model_validator(mode="after")
    def _one_consistent_history(self) -> "ApplicationRequest":
        """Refuse two histories, and records that belong to another application."""
        if self.history is None:
            return self
        if self.history_features is not None:
            raise _wrong("two_histories")
        for table in HISTORY:
            if table == "bureau_balance":
                continue
            for position, record in enumerate(getattr(self.history, table)):
                if record.SK_ID_CURR is not None and record.SK_ID_CURR != self.SK_ID_CURR:
                    raise _wrong("other_applicant", "history", table, position, "SK_ID_CURR")
        known = {record.SK_ID_BUREAU for record in self.history.bureau}
        for position, month in enumerate(self.history.bureau_balance):
            if month.SK_ID_BUREAU not in known:
                place = ("history", "bureau_balance", position, "SK_ID_BUREAU")
                raise _wrong("unknown_bureau_credit", *place)
        return self


def _wrong(code: str, *place: int | str) -> PydanticCustomError:
    """Return the error that an application has a fault, at a place of its own."""
    return PydanticCustomError(code, FAULTS[code].en, {PLACE: place})


EXAMPLE: dict[str, Any] = {
    "applications": [
        {
            "SK_ID_CURR": 100001,
            "NAME_CONTRACT_TYPE": "Cash loans",
            "AMT_CREDIT": 450000.0,
            "AMT_ANNUITY": 22500.0,
            "AMT_GOODS_PRICE": 405000.0,
            "AMT_INCOME_TOTAL": 157500.0,
            "NAME_INCOME_TYPE": "Working",
            "NAME_EDUCATION_TYPE": "Higher education",
            "DAYS_BIRTH": -14600,
            "DAYS_EMPLOYED": -2190,
            "EXT_SOURCE_2": 0.61,
            "EXT_SOURCE_3": 0.48,
            "history": {
                "bureau": [
                    {
                        "SK_ID_BUREAU": 5000001,
                        "CREDIT_ACTIVE": "Active",
                        "CREDIT_TYPE": "Consumer credit",
                        "DAYS_CREDIT": -420,
                        "AMT_CREDIT_SUM": 135000.0,
                        "AMT_CREDIT_SUM_DEBT": 54000.0,
                    }
                ],
                "bureau_balance": [{"SK_ID_BUREAU": 5000001, "MONTHS_BALANCE": -1, "STATUS": "0"}],
            },
        }
    ]
}
"""An invented request that the service accepts."""


class ScoreRequest(Record):
    """Applications to score or to explain, at least one."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE})

    applications: list[ApplicationRequest] = Field(min_length=1, title="Applications")
