"""Data that ships with Normascope: model bundles, icons, window presets and the manual, read through `importlib.resources`."""
