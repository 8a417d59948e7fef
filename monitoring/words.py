"""Everything that a report says, by name; the catalogues of languages call it ``monitor.<name>``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scoring import language
from scoring.language import ENGLISH, Text, texts

NUMBERS = frozenset(
    {"low", "high", "factor", "figure", "other", "ratio", "usual_ratio"}
)  # values that are written with their digits
SPACES = dict.fromkeys(map(ord, "\u00a0\u202f"), " ")  # that languages put into numbers
LARGE, DIGITS = 10_000, 9  # from so large a number on more of its digits are written
TEXTS = texts(
    "monitor",
    {
        "title": "What moved: {model}",
        # verdicts
        "no_drift": "No drift",
        "drift": "Drift",
        "not_enough": "Not enough data",
        "stale": "No recent decision",
        "since": "since {day}",
        "window_day": "the day of {start}",
        "window_week": "the week of {start}",
        "window_span": "{start} to {end}",
        "window_open": "so far",
        "compared": "{rows} decisions of {model}, {window}, beside {reference} of its reference.",
        "too_few": "There are {rows} decisions to judge; {least} are needed (--min-rows).",
        "nobody": "There is no decision that was asked for: look at --log, --model and --window.",
        "nothing_moved": (
            "Nothing moved: the strongest of {inputs} comparisons, {name}, does what chance does."
        ),
        "no_decision": "The last decision was taken on {last}: there has been none for {days}.",
        # alarms
        "threshold": (
            "{n} decisions were taken with the threshold {now}; the model was validated with {known}."
        ),
        "model_changed": "{n} decisions of the same window were taken by {models}: the model was changed.",
        "repeated": "{share} of the decisions are on clients who had one in the same window already.",
        "volume": "{now} decisions a day; {usual} are usual.",
        "refused": "{share} of the applications were refused; {usual_share} are usual.",
        "rejected_alarm": (
            "{n} requests of one day were rejected for {word} (client {other_word}); {share} of all were: "
            "these applications are in no decision."
        ),
        # what moved
        "origin": "{origin}: {inputs} inputs moved",
        "origin_parted": "{origin}: it no longer belongs to what it stands beside",
        "origin_source": "This looks like a broken source rather than like other people.",
        "moved_missing": "{name} is missing in {now} of the rows; before in {before}.",
        "moved_unseen": "{name} has levels in {now} of the rows that training never saw.",
        "moved_cell": "{name}, {cell}: {now} of the rows; before {before}.",
        "moved_pair": "{name}: their values belong together otherwise than in training.",
        "new_levels": "Never seen in training: {levels}.",
        "more": "And {n} more.",
        "cell_missing": "missing",
        "cell_unseen": "never seen in training",
        "cell_level": "“{word}”",
        "cell_any": "any value",
        "cell_below": "below {high}",
        "cell_most": "{high} and less",
        "cell_from": "{low} and more",
        "cell_value": "{low}",
        "cell_between": "{low} to {high}",
        "cell_pair": "together",
        # parts of the applicants
        "part": "{origin} {word}",
        "part_moved": "In {part} alone something moved: {name} ({inputs} inputs of {rows} decisions).",
        "part_refused": "Of {part} {share} were refused; {usual_share} in the reference.",
        "part_ratio": (
            "{part} are granted {ratio} times as often as those most of whom are granted; {usual_ratio} "
            "times in the reference."
        ),
        # causes
        "cause_times": "Cause: its values are multiplied by {factor}.",
        "cause_plus": "Cause: its values are shifted by {figure}.",
        "cause_sign": "Cause: its sign is turned round.",
        "cause_swapped": "Cause: it is swapped with {word}.",
        "cause_stuck": "Cause: it is stuck at {figure}.",
        "cause_missing": "Cause: values are lost in {share} of the rows.",
        "cause_absent": "Cause: its records are lost for {share} of the applicants.",
        "cause_renamed": "Cause: “{word}” now comes as “{into}”.",
        "cause_new_level": "Cause: {share} of the rows have a new level.",
        "cause_mix": (
            "Cause: there are other applicants, {cell}: {now} of the rows, before {before}. Given that, all "
            "else is as it was."
        ),
        "cause_misjoined": "Cause: its values or records are those of other applicants.",
        "cause_score": (
            "Cause: {share} of the scores are not what the model says of the logged inputs, but {factor} "
            "times that."
        ),
        "cause_unknown": "No known fault explains it: other applicants, or a fault of another kind.",
        "explained": "Undone, {share} of the change vanishes.",
        "changed": "Without it {changed} of {rows} decisions would have been otherwise.",
        "cost": "It is expected to cost {figure} lost good clients per 1,000 applications.",
        # outcomes
        "estimate": (
            "If the scores are still right, {share} of the applicants default and the decisions cost "
            "{figure} lost good clients per 1,000; in the reference {usual_share} and {other}. Whether "
            "they are right, outcomes alone can say."
        ),
        "watched": (
            "{n} outcomes are known, {defaults} of them defaults; the scores expect {expected}. {awaited} "
            "granted loans have none yet."
        ),
        "bet_lost": "The scores are wrong: a bet against them has won, after {n} outcomes.",
        "bet_open": (
            "A bet against the scores has not won: at most it had {figure} times its stake; it wins at "
            "{other}."
        ),
        "early": "{n} outcomes are known before their turn, and wait for it.",
        "calibration": (
            "By the outcomes of the reference {share} is to be expected; the scores say {other_share}."
        ),
        "blind": (
            "Blind to concept drift: that the same applicants repay otherwise shows in no figure here before "
            "their outcomes do."
        ),
        "limit_inputs": (
            "With {rows} decisions nine windows in ten show {name} higher by {change}, or lost in {lost} of "
            "the rows; smaller changes may pass unseen."
        ),
        "limit_outcomes": (
            "With {n} outcomes a default rate higher by {share} shows; less may pass unseen. A test at this "
            "one moment would show {fixed}: that is the price of looking always."
        ),
        "limit_awaited": (
            "Once the {n} granted loans have their outcomes, a default rate higher by {share} will show; "
            "less may pass unseen. A test at that one moment would show {fixed}."
        ),
        "realised": (
            "Of the loans whose outcome is known {share} defaulted ({from} to {to}, 95% interval), where "
            "the scores expect {expected}; that cost {figure} lost good clients per 1,000 ({low} to {high})."
        ),
        "realised_auc": "AUC among them: {figure} ({low} to {high}).",
        "review_share": "A person was to look at {share} of the latest month's loans; {usual_share} before.",
        "override_share": "Of the latest month's refusals {share} became loans; {usual_share} before.",
        "overrides": "People reviewed {reviewed} decisions and granted {n} that had been refused.",
        "overrides_ended": (
            "Of {n} such loans with an outcome {share} defaulted ({from} to {to}); below {even} they pay for "
            "themselves."
        ),
        "rejects": (
            "Outcomes are known of the granted alone: whether the refused would have repaid nobody knows, "
            "and no figure here speaks of them."
        ),
        "retrain_realised": (
            "Decay: the granted loans cost {share} more than their scores expect, beyond chance. A "
            "retraining is proposed; this report promotes nothing."
        ),
        "retrain_estimated": (
            "Decay: decisions are expected to cost {share} more than in the reference, beyond chance. A "
            "retraining is proposed; this report promotes nothing."
        ),
        "retrain_on": (
            "Train on the {n} matured loans since {start} (python -m scoring.outcomes export FILE --inputs) "
            "beside the applications of before."
        ),
        "retrain_saves": (
            "Tried: corrected by the older two thirds of them, the model would have saved {figure} lost good "
            "clients per 1,000 ({low} to {high}) on the {n} later ones."
        ),
        "retrain_untried": "With {n} matured loans it cannot be tried yet; {least} are needed.",
        "vintages": "How loans ended, by the time of their decision",
        "rolls": "By their age: who was good, and defaulted within 90 days",
        "audited": "Groups that no model reads",
        "column_granted": "Granted",
        "column_vintage": "Granted from",
        "column_known": "Known",
        "column_defaulted": "Defaulted",
        "column_auc": "AUC",
        "column_cost": "Cost per 1,000",
        "column_age": "Age in days",
        "column_good": "Good",
        "column_rolled": "Defaulted within 90 days",
        "interval": "{word} ({from} to {to})",
        # notes
        "others": "{n} decisions of {model}, asked for as {purpose}, are not judged here.",
        "outside": "{n} other decisions of the model are not judged here.",
        "aside": "{n} lines of the log were set aside: {why}.",
        "twice": "{n} records stood there twice and count once.",
        "ahead": (
            "{n} decisions are dated in days to come, the farthest {day}: a clock is wrong. They are in no "
            "window before their day."
        ),
        "late": "{n} decisions came to the log after the verdict on their day was kept, and are in none.",
        "outcomes_twice": "{n} outcomes stood there twice and count once.",
        "outcomes_of_nobody": "{n} decisions with an outcome are not in the log, of days that it still has.",
        "unread": (
            "The model could not be loaded: this report does without what it says itself of the reference "
            "and of what is undone. {why}"
        ),
        "evidently": (
            "Evidently's defaults on the {compared} most important columns: {flagged} have drifted, verdict "
            "“{verdict}”."
        ),
        # what is to be done
        "next_source": "Next: have the source of {origin} mended, then decide anew what it changed.",
        "next_score": (
            "Next: the model's answers changed though its inputs did not: recompute decisions "
            "(python -m scoring.replay), and look at what is deployed."
        ),
        "next_mix": (
            "Next: other applicants come, first by {origin}; look by outcomes whether the scores still hold "
            "(--outcomes)."
        ),
        "next_alarm": "Next: look how decisions are taken, as the alarms say; it is not who applies.",
        "next_rejected": "Next: ask the client what it sends otherwise; docs/PROBLEMS.md has each fault.",
        "next_part": "Next: look at the parts that are marked.",
        "next_retrain": "Next: retrain, and compare by outcomes before anything is promoted.",
        "next_none": "Next: nothing; the window after this one is judged when it closes.",
        "next_few": "Next: wait for more decisions, or judge more days at once (--window).",
        "next_stale": "Next: find out why no decision reaches the log.",
        # the page
        "since_fact": "Since",
        "changed_fact": "Decisions that would have been otherwise",
        "cost_fact": "Lost good clients per 1,000, as expected",
        "share_fact": "{n} of {rows}",
        "outcomes": "Scores and outcomes",
        "unseen": "What cannot be seen",
        "again": "The command that makes this report again",
        "earlier": "The {n} before",
        "bars_rule": "Strongest evidence of each window; beyond the line it is more than chance allows.",
        "column_quarters": "Ratio, latest quarters",
        "attachment": "Evidently's report with its defaults, whose verdict is its own. Ours:",
        "windows": "The windows before",
        "windows_day": "Days",
        "windows_week": "Weeks",
        "column_window": "Window",
        "column_decisions": "Decisions",
        "column_refused": "Refused",
        "column_evidence": "Strongest evidence, of what chance allows",
        "column_verdict": "Verdict",
        "column_first": "First origin",
        "rejected": "Requests that were rejected",
        "rejected_rule": (
            "As the service counts them, of the latest {days}: whoever they were of is in none of the "
            "decisions above. Their values are not kept."
        ),
        "column_client": "Client",
        "column_column": "Column",
        "column_fault": "Fault",
        "column_requests": "Requests",
        "parts": "Parts of the applicants",
        "parts_rule": (
            "Each beside the same part of the reference (in brackets), by all inputs; all parts together cry "
            "wolf in at most 3 of 1,000 windows. The ratio is the share granted, of that of the part most of "
            "which is granted."
        ),
        "column_part": "Part",
        "column_expected": "Expected to default",
        "column_ratio": "Granted, ratio",
        "column_moved": "Moved",
        "column_trend": "Refused, window by window",
        "beside": "{word} ({other_word})",
        "rule_title": "How this is decided",
        "rule": (
            "Every input, the score and pairs of inputs that belong together are cut into cells by the "
            "reference, missing and never seen among them. A window has drifted when one of them is farther "
            "from the reference than the farthest of all is by chance in 997 of 1,000 windows of its size, "
            "drawn from the reference, and by at least {floor} (chi-squared divided by the rows). What moved "
            "beside it is named so that one name in a hundred is wrong. A broken source counts at once, what "
            "may be other people when two of three windows have moved."
        ),
    },
)
PLURALS = {"days": Text("monitor.days", "{n} day", "{n} days")}


@dataclass(frozen=True)
class Said:
    """A sentence by its name, with the values of its places: said in any language when it is shown.

    A share is a float, a count an int, what stands as it is a str; what names in `NUMBERS` is a number.
    """

    name: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, code: str = ENGLISH) -> str:
        """Return it in a language."""
        return say(self.name, code, **self.values)


def say(text: str, code: str = ENGLISH, /, **values: Any) -> str:
    """Return a text in a language, its places filled as `Said` says."""
    return language.say(
        TEXTS[text], code, **{key: _written(key, value, code) for key, value in values.items()}
    )


def _written(key: str, value: Any, code: str) -> str:
    if isinstance(value, Mapping):  # a text in a text, after a way through JSON
        value = Said(**value)
    if isinstance(value, Said):
        return value(code)
    if isinstance(value, str):
        return value if value.translate(SPACES).isprintable() else repr(value)
    if key in NUMBERS:
        return language.in_digits(value, code, 4 if abs(value) < LARGE else DIGITS)
    return language.percent(value, code, 1) if isinstance(value, float) else language.number(value, code)


def days(n: int, code: str = ENGLISH) -> str:
    """Say how many days."""
    return language.say(PLURALS["days"], code, n)
