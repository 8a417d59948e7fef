"""Title, sections and clauses."""

from __future__ import annotations

WORDS = {
    # page
    "title": "Validation pack: credit scoring model",
    "contents": "Contents",
    "answers": "Answers:",
    "made": "Made from run {run} on {portfolio}: {n} applications, {bad} defaults ({rate}).",
    "privacy": (
        "No person can be singled out: no identifier, no group, bin or step of a curve below {smallest} "
        "applications, counts of groups rounded to ten, quantiles instead of extremes."
    ),
    "to": "to",
    "yes": "yes",
    "no": "no",
    "none": "–",
    # sections
    "card": "Model card",
    "card:text": (
        "What the model is, what it is for and how good it is. All figures are out of fold: no model has "
        "seen the applications that it is judged on. Calibration and threshold of a fold are fitted on the "
        "out-of-fold scores of the other folds, whose models have seen this fold; as they are only a few "
        "numbers, the effect is small. Brackets are 95% intervals over applications, with the fitted "
        "models as given; the calibration error has none, since resampling raises it."
    ),
    "data": "Data",
    "data:text": (
        "What is missing, how the most important features are distributed, and how the default rate "
        "follows them."
    ),
    "ladder": "What each block of features is worth",
    "ladder:text": (
        "Blocks are added one after the other on the same folds; each is compared with the step before, "
        "application by application. Refitted on {rows} applications, {folds} folds, at most {trees} "
        "trees: the differences count, the levels are lower than the model's. Intervals take the fitted "
        "models as given: they hold the chance of the applications, not that of another fit."
    ),
    "candidates": "Candidates",
    "candidates:text": (
        "All candidates of the comparison met the same folds. The cheapest that can be served was "
        "proposed; among those whose cost is the same within chance, the one with the lowest log-loss."
    ),
    "candidates:none": (
        "No other candidate met the same applications and folds; train.py --compare families trains them."
    ),
    "scorecard": "The scorecard: a readable twin",
    "scorecard:text": (
        "A scorecard of the same comparison, which a person can compute with pencil and paper: the points "
        "of the average application, plus those of one bin of each feature. Higher points mean a lower "
        "risk. It shows what a simple model makes of the same data; the table of candidates says what it "
        "costs more."
    ),
    "scorecard:none": (
        "No scorecard was trained on the same applications and folds; train.py --compare families trains one."
    ),
    "scorecard:base": (
        "The average application has {base} points (run {run}). Default rates are those of all "
        "applications, the ones that it was fitted on; that of a bin below {smallest} applications is not "
        "shown."
    ),
    "scorecard:bent": (
        "Its calibration bends the scale, so the points add up to the score before calibration."
    ),
    "bin": "Bin (lower bound included)",
    "points": "Points",
    "below": "< {high}",
    "from": "≥ {low}",
    "from_below": "{low} to {high}",
    "curves": "Curves",
    "curves:text": (
        "How well the model orders applications, how true its probabilities are, and what each threshold "
        "costs."
    ),
    "money": "The decision in money",
    "money:text": (
        "A granted loan that defaults loses {lgd} of its amount, one that is repaid earns {margin}: a "
        "default costs {ratio} margins. These two are assumptions of the reader (--lgd, --margin), not "
        "measured. Money is per 1,000 of credit asked for."
    ),
    "importance": "Importance of the features",
    "importance:text": (
        "Mean absolute contribution (exact TreeSHAP) to the log-odds of default, over a sample of all "
        "applicants."
    ),
    "verdict": "How sure, and what goes to a person",
    "verdict:text": (
        "How wide the intervals are, which applications a person should look at and what that saves, whether "
        "the reasons of a refusal are complete, and whether the risk falls where common sense says so."
    ),
    "reasons": "Explanations checked",
    "reasons:text": (
        "Three questions to the reasons told to refused applicants: does another method agree, does the "
        "probability fall when the reason is taken away, and would another fit tell the same."
    ),
    "fairness": "Fairness",
    "fairness:text": (
        "How decisions fall on men and women, on family statuses, on ages and on households, by their "
        "children. The attributes are read for this audit; those of the policy are not in the model. At "
        "each threshold the reference is the group that fares best there: for the ratio the one granted "
        "most often, for the gap the one whose good clients are. It is read from the data and held while "
        "applications are resampled, so an interval that reaches beyond 1 (ratio) or 0 (gap) says that the "
        "two groups may fare alike. A ratio below 0.80 is a rule of thumb to look closer (four fifths, a "
        "guideline for hiring), not a law."
    ),
    "stability": "Stability",
    "stability:text": (
        "Whether the model holds on applications like the later ones, and when it is fitted again. The "
        "source has no calendar: a classifier learns what separates labelled from later applications, and "
        "its probability orders the labelled ones as time would."
    ),
    "limits": "Limits and intended use",
    "limits:text": "What the model must not be used for, and what these figures do not say.",
    "clauses": "Which clause is answered where",
    "clauses:text": "Status of the texts: November 2026. This is a map for the validator, no legal opinion.",
    # clauses
    "clause": "Clause",
    "asks": "What it asks",
    "where": "Where",
}
