"""Synthetic chest, hand and head images with known lesions."""
