"""Parts of a batch on threads of their own give what the whole batch gives, there and back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
import torch

from engine.models import parts_at_once
from engine.models.glow import Glow


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def _gradients(flow: Glow, x: torch.Tensor) -> list[torch.Tensor]:
    for leaf in (x, *flow.parameters()):
        leaf.grad = None
    flow(x).log_density().square().mean().backward()
    return [leaf.grad.clone() for leaf in (x, *flow.parameters()) if leaf.grad is not None]


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("retracing", [False, True])
@pytest.mark.parametrize("count", [4, 5])
def test_a_flow_in_parts_learns_what_it_learns_whole(
    count: int, retracing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    flow = Glow((8, 8), 2, 2, 8, retracing=retracing)
    flow.initialise(torch.rand(16, 1, 8, 8) - 0.5)
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    x = (torch.rand(count, 1, 8, 8) - 0.5).requires_grad_()
    seen: list[int] = []
    encoded = flow._encoded
    monkeypatch.setattr(flow, "_encoded", lambda part, weights: (seen.append(len(part)), encoded(part, weights))[1])
    found = _gradients(flow, x)
    assert sorted(seen) == sorted([count - count // 2, count // 2])
    assert torch.get_num_threads() == 2
    monkeypatch.setattr(parts_at_once, "pays", lambda batch: False)
    expected = _gradients(flow, x)
    assert len(found) == len(expected) == 1 + sum(1 for _ in flow.parameters())
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4 * float(other.abs().max()))


@pytest.mark.usefixtures("two_threads")
def test_few_images_and_a_single_thread_stay_whole() -> None:
    few, enough = torch.zeros(3, 1, 8, 8), torch.zeros(4, 1, 8, 8)
    assert parts_at_once.pays(enough) and not parts_at_once.pays(few)
    torch.set_num_threads(1)
    assert not parts_at_once.pays(enough)


@pytest.mark.usefixtures("two_threads")
def test_what_a_part_raises_is_raised_and_the_threads_are_given_back() -> None:
    weight = torch.ones(1, requires_grad=True)

    def way(part: torch.Tensor, weights: Sequence[torch.Tensor]) -> tuple[torch.Tensor]:
        raise ValueError("not finite")

    with pytest.raises(ValueError, match="not finite"):
        parts_at_once.with_gradients(way, torch.zeros(4, 1), [weight], axes=[0])
    assert torch.get_num_threads() == 2
