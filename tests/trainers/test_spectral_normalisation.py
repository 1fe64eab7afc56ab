"""A normalised network bounds its layers' slopes, and what is shipped computes the same with plain layers."""

from __future__ import annotations

import torch

from engine.models.dcgan import Discriminator
from trainers.spectral_normalisation import normalise_spectrally, plain_weights


def _normalised() -> Discriminator:
    torch.manual_seed(0)
    network = Discriminator(size=32, width=32)
    normalise_spectrally(network)
    for _ in range(20):  # a power iteration a pass
        network(torch.randn(4, 1, 32, 32))
    return network


def test_no_layer_stretches_its_input() -> None:
    network = _normalised().eval()
    for name, weight in plain_weights(network).items():
        if name.endswith("weight"):
            assert float(torch.linalg.matrix_norm(weight.flatten(1), 2)) < 1.05, name


def test_plain_layers_with_the_plain_weights_say_the_same() -> None:
    network = _normalised().eval()
    plain = Discriminator(size=32, width=32).eval()
    plain.load_state_dict(plain_weights(network))
    x = torch.randn(3, 1, 32, 32)
    torch.testing.assert_close(plain(x), network(x))


def test_looking_at_the_weights_changes_nothing() -> None:
    network = _normalised()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    plain_weights(network)
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
