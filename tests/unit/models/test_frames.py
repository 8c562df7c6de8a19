"""Features come as Arrow tables and streams as well as pandas frames; what is no number is named with what to do."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from staypower.models.bundle import take_features
from staypower.models.churn import ChurnClassifier
from staypower.models.frames import as_frame
from staypower.models.training_rows import FitError

RNG = np.random.default_rng(0)
X = pd.DataFrame({"seats": RNG.normal(size=200), "plan": RNG.choice(["pro", "basic"], 200), "use": RNG.normal(size=200)})
Y = ((X["seats"] + (X["plan"] == "pro") + RNG.normal(size=200)) > 0.5).astype(int)


class Stream:
    """Some library's table: all that is known of it is the interface."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._table = pa.Table.from_pandas(frame)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


def polars(frame: pd.DataFrame):
    return pytest.importorskip("polars", reason="polars is no dependency of the package").from_pandas(frame)


KINDS = {
    "table": pa.Table.from_pandas,
    "batch": pa.RecordBatch.from_pandas,
    "stream": Stream,
    "polars": polars,
    "lazy": lambda frame: polars(frame).lazy(),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_table_gives_the_same_model(kind):
    def fitted(made):
        model = ChurnClassifier(max_trees=5, categorical_features=["plan"], margin=False)
        return model.fit(made(X), Y).predict_proba(made(X.iloc[::-1])), model

    (expected, own), (found, model) = fitted(lambda frame: frame), fitted(KINDS[kind])
    assert (found == expected).all()
    assert model.model_text_ == own.model_text_
    assert model.feature_names_in_.tolist() == ["seats", "plan", "use"]
    with pytest.raises(FitError, match=r"a column holds text: plan: '(pro|basic)'"):
        ChurnClassifier(max_trees=5).fit(KINDS[kind](X), Y)


@pytest.mark.parametrize("kind", ["table", "stream"])
def test_a_bundle_takes_columns_by_name(kind):
    assert (take_features(KINDS[kind](X), ["use", "seats"]) == X[["use", "seats"]].to_numpy()).all()


def test_one_column_is_no_table():
    column = pa.chunked_array([[1.0, 2.0]])
    assert as_frame(column) is column


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (X.to_numpy(), "an array holds text: column 1: '(pro|basic)'. Fix: .*OneHotEncoder"),
        (X.to_numpy().tolist(), "an array holds text: column 1"),
        (X.assign(plan=[1.0, *X["plan"][1:]]).astype({"plan": object}), "a column holds text: plan: '(pro|basic)'"),
        (X[["use"]].assign(day=pd.Timestamp("2025-01-01")), "a column holds times: day. Fix: give a number instead"),
        (X[["use"]].assign(day=pd.Timestamp("2025-01-01", tz="UTC")), "a column holds times: day"),
    ],
    ids=["array", "list", "mixed", "time", "time with zone"],
)
def test_what_is_no_number_is_named(given, said):
    with pytest.raises(FitError, match=said):
        ChurnClassifier(max_trees=5).fit(given, Y)


def test_a_transformer_codes_texts():
    coded = make_column_transformer((OneHotEncoder(sparse_output=False), ["plan"]), remainder="passthrough")
    model = make_pipeline(coded, ChurnClassifier(max_trees=5, margin=False)).fit(X, Y)
    assert model.predict_proba(X).shape == (200, 2)


def test_numbers_written_as_text_in_an_array_are_numbers():
    written = X[["seats", "use"]].astype(str).to_numpy().astype(object)
    assert ChurnClassifier(max_trees=5, margin=False).fit(written, Y).n_features_in_ == 2
