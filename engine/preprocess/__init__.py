"""What a model sees of an image, and how its heatmap maps back to the original pixels."""
