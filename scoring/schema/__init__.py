"""The contract: one record per raw table, the request, and the answers.

The same declarations type the columns of files, check requests, and make the OpenAPI document and the
form of the front end. A known column that no feature reads is accepted; an unknown name is an error.
"""

from scoring.schema import extension
from scoring.schema.answers import (
    Answer,
    Contribution,
    Decision,
    Explanation,
    FieldError,
    GroupContribution,
    InputWarning,
    Problem,
    Reason,
    ReviewReason,
)
from scoring.schema.application import FORM_GROUPS, Application
from scoring.schema.asked import Asked
from scoring.schema.columns import KEY, NO_DATE, Column, Record, columns
from scoring.schema.decode import ABSENT, Decoder, Location, Request, repeated_keys, values
from scoring.schema.faults import errors_of, fault_at, field_error, field_errors, hinted, known_at
from scoring.schema.history import (
    HISTORY,
    Bureau,
    BureauBalance,
    CreditCardBalance,
    InstallmentsPayment,
    PosCashBalance,
    PreviousApplication,
)
from scoring.schema.monitored import JudgedWindow, MonitorView
from scoring.schema.recorded import (
    PURPOSES,
    FoundDecision,
    GivenOutcome,
    LoadedOutcomes,
    ObservedOutcome,
    OutcomesRequest,
    OutcomeState,
    Purpose,
    Recomputed,
    RecordedDecision,
    RecordedPage,
    Review,
    ReviewRequest,
    ReviewState,
)
from scoring.schema.request import EXAMPLE, ApplicationRequest, History, ScoreRequest
from scoring.schema.varied import (
    Change,
    Counterfactual,
    Curve,
    CurvePoint,
    OwnerCut,
    OwnerGroup,
    OwnerView,
    OwnerWeight,
    Placement,
    Recourse,
    ValueBin,
)

APPLICATION_TABLES: dict[str, str] = {"train": "application_train", "test": "application_test"}
"""Population -> Kaggle name of its application table."""

__all__ = [
    "ABSENT",
    "APPLICATION_TABLES",
    "EXAMPLE",
    "FORM_GROUPS",
    "HISTORY",
    "KEY",
    "NO_DATE",
    "PURPOSES",
    "Answer",
    "Application",
    "ApplicationRequest",
    "Asked",
    "Bureau",
    "BureauBalance",
    "Change",
    "Column",
    "Contribution",
    "Counterfactual",
    "CreditCardBalance",
    "Curve",
    "CurvePoint",
    "Decision",
    "Decoder",
    "Explanation",
    "FieldError",
    "FoundDecision",
    "GivenOutcome",
    "GroupContribution",
    "History",
    "InputWarning",
    "InstallmentsPayment",
    "JudgedWindow",
    "LoadedOutcomes",
    "Location",
    "MonitorView",
    "ObservedOutcome",
    "OutcomeState",
    "OutcomesRequest",
    "OwnerCut",
    "OwnerGroup",
    "OwnerView",
    "OwnerWeight",
    "Placement",
    "PosCashBalance",
    "PreviousApplication",
    "Problem",
    "Purpose",
    "Reason",
    "Recomputed",
    "Record",
    "RecordedDecision",
    "RecordedPage",
    "Recourse",
    "Request",
    "Review",
    "ReviewReason",
    "ReviewRequest",
    "ReviewState",
    "ScoreRequest",
    "ValueBin",
    "columns",
    "errors_of",
    "extension",
    "fault_at",
    "field_error",
    "field_errors",
    "hinted",
    "known_at",
    "repeated_keys",
    "values",
]
