"""The portfolio: NPS, CSAT, CES, churn, revenue retention, cohorts, customer value and support, exactly defined."""
