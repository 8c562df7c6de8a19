"""Every number of the simulated company, with its meaning.

They were fixed before any feature was tuned on the company, so that it stays a fair test; `docs/simulator.md` shows this
table.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

__all__ = ["PARAMETERS", "Parameters", "parameter_table"]


def _number(value: float, meaning: str) -> float:
    """Declare one parameter with its meaning beside it."""
    declared: float = field(default=value, metadata={"meaning": meaning})
    return declared


@dataclass(frozen=True)
class Parameters:
    """The constants of the simulated company.

    Latent quantities have a spread of about one; rates are per week unless their meaning says otherwise.

    >>> 0 < Parameters().stock_share < 1
    True
    """

    # Who signs up
    stock_share: float = _number(0.42, "share of the accounts that are customers before the history starts")
    stock_tenure_weeks: float = _number(70.0, "mean tenure of that stock at the start, weeks")
    stock_fit: float = _number(0.35, "how much better the stock fits, having survived until then")
    annual_share: float = _number(0.35, "share of accounts on a twelve-month term; the others renew every month")
    annual_prepaid: float = _number(0.6, "share of twelve-month terms that are paid once a year")
    notifies_share: float = _number(0.45, "share of accounts that announce a cancellation ahead of the renewal")
    notice_days_monthly: int = field(default=10, metadata={"meaning": "days of notice on a monthly term"})
    notice_days_annual: int = field(default=30, metadata={"meaning": "days of notice on a twelve-month term"})

    # Onboarding and adoption
    step_rate: float = _number(
        0.45, "chance of finishing an onboarding step in a week, times sigmoid(0.2 + fit + 0.8 champion - effort / 2)"
    )
    step_weeks: float = _number(26.0, "weeks after which onboarding stops")
    adoption_pull: float = _number(0.06, "weekly pull of adoption towards 0.6 fit + 1.2 (steps done / 4) - 1.0")
    adoption_noise: float = _number(0.08, "weekly noise of adoption")

    # Value
    value_pull: float = _number(0.10, "weekly pull of value towards 0.5 fit + 0.4 adoption + goals + shock")
    value_noise: float = _number(0.09, "weekly noise of value")
    shock_rate: float = _number(0.006, "chance of a blow to value (a competitor, a changed need)")
    shock_size: float = _number(1.6, "mean size of that blow; it fades by 2 % a week")
    goal_rate: float = _number(
        0.16, "chance of meeting an open goal in a week from its fourth week on, times sigmoid(0.4 + value + adoption / 2) x 2"
    )

    # Support, effort, satisfaction
    ticket_rate: float = _number(0.22, "tickets of an ordinary account")
    incident_rate: float = _number(0.010, "chance of an incident: tickets, pain, less usage that week")
    service_keep: float = _number(0.94, "weekly persistence of how slowly an account is served")
    effort_keep: float = _number(0.88, "weekly persistence of effort")
    satisfaction_pull: float = _number(
        0.22, "weekly pull of satisfaction towards value / 2 + fit / 4 - 1.2 (log(1 + effort) - 0.45)"
    )
    satisfaction_noise: float = _number(0.14, "weekly noise of satisfaction")

    # Champion, budget, engagement
    champion_leaves: float = _number(0.007, "chance that the champion leaves")
    champion_found: float = _number(0.055, "chance that a lost champion is replaced, from the third week on")
    budget_tightens: float = _number(0.0055, "chance that the budget becomes tight")
    budget_relaxes: float = _number(0.045, "chance that a tight budget relaxes")
    engagement_pull: float = _number(0.28, "weekly pull of engagement towards its target")
    engagement_noise: float = _number(0.1, "weekly noise of engagement")
    typical_pull: float = _number(0.035, "weekly pull of the account's usual engagement towards the present one")

    # Leaving by choice: terms of the log-odds at a monthly renewal
    leave_base: float = _number(-4.6, "log-odds of a typical account at a monthly renewal")
    leave_annual: float = _number(1.7, "added at a twelve-month renewal: a year of reasons has gathered")
    leave_auto_renew_off: float = _number(1.1, "added when automatic renewal was switched off")
    auto_renew_off_rate: float = _number(0.05, "chance of switching automatic renewal off, times sigmoid(log-odds + 1.5)")
    leave_anyhow: float = _number(
        0.0045, "chance, each month, of ending at once for a reason that nothing predicts, whatever the term"
    )
    lever_onboarding: float = _number(2.6, "per whole onboarding that is behind schedule, fading over the first year")
    lever_adoption: float = _number(0.55, "per unit of adoption below typical")
    lever_engagement: float = _number(2.1, "per unit of engagement below what is typical of the account")
    lever_support: float = _number(1.1, "per unit of log effort above typical; half as much again when value is low")
    lever_satisfaction: float = _number(0.45, "per unit of satisfaction below typical")
    lever_billing: float = _number(1.15, "while the budget is tight; two thirds of it for 90 days after a discount ends")
    lever_value: float = _number(0.5, "per unit of value below typical")
    lever_relationship: float = _number(1.3, "while there is no champion, more when engagement also falls")

    # Leaving because a payment fails
    failure_base: float = _number(0.03, "chance that an invoice fails")
    failure_tight: float = _number(0.13, "added while the budget is tight")
    card_renewed: float = _number(0.30, "chance of renewing an expiring card, times sigmoid(0.4 + engagement + 0.6 champion)")
    recovery_base: float = _number(-0.6, "log-odds of a retry succeeding; + 0.8 engagement + 0.6 champion - 0.9 tight")

    # Coming back
    pause_voluntary: float = _number(0.03, "share of voluntary ends followed by a return within 3 to 25 days")
    pause_involuntary: float = _number(0.15, "the same for involuntary ends")
    return_share: float = _number(0.10, "share of ends followed by a return after 60 to 240 days")

    # Usage and surveys
    usage_rate: float = _number(2.8, "usage rows per week of an account with three seats and ordinary engagement")
    usage_spread: float = _number(0.55, "spread of the accounts' own rhythm, log scale")
    usage_slope: float = _number(1.25, "log usage per unit of engagement")
    answer_base: float = _number(-0.75, "log-odds of answering an NPS invitation")
    answer_slope: float = _number(
        0.9, "added per unit of attitude (or of usage against what is typical, when silence is observable)"
    )
    nps_mean: float = _number(7.2, "NPS answer at attitude zero")
    nps_slope: float = _number(1.75, "NPS points per unit of attitude")
    nps_noise: float = _number(0.75, "spread of one answer around the attitude, points")


PARAMETERS = Parameters()


def parameter_table(parameters: Parameters = PARAMETERS) -> str:
    """Write the parameters as the Markdown table of the docs.

    >>> print(parameter_table().splitlines()[0])
    | parameter | value | meaning |
    """
    rows = [f"| `{f.name}` | {getattr(parameters, f.name):g} | {f.metadata['meaning']} |" for f in fields(parameters)]
    return "\n".join(["| parameter | value | meaning |", "|---|---|---|", *rows])
