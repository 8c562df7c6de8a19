"""What a customer is worth: closed-form lifetime value, monthly revenue and order revenue, in exact money."""
