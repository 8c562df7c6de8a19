"""What a label means, in sentences for readers who have nothing else."""

from __future__ import annotations

from staypower.labels.settings import ContractualLabel, GivenLabel, LabelSettings, NonContractualLabel

__all__ = ["churn_in_words", "outcome_in_words", "population_in_words"]


def churn_in_words(label: LabelSettings) -> str:
    """Say what counts as churn.

    >>> churn_in_words(ContractualLabel(of="voluntary", involuntary=("card",)))
    "churned (contractual): the account's last subscription ends within 90 days after the cutoff and no other begins within 30
    days of that end; voluntary ends only (involuntary: end reasons that hold card)"
    >>> churn_in_words(NonContractualLabel(gap=7))
    'churned (non-contractual): no row of `orders` from 7 to 97 days after the cutoff'
    """
    if isinstance(label, ContractualLabel):
        kinds = f"; {label.of} ends only" if label.of != "any" else ""
        words = f" (involuntary: end reasons that hold {', '.join(label.involuntary)})" if label.involuntary else ""
        return (
            f"churned (contractual): the account's last subscription ends {_when(label)} and no other begins within "
            f"{label.grace} days of that end{kinds}{words}"
        )
    if isinstance(label, NonContractualLabel):
        events = f" with one of the events {', '.join(label.key_events)}" if label.key_events else ""
        return f"churned (non-contractual): no row of `{label.table}`{events} {_when(label, without='in the')}"
    if label.flag is not None:
        return f"churned (given): the column `{label.flag}` of `accounts` says {' or '.join(label.positive)}; not when"
    return f"churned (given): the first date `{label.time}` in the table `{label.dates}` lies {_when(label)}"


def outcome_in_words(label: LabelSettings) -> str:
    """Say what a score is the likelihood of.

    >>> outcome_in_words(ContractualLabel(horizon=60)), outcome_in_words(GivenLabel(flag="Churned"))
    ('to leave within 60 days', 'to bear the flag `Churned`')
    """
    if isinstance(label, GivenLabel) and label.flag is not None:
        return f"to bear the flag `{label.flag}`"
    return f"to leave {_when(label)}" if label.gap else f"to leave within {label.horizon} days"


def population_in_words(label: LabelSettings) -> str:
    """Say who is learned from and scored.

    >>> population_in_words(NonContractualLabel(too_new=0))
    'accounts with a row of `orders` in the 180 days before the cutoff'
    >>> population_in_words(ContractualLabel())
    'accounts with a subscription that covers the cutoff, without those younger than 14 days and those that have given notice'
    """
    if isinstance(label, ContractualLabel):
        who = "accounts with a subscription that covers the cutoff"
    elif isinstance(label, NonContractualLabel):
        events = f" with one of the events {', '.join(label.key_events)}" if label.key_events else ""
        who = f"accounts with a row of `{label.table}`{events} in the {label.activity_window} days before the cutoff"
    elif isinstance(label, GivenLabel) and label.flag is not None:
        who = "all accounts, at the one cutoff that the flag knows"
    else:
        who = "accounts that have signed up and had not churned before the cutoff"
    left_out = []
    if label.too_new and not label.keep_too_new:
        left_out.append(f"those younger than {label.too_new} days")
    if isinstance(label, ContractualLabel) and not label.keep_notice:
        left_out.append("those that have given notice")
    return f"{who}, without {' and '.join(left_out)}" if left_out else who


def _when(label: LabelSettings, *, without: str = "within") -> str:
    if label.gap:
        return f"from {label.gap} to {label.gap + label.horizon} days after the cutoff"
    return f"{without} {label.horizon} days after the cutoff"
