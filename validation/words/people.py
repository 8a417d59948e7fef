"""People: reasons, fairness, stability, limits."""

from __future__ import annotations

WORDS = {
    # the verdict
    "verdict:none": (
        "The model was trained before intervals were learned: it gives none, and does not say what a person "
        "should look at."
    ),
    "verdict:interval": (
        "Each probability has an interval that holds the true one in about 90 of 100 cases: half of them are "
        "narrower than {width}. The interval of {holding} of the applications holds the threshold. How far "
        "an interval reaches was measured where true probabilities are known, on synthetic portfolios; an "
        "outcome shows none."
    ),
    "verdict:near": (
        "Too near the threshold is a probability from {low} to {high}: there the narrower interval that "
        "holds {level} has it inside. That level was chosen so that no more than {most} go to review."
    ),
    "verdict:complete": (
        "Of {n} refused applications, {turned} would be granted with all stated reasons as usual among "
        "granted applicants; {noted} of the others are told that further causes act. The risk falls without "
        "{fell} of {reasons} reasons, each taken alone. For {outweighed} a group that is not told weighs "
        "more than one that is, unsaid. Of {quoted} quoted values {wrongly} speak for the applicant."
    ),
    "review:table": "What goes to a person",
    "review:why": "Why",
    "review:planned": "Share, when it was chosen",
    "review:found": "Share, of these applications",
    "review:near_threshold": "too near the threshold",
    "review:unlike_training": "inputs unlike training (by leaving each application out)",
    "review:scorecard_disagrees": "the readable scorecard clearly decides otherwise",
    "review:policy_rule": "a rule of the lender",
    "review:any": "any of these",
    "review:saved": "What a review saves, by how often the person decides as the outcome would",
    "review:right": "Right in",
    "review:each": "Saved per reviewed case, in lost good clients",
    "turn:none": "No refusal lies below twice the threshold, so none was asked what would turn it.",
    "turn:found": (
        "What would turn a refusal: of {n} below twice the threshold, a change within policy turns {turned}; "
        "to the others the answer says that none does. Of all changes told, {held} are granted with the very "
        "probability that was said when they are made and scored again."
    ),
    "turn:size": (
        "The nearest change has a median size of {size}, where 1 is all that policy lets one lever do."
    ),
    "turn:table": "What the nearest changes move",
    "turn:lever": "Lever",
    "turn:moved": "Of the changes",
    "way:table": "Common sense: the risk along what a client can do, linked facts moved together",
    "way:way": "Way",
    "way:amount": "a smaller loan",
    "way:income": "a higher income",
    "way:walked": "Applications",
    "way:rose": "Risk rises at some step",
    "way:higher": "Risk higher at the end",
    "way:worst": "Greatest rise of a step",
    # reasons
    "reason:shap": (
        "shap, which computes contributions by itself, beside what /explain says of {n} applications: no "
        "contribution of a feature differs by more than {features} in log-odds, none of a group by more "
        "than {groups}; a group's whole points lie within {points} of a point of shap's exact ones, and "
        "the weightiest group is the same for {first}."
    ),
    "reason:lime": (
        "LIME against our contributions on {n} applications, by group of features: mean rank correlation "
        "{r}, same sign for {sign} of the four weightiest groups, {shared} of them named by both. LIME "
        "knows no gap, so for both every gap was filled with the median: what a gap itself weighs is not "
        "compared."
    ),
    "reason:lime:none": "Too few applications to compare with LIME.",
    "reason:verified": (
        "{reasons} reasons of {n} refused applications were taken away one by one (the group's facts set "
        "to those usual among granted applicants): the probability fell for {fell} of them (by rank: "
        "{ranks}), by a median of {fall}. With all reasons taken away, {granted} would be granted."
    ),
    "reason:stable": (
        "The model in force beside {refits} models made as training makes one, but on {rows} applications, "
        "at most {trees} trees, and each with a seed of its own. Of {n} applications that the model in "
        "force refuses, {which}, a refit tells the same weightiest reason to {first} and repeats {shared} "
        "of the reasons."
    ),
    "reason:stable:later": "later ones that none of them learned from",
    "reason:stable:rest": "from which the refits learned nothing, but the model in force did",
    "reason:stable:among": (
        "On the same applications two refits share the weightiest reason for {first}, and {shared} of "
        "their reasons: so much is due to the seed alone, the rest to fewer applications and trees."
    ),
    "reason:stable:none": (
        "Refits are not compared: nobody is refused among the applications that they did not learn from."
    ),
    "reason:none": "Nobody is refused in the sample.",
    # fairness
    "attribute:gender": "gender",
    "attribute:family_status": "family status",
    "attribute:age": "age",
    "attribute:household": "household",
    "at_cutoff": "By {attribute}, at the threshold in force",
    "group": "Group",
    "applications": "Applications",
    "granted": "Granted",
    "ratio": "Approval ratio",
    "gap": "Gap among good clients",
    "group_calibration": "Observed less forecast",
    "reference": "{name} (reference)",
    "group:F": "women",
    "group:M": "men",
    "group:Married": "married",
    "group:Single / not married": "single",
    "group:Civil marriage": "civil marriage",
    "group:Separated": "separated",
    "group:Widow": "widowed",
    "group:0": "no children",
    "group:1–2": "one or two children",
    "group:≥ 3": "three children or more",
    "group_parts": (
        "Observed less forecast default rate by {attribute}, by quintile of the forecast (–: too few "
        "applications)"
    ),
    "fair:worst": (
        "By {attribute}: the lowest approval ratio is {ratio}, {group} against {reference}; over all "
        "thresholds it is {anywhere}, where {granted} are granted."
    ),
    "fair:widest": (
        "By {attribute}: the widest gap among those who repaid is {gap}, {group} against {reference}; over "
        "all thresholds it is {anywhere}, where {granted} are granted."
    ),
    "fair:spread": (
        "By {attribute}: observed less forecast default rates of the groups lie up to {spread} apart."
    ),
    "fair:hidden": "By {attribute}: {hidden} group(s) too small to be shown.",
    "fair:none": "By {attribute}: fewer than two groups are large enough.",
    "prices": "The price of keeping an attribute out (against a model that reads all features)",
    "excluded": "Kept out",
    "excluded:nothing": "nothing",
    "alternatives": "Search for a less discriminating model",
    "alternative": "Model",
    "affordable": "Within the cost",
    "variant:in_force": "in force",
    "variant:without": "without {attribute}",
    "variant:proxies": "without the {number} features that tell {attribute} best",
    "variant:smoother": "smoother trees",
    "variant:seed": "another seed",
    "gains": "Lowest approval ratio of the model in force by attribute, and what each other model adds to it",
    "as_fitted": (
        "These intervals, and those of the search, take the fitted models as given: they hold the chance "
        "of the applications, not that of another fit."
    ),
    "fair:search": (
        "{n} other models were tried on {rows} applications, all compared at {granted} granted and with "
        "the model in force, on the same resampled applications. Within the cost is one that costs at most "
        "{tolerance} more on these applications: a point estimate, the interval stands under the cost "
        "saved. Less discriminating is one that raises the lowest ratio by {attribute}, where the model in "
        "force is worst, and lowers no other, both beyond chance. Each interval holds for one model alone: "
        "of many tried, one may gain by chance. The line of another seed shows how much a new fit alone "
        "moves."
    ),
    "fair:chosen": (
        "A less discriminating model within the cost was found: {name}. Look at it before the next release."
    ),
    "fair:not_found": "No other model within the cost is less discriminating beyond chance.",
    # stability
    "stable:later": (
        "A classifier tells {n} later applications from the labelled ones with an AUC of {auc} (0.5: they "
        "look the same). What separates them most: {telling}."
    ),
    "stable:none": "The portfolio has no later applications, so this is not measured.",
    "fifths": "The labelled applications by quintile, from least to most like the later ones",
    "fifth": "Quintile",
    "seeds": (
        "{n} fits that differ by their seed, calibrated out of fold and cut where each grants {granted}, "
        "as the model in force does: AUC {auc}, cost per 1,000 {cost}; {same} of the applications are "
        "decided alike by all, and probabilities differ by {gap} on average."
    ),
    # limits
    "limit:alone": (
        "The model does not decide alone: a refused or unclear file belongs on a person's desk (GDPR art. "
        "22)."
    ),
    "limit:population": (
        "It knows applicants like those of its training: consumer loans of one lender, one country and time."
    ),
    "limit:granted": (
        "Outcomes are known of granted loans only; what refused applicants would have done is not."
    ),
    "limit:time": (
        "There is no calendar in the data, so ageing is emulated; monitoring of the logged decisions must "
        "follow."
    ),
    "limit:money": "Loss given default and margin are assumptions; amounts are in one unnamed currency.",
    "limit:sample": (
        "Refits (ladder, prices, search, seeds) use a sample and fewer trees; their levels are not the "
        "model's."
    ),
    "limit:proxy": (
        "Leaving an attribute out does not make a model blind to it: other features tell it in part."
    ),
    "limit:never": (
        "Not for pricing, employment, insurance or any purpose but the decision on a consumer loan."
    ),
    "notice": "Note of the training: {text}",
}
