"""What a validator asks of the champion, in figures: ``python -m benchmarks.validated --portfolio FILE``.

The champion is trained on a fresh store, as a user trains it, and measured as ``python -m validation`` does.
Intervals take the fitted models as given: they hold the chance of the applications, not that of another fit.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.given import Given, MadeBy, command, refusing
from benchmarks.results import record
from benchmarks.training import MODEL, train_afresh
from scoring.evidence.money import TERMS
from scoring.metrics import Measured
from training import mlflow_store, registry
from validation.evidence import Evidence, of_run
from validation.size import Size

Shown = tuple[str, float | Measured, str]  # what, figure, unit


def figures(found: Evidence) -> Iterator[Shown]:
    """Give what the pack finds, one figure at a time; those with intervals have them."""
    for name in ("auc", "cost_per_1000", "share_granted"):
        yield name, found.metrics[name], ""
    for audit in found.audits:
        of, off = f"by {audit.attribute}", max(audit.groups, key=lambda group: abs(group.calibration.value))
        ratio, gap = f"lowest approval ratio {of}", f"widest gap among good clients {of}"
        yield f"{ratio}, in force", audit.worst, f"ratio: {audit.lowest.name} against {audit.reference}"
        yield f"{gap}, in force", audit.widest, f"shares: {audit.furthest.name} against {audit.gap_reference}"
        (at, lowest), (gap_at, widest) = audit.worst_anywhere, audit.widest_anywhere
        yield f"{ratio}, any cut-off", lowest, f"ratio, {at:.0%} granted"
        yield f"{gap}, any cut-off", widest, f"shares, {gap_at:.0%} granted"
        yield f"largest miscalibration of a group {of}", off.calibration, f"difference of rates: {off.name}"
    for refit in found.exclusions:
        if refit.auc_gained is not None and refit.cost_saved is not None:
            name, auc, cost = refit.variant.name, refit.auc_gained, refit.cost_saved
            yield f"AUC gained: {name}", Measured(auc.value, auc.low, auc.high), "AUC"
            yield f"cost saved: {name}", Measured(cost.value, cost.low, cost.high), "per 1,000"
    tried = found.alternatives[1:]  # the first is the one in force
    name = f": {found.chosen.refit.variant.name}" if found.chosen else ""
    yield "less discriminating models found", float(found.chosen is not None), f"of {len(tried)}{name}"
    if affordable := [one for one in tried if one.is_affordable]:
        base = found.alternatives[0].ratios
        attribute = min(base, key=lambda name: base[name].value)
        best = max((one.gains[attribute] for one in affordable), key=lambda gain: gain.value)
        yield "most that another model adds to the lowest ratio", best, f"ratio by {attribute}"
    if found.later is not None:
        yield "AUC of telling later applications apart", found.later.found.auc, "AUC"
        least, *_, most = found.later.slices
        yield "AUC on the fifth least like the later applications", least.auc, "AUC"
        yield "AUC on the fifth most like the later applications", most.auc, "AUC"
    yield "AUC, spread over three seeds", max(found.spread.auc) - min(found.spread.auc), "AUC"
    yield "decided alike by three seeds, at one share granted", found.spread.same_decision, "share"
    if found.agreement is not None:
        yield "LIME agrees: rank correlation over groups", found.agreement.rank_correlation, "correlation"
        yield "LIME agrees: sign of the four weightiest groups", found.agreement.same_sign, "share"
    if found.verified is not None:
        yield "reasons without which the probability falls", found.verified.fell, "share"
        yield "first reasons without which the probability falls", found.verified.fell_by_rank[0], "share"
        yield "refused that all reasons away would grant", found.verified.granted_then, "share"
    if found.stable is not None:
        yield "first reason of the model in force that a refit tells too", found.stable.same_first, "share"
        yield "reasons of the model in force that a refit tells too", found.stable.shared, "share"
    if found.stable is not None and found.stable.same_first_between and found.stable.shared_between:
        yield "first reason that two refits share", found.stable.same_first_between, "share"
        yield "reasons that two refits share", found.stable.shared_between, "share"
    for cut, what in (("in_force", "at the threshold in force"), ("most_profit", "at the best cut-off")):
        yield f"profit {what}", found.cutoffs[cut].profit, "per 1,000 of credit asked for"
    yield "profit of granting everybody", found.cutoffs["all"].profit, "per 1,000 of credit asked for"


@refusing
def main(
    portfolio: Given,
    name: Annotated[str, typer.Option(help="Word for it in the records.")],
    folds: Annotated[int, typer.Option(min=2, help="Folds of the refits.")] = 2,
    made_by: MadeBy = "",
) -> None:
    """Train a champion, measure all that a validator asks, and keep it in benchmarks/model.json.

    Intervals are over applications, the fitted models as given.

    Example: python -m benchmarks.validated --portfolio var/demo --name demo
    """
    console = Console()
    with tempfile.TemporaryDirectory() as folder, console.status("Training") as status:
        client = mlflow_store.connect(train_afresh(portfolio, "champion", folder))
        run, size = registry.find_champion(client), Size(folds=folds)
        found = of_run(client, run, portfolio, size, TERMS, lambda step: status.update(f"Measuring: {step}"))
    again = command("validated", portfolio, made_by, name=name, folds=folds)
    table = Table("what", "figure", "interval", "unit", title=f"{name}: {len(found.y):,} applications")
    for what, figure, unit in figures(found):
        value = figure.value if isinstance(figure, Measured) else figure
        bounds = (figure.low, figure.high) if isinstance(figure, Measured) else None
        interval = f"{bounds[0]:.4g} to {bounds[1]:.4g}" if bounds else ""
        table.add_row(what, f"{value:.4g}", interval, unit)
        record(f"validation, {name}: {what}", value, unit, command=again, file=MODEL, bounds=bounds)
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
