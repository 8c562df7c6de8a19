import numpy as np

from staypower.models.bundle import SealedModel


def test_scores_from_the_walk_of_the_reasons_are_the_predictions(model, history):
    bundle = model.to_bundle()
    found = bundle.explain(history.X[history.X.columns[::-1]])
    assert (bundle.calibration.apply(found.raw_score) == bundle.predict(history.X)).all()
    values, base = bundle.contributions(history.X)
    assert (found.contributions == values).all()
    assert found.base == base
    np.testing.assert_allclose(base + values.sum(axis=1), bundle.raw_score(history.X), rtol=0, atol=1e-12)


def test_reasons_are_lightgbms(model, history):
    bundle = model.to_bundle()
    sealed = SealedModel(model.model_text_, None, tuple(history.X.columns))
    theirs = bundle.booster.predict(bundle.matrix(history.X), pred_contrib=True)
    for values, base in (bundle.contributions(history.X), sealed.contributions(history.X), model.contributions(history.X)):
        np.testing.assert_allclose(values, theirs[:, :-1], rtol=0, atol=1e-12)
        assert base == theirs[0, -1]
