"""The notice that stands beside every score."""

RESEARCH_USE = "Research use only: decision support, not a diagnosis."
