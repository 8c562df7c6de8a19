"""The model as MLflow serves it: feature rows in, scores out, from the sealed bundle and nothing else."""

from __future__ import annotations

from typing import Any

import pandas as pd

from staypower.models.bundle import read_bundle
from staypower.scoring.predictions import ACCOUNT, FeatureRowScorer
from staypower.tracking.store import ColSpec, DataType, ModelSignature, PythonModel, Schema, TensorSpec

__all__ = ["ARTIFACT", "ServedModel", "served_config", "signature_of"]

ARTIFACT = "bundle"
"""Name of the bundle's folder among the files of a logged model."""


class ServedModel(PythonModel):
    """A sealed bundle as an MLflow model: the class behind `model_code.py`.

    MLflow calls `load_context` once and then `predict`. The digest comes from the model's configuration, outside the folder
    that it seals: a bundle in which one byte was changed is not loaded. Nothing is unpickled.
    """

    def load_context(self, context: Any) -> None:
        """Read the bundle and check its digest."""
        config = context.model_config
        bundle = read_bundle(context.artifacts[ARTIFACT], digest=str(config["digest"]))
        self._scorer = FeatureRowScorer(bundle, reasons=int(config["reasons"]), abstain_below=float(config["abstain_below"]))
        self._kinds = self._scorer.columns

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Score rows of features; see `FeatureRowScorer.score`."""
        scored = self._scorer.score(model_input)
        texts = [name for name, kind in self._kinds.items() if kind is str]
        return scored.assign(**{name: scored[name].astype(object).where(scored[name].notna(), "") for name in texts})


def served_config(digest: str, *, reasons: int, abstain_below: float) -> dict[str, Any]:
    """Return the configuration that a logged model keeps with its bundle.

    >>> served_config("0" * 64, reasons=5, abstain_below=0.4)["reasons"]
    5
    """
    return {"digest": digest, "reasons": reasons, "abstain_below": abstain_below}


def signature_of(scorer: FeatureRowScorer) -> ModelSignature:
    """Return the signature: doubles in, scores out.

    `account_id` is optional. So, for MLflow, are the features: it would refuse a row without one of them before the model is
    asked, in a message that either repeats the caller's rows or names nothing. The model itself refuses, and names what is
    missing. Missing values are NaN or null.
    """
    inputs: list[ColSpec | TensorSpec] = [ColSpec(DataType.string, ACCOUNT, required=False)]
    inputs += [ColSpec(DataType.double, name, required=False) for name in scorer.bundle.feature_names]
    kinds = {float: DataType.double, str: DataType.string}
    outputs: list[ColSpec | TensorSpec] = [ColSpec(kinds[kind], name) for name, kind in scorer.columns.items()]
    return ModelSignature(inputs=Schema(inputs), outputs=Schema(outputs))
