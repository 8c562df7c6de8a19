"""What a customer is worth: closed-form lifetime value, monthly revenue and order revenue, in exact money."""

from __future__ import annotations

from staypower.customer_value.closed_form import CONVENTION, lifetime_value, to_period_probability, value_at_risk
from staypower.customer_value.money import MONEY_SCALE, as_money, whole_amounts
from staypower.customer_value.orders import OrderAmounts, read_order_amounts
from staypower.customer_value.recurring import MonthlyRevenue, monthly_revenue

__all__ = [
    "CONVENTION",
    "MONEY_SCALE",
    "MonthlyRevenue",
    "OrderAmounts",
    "as_money",
    "lifetime_value",
    "monthly_revenue",
    "read_order_amounts",
    "to_period_probability",
    "value_at_risk",
    "whole_amounts",
]
