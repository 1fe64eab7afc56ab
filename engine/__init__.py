"""The headless engine: images, models, scores, the store and the process that scores. Imports no Qt, nothing of app or trainers."""
