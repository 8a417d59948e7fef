"""What can be wrong with one value, by code: the words follow the name of the field and a colon.

No sentence repeats what was sent: it may be a person's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from scoring.language import ENGLISH, Text, texts
from scoring.problems.words import Params, worded

FAULTS: Mapping[str, Text] = texts(
    "fault",
    {
        # A value.
        "required": "this field is required",
        "not_a_number": "must be a number",
        "a_date": "must be a number, and this is a date; write the days from the application back to it, "
        "as -1 for the day before",
        "not_finite": "must be a finite number or null",
        "not_whole": "must be a whole number (of 32 bits)",
        "not_text": "must be a text (string) or null",
        "not_an_identifier": "must be an identifier: a whole number of 64 bits, not below 0",
        "not_an_aggregate": "must be a finite number, a category or null",
        "below_minimum": "must be at least {minimum}",
        "above_maximum": "must be at most {maximum}",
        "too_long": "must have at most {maximum} characters",
        "nan": "NaN is not JSON; send null for what is not known "
        "(pandas: df.astype(object).where(df.notna(), None))",
        "not_accepted": "the service does not accept this value",
        # The form of a request.
        "not_an_object": "must be an object",
        "not_a_list": "must be a list",
        "no_applications": "must hold at least one application",
        "unknown_field": "there is no such field; GET /docs.json lists them",
        "misspelt_field": "there is no such field; is it {close}?",
        "unknown_aggregate": "is no aggregate of the history; GET /model lists them",
        "repeated_key": "the key stands twice; send it once",
        "too_large": "has more than {mib} MiB or {values} values; send fewer records of its history",
        "too_much_beside": "more than {kib} KiB stand beside the applications; leave them out",
        # A look-up, a review.
        "unknown_parameter": "there is no such parameter; GET /docs.json lists them",
        "misspelt_parameter": "there is no such parameter; is it {close}?",
        "repeated_parameter": "stands twice; send it once",
        "not_digits": "must be a whole number in digits, up to {maximum}",
        "not_a_time": "must be a time, as 2026-11-21T09:30:00Z, or a day",
        "not_after": "must be after {other}",
        "not_one_of": "must be one of {values}",
        "not_a_name": "must have 1 to {maximum} printable characters",
        "other_cursor": "is not of this index, which may have been made again; begin with the first page",
        "empty": "must say something",
        # A question that decides nothing.
        "not_compared": "is no fact that is compared: score is one, and each feature of GET /model that a "
        "person understands and that reads no protected attribute",
        "not_drawn": "is no number of the application that a curve is drawn of; GET /docs.json lists them",
        # An outcome.
        "too_many": "must have at most {maximum} entries",
        "not_a_day": "must be a day, as 2026-11-21",
        "which_decision": "name the decision by event_id, or by SK_ID_CURR and decided_on, by one of the two",
        "unknown_event": "no decision of this event is recorded",
        "unknown_client_day": "nothing was decided on this client on this day (UTC)",
        "several_decisions": "{n} decisions were taken on this client on this day (UTC); give event_id",
        "decides_nothing": "was asked for as {purpose}, which decides nothing",
        "before_decision": "must not be before the decision",
        "in_the_future": "must not be in the future",
        "other_outcome": "another outcome of this decision on this day is given too; give the true one",
        # A history.
        "two_histories": "history and history_features are both given; give one of the two",
        "other_applicant": "is not the number of the application; "
        "leave it out, or send the record with its own application",
        "unknown_bureau_credit": "is not among history.bureau; send the credit with its months",
        # A file.
        "wrong_field_count": "line {line} has {found} of {width} fields; write a separator for each column, "
        "or export the file again if it is cut off",
        "unpaired_quote": "line {line} has a quotation mark that is not paired around a field; "
        "double it inside quotes",
        "other_encoding": "line {line} is not UTF-8 as other lines are; "
        "export the file again in one encoding",
        "rounded_identifier": "a spreadsheet has rounded this identifier; "
        "show the column as a whole number and export again",
        "unsafe_identifier": "a workbook keeps 15 digits of a number, and this identifier has more; "
        "send it as CSV or Parquet",
        "unclear_comma": "its comma may separate thousands or decimals; "
        "leave out the comma, or write a point for decimals",
        "unclear_point": "its point may separate thousands or, unlike elsewhere in the file, decimals; "
        "leave out the point, or write a comma for decimals",
        # A column of an Arrow table.
        "repeated_column": "the column stands twice; send it once",
        "history_as_columns": "send the aggregates of the history as columns under their names; "
        "raw history goes as JSON",
        "number_column_type": "a column of type {type} is not read here; write it as int64 or float64",
        "category_column_type": "a column of type {type} is not read here; "
        "write it as string (a dictionary of them too)",
    },
)


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with a value.

    Attributes
    ----------
    code : str
        A key of `FAULTS`.
    params : mapping of str to int, float or str
        What fills the places of its sentence.
    """

    code: str
    params: Params = field(default_factory=dict)

    def say(self, language: str = ENGLISH) -> str:
        """Return what is wrong, in words."""
        return worded(FAULTS[self.code], self.params, language)
