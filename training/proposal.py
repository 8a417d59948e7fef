"""Which of the candidates that were tried is proposed, and how that is said."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from mlflow.tracking import MlflowClient

from training import registry, runs
from training.comparison import Result


def propose(results: Sequence[Result], client: MlflowClient, now: datetime) -> str:
    """Propose the best candidate that can be served; say what became of it, and why that one."""
    able = {result.run.id: result for result in results if result.candidate.obstacle is None}
    if not able:
        return "No candidate that can be served was trained, so none is proposed."
    cheapest = next(iter(able.values()))
    best = able[registry.best([result.run for result in able.values()]).id]
    alias = registry.propose(client, best.run, best.run.tags[runs.MODEL_URI], now)
    doubt = runs.find_run(client, best.run.id).tags.get(registry.DOUBT)
    said = f"{alias.capitalize()}: {best.candidate.name}, run {best.run.id}."
    if doubt:
        said += (
            f" It is {doubt}. So it is no champion; more defaults may help. "
            "Promote it all the same: python import_model.py --force REASON"
        )
    else:
        said += f" Next: python import_model.py{'' if alias == registry.CHAMPION else ' --promote'}"
        if registry.PROVISIONAL in best.run.tags:
            said += "\nIt is provisional: the next whole training (make train import) takes its place."
    if best is not cheapest:
        more = best.cost - cheapest.cost
        said = (
            f"{best.candidate.name} costs {more:.1f} per 1,000 more than {cheapest.candidate.name}, which is "
            f"within chance, and has the lower log-loss.\n{said}"
        )
    return said
