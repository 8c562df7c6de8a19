"""The portfolio's own numbers: NPS, CSAT, CES, churn, revenue retention, cohorts, worth and support, exactly defined."""
