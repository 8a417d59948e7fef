"""Who serves and who may serve next: the aliases champion and challenger of MLflow's registry.

A training proposes; only a promotion makes a challenger the champion, and every change of champion is
recorded, so that it can be taken back.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from training.mlflow_store import TrackingError
from training.names import CHALLENGER as CHALLENGER  # also for those who ask here
from training.names import CHAMPION as CHAMPION
from training.runs import ABSENT, MODEL, Run, find_run, read_out_of_fold
from training.worth import Worth, decision_costs, refusals, worth

PROVISIONAL = "provisional"  # tag of a run that only shows the way: any whole training takes its place
DOUBT = "doubt"  # tag of a run that is not better than one answer for everybody: the sentence that says so
HISTORY = "champions"  # tag of the registered model: run ids as JSON, the present champion last
REPLICATES = 10_000


@dataclass(frozen=True)
class CostDifference:
    """What a challenger's decisions cost more than the champion's (less, if below 0), per 1,000 applications.

    Attributes
    ----------
    difference, low, high : float
        Out of fold, on the same applications and folds, with a 95 % paired bootstrap interval.
    swaps : int
        Applications that the two decide differently.
    """

    difference: float
    low: float
    high: float
    swaps: int

    @property
    def is_better(self) -> bool:
        """Whether the challenger is cheaper beyond chance."""
        return self.high < 0

    def __str__(self) -> str:
        """Say it in words."""
        return (
            f"{self.difference:+.1f} per 1,000 applications ({self.low:+.1f} to {self.high:+.1f}), "
            f"{self.swaps:,} decided differently"
        )


def holder(client: MlflowClient, alias: str) -> Run | None:
    """Return the run behind an alias, None if nobody has it.

    Raises
    ------
    TrackingError
        If the alias was given to what is no finished run.
    """
    run_id = _holder_id(client, alias)
    return None if run_id is None else find_run(client, run_id)


def _holder_id(client: MlflowClient, alias: str) -> str | None:
    """Return the id of the run behind an alias, be it deleted or not."""
    try:
        registered = client.get_model_version_by_alias(MODEL, alias)
    except MlflowException as error:
        if error.error_code not in ABSENT:  # a server that is gone has not said that nobody has it
            raise
        return None
    if not registered.run_id:
        raise TrackingError(
            f"{MODEL}@{alias} is version {registered.version}, which somebody registered without a run of "
            f"train.py, so it keeps no scorer. Give the alias to another version, or to none, in MLflow."
        )
    return str(registered.run_id)


def find_champion(client: MlflowClient) -> Run:
    """Return the champion's run.

    Raises
    ------
    TrackingError
        If nobody was crowned yet.
    """
    if (champion := holder(client, CHAMPION)) is None:
        remedy = "run train.py first"
        if (waiting := holder(client, CHALLENGER)) is not None:
            why = waiting.tags.get(DOUBT, "not promoted yet")
            remedy = f"the challenger {waiting.id} is {why}. --force REASON promotes it all the same"
        raise TrackingError(f"the registry has no {MODEL}@{CHAMPION}; {remedy}.")
    return champion


def find_challenger(client: MlflowClient) -> Run:
    """Return the challenger's run.

    Raises
    ------
    TrackingError
        If there is none, or it is the champion already.
    """
    if (challenger := holder(client, CHALLENGER)) is None:
        raise TrackingError(f"the registry has no {MODEL}@{CHALLENGER}; run train.py to propose one.")
    if challenger.id == _holder_id(client, CHAMPION):  # by hand, or a promotion was broken off
        raise TrackingError(
            f"the challenger {challenger.id} is the champion already; python import_model.py imports it."
        )
    return challenger


def propose(client: MlflowClient, run: Run, model_uri: str, now: datetime) -> str:
    """Register a run's model, as champion if there is none, else as challenger; return its alias.

    A model that is not better than one answer for everybody gets a tag that says so, and is nobody's first
    champion. A provisional champion gives way to the first model of a whole training.
    """
    champion = holder(client, CHAMPION)
    if champion is not None and champion.id == run.id:
        return CHAMPION
    with suppress(MlflowException):  # it is there since the first training
        client.create_registered_model(MODEL)
    if not _versions(client, run.id):
        # A server asks for the model's id beside the address that holds it.
        model_id = model_uri.removeprefix("models:/") if model_uri.startswith("models:/") else None
        client.create_model_version(MODEL, model_uri, run_id=run.id, model_id=model_id, await_creation_for=0)
    found = judge(run)
    if not found.is_better:
        client.set_tag(run.id, DOUBT, str(found))
    elif champion is None or (PROVISIONAL in champion.tags and PROVISIONAL not in run.tags):
        why = "first champion" if champion is None else f"the champion before, {champion.id}, was provisional"
        promote(client, run, why, now)
        return CHAMPION
    client.set_registered_model_alias(MODEL, CHALLENGER, _version(client, run.id))
    return CHALLENGER


def judge(run: Run) -> Worth:
    """Set a run against giving everybody the same answer, out of fold.

    Raises
    ------
    TrackingError
        If it keeps no predictions.
    """
    return worth(read_out_of_fold(run.id))


def compare(champion: Run, challenger: Run, seed: int = 0) -> CostDifference:
    """Compare the costs of two runs, application by application, as they decided them out of fold.

    Raises
    ------
    TrackingError
        If they were not trained on the same applications and folds, or one keeps no predictions of them.
    """
    try:
        ours, theirs = read_out_of_fold(challenger.id), read_out_of_fold(champion.id)
    except TrackingError as error:
        raise TrackingError(
            f"{error} So champion {champion.id} and challenger {challenger.id} cannot be compared. Train "
            "again what keeps none, or promote with --force REASON."
        ) from error
    same = ["row", "fold", "y"]
    if champion.tags.get("data_sha256") != challenger.tags.get("data_sha256") or not ours.select(same).equals(
        theirs.select(same)
    ):
        raise TrackingError(
            f"champion {champion.id} and challenger {challenger.id} were not trained on the same "
            "applications and folds, so their costs cannot be compared. Train the champion's settings on the "
            "new portfolio too, or promote with --force REASON."
        )
    difference = decision_costs(ours) - decision_costs(theirs)
    # A bootstrap sample of so few distinct differences is a draw of how often each occurs: exact and quick.
    values, counts = np.unique(difference, return_counts=True)
    n = len(difference)
    drawn = np.random.default_rng(seed).multinomial(n, counts / n, REPLICATES) @ values * (1_000 / n)
    low, high = np.quantile(drawn, [0.025, 0.975])
    swaps = int((refusals(ours) != refusals(theirs)).sum())
    return CostDifference(1_000 * float(difference.mean()), float(low), float(high), swaps)


def best(runs: Sequence[Run]) -> Run:
    """Return the run to propose: the cheapest, unless another is as cheap within chance and better informed.

    Decisions read a probability at one threshold only, so costs are noisy: by a few per cent over 20,000
    applications. Among the runs whose cost cannot be told from the lowest one, the log-loss chooses: it
    judges the probability of every application.

    Parameters
    ----------
    runs : sequence of Run
        Of the same applications and folds.
    """
    cheapest = min(runs, key=lambda run: run.metrics["cost_per_1000"])
    tied = [run for run in runs if run is cheapest or compare(cheapest, run).low <= 0]
    return min(tied, key=lambda run: run.metrics["log_loss"])


def promote(client: MlflowClient, run: Run, why: str, now: datetime) -> None:
    """Make a run's model the champion, for a reason that is recorded; the old one can be taken back."""
    champions = [*_history(client), run.id]
    # In this order: where it is broken off between the two, the history that lags is completed by the alias.
    _crown(client, _version(client, run.id), why, now)
    _write_history(client, champions)
    with suppress(MlflowException):
        client.delete_registered_model_alias(MODEL, CHALLENGER)


def find_former(client: MlflowClient) -> Run:
    """Return the run of the champion before this one.

    Raises
    ------
    TrackingError
        If there was none before.
    """
    champions = _history(client)
    if len(champions) < 2:
        raise TrackingError("there is no champion before this one; nothing to roll back to.")
    return find_run(client, champions[-2])


def roll_back(client: MlflowClient, why: str, now: datetime) -> Run:
    """Make the champion before this one the champion again; return its run.

    Raises
    ------
    TrackingError
        If there was none before.
    """
    former, champions = find_former(client), _history(client)
    version = _version(client, former.id)
    for fallen in _versions(client, champions[-1]):  # none if somebody deleted it
        client.set_model_version_tag(
            MODEL, fallen, "rolled_back", f"{now.isoformat(timespec='seconds')} {why}"
        )
    # In this order: where it is broken off between the two, the alias says that nothing was rolled back.
    _write_history(client, champions[:-1])
    _crown(client, version, f"rollback: {why}", now)
    return former


def _crown(client: MlflowClient, version: str, why: str, now: datetime) -> None:
    """Move the alias, and write down when and why."""
    client.set_model_version_tag(MODEL, version, "promoted", f"{now.isoformat(timespec='seconds')} {why}")
    client.set_registered_model_alias(MODEL, CHAMPION, version)


def _write_history(client: MlflowClient, champions: list[str]) -> None:
    client.set_registered_model_tag(MODEL, HISTORY, json.dumps(champions))


def _history(client: MlflowClient) -> list[str]:
    """Return the champions' run ids, the present one last, even if its alias was moved by hand in MLflow."""
    try:
        said = client.get_registered_model(MODEL).tags.get(HISTORY, "[]")
    except MlflowException as error:
        if error.error_code not in ABSENT:
            raise
        said = "[]"  # the whole model was deleted, or nothing was ever proposed
    champions: list[str] = json.loads(said)
    champion = _holder_id(client, CHAMPION)
    return champions if champion in (None, *champions[-1:]) else [*champions, str(champion)]


def _version(client: MlflowClient, run_id: str) -> str:
    found = _versions(client, run_id)
    if not found:
        raise TrackingError(
            f"the registry's model {MODEL} has no version of run {run_id!r}: none was proposed, or it was "
            "deleted. Run train.py to propose a challenger; import_model.py --run ID imports any run."
        )
    return found[0]


def _versions(client: MlflowClient, run_id: str) -> list[str]:
    """Return the versions of a run under our name, the newest first; it may stand under others too."""
    found = client.search_model_versions(f"name = '{MODEL}' and run_id = '{run_id}'")
    return sorted((str(one.version) for one in found), key=int, reverse=True)
