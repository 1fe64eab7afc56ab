"""What is open and selected. Knows no Qt and can be tested without a display."""
