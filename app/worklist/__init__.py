"""The study table, its filters and the cohort plots."""
