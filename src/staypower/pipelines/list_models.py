"""List the versions of a model, from its lock files: MLflow is not needed."""

from __future__ import annotations

from staypower.pipelines.arguments import SettingsLike, settings_from
from staypower.progress import Progress
from staypower.tracking.listing import ModelList, list_versions

__all__ = ["list_models"]


def list_models(settings: SettingsLike, *, progress: Progress | None = None) -> ModelList:
    """List every trained version with its metrics, and which one is the champion; as `staypower models list`.

    Parameters
    ----------
    settings : Settings, str, Path or mapping
        From `load_config`, or what it takes.
    progress : Progress, optional
        Announces the steps; quiet by default.

    Returns
    -------
    ModelList
        One row per version in `.frame()`.

    Examples
    --------
    >>> import staypower
    >>> staypower.list_models("demo/staypower.yaml").frame()["version"].iloc[-1]
    '1'
    """
    settings = settings_from(settings)
    return list_versions(settings.models_path, settings.name)
