"""Keeps a discriminator's slope bounded while it learns (Miyato et al., Spectral normalization for GANs, 2018). A trained network keeps only the result.

Normalisation is done to a network in training; what is shipped are plain layers with the weights as they were last normalised.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm


def normalise_spectrally(network: nn.Module) -> None:
    """Divide the weights of every convolution and linear layer by their largest singular value, from now on, in place."""
    for layer in list(network.modules()):
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            spectral_norm(layer)


def plain_weights(network: nn.Module) -> dict[str, Tensor]:
    """The state of a network as if it had never been normalised, with the weights that it computes with in eval mode."""
    mode = network.training
    network.eval()  # in training mode, to look at a weight is to take another step of its power iteration
    weights = {name: value for name, value in network.state_dict().items() if ".parametrizations." not in name}
    for name, layer in network.named_modules():
        if parametrize.is_parametrized(layer, "weight"):
            weights[f"{name}.weight"] = layer.weight.detach()
    network.train(mode)
    return weights
