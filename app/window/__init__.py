"""The parts of the one window that are neither worklist, image nor results: commands and keys, status line, problems, the empty state."""
