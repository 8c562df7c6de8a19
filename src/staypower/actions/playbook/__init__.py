"""Playbooks: which action answers which lever in which quadrant, whose it is, what it costs and what it is hoped to do."""
