"""Every family of features by its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from staypower.features.definition import Definition, Template
from staypower.features.families.billing import BILLING, PAYMENTS
from staypower.features.families.orders import ORDERS
from staypower.features.families.relationship import OUTREACH, RELATIONSHIP
from staypower.features.families.support import SUPPORT
from staypower.features.families.surveys import SURVEYS
from staypower.features.families.usage import USAGE

__all__ = ["FAMILIES"]

FAMILIES: Mapping[str, Sequence[Definition | Template]] = MappingProxyType(
    {
        "usage": USAGE,
        "support": SUPPORT,
        "surveys": SURVEYS,
        "billing": BILLING,
        "payments": PAYMENTS,
        "orders": ORDERS,
        "relationship": RELATIONSHIP,
        "outreach": OUTREACH,
    }
)
