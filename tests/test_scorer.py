"""Promises of scoring/scorer.py: what is saved is what is loaded, and it decides alike."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from scoring import features
from scoring.candidates import LOGISTIC_REGRESSION, TrainingSet, fit
from scoring.decision import Costs, Points
from scoring.features import FEATURE_BY_NAME
from scoring.schema import Decision
from scoring.scorer import Scorer, ScorerError, read_examples, read_reference, remarks
from scoring.scorer.calibration import Affine, Beta, Isotonic
from scoring.scorer.model import Encoding, Linear, Model, probability
from tests.support import small

GIVEN_LATER = ("event_id", "SK_ID_CURR", "model", "warnings")  # by who asks and records


@pytest.fixture(scope="module")
def learned():
    scorer, table, _ = small.scorer()
    return replace(scorer, calibration=Affine(1.1, -0.2)), table


@pytest.fixture(scope="module")
def linear(learned):
    boosted, table = learned
    y = (boosted.probability(table) > np.median(boosted.probability(table))).astype(np.int8)
    return replace(boosted, model=fit(LOGISTIC_REGRESSION, TrainingSet.of(table, y))), table


@pytest.fixture(scope="module")
def beta(learned):
    boosted, table = learned
    return replace(boosted, calibration=Beta(1.3, 0.6, 0.2)), table


@pytest.fixture(scope="module")
def isotonic(learned):
    boosted, table = learned
    return replace(boosted, calibration=Isotonic((-3.0, -1.0, -0.5, 1.0), (-4.0, -1.5, -1.5, 0.0))), table


@pytest.fixture(params=["learned", "linear", "beta", "isotonic"])
def scorer(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return small.save(tmp_path_factory.mktemp("saved") / "scorer")


@pytest.fixture
def folder(saved, tmp_path):
    return Path(shutil.copytree(saved, tmp_path / "scorer"))


def test_a_loaded_scorer_is_the_saved_one(scorer, tmp_path):
    ours, table = scorer
    ours.save(tmp_path / "s", table.head(0), [])
    again = Scorer.load(tmp_path / "s")
    assert again.probability(table).tolist() == ours.probability(table).tolist()
    assert again.decide(table).equals(ours.decide(table), null_equal=True)
    for name in (
        "feature_names", "categories", "family", "calibration", "threshold", "costs", "points", "policy"
    ):  # fmt: skip
        assert getattr(again, name) == getattr(ours, name), name
    assert again.ranges == {name: tuple(pair) for name, pair in ours.ranges.items()}
    assert again.granted_values == ours.granted_values
    assert {k: v for k, v in again.granted_contributions.items() if v} == {
        k: v for k, v in ours.granted_contributions.items() if v
    }


def test_contributions_and_base_sum_to_the_raw_score(scorer):
    ours, table = scorer
    values, base = ours.contributions(table)
    assert values.shape == (len(table), len(ours.feature_names))
    np.testing.assert_allclose(values.sum(axis=1) + base, ours.raw_score(table), atol=1e-9)
    assert ours.probability(table).tolist() == probability(ours.raw_score(table)).tolist()


def test_a_decision_follows_from_the_probability_alone(scorer):
    ours, table = scorer
    decided = ours.decide(table)
    p = ours.probability(table)
    assert decided.columns == [name for name in Decision.model_fields if name not in GIVEN_LATER]
    assert decided["probability_of_default"].to_list() == p.tolist()
    assert (decided["decision"] == "refused").to_list() == (p >= ours.threshold).tolist()
    assert decided["score"].to_list() == ours.points.of(p).tolist()
    assert decided["threshold"].unique().to_list() == [ours.threshold]


def test_a_row_alone_is_decided_as_in_a_batch(scorer):
    ours, table = scorer
    batch = ours.decide(table[:20]).rows()
    assert [ours.decide(table[i]).row(0) for i in range(20)] == batch


def test_no_applications_give_an_empty_table(scorer):
    ours, table = scorer
    assert ours.decide(table.clear()).shape == (0, 8)
    assert ours.warnings(table.clear()) == []


def test_training_rows_have_no_warning(learned):
    ours, table = learned
    assert not any(ours.warnings(table))


def test_what_training_never_saw_is_named_in_every_language(learned):
    ours, table = learned
    odd = table[:3].with_columns(
        NAME_EDUCATION_TYPE=pl.Series(["Higher education", "Doctor of pies", None], dtype=pl.String),
        AMT_CREDIT=pl.Series([100_000.0, 100_000.0, 12_345_678.5]),
    )
    first, second, third = ours.warnings(odd)
    assert first == []
    assert [(w["feature"], w["problem"], w["value"]) for w in second] == [
        ("NAME_EDUCATION_TYPE", "unseen category", "Doctor of pies")
    ]
    assert "never saw “Doctor of pies”" in second[0]["text"]["en"]
    assert "n'a jamais vu «\u00a0Doctor of pies\u00a0»" in second[0]["text"]["fr"]
    assert [(w["feature"], w["problem"], w["value"]) for w in third] == [
        ("AMT_CREDIT", "outside range", 12_345_678.5)
    ]
    assert "outside the values of training" in third[0]["text"]["en"]
    assert set(third[0]) == {"feature", "problem", "value", "text"}


def test_the_description_is_strict_sorted_readable_json(folder):
    text = (folder / "scorer.json").read_text(encoding="utf-8")

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    description = json.loads(text, parse_constant=refuse)
    assert text == json.dumps(description, sort_keys=True, indent=1, ensure_ascii=False) + "\n"
    assert [column["name"] for column in description["features"]] == Scorer.load(folder).feature_names


def test_the_folder_holds_no_pickle(folder):
    assert sorted(f.name for f in folder.iterdir()) == [
        "booster.txt",
        "examples.json",
        "reference.parquet",
        "scorer.json",
    ]


def test_reference_and_examples_are_read_back(folder):
    reference, examples = read_reference(folder), read_examples(folder)
    assert reference.columns[-len(Scorer.load(folder).feature_names) :] == Scorer.load(folder).feature_names
    assert set(examples[0]) == {"request", "probability_of_default", "decision"}


def test_a_folder_that_exists_is_not_overwritten(folder, learned):
    ours, table = learned
    with pytest.raises(ScorerError, match="exists already"):
        ours.save(folder, table, [])


def test_a_save_that_fails_leaves_nothing_behind(tmp_path, learned):
    ours, table = learned
    broken = replace(ours, lineage={"auc": float("nan")})
    with pytest.raises(ValueError, match="not JSON compliant"):
        broken.save(tmp_path / "s", table, [])
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("name", ["booster.txt", "reference.parquet", "examples.json"])
def test_a_missing_or_changed_file_is_refused(folder, name):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content + b" ")
    with pytest.raises(ScorerError, match=f"{name} was changed after training"):
        Scorer.load(folder)
    (folder / name).unlink()
    with pytest.raises(ScorerError, match=f"{name} is missing"):
        Scorer.load(folder)


def rewrite(folder, **changes):
    path = folder / "scorer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    small.sign(folder)


COLUMN = {"name": "x", "kind": "number", "importance": 0, "granted_contribution": 0}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "is not of format 1; train again"),
        ({"features": [COLUMN], "certainty": None}, "reads other features than scorer.json says"),
        ({"features": [{"name": "x"}]}, "features.0.kind: Field required; import the model again"),
        ({"features": [COLUMN, COLUMN]}, "a feature stands twice"),
        ({"features": [COLUMN | {"minimum": 1, "maximum": 0}]}, "the minimum is above the maximum"),
        ({"features": [COLUMN | {"kind": "category", "levels": ["a", "a"]}]}, "a level stands twice"),
        ({"features": []}, "features: List should have at least 1 item"),
        ({"calibration": {"slant": 1}}, r"calibration\.affine\.slope: Field required"),
        ({"calibration": {"kind": "isotonic", "x": [1, 0], "y": [0, 1]}}, "both rise"),
        ({"threshold": None}, "threshold: Input should be a valid number"),
        ({"threshold": True}, "threshold: Input should be a valid number"),
        ({"threshold": 10**400}, "threshold: Input should be"),
        ({"threshold": 1.1}, "threshold: Input should be less than or equal"),
        ({"family": "linear"}, "the family and the function that stands there are not the same"),
        ({"family": "oracle"}, "family: Input should be"),
        ({"policy": ["wealth"]}, "the policy protects 1 attributes that this version does not know"),
        ({"costs": {"false_negative": 0, "false_positive": 1}}, "costs.false_negative"),
        ({"files": {}}, "does not name the files booster.txt, examples.json, reference.parquet"),
        ({"files": []}, "files: Input should be a valid dictionary"),
        ({"more": 1}, "more: Extra inputs are not permitted"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(folder, changes, message):
    rewrite(folder, **changes)
    with pytest.raises(ScorerError, match=message):
        Scorer.load(folder)


@pytest.mark.parametrize("name", ["threshold", "calibration", "features", "policy", "costs", "files"])
def test_a_tampered_description_is_refused(folder, name):
    path = folder / "scorer.json"
    description = json.loads(path.read_text())
    description[name] = 0.99 if name == "threshold" else type(description[name])()
    path.write_text(json.dumps(description))
    with pytest.raises(ScorerError, match=r"scorer\.json was changed after training"):
        Scorer.load(folder)


def test_a_folder_that_is_no_scorer_is_refused(tmp_path):
    with pytest.raises(ScorerError, match=r"holds no scorer\.json; give the folder of a scorer"):
        Scorer.load(tmp_path)
    (tmp_path / "scorer.json").write_text("{")
    with pytest.raises(ScorerError, match="is not JSON"):
        Scorer.load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b'{"format": NaN}', b"9" * 5_000, b"[" * 100_000])
def test_a_description_of_any_bytes_is_one_sentence(tmp_path, content):
    (tmp_path / "scorer.json").write_bytes(content)
    with pytest.raises(ScorerError, match=r"^[^\n]+is not JSON[^\n]+import the model again\.$"):
        Scorer.load(tmp_path)


def test_a_file_that_the_description_does_not_name_is_refused_but_bentoml_s_own(folder):
    (folder / "model.yaml").write_text("name: credit_scoring")
    assert {file.name for file in Scorer.files(folder)} == {
        "scorer.json", "booster.txt", "examples.json", "reference.parquet"
    }  # fmt: skip
    Scorer.load(folder)
    (folder / "run.sh").write_text("echo")
    with pytest.raises(ScorerError, match=r"holds 'run\.sh', which scorer\.json does not name"):
        Scorer.load(folder)


def test_a_description_that_names_a_file_outside_the_folder_is_refused(folder):
    path = folder / "scorer.json"
    files = json.loads(path.read_text())["files"]
    (folder.parent / "elsewhere").write_text("x")
    rewrite(folder, files=files | {"../elsewhere": "0" * 64})
    with pytest.raises(ScorerError, match=r"does not name the files booster\.txt, .* and no others"):
        Scorer.load(folder)


@pytest.mark.parametrize("content", ["", "{}", "[1]", '[{"request": {}}]', "[NaN]", "null"])
def test_golden_examples_of_any_content_are_one_sentence(folder, content):
    (folder / "examples.json").write_text(content)
    with pytest.raises(ScorerError, match=r"examples\.json"):
        read_examples(folder)


@pytest.mark.parametrize("content", [b"", b"PAR1" * 8])
def test_a_reference_of_any_content_is_one_sentence(folder, content):
    (folder / "reference.parquet").write_bytes(content)
    with pytest.raises(ScorerError, match=r"reference\.parquet cannot be read"):
        read_reference(folder)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("left_child=", "left_child=0 "),  # a split that leads to itself
        ("num_leaves=", "num_leaves=9"),
        ("max_feature_idx=", "max_feature_idx=9"),
        ("split_feature=", "split_feature=99999 "),
        ("\nleft_child=", "\nis_linear=1\nleft_child=0 "),
        ("version=v4", "feature_names=a"),
    ],
)
def test_a_damaged_booster_is_refused_and_never_handed_to_lightgbm(folder, old, new):
    text = (folder / "booster.txt").read_text()
    (folder / "booster.txt").write_text(text.replace(old, new, 1))
    small.sign(folder)
    with pytest.raises(ScorerError, match=r"is no scorer: .*import the model again"):
        Scorer.load(folder)


def test_the_features_of_the_code_fit(learned):
    ours, _ = learned
    ours.check_features(features.names(ours.policy))


def test_a_model_may_read_some_of_the_features(learned):
    ours, _ = learned
    declared = ours.feature_names
    ours.check_features(["one_more", *declared[:5], "another", *declared[5:]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda names: names[1:], "the model reads 'AMT_.*' under its policy|the model reads"),
        (lambda names: names[::-1], "stand in another order"),
    ],
)
def test_other_features_than_those_of_training_are_refused(learned, change, message):
    ours, _ = learned
    with pytest.raises(ScorerError, match=message):
        ours.check_features(change(ours.feature_names))


def test_points_and_contributions_are_on_the_scale_of_the_decision():
    # One feature, log-odds x: calibrated to 2x + 1, so half a unit of x is one unit of log-odds.
    one, zero = np.ones(1), np.zeros(1)
    function = Linear(0.0, one, np.array([-10.0]), np.array([10.0]), zero, zero, one, zero, zero)
    ours = Scorer(
        Model(Encoding(("x",), {}, {}), function),
        Affine(2.0, 1.0),
        0.5,
        Costs(),
        Points(),
        (),
        {"x": (-1, 1)},
    )
    table = pl.DataFrame({"x": [-0.5, 0.5]})
    values, base = ours.contributions(table)
    assert (values[:, 0].tolist(), base) == ([-1.0, 1.0], 1.0)
    assert ours.probability(table) == pytest.approx([0.5, 1 / (1 + np.exp(-2))])
    assert ours.decide(table)["score"].to_list() == [487, 429]


def test_what_lies_outside_the_range_is_told_as_people_write_it():
    marked = remarks.words(
        {"AMT_INCOME_TOTAL": (25_650.0, 1_575_000.0)}, "AMT_INCOME_TOTAL", 117_000_000.0, None
    )
    text = marked["text"]
    assert ": 117,000,000, outside the values of training (25,650 to 1,575,000)." in text["en"]
    assert "hors des valeurs de l'entraînement (de 25\u202f650 à 1\u202f575\u202f000)." in text["fr"]


def test_a_value_just_outside_the_range_is_told_with_the_digits_that_show_it():
    marked = remarks.words({"EXT_SOURCE_2": (0.1, 0.7)}, "EXT_SOURCE_2", 0.7004, None)
    assert "0.7004, outside the values of training (0.1 to 0.7)." in marked["text"]["en"]


@pytest.mark.parametrize(
    ("name", "bounds", "value", "en", "fr"),
    [
        ("age", (21.0, 69.0), 69.0032, "69.003_years, outside", "69,003_ans, hors"),
        ("credit_to_income", (0.1, 50.0), 50.001, "50.001, outside", "50,001, hors"),
        ("days_since", (1.0, 2178.0), 2179.0, "2,179_days, outside", "2~179_jours, hors"),
    ],
)
def test_a_value_just_outside_the_range_keeps_its_unit(name, bounds, value, en, fr, monkeypatch):
    units = {"age": "years", "credit_to_income": "ratio", "days_since": "days"}
    item = replace(FEATURE_BY_NAME["EXT_SOURCE_2"], name=name, unit=units[name])
    monkeypatch.setitem(FEATURE_BY_NAME, name, item)
    marked = remarks.words({name: bounds}, name, value, None)
    assert en.replace("_", "\u00a0") in marked["text"]["en"]
    assert fr.replace("_", "\u00a0").replace("~", "\u202f") in marked["text"]["fr"]
