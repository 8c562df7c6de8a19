"""The logged model as a user of MLflow meets it: loaded, asked, refused."""

from __future__ import annotations

import dataclasses
import shutil
from decimal import Decimal
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from small_bundle import FEATURES, feature_rows, small_bundle

from staypower.errors import UsageError
from staypower.explanation.topics import TOTALS
from staypower.models.bundle import write_bundle
from staypower.scoring.predictions import FeatureRowScorer
from staypower.tracking.settings import TrackingSettings
from staypower.tracking.tracker import Tracker

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a logged model."""
    root = tmp_path_factory.mktemp("served")
    bundle = small_bundle()
    digest = write_bundle(bundle, root / "bundle")
    tracker = Tracker(TrackingSettings(), root, name="acme")
    with tracker.run("train") as run:
        model_id = run.log_model(bundle, root / "bundle", digest, reasons=2)
    return root / "mlruns" / "artifacts" / "models" / model_id / "artifacts"


def test_the_model_is_code_and_text_with_pins(logged: Path) -> None:
    # but for what the interpreter keeps of code that it has loaded
    files = [path for path in logged.rglob("*") if path.is_file() and path.parent.name != "__pycache__"]
    assert {path.suffix for path in files if path.name != "MLmodel"} == {".txt", ".yaml", ".json", ".py", ".md"}
    pins = (logged / "requirements.txt").read_text().splitlines()
    assert sorted(pin.partition("==")[0] for pin in pins) == ["lightgbm", "mlflow", "numpy", "pandas", "scipy", "staypower"]
    assert all("==" in pin for pin in pins)
    code = next(path for path in files if path.suffix == ".py").read_text()
    assert "pickle" not in code
    assert "set_model(ServedModel())" in code


def test_it_takes_doubles_and_tells_what_scoring_tells(logged: Path) -> None:
    model = mlflow.pyfunc.load_model(str(logged))
    rows = feature_rows(5, 40)
    scored = model.predict(rows.assign(account_id=[f"a{number}" for number in range(40)]))
    expected = FeatureRowScorer(small_bundle(), reasons=2).score(rows)
    numbers = [name for name in expected if expected[name].dtype.kind == "f"]
    pd.testing.assert_frame_equal(scored[numbers], expected[numbers], check_exact=True)
    assert scored["churn_probability"].tolist() == small_bundle().predict(rows).tolist()
    assert scored["account_id"].tolist()[:2] == ["a0", "a1"]
    assert scored["reason_1"].tolist() == expected["reason_1"].tolist()
    assert (scored.loc[expected["lever_1"].isna(), "lever_1"] == "").all(), "a missing text is empty"
    inputs, outputs = model.metadata.signature.inputs, model.metadata.signature.outputs
    assert inputs.input_names() == ["account_id", *FEATURES]
    assert not any(column.required for column in inputs.inputs)
    assert outputs.input_names() == [name for name in scored if name != "account_id"]


def test_columns_may_stand_in_any_order_and_others_beside_them(logged: Path) -> None:
    model, rows = mlflow.pyfunc.load_model(str(logged)), feature_rows(5, 10)
    turned = rows[list(reversed(FEATURES))].assign(more=1.0)
    pd.testing.assert_frame_equal(model.predict(turned), model.predict(rows))
    assert len(model.predict(rows.iloc[:0])) == 0


def test_the_example_is_nobodys_row(logged: Path) -> None:
    example = mlflow.pyfunc.load_model(str(logged)).input_example
    rows = feature_rows(0)
    assert len(example) == 1
    assert example.iloc[0].to_dict() == pytest.approx(FeatureRowScorer(small_bundle()).example.iloc[0].to_dict())
    assert not (rows == example.iloc[0]).all(axis=1).any()


@pytest.mark.parametrize("change", ["missing", "text", "all missing"])
def test_no_refusal_repeats_a_row(logged: Path, change: str) -> None:
    model = mlflow.pyfunc.load_model(str(logged))
    rows = feature_rows(5, 3).assign(account_id=["secret-1", "secret-2", "secret-3"], csat_last=0.123456789)
    if change == "text":
        rows["plan_now"] = ["secret plan"] * 3
    else:
        rows = rows.drop(columns=list(FEATURES) if change == "all missing" else ["plan_now"])
    with pytest.raises((UsageError, mlflow.MlflowException)) as refused:
        model.predict(rows)
    said = str(refused.value)
    assert "secret" not in said
    assert "0.1234" not in said
    assert f"a feature is {'not a number' if change == 'text' else 'missing'}: plan_now" in said


def widths(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The same rows of whole numbers in every type that a frame can hold them in."""
    whole = rows.round()
    some = whole.fillna(1.0)
    return {
        "int64": some.astype("int64"),
        "int32": some.astype("int32"),
        "uint8": some.astype("uint8"),
        "bool": some.astype("bool"),
        "Int64": whole.astype("Int64"),
        "Float64": whole.astype("Float64"),
        "boolean": whole.astype("bool").where(whole.notna(), None).astype("boolean"),
        "arrow": whole.astype("Int64").astype("int64[pyarrow]"),
        "object": whole.astype(object).where(whole.notna(), None),
        "decimal": whole.map(lambda value: None if np.isnan(value) else Decimal(int(value))),
    }


@pytest.mark.parametrize("kind", list(widths(feature_rows(5, 2))))
def test_whole_numbers_and_nullable_ones_are_widened_by_the_served_model_and_by_the_bundle(logged: Path, kind: str) -> None:
    rows = widths(feature_rows(5, 40))[kind]
    plain = rows.astype("float64") if kind != "decimal" else rows.map(lambda one: np.nan if one is None else float(one))
    bundle = small_bundle()
    expected = bundle.predict(plain)
    assert bundle.predict(rows).tolist() == expected.tolist()
    assert mlflow.pyfunc.load_model(str(logged)).predict(rows)["churn_probability"].tolist() == expected.tolist()


@pytest.mark.parametrize(
    "column",
    [["1", "2", "3"], pd.to_datetime(["2024-01-01"] * 3), [1j, 2, 3], [[1], [2], [3]], pd.Categorical(["a", "b", "a"])],
)
def test_a_refused_column_is_named_by_the_served_model_and_by_the_bundle(logged: Path, column: object) -> None:
    rows = feature_rows(5, 3).assign(csat_last=column)
    for predict in (small_bundle().predict, mlflow.pyfunc.load_model(str(logged)).predict):
        with pytest.raises(UsageError, match="a feature is not a number: csat_last"):
            predict(rows)


def test_ids_that_are_no_text_and_features_that_are_there_twice_are_refused_by_name(logged: Path) -> None:
    model, rows = mlflow.pyfunc.load_model(str(logged)), feature_rows(5, 3)
    with pytest.raises(UsageError, match="an account id is not text: column `account_id`"):
        model.predict(rows.assign(account_id=[1, 2, 3]))
    with pytest.raises(UsageError, match="a feature is there twice: csat_last"):
        small_bundle().predict(pd.concat([rows, rows[["csat_last"]]], axis=1))


def test_a_bundle_with_one_byte_changed_is_not_loaded(logged: Path, tmp_path: Path) -> None:
    forged = tmp_path / "forged"
    shutil.copytree(logged, forged)
    sealed = next(forged.rglob("manifest.json")).parent
    shutil.rmtree(sealed)
    # sealed anew, so that every file fits its manifest: only the digest outside the folder can tell
    write_bundle(dataclasses.replace(small_bundle(), card="forged"), sealed)
    with pytest.raises(Exception, match="not the one that was sealed"):
        mlflow.pyfunc.load_model(str(forged))


def test_a_bundle_without_what_reasons_are_made_of_is_refused() -> None:
    bare = dataclasses.replace(small_bundle(), learned={}, metadata={})
    with pytest.raises(UsageError) as refused:
        FeatureRowScorer(bare)
    assert [problem.value for problem in refused.value.problems] == ["catalogue", "usual", "base_rate"]


def test_no_reason_and_missing_values() -> None:
    scorer = FeatureRowScorer(small_bundle(), reasons=0)
    scored = scorer.score(pd.DataFrame([[np.nan, np.nan, np.nan]], columns=list(FEATURES)))
    assert list(scored) == ["churn_probability", "churn_risk_band", *TOTALS]
    assert 0 < scored["churn_probability"].iloc[0] < 1
