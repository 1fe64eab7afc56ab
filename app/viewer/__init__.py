"""The canvas, its layers and tools."""
