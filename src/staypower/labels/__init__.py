"""Labels: who was active at a cutoff, and who of them churned in the outcome."""
