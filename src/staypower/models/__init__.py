"""Models: the churn classifier, the loyalty tier, their calibration maps and the sealed bundle that scoring reads."""
