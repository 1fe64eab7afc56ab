"""Both autoencoders of Bozorgtabar 2020 have the layers that the paper names, and codes of length one."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from engine.models.normalised_autoencoder import (
    NetworkName,
    ResNetAutoencoder,
    UNetAutoencoder,
    normalised_autoencoder,
)
from tests.engine.models.shapes import parameters_of, shapes_of

RESNET_18 = 11_689_512
"""Parameters of He et al. 2016's network with three colours and 1000 classes, as every public implementation has it."""


def test_six_layers_down_and_six_up_at_the_papers_size() -> None:
    with torch.device("meta"):
        model = UNetAutoencoder(256, 64, 200)
    down = [(64, 128, 128), (128, 64, 64), (256, 32, 32), (512, 16, 16), (512, 8, 8), (512, 4, 4)]
    assert shapes_of(model.encoder, (1, 256, 256)) == [*down, (200,)]
    assert shapes_of(model.decoder, (200,)) == [(8192,), *down[-2::-1], (1, 256, 256)]
    ladder = 16 * (64 * 128 + 128 * 256 + 256 * 512 + 512 * 512 + 512 * 512)
    norms = 2 * (64 + 128 + 256 + 3 * 512) + 2 * (512 + 512 + 256 + 128 + 64)
    assert parameters_of(model) == 2 * (ladder + 16 * 64) + 1 + norms + (8192 * 200 + 200) + (200 * 8192 + 8192)


def test_every_layer_of_it_but_the_last_has_normalisation_and_leaky_relu() -> None:
    model = UNetAutoencoder(64, 4, 8)
    kinds = [type(layer) for layer in model.modules()]
    assert kinds.count(nn.BatchNorm2d) == kinds.count(nn.LeakyReLU) == 11
    assert kinds.count(nn.Tanh) == 1


def test_the_encoder_of_limbs_is_resnet_18_for_one_colour() -> None:
    with torch.device("meta"):
        model = ResNetAutoencoder(512, 64, 200)
    last = model.encoder[-1]
    classes, colours = 512 * 1000 + 1000, 2 * 49 * 64
    assert parameters_of(model.encoder) - parameters_of(last) == RESNET_18 - classes - colours
    shapes = shapes_of(model.encoder, (1, 512, 512))
    assert shapes[0] == (64, 256, 256) and shapes[1] == (64, 128, 128)
    assert shapes[-2][1:] == (16, 16) and shapes[-1] == (200,)


def test_its_decoder_is_the_mirror_with_as_many_convolutions() -> None:
    with torch.device("meta"):
        model = ResNetAutoencoder(512, 64, 200)
    shapes = shapes_of(model.decoder, (200,))
    assert shapes[0] == (512 * 16,) and shapes[1] == (512, 16, 16) and shapes[-1] == (1, 512, 512)
    convolutions = [
        [layer for layer in half.modules() if isinstance(layer, nn.Conv2d)] for half in (model.encoder, model.decoder)
    ]
    assert len(convolutions[0]) == len(convolutions[1]) == 20


@pytest.mark.parametrize(("network", "size"), [("unet", 64), ("resnet18", 64), ("resnet18", 32)])
def test_codes_have_length_one_and_images_their_own_size(network: NetworkName, size: int) -> None:
    model = normalised_autoencoder(network, size, 2, 12).eval()
    with torch.inference_mode():
        z, drawn = model(torch.rand(2, 1, size, size) * 2 - 1)
    torch.testing.assert_close(z.norm(dim=1), torch.ones(2))
    assert drawn.shape == (2, 1, size, size) and float(drawn.abs().max()) <= 1


@pytest.mark.parametrize(("network", "size"), [("unet", 96), ("unet", 0), ("resnet18", 100), ("vgg", 64)])
def test_a_size_or_a_name_that_there_is_not_is_refused(network: NetworkName, size: int) -> None:
    with pytest.raises(ValueError, match=r"multiple|one of"):
        normalised_autoencoder(network, size, 2, 12)
