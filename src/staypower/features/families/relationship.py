"""How long the account has been a customer, how close it is, whether agreed goals are met, and what its attributes say."""

from __future__ import annotations

from staypower.features.definition import Feature, Filter
from staypower.features.families.rows import TableFeatures

__all__ = ["OUTREACH", "RELATIONSHIP", "attribute_feature", "measure_feature"]

accounts = TableFeatures("accounts", lever=None)
first_rows = TableFeatures("first_rows", lever=None, time="at")
setup = TableFeatures("accounts", lever="onboarding", time="setup_completed_at")
owners = TableFeatures(
    "accounts", lever="relationship", time="seen_at", where=Filter("owner_changed", at_least=1.0), direction=1
)
advocacy = TableFeatures("advocacy", lever="relationship", direction=-1)
goals = TableFeatures("goals", lever="value", direction=-1)
outreach = TableFeatures("outreach", lever=None)

RELATIONSHIP = (
    accounts.feature("tenure_days", "days_since_first", time="signed_up_at", says="days as a customer", unit="days"),
    # where no sign-up is given: from the account's first row in any table
    first_rows.feature("tenure_days", "days_since_first", says="days as a customer", unit="days"),
    setup.feature("days_since_setup_completed", "days_since_last", says="days since setup was completed", unit="days"),
    setup.feature("days_to_setup", "last", "setup_days", says="days from sign-up to completed setup", unit="days", direction=1),
    owners.feature("owner_changes_365d", "count", window=365, says="changes of account owner", unit="changes"),
    owners.feature("owner_changes_ever", "count", says="changes of account owner", unit="changes"),
    owners.feature(
        "days_since_owner_change",
        "days_since_last",
        says="days since the last change of account owner",
        unit="days",
        direction=-1,
    ),
    advocacy.every_window(
        "advocacy", "count", shortest=90, says="advocacy activities (referrals, reviews, case studies)", unit="activities"
    ),
    advocacy.feature("advocacy_ever", "count", says="advocacy activities", unit="activities"),
    advocacy.feature("referrals_ever", "count", where=Filter("kind", ("referral",)), says="referrals", unit="referrals"),
    advocacy.feature("reviews_ever", "count", where=Filter("kind", ("review",)), says="reviews", unit="reviews"),
    advocacy.feature(
        "days_since_advocacy", "days_since_last", says="days since the last advocacy activity", unit="days", direction=1
    ),
    goals.feature("goals_set", "count", says="goals agreed", unit="goals"),
    goals.feature("goals_met", "count", time="met_at", says="goals met", unit="goals"),
    goals.feature("goals_open_now", "count", until="met_at", says="open goals", unit="goals", direction=None),
    goals.feature("goals_overdue_now", "count", time="due_at", until="met_at", says="overdue goals", unit="goals", direction=1),
    goals.feature("goals_met_365d", "count", window=365, time="met_at", says="goals met", unit="goals"),
    goals.feature(
        "goals_missed_365d",
        "count",
        window=365,
        time="due_at",
        until="met_at",
        says="goals that were due and not met",
        unit="goals",
        direction=1,
    ),
    goals.feature(
        "days_since_goal_met",
        "days_since_last",
        time="met_at",
        says="days since the last goal was met",
        unit="days",
        direction=1,
    ),
    goals.ratio("goals_met_share", "goals_met", "goals_set", says="share of agreed goals met", unit="share"),
)

_OF_THE = {
    "subscriptions": "of the latest subscription",
    "usage": "at the last use",
    "tickets": "of the last ticket",
    "surveys": "of the last survey",
    "payments": "of the last payment",
    "order_lines": "of the last order",
    "advocacy": "of the last advocacy activity",
    "goals": "of the last goal",
    "outreach": "of the team's last action",
}

OUTREACH = (
    outreach.every_window("outreach", "count", shortest=28, says="actions taken by the team", unit="contacts"),
    outreach.feature("days_since_outreach", "days_since_last", says="days since the team's last action", unit="days"),
)


def attribute_feature(column: str, slug: str, *, number: bool) -> Feature:
    """Declare one attribute of the account."""
    how = "last" if number else "last_code"
    words = f"{column.replace('_', ' ')} of the account"
    return accounts.feature(f"account_{slug}", how, column, time="seen_at", category=not number, says=words)


def measure_feature(stream: str, column: str, name: str, *, number: bool) -> Feature:
    """Declare a column of the user's own: of the latest running subscription, or the last known one of another table."""
    table = TableFeatures(stream, lever=None, until="until_at" if stream == "subscriptions" else None)
    words = f"{column.replace('_', ' ')} {_OF_THE[stream]}"
    return table.feature(name, "last" if number else "last_code", column, category=not number, says=words)
