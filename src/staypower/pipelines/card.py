"""The model card: what a reader must know before relying on a model."""

from __future__ import annotations

from staypower.config import Settings
from staypower.cutoffs import text_of
from staypower.dataset import Dataset
from staypower.evaluation import Evaluation

__all__ = ["write_card"]


def write_card(settings: Settings, dataset: Dataset, evaluation: Evaluation, *, fit: str) -> str:
    """Write the model card in Markdown.

    Parameters
    ----------
    settings : Settings
    dataset : Dataset
    evaluation : Evaluation
    fit : str
        How the model was fitted, in words.

    Returns
    -------
    str
    """
    plan, learnt = dataset.plan, dataset.rows("training", "calibration")
    features = dataset.catalogue.frame()
    learnt_from = (
        f"{int(learnt.sum()):,} rows of {len(set(dataset.matrix.accounts[learnt])):,} accounts at {len(plan.training)} "
        f"training and {len(plan.calibration)} calibration cutoffs, "
        f"{text_of(int(plan.all[0]))} to {text_of(plan.learnt_until)}; {float(dataset.y[learnt].mean()):.1%} churned"
    )
    families = ", ".join(f"{count} from {table}" for table, count in features["table"].value_counts().items())
    return f"""# Model card: {settings.name}

{evaluation.headline}

- **Predicts**: churn ({settings.label.kind}) within {settings.label.horizon} days, gap {settings.label.gap} days.
- **Population**: accounts active at the cutoff; those that gave notice, are too new or left inside the gap are not learnt from.
- **Split**: {plan.words}.
- **Learnt from**: {learnt_from}.
- **Tested on**: {int(dataset.rows("test").sum()):,} rows at {", ".join(text_of(int(cutoff)) for cutoff in plan.test)}.
- **Fit**: {fit}.
- **Features**: {len(features)}: {families}.

## Test

```
{evaluation.text()}
```

## Limits

- Probabilities hold for accounts like those learnt from; a change of prices, product or market since then is not seen.
- Reasons say what moved the score. They are no proof of cause.
"""
