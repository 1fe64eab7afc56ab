"""Self-attention is the publication's equations, and at first does nothing."""

from __future__ import annotations

import torch

from engine.models.self_attention import SelfAttention


def test_it_is_a_weighted_mean_of_all_places_values_added_to_the_image() -> None:
    torch.manual_seed(0)
    layer = SelfAttention(16)
    x = torch.randn(2, 16, 3, 5)
    assert torch.equal(layer(x), x)
    with torch.no_grad():
        layer.gamma.fill_(0.7)
    query, key, value = (side(x).flatten(2) for side in (layer.query, layer.key, layer.value))  # [B, C', N]
    weights = torch.softmax(torch.einsum("bci,bcj->bij", query, key), dim=2)
    seen = torch.einsum("bij,bcj->bci", weights, value).view(2, 16, 3, 5)
    torch.testing.assert_close(layer(x), x + 0.7 * seen)
