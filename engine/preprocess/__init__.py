"""What a model sees of an image, and how its heatmap maps back to the original pixels. No tensors, no files.

`prepare` is the one entrance: the name and options come from a bundle's card, so that training and scoring cannot differ. A step of a film is a
switch of PlanarOptions and a file of its own: carrier, markers, hands, foreground, lungs.
"""

from __future__ import annotations

from engine.errors import NotApplicable
from engine.imaging.radiograph import Radiograph
from engine.imaging.volume import Volume
from engine.models.card import Preprocessing
from engine.preprocess.head_ct import HeadCtOptions, prepare_head_ct
from engine.preprocess.planar import PlanarOptions, prepare_planar
from engine.preprocess.prepared import Prepared, Steps

__all__ = ["HeadCtOptions", "PlanarOptions", "Prepared", "Steps", "chosen_options", "default_options", "prepare"]

_PLANAR_DEFAULTS: dict[str, PlanarOptions] = {
    # The published chest methods resize the whole film to a square.
    "chest": PlanarOptions(fit="stretch", grey="presentation"),
    # Limbs come in every shape: keep the anatomy's proportions and even out exposure.
    "musculoskeletal": PlanarOptions(fit="pad", grey="percentile"),
    # Davletshina 2020, section 2.1, all of it.
    "hand": PlanarOptions(fit="pad", grey="equalised", carrier="crop", part="largest", foreground="segment"),
}


def default_options(name: str) -> dict[str, object]:
    """The options of a named preprocessing as a card lists them. Raises ValueError for an unknown name."""
    if name in _PLANAR_DEFAULTS:
        return _PLANAR_DEFAULTS[name].model_dump()
    if name == "head-ct":
        return HeadCtOptions().model_dump()
    raise ValueError(f"no preprocessing is called {name!r}")


def chosen_options(preprocessing: Preprocessing) -> PlanarOptions | HeadCtOptions:
    """Every option of a preprocessing; those left out take the defaults of its name. Raises ValueError for an unknown name, option or value."""
    options = {**default_options(preprocessing.name), **preprocessing.options}
    kind = HeadCtOptions if preprocessing.name == "head-ct" else PlanarOptions
    return kind.model_validate(options)


def prepare(
    image: Radiograph | Volume, preprocessing: Preprocessing, size: tuple[int, ...], steps: Steps | None = None
) -> Prepared:
    """The image as a model sees it.

    Args:
        image: a radiograph for the planar preprocessings, a volume for "head-ct".
        preprocessing: name and options; options left out take the defaults of that name.
        size: [*S], the network's input size.
        steps: where each step's picture is added; None records none.

    Raises:
        NotApplicable: the image is of the wrong kind for this preprocessing.
        ImplausibleImage, InconsistentSeries: the image cannot be prepared (no grey values, too few slices, no head in it).
    """
    options = chosen_options(preprocessing)
    if isinstance(options, HeadCtOptions):
        if not isinstance(image, Volume):
            raise NotApplicable("this model reads volumes, and this is one image", cure="Choose a radiograph model.")
        return prepare_head_ct(image, options, size, steps)
    if not isinstance(image, Radiograph):
        raise NotApplicable("this model reads radiographs, and this is a volume", cure="Choose a volume model.")
    return prepare_planar(image, options, size, steps)
