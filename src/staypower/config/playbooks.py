"""Read a playbook as strictly as a config: every problem at once, with its line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from staypower.actions.choosing import ActionOptions
from staypower.actions.playbook import ACCOUNT_OWNER, Playbook, default_playbook_text
from staypower.config.problems import Origins, known_keys, merge_problems, problem_of, soft_types
from staypower.config.reading import Document, read_document, read_text
from staypower.config.settings import Settings
from staypower.errors import Problem, UsageError, nearest

_DEFAULT = "default"  # names the packaged playbook


def load_playbook(settings: Settings) -> Playbook:
    """Read the playbook that a config names, and check the owners' capacity against it.

    >>> from staypower.config.loading import load_config
    >>> usage = {"source": "usage.csv", "account_id": "acct", "at": "when"}
    >>> label = {"kind": "non_contractual", "table": "usage"}
    >>> playbook = load_playbook(load_config({"name": "acme", "tables": {"usage": usage}, "label": label}))
    >>> playbook.actions["payment_recovery"].owner
    'billing'
    """
    named = settings.playbook
    packaged = named is None or named == _DEFAULT
    playbook = _packaged() if packaged else read_playbook(settings.path(str(named)))
    # an account owner may have a capacity: only the data contain these names
    unknown = [] if ACCOUNT_OWNER in playbook.owners else [n for n in settings.actions.capacity if n not in playbook.owners]
    if unknown:
        known = ", ".join(f"`{owner}`" for owner in playbook.owners)
        fixes = {name: f"{hint}; " if (hint := nearest(name, playbook.owners)).startswith("write") else "" for name in unknown}
        value = "`actions.capacity.{}`"
        raise UsageError(
            [Problem("owner of no action", value.format(name), f"{fixes[name]}the playbook's are {known}") for name in unknown]
        )
    return playbook


def load_action_options(settings: Settings) -> ActionOptions:
    """Read what choosing actions needs: the playbook, and what the settings say about labels, money and capacity."""
    return ActionOptions(
        playbook=load_playbook(settings),
        label=settings.label,
        settings=settings.actions,
        features=settings.features,
        packaged=settings.playbook in (None, _DEFAULT),
        team=settings.capacity,
        margin=settings.portfolio.margin,
        discount_rate=settings.portfolio.discount_rate,
        average=settings.costs.clv,
        threads=settings.engine.threads,
    )


def _packaged() -> Playbook:
    return _validated(read_text(default_playbook_text(), name="the packaged playbook"), "the packaged playbook")


def read_playbook(path: Path) -> Playbook:
    """Read a playbook file.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "playbooks.yaml"
    >>> entry = "{lever: suport, quadrant: any, step: Call., owner: sales, cost: 5, effect: 0.1}"
    >>> _ = path.write_text(f"actions: {{call: {entry}}}")
    >>> try:
    ...     read_playbook(path)
    ... except UsageError as error:
    ...     print(error)
    unknown lever: `actions.call.lever` = 'suport' (playbooks.yaml, line 1). Fix: write `support`; known are `onboarding`, ...
    """
    if not path.is_file():
        fix = "check the path, which starts at the config file's folder, or write `playbook: default`"
        raise UsageError.of("playbook not found", path, fix)
    return _validated(read_document(path), path.name)


def _validated(document: Document, name: str) -> Playbook:
    origins = Origins(name, document.lines)
    found: list[Mapping[str, Any]] = [
        {"type": wanted, "loc": path, "input": value, "msg": ""}
        for path, value, wanted in soft_types(document.values, Playbook)
    ]
    try:
        read = Playbook.model_validate(document.values)
    except ValidationError as error:
        found += error.errors(include_url=False)
    if found:
        problems = [_with_choices(one, problem_of(one, document.values, Playbook, origins, ""), document) for one in found]
        raise UsageError(merge_problems(problems))
    return read


def _with_choices(error: Mapping[str, Any], problem: Problem, document: Document) -> Problem:
    """Name every key that there is where an unknown one was written."""
    if error["type"] != "extra_forbidden" or not problem.fix.startswith("write"):
        return problem
    inner = [str(part) for part in error["loc"][:-1]]
    known = ", ".join(f"`{key}`" for key in known_keys(Playbook, inner, document.values))
    return Problem(problem.problem, problem.value, f"{problem.fix}; known are {known}")
