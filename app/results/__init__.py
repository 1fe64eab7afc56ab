"""The panel of results: scores beside their cohort, the model's card, the reading."""
