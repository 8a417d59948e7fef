"""Every text of the page by its name; the catalogues of languages call it ``page.<name>``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from scoring import language
from scoring.language import Text, texts

QUOTED = 60  # characters of a text that a sentence repeats

TEXTS = texts(
    "page",
    {
        # the page
        "title": "Credit scoring",
        "tagline": "An estimate, its reasons, and what would change it",
        "language": "Language",
        "tab_client": "Client",
        "tab_compare": "Compare",
        "tab_decisions": "Decisions",
        "tab_batch": "File",
        "tab_about": "Model",
        "connected": "Service ready",
        "not_connected": "Service not reachable",
        "footer": "The estimate supports a decision; it does not replace the person who takes it.",
        # signing in
        "sign_in": "Sign in",
        "sign_out": "Sign out",
        "user_name": "User name",
        "password": "Password",
        "forgotten": "If you cannot sign in, ask your administrator for another password.",
        "wrong_password": "The user name or the password is wrong.",
        "signed_out_now": "You are signed out.",
        "signed_out": (
            "You are not signed in, or no longer. Sign in again; what you have typed stays in this tab."
        ),
        "nobody_named": (
            "The page was not told who you are. Its administrator has the proxy say it in the header of "
            "CREDIT_SCORING_USER_HEADER."
        ),
        "no_role": (
            "You have no role at this desk. Its administrator can give you one in CREDIT_SCORING_ROLES."
        ),
        "https_needed": (
            "Passwords are taken over HTTPS only. Call the page by https://, or have the proxy say so in "
            "X-Forwarded-Proto."
        ),
        "not_yours": "Your role does not let you do that.",
        "only_test": "You score as a tester: nothing that you do is a decision.",
        "role_officer": "credit officer",
        "role_supervisor": "supervisor",
        "role_tester": "tester",
        # opening
        "client_number": "Client number",
        "open": "Open",
        "random": "Any client",
        "new": "New application",
        "for_example": "For example",
        "no_portfolio": (
            "No portfolio is at hand: enter a new application. Start the page with --portfolio to open "
            "clients."
        ),
        "unknown_client": (
            "There is no client {id} in this portfolio. Choose one of the examples, or press “Any client”."
        ),
        "not_a_number": "“{text}” is no client number: write digits only, such as {example}.",
        "number_long": "A client number has at most {most} digits.",
        "client_is": "Client {id}",
        "new_is": "New application",
        "new_note": "It starts from typical values, without credit history: change what differs.",
        "no_history": "No credit history in the file.",
        "history": "In the file: {tables}.",
        "table_bureau": "credits elsewhere: {n}",
        "table_bureau_balance": "monthly statuses of these: {n}",
        "table_previous_application": "earlier requests: {n}",
        "table_POS_CASH_balance": "monthly balances of loans: {n}",
        "table_credit_card_balance": "monthly balances of cards: {n}",
        "table_installments_payments": "instalments paid: {n}",
        # the form
        "facts": "Facts of the application",
        "facts_note": "Change any fact and score again.",
        "find_fact": "Find a fact",
        "score": "Score again",
        "undo": "Undo changes",
        "missing": "Not known",
        "was": "was",
        "yes": "Yes",
        "no": "No",
        "unit_years": "years",
        "unit_share": "from 0 to 1",
        "not_read": "Not used by the model",
        "not_employed": "not in employment",
        "fault_number": "write a number, such as {example}",
        "fault_whole": "write a whole number",
        "fault_unseen": "must be written with letters, digits and signs that can be seen",
        "faults": "Nothing was scored. Please correct:",
        "fault": "{fact}: {sentence}.",
        # the result
        "waiting": "Open a client or enter a new application.",
        "unanswered": "There is no result yet.",
        "unanswered_note": "The facts are here. Score again once the service answers.",
        "waiting_note": "The decision, its distance to the threshold and its reasons will stand here.",
        "granted": "Loan granted",
        "refused": "Loan refused",
        "recommend_granted": "Recommendation: grant",
        "recommend_refused": "Recommendation: refuse",
        "recommend_review": "Recommendation: a person should look",
        "doubts": "Why a person should look",
        "why_near_threshold": "The probability is too near the threshold to be sure of its side.",
        "why_unlike_training": "The application is unlike those that the model learned from.",
        "why_scorecard_disagrees": "The readable scorecard clearly decides otherwise.",
        "why_policy_rule": "A rule of the institution asks for it.",
        "interval": "In about 90 of 100 such cases the true probability lies between {low} and {high}.",
        "record_this": "Record this decision: {now}",
        "recorded_now": "Recorded as a decision just now.",
        "to_record": "Open the record",
        "ways_title": "What would change it",
        "ways_try": "Try it",
        "ways_history": "This changes the credit history, which the form does not show.",
        "ways_policy": "What policy lets change",
        "ways_most": "{change}, by at most {most}",
        "ways_never": (
            "Nothing else is ever proposed: not age, gender or family, no score of others, nothing that has "
            "happened."
        ),
        "on_record": "Decision on record",
        "on_record_was": "It was decided at a probability of default of {p}: {score} points.",
        "on_record_review": "Review: {state}.",
        "on_record_otherwise": (
            "Today's preview below comes out otherwise; what holds is the decision on record."
        ),
        "on_record_none": "No decision is on record for this client.",
        "on_record_unknown": "Whether a decision is on record could not be looked up.",
        "ways_note": "Each was scored by the same model; nothing is decided or recorded by asking.",
        "standing_stored": "Preview of the facts as stored: looking decides nothing.",
        "standing_edited": "Edited, not scored: the result below is not yet that of your changes.",
        "standing_scored": "Scored with your changes; what is stored stays as it is.",
        "details": "Details",
        "scale": "on a scale from {low} to {high}",
        "granted_side": "granted",
        "refused_side": "refused",
        "threshold": "threshold",
        "probability": "probability of default",
        "points": "points",
        "at": (
            "The probability of default is {p}, exactly at the threshold; an application at the threshold is "
            "refused."
        ),
        "score_above": (
            "That is {score} points, {n} more than the {line} points of the threshold; "
            "more points mean less risk."
        ),
        "score_below": (
            "That is {score} points, {n} fewer than the {line} points of the threshold; "
            "more points mean less risk."
        ),
        "score_at": (
            "That is {score} points, no fewer and no more than those of the threshold; more points mean less "
            "risk."
        ),
        "falls": "Against the first score, the probability falls from {first} to {now}.",
        "rises": "Against the first score, the probability rises from {first} to {now}.",
        "stays": "Against the first score, the probability stays at {now}.",
        "turns_granted": "The loan is now granted.",
        "turns_refused": "The loan is now refused.",
        "stays_granted": "The loan stays granted.",
        "stays_refused": "The loan stays refused.",
        "other_model": (
            "Another model decides by now: {model}. Part of the difference from the first score may be "
            "its own."
        ),
        "edited": "{fact}: {before} → {after}",
        "reasons": "What speaks against the application",
        "no_reasons": "Nothing weighs noticeably against it.",
        "warnings": "Check these values",
        "small_print": "Model {model} · decision {event}",
        "model_short": "{family} of {day}",
        "short_lightgbm": "Boosted trees",
        "short_linear": "Logistic regression",
        "short_scorecard": "Scorecard",
        "gauge_title": "Probability of default {p}, threshold {t}",
        "gauge_text": (
            "Gauge from low risk on the left to high risk on the right. The threshold is at {t}; this "
            "application is at {p}, on the {side} side."
        ),
        "contributions": "How the facts move the score",
        "contributions_note": (
            "The average application has {base} points; the facts of this one lead to {score}. The heaviest: "
            "{most} ({points})."
        ),
        "no_contributions": "This model gives every application the same score.",
        "chart_title": "The facts that move the score most, in points",
        "lowers": "lowers the score",
        "raises": "raises the score",
        "fact": "Fact",
        "value": "Value",
        "effect": "Points",
        "base": "Average application",
        "total": "Score",
        # among others
        "compare": "Compare",
        "compare_none": "Open a client first, or start a new application.",
        "compare_none_note": (
            "Where it stands on any fact and on the score, among all applications and among similar ones, "
            "will stand here."
        ),
        "compare_title": "Client {id} among others",
        "compare_new": "This application among others",
        "compare_note": (
            "The others are the applications that the model was validated on, in groups: counts are rounded "
            "to tens, and nobody is shown alone."
        ),
        "compare_edited": "Compared with your changes, not as stored:",
        "compare_fact": "Fact",
        "compare_among": "Among",
        "compare_beside": "Against a second fact",
        "compare_curve": "Curve of",
        "compare_no_second": "none",
        "compare_show": "Show",
        "compare_short": "compare",
        "to_client": "Back to the client",
        "among_all": "All applications",
        "among_neighbours": "Nearest neighbours",
        "neighbours_like": "They are alike in amount, income, external scores, work and loans.",
        "among_same": "The same: {fact}",
        "among_level": "{fact}: {value}",
        "bin": "{low} to {high}",
        "bin_first": "up to {high}",
        "bin_last": "above {low}",
        "bin_any": "any value",
        "bin_other": "other",
        "granted_share": "Of the granted",
        "refused_share": "Of the refused",
        "refused_of": "Refused there",
        "this_one": "this application",
        "as_table": "The same as a table",
        "histogram_text": (
            "Granted applications above the line, refused ones below it, by value; the table below has the "
            "figures."
        ),
        "grid_title": "{one} against {other}",
        "grid_note": "How many of 100 applications with both values are refused.",
        "curve_heading": "What one fact does: {fact}",
        "curve_text": "Probability of default by value; the table below has the figures.",
        "alone": "all else as it is",
        "together": "with what moves along",
        "curve_linked": "What moves along: {facts}.",
        # the record
        "filters": "Filter decisions",
        "any": "any",
        "since": "From",
        "until": "Up to and including",
        "band_low": "Probability from, %",
        "band_high": "Probability below, %",
        "decision_head": "Decision",
        "review_head": "Review",
        "purpose_head": "Purpose",
        "outcome_head": "Outcome",
        "operator_head": "Officer",
        "time_head": "When",
        "applicant_head": "Client",
        "list_find": "Show",
        "list_all": "All decisions",
        "list_none": "No recorded decision is like that.",
        "list_queue": "Decisions that wait for a review",
        "list_as_of": "Everything recorded until {time} is found.",
        "list_newest": "Newest",
        "list_older": "Older",
        "to_list": "Back to the list",
        "step_before": "Previous",
        "step_next": "Next",
        "print": "Print",
        "decision_granted": "granted",
        "decision_refused": "refused",
        "review_none": "none needed",
        "review_waiting": "waiting",
        "review_confirmed": "confirmed",
        "review_otherwise": "decided otherwise",
        "purpose_decision": "decision",
        "purpose_preview": "preview",
        "purpose_what_if": "what-if",
        "purpose_test": "test",
        "outcome_unknown": "unknown",
        "outcome_repaid": "repaid",
        "outcome_defaulted": "defaulted",
        "observed_repaid": "Repaid as of {day}.",
        "observed_defaulted": "In default as of {day}.",
        "recorded_decision": "Decision on record, {time}, by {by}.",
        "recorded_look": "No decision, on record as {purpose}: {time}, by {by}.",
        "nobody": "somebody without a name",
        "record_title": "The record",
        "record_event": "Decision number",
        "record_request": "Request",
        "record_replay": "Computed again today",
        "replay_same": "Everything comes out the same, bit for bit.",
        "replay_differs": "Something comes out otherwise than it was recorded: tell your administrator.",
        "replay_none": "The model that decided cannot be had any more, so there are no reasons.",
        "reviewed_confirmed": "Confirmed by {by}, {time}: {now}.",
        "reviewed_otherwise": "Decided otherwise by {by}, {time}: now {now}.",
        "review_title": "Review this decision",
        "review_note": "The first decision stays; your review stands beside it, with your name.",
        "review_confirm": "Confirm it",
        "review_otherwise_to": "Decide otherwise: {now}",
        "review_reason": "Reason",
        "review_record": "Record the review",
        "review_own": "You took this decision yourself: another person has to review it.",
        "review_not_yours": "This decision is not yours to review: it is your own, or was reviewed already.",
        "review_incomplete": "Choose whether to confirm, and give a reason.",
        # the letter
        "letter_in": "Letter, {language}",
        "letter_pdf_in": "Letter as PDF, {language}",
        "letter_file": "decision",
        "letter_title": "Our decision on your credit application",
        "letter_lender": "The lender",
        "letter_reference": "Reference: decision {event}",
        "letter_decided": "We examined your application on {day}.",
        "letter_reviewed": "A person reviewed the decision on {day}.",
        "letter_granted": "Your loan is granted.",
        "letter_refused": "We cannot grant your loan.",
        "letter_reasons": "The main reasons",
        "letter_how": "How the decision was prepared",
        "letter_score": (
            "A statistical model gave your application {score} points on {time}; a loan is granted above "
            "{line} points. More points mean less risk."
        ),
        "letter_scale": "The scale goes from {low} to {high}.",
        "letter_data": "The data used",
        "letter_themes": (
            "What you stated in your application, what credit agencies report, and your history with us, on "
            "these themes: {themes}."
        ),
        "letter_rights": "Your rights",
        "letter_contest": (
            "You may contest this decision, give your point of view, ask for a person to decide, ask which "
            "data we hold, and have wrong data corrected."
        ),
        "letter_write": "Write to: {contact}.",
        "letter_ask": "Ask at the branch where you applied.",
        # batch
        "batch_heading": "Score a file of applications",
        "batch_note": (
            "CSV, Parquet or a workbook, one application a row, columns as in application_train.csv; "
            "unknown values empty. A client whom the portfolio knows has the history that it holds, unless "
            "the file brings its aggregates. The file comes back in the same order, with the decision, or "
            "with what is wrong, in new columns."
        ),
        "batch_file": "File (CSV, Parquet or workbook)",
        "batch_keep": "Carry columns that an application does not know through to the answer",
        "batch_drop": "Drop a file here, or press to choose one",
        "batch_remove": "Remove the file",
        "batch_preview_only": "Preview only: decide and record nothing",
        "batch_is_preview": "A preview: none of these is a decision.",
        "batch_score": "Score the file",
        "batch_cancel": "Cancel",
        "batch_cancelled": (
            "Cancelled after {done} of {all} applications: no file comes back. What was scored of these "
            "is on record as decisions."
        ),
        "batch_cancelled_preview": (
            "Cancelled after {done} of {all} applications: no file comes back, and nothing was decided."
        ),
        "batch_csv": "Download as CSV",
        "batch_xlsx": "Download for Excel",
        "batch_parquet": "Download as Parquet",
        "batch_sheet": "Decisions",
        "batch_find": "Find a row by its number, decision or error",
        "batch_history": (
            "Credit history: {portfolio} from the portfolio, {file} from the file, {none} without any."
        ),
        "batch_origin": "Credit history",
        "history_file": "from the file",
        "history_portfolio": "from the portfolio",
        "history_none": "none",
        "warning_unseen": "{fact}: the model never saw “{value}”, which counts as unknown.",
        "warning_outside": "{fact}: {value} lies outside of what the model saw, {low} to {high}.",
        "batch_none": "Choose a file first.",
        "batch_reading": "Reading the file",
        "batch_progress": "{done} of {all} applications",
        "batch_done": "{all} applications: {granted} granted, {refused} refused, {faulty} with an error.",
        "batch_suffix": "scored",
        "points_head": "Points",
        "batch_row": "Row",
        "batch_id": "Number",
        "batch_decision": "Decision",
        "batch_probability": "Probability",
        "batch_error": "Error",
        "file_empty": "{name} holds no application.",
        "file_long": (
            "{name} holds {n} rows, and this page takes {most}. For more, use python -m scoring.client."
        ),
        "file_no_number": "{name} has no column SK_ID_CURR, the number of the application.",
        "file_columns": (
            "{name} has columns that an application does not know: {columns}. Remove them, or have them "
            "carried through."
        ),
        "file_column_near": "{column} (is it {close}?)",
        "cell": "{column}: {sentence}",
        "cell_unclear": (
            "is the comma of {text} for thousands or for decimals? Write {plain}, or a point for the decimals"
        ),
        # for the owner of the model
        "owner_title": "What another threshold would do",
        "owner_note": (
            "Measured on {applications} applications of the validation data; nothing changes by looking."
        ),
        "owner_slide": "Threshold",
        "owner_threshold": "Refused at or above",
        "owner_approved": "Granted",
        "owner_bad_rate": "Defaults among the granted",
        "owner_cost": "Cost per 1,000 applications",
        "owner_in_force": "in force: {value}",
        "owner_over": "{name}, by the share granted",
        "owner_cheapest": "The cheapest threshold there is {value}.",
        "owner_fairness": "Granted, by groups that the model does not read",
        "owner_group": "Group",
        "owner_ratio": "Of the best group's share",
        "owner_good": "Granted of those who repaid",
        "owner_lowest": "Least favoured group, of the best one's share, at the threshold chosen:",
        "owner_closed": "What other thresholds would do is for keys with the role “owner”.",
        "monitored_title": "What the monitor says",
        "monitored_none": "There is no report of the monitor where the service looks for one.",
        "monitored_verdict": "Verdict",
        "monitored_since": "Since",
        "monitored_cause": "Cause",
        "monitored_changed": "Decisions that would have been otherwise",
        "monitored_of": "{n} of {whole}",
        "monitored_cost": "Lost good clients per 1,000, as expected",
        "monitored_made": "Report made",
        "monitored_windows": "Judged windows",
        "monitored_window": "Window",
        "monitored_span": "{start} to {end}",
        "monitored_open": "{span} (so far)",
        "monitored_decisions": "Decisions",
        "monitored_refused": "Refused",
        "monitored_first": "Moved first",
        "weights_title": "Beside what weighs in all decisions",
        "weights_here": "In this decision",
        "weights_all": "In all decisions",
        "theme": "Theme",
        # about
        "about_model": "The model in service",
        "about_tag": "Model",
        "about_family": "Family",
        "about_threshold": "Refused at or above",
        "about_costs": "Cost of granting a default, of refusing a good client",
        "about_protected": "Kept out of the model",
        "about_applications": "Applications learned from",
        "about_created": "Trained at",
        "about_git_revision": "Code revision",
        "about_data_sha256": "Fingerprint of the data",
        "about_metrics": "How good it is",
        "about_metrics_note": "Measured in training on applications that the model had not learned from.",
        "about_features": "What it reads",
        "about_features_note": "{n} facts and derived figures, by theme.",
        "about_measure": "Measure",
        "about_interval": "95% interval",
        "about_weight": "Weight",
        "about_name": "Name",
        "family_lightgbm": "Gradient-boosted trees (LightGBM)",
        "family_linear": "Logistic regression",
        "family_scorecard": "Scorecard of points",
        "metric_business_score": "Business score: share of the worst cost avoided",
        "metric_cost_per_1000": "Cost per 1,000 applications (lower is better)",
        "metric_auc": "AUC: how often a default is ranked above a repaid loan",
        "metric_gini": "Gini",
        "metric_ks": "Kolmogorov–Smirnov distance",
        "metric_average_precision": "Average precision",
        "metric_brier": "Brier score (lower is better)",
        "metric_calibration_error": "Calibration error (lower is better)",
        "metric_calibration_intercept": "Calibration intercept (0 is best)",
        "metric_calibration_slope": "Calibration slope (1 is best)",
        "metric_log_loss": "Logarithmic loss (lower is better)",
        "metric_share_granted": "Applications granted",
        "metric_default_rate_granted": "Defaults among granted applications",
        "metric_recall": "Defaults that are refused",
        "metric_precision": "Defaults among refused applications",
        "metric_f1": "F1",
        "metric_accuracy": "Accuracy",
        "gender": "gender",
        "family_status": "family status",
        "age": "age",
        "household": "household",
        # the service in trouble
        "service_down": (
            "The scoring service at {api} does not answer, or not in time. Start it, or ask your "
            "administrator, and try again."
        ),
        "service_busy": "The scoring service has too much to do just now. Try again in a few seconds.",
        "service_unrecorded": (
            "The scoring service cannot record decisions just now, so it gives none. "
            "Tell your administrator: the disk of its log may be full."
        ),
        "service_key": (
            "The key of this page may not do that at the scoring service. Its administrator gives it the "
            "roles frontend, read and review in CREDIT_SCORING_API_KEYS."
        ),
        "service_name": (
            "You are called as a program is that has a key at the scoring service. Ask your administrator "
            "for another user name."
        ),
        "no_decision": (
            "There is no decision of this number on record. One that was taken just now can be found in a "
            "moment."
        ),
        "service_refuses": "The scoring service did not accept the application.",
        "service_fails": (
            "The scoring service failed on this request. Its log says why; the page goes on working."
        ),
        "service_unlike": (
            "The model reads columns of the lender's own that this page does not know: it would ask "
            "about less than the lender knows. Whoever runs the page names their folder in "
            "CREDIT_SCORING_EXTENSION."
        ),
        "page_fails": "This page could not do that. The details are in its log.",
        "host_unknown": (
            "This page is not known by the name in the address bar. Its administrator can add that name to "
            "CREDIT_SCORING_HOSTS."
        ),
        "origin_unknown": (
            "Another web page may not ask this one. Its administrator can add the other's origin to "
            "CREDIT_SCORING_ORIGINS."
        ),
        "proxy_unknown": (
            "This page is for its own machine, and a proxy that it does not know brought you here. Its "
            "administrator can add the proxy to CREDIT_SCORING_PROXIES."
        ),
        "not_here": "There is nothing here.",
        "not_taken": "The page does not take what was sent to it. Load it again, and try once more.",
        "too_large": (
            "That is more than this page takes: files may have 200 MB. "
            "For more, use python -m scoring.client."
        ),
        "uploads_full": (
            "There is no room for another file just now. Files are deleted after an hour; try again later."
        ),
        "busy": "The page has too much to do just now. Try again in a few seconds.",
        "portfolio_fails": "The portfolio cannot be read: {detail}",
    },
)

YEARS = texts(
    "page.years",
    {
        "DAYS_BIRTH": "Age",
        "DAYS_EMPLOYED": "Time in the present job",
        "DAYS_ID_PUBLISH": "Time since the identity document changed",
        "DAYS_REGISTRATION": "Time since the registration changed",
        "DAYS_LAST_PHONE_CHANGE": "Time since the phone changed",
    },
)
"""Columns that count days backwards; an officer reads and writes years."""

COUNTED = {
    name: Text(f"page.{name}", one, many)
    for name, (one, many) in {
        # signing in
        "too_many_failures": (
            "Too many attempts have failed. Try again in a minute.",
            "Too many attempts have failed. Try again in {n} minutes.",
        ),
        # the form
        "known_of": ("{n} of {all} known", "{n} of {all} known"),
        # the result
        "below": (
            "The probability of default is {p}, {n} percentage point below the threshold of {t}.",
            "The probability of default is {p}, {n} percentage points below the threshold of {t}.",
        ),
        "above": (
            "The probability of default is {p}, {n} percentage point above the threshold of {t}.",
            "The probability of default is {p}, {n} percentage points above the threshold of {t}.",
        ),
        "more_warnings": ("{n} more", "{n} more, most of them derived"),
        "other_facts": ("{n} other fact", "{n} other facts"),
        # batch
        "batch_preview": ("The first row", "The first {n} rows"),
        "batch_wrong": ("A row with an error", "The first {n} rows with an error"),
        "batch_more": (
            "{n} more row is in the file that you download.",
            "{n} more rows are in the file that you download.",
        ),
        "batch_no_history": (
            "One row has no credit history: it was decided on the application alone, and the same client may "
            "be decided otherwise with a history.",
            "{n} rows have no credit history: they were decided on the application alone, and the same "
            "clients may be decided otherwise with a history.",
        ),
        "tile_all": ("application", "applications"),
        "tile_granted": ("granted", "granted"),
        "tile_refused": ("refused", "refused"),
        "tile_faulty": ("with an error", "with an error"),
        # the record
        "list_title": ("One decision", "{n} decisions"),
        # among others
        "group_size": (
            "{n} application, {refused} of them refused.",
            "{n} applications, {refused} of them refused.",
        ),
        "list_looked": ("Of the newest one.", "Of the newest {n}."),
        # about
        "about_count": ("{n} fact", "{n} facts"),
    }.items()
}
"""Texts that count something: English for one ``{n}``, and for more."""


def say(name: str, lang: str, /, count: float | None = None, *, digits: int = 0, **values: Any) -> str:
    """Return a text of the page in a language.

    Parameters
    ----------
    name : str
        One of `TEXTS` or `COUNTED`.
    lang : str
        One of ``scoring.language.languages()``.
    count : float, optional
        Fills ``{n}`` with so many decimals, and chooses the form of a text that counts.
    values
        Fill the other places, each already written for people.
    """
    text = COUNTED[name] if name in COUNTED else TEXTS[name]
    return language.say(text, lang, count, digits, **values)


def word(name: str, otherwise: str, lang: str) -> str:
    """Return a text of the page, or what the service calls it where the page has none."""
    return say(name, lang) if name in TEXTS else otherwise


def of_service(texts: Mapping[str, str], lang: str) -> str:
    """Return a text that the service sent in every language that it speaks; in English if not in this one."""
    return one_minus(texts.get(lang) or texts.get(language.ENGLISH, ""))


def one_minus(text: str) -> str:
    """Return a text whose numbers have the minus sign that points have, whatever wrote them; dates stay."""
    return re.sub(r"(?<![\w\-])-(?=\d)", language.MINUS, text)


def quoted(text: str) -> str:
    """Return as much of a text as a sentence can repeat: signs that are seen, in their order, and not many.

    Signs that steer a terminal or turn the direction of writing are left out.
    """
    seen = "".join(sign for sign in " ".join(text[: 10 * QUOTED].split()) if sign.isprintable())
    return seen if len(seen) <= QUOTED and len(text) <= 10 * QUOTED else f"{seen[: QUOTED - 1]}…"
