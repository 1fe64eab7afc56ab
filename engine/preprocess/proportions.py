"""Says in words that a picture is too small or too long for what is told of it to mean much. Geometry alone; refuses nothing."""

from __future__ import annotations

MOST_ENLARGED = 2.0
"""Times a side. Films are shrunk for a network: where it sees several pixels for each of the picture's, it looks at what lies between them."""
MOST_ELONGATED = 5.0
"""Times as long as wide: beyond films of a whole spine or leg."""


def doubts(
    film: tuple[int, int], spacing: tuple[float, float] | None, framed: tuple[int, int], seen: tuple[int, int]
) -> tuple[str, ...]:
    """What a reader must know of a score of this picture; nothing for a film of ordinary size and shape.

    Args:
        film: [rows, columns] of the picture.
        spacing: mm between rows and between columns, where known.
        framed: [rows, columns] of what is left of it where steps cut it.
        seen: [rows, columns] that a network sees of that.
    """
    said = []
    if max(after / before for after, before in zip(seen, framed, strict=True)) > MOST_ENLARGED:
        said.append(
            f"What the model looks at has {framed[0]} x {framed[1]} pixels, enlarged to {seen[0]} x {seen[1]}: too few for a score to mean much."
        )
    height, width = (extent * step for extent, step in zip(film, spacing or (1.0, 1.0), strict=True))
    times = max(height / width, width / height)
    if times > MOST_ELONGATED:
        longer = "high as wide" if height > width else "wide as high"
        said.append(f"The picture is {times:.0f} times as {longer}: no film looks so, and a score means little.")
    return tuple(said)
