import json
import os

import numpy as np
import polars as pl
import pytest

from staypower.errors import UsageError
from staypower.models.bundle import Bundle, read_bundle, write_bundle
from staypower.models.seal import FILES


@pytest.fixture(scope="module")
def bundle(model):
    return model.to_bundle(
        categories={"plan": {"basic": 0, "größer": 1}},
        learned={"top_events": ["login", "export"], "usual": {"noise": 0.1}},
        metadata={"name": "acme", "version": 3, "horizon": 90, "metrics": {"auroc": 0.1 + 0.2}},
        card="# acme\n",
    )


def test_what_is_written_is_what_is_read(bundle, tmp_path):
    digest = write_bundle(bundle, tmp_path / "models" / "acme-3")
    again = read_bundle(str(tmp_path / "models" / "acme-3"), digest=digest)
    assert again == bundle
    assert again.digest == bundle.digest == digest
    assert sorted(os.listdir(tmp_path / "models" / "acme-3")) == sorted([*FILES, "manifest.json"])
    assert os.listdir(tmp_path / "models") == ["acme-3"]


def test_it_scores_bit_for_bit_like_the_estimator(bundle, model, history, tmp_path):
    write_bundle(bundle, tmp_path / "b")
    again = read_bundle(tmp_path / "b")
    for threads in (1, 2, None):
        assert (again.predict(history.X, threads=threads) == model.predict_proba(history.X)[:, 1]).all()
        assert (again.raw_score(history.X, threads=threads) == model.raw_score(history.X)).all()
        values, base = again.contributions(history.X, threads=threads)
        expected, expected_base = model.contributions(history.X)
        assert (values == expected).all()
        assert base == expected_base
    pieces = [again.predict(history.X.iloc[start : start + 7]) for start in range(0, len(history.X), 7)]
    assert (np.concatenate(pieces) == again.predict(history.X)).all()


def test_the_same_training_gives_the_same_bytes(bundle, history):
    again = history.fit(n_jobs=2).to_bundle(
        categories=bundle.categories, learned=bundle.learned, metadata=bundle.metadata, card=bundle.card
    )
    assert again.files() == bundle.files()


def test_a_frame_is_taken_by_name(bundle, history):
    turned = history.X[history.X.columns[::-1]]
    assert (bundle.predict(turned) == bundle.predict(history.X)).all()
    assert (bundle.predict(pl.from_pandas(turned)) == bundle.predict(history.X)).all()
    assert (bundle.predict(history.X.to_numpy()) == bundle.predict(history.X)).all()


def test_no_rows_give_no_scores(bundle, history):
    nothing = history.X.iloc[:0]
    assert bundle.predict(nothing).shape == (0,)
    values, base = bundle.contributions(nothing)
    assert values.shape == (0, 4)
    assert base == bundle.contributions(history.X)[1]


def test_columns_that_the_model_does_not_read_are_ignored(bundle, history):
    more = history.X.assign(account_e_mail="a@b", other=1.0)[["account_e_mail", *history.X.columns[::-1], "other"]]
    assert bundle.predict(more).tolist() == bundle.predict(history.X).tolist()


def test_wrong_features_are_named_at_once(bundle, history):
    with pytest.raises(UsageError) as caught:
        bundle.predict(history.X.rename(columns={"plan": "paln"}))
    assert "a feature is missing: plan" in str(caught.value)
    with pytest.raises(UsageError, match="give 4 features per row"):
        bundle.predict(np.ones((2, 3)))
    with pytest.raises(UsageError, match="infinite"):
        bundle.predict(np.full((2, 4), np.inf))


def test_a_bundle_is_never_overwritten(bundle, model, tmp_path):
    digest = write_bundle(bundle, tmp_path / "b")
    assert write_bundle(bundle, tmp_path / "b") == digest
    with pytest.raises(UsageError, match="something else is already there"):
        write_bundle(model.to_bundle(), tmp_path / "b")
    assert read_bundle(tmp_path / "b", digest=digest) == bundle
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "precious.txt").write_text("keep me")
    with pytest.raises(UsageError, match="something else is already there"):
        write_bundle(bundle, tmp_path / "other")
    assert os.listdir(tmp_path / "other") == ["precious.txt"]


def test_a_failed_write_leaves_nothing(bundle, tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError, match="No space left"):
        write_bundle(bundle, tmp_path / "b")
    assert os.listdir(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_said(bundle, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write the bundle"):
        write_bundle(bundle, tmp_path / "file" / "b")


def test_a_bundle_does_not_follow_its_makers_later_changes(model):
    metadata = {"metrics": {"auroc": 0.7}}
    sealed = model.to_bundle(metadata=metadata)
    before = sealed.digest
    metadata["metrics"]["auroc"] = 0.99
    assert sealed.digest == before


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ({"metadata": {"auroc": float("nan")}}, "not JSON-able: metadata"),
        ({"learned": {"set": {1, 2}}}, "not JSON-able: learned"),
        ({"categories": {"paln": {"a": 0}}}, "Fix: write `plan`"),
        ({"categories": {"plan": {"a": -1}}}, "unusable category code: plan"),
    ],
)
def test_parts_that_do_not_fit_are_refused(model, parts, problem):
    with pytest.raises(UsageError) as caught:
        model.to_bundle(**parts)
    assert problem in str(caught.value)


def test_feature_names_must_fit_the_trees(bundle):
    for names in (("a", "b"), ("a", "a", "b", "c"), (), ("a", "b", "c", "")):
        with pytest.raises(UsageError):
            Bundle(bundle.model_text, bundle.calibration, names)


def test_json_is_plain_text_for_people(bundle, tmp_path):
    write_bundle(bundle, tmp_path / "b")
    schema = json.loads((tmp_path / "b" / "schema.json").read_text("utf-8"))
    assert schema == {"features": list(bundle.feature_names), "categories": {"plan": {"basic": 0, "größer": 1}}}
    assert "größer" in (tmp_path / "b" / "schema.json").read_text("utf-8")
    assert "num_threads" not in (tmp_path / "b" / "model.txt").read_text("utf-8")
