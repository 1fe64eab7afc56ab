"""The flow can be undone, its log determinant is the Jacobian's, and its layers are the paper's."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
from torch import nn

from engine.models.flow import FlowStep, _hidden_product, log_determinants, squeezed, step_weights, unsqueezed
from engine.models.glow import Glow, largest_levels

SIZES = [(8, 8), (4, 8, 8)]


def _taught(size: tuple[int, ...], levels: int = 2, depth: int = 2, width: int = 8, strength: float = 0.05) -> Glow:
    """A flow whose every weight has moved from where it began."""
    torch.manual_seed(0)
    flow = Glow(size, levels, depth, width)
    flow.initialise(torch.rand(16, 1, *size) - 0.5)
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter += strength * torch.randn_like(parameter)
    return flow


@pytest.mark.parametrize("size", SIZES)
def test_a_flow_can_be_undone(size: tuple[int, ...]) -> None:
    flow = _taught(size, depth=6, width=16, strength=0.02)
    x = torch.rand(4, 1, *size) - 0.5
    with torch.no_grad():
        assert (flow.inverse(flow(x).latents) - x).abs().max() < 1e-4


@pytest.mark.parametrize("size", [(4, 4), (2, 4, 4)])
def test_the_log_determinant_is_the_jacobians(size: tuple[int, ...]) -> None:
    flow = _taught(size, levels=1 if len(size) == 3 else 2)
    x = torch.rand(1, 1, *size) - 0.5

    def latents(pixels: torch.Tensor) -> torch.Tensor:
        return torch.cat([z.flatten() for z in flow(pixels.view_as(x)).latents])

    jacobian = torch.autograd.functional.jacobian(latents, x.flatten())
    found = flow(x)
    said = found.constant + sum(level.sum() for level in found.log_scales)
    torch.testing.assert_close(said, torch.linalg.slogdet(jacobian).logabsdet, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", SIZES)
def test_the_density_is_the_change_of_variables_and_its_map_adds_up_to_it(size: tuple[int, ...]) -> None:
    flow = _taught(size)
    with torch.no_grad():
        found = flow(torch.rand(3, 1, *size) - 0.5)
    gaussian = sum(
        torch.distributions.Normal(0, 1).log_prob(z).transpose(0, 1).flatten(1).sum(1) for z in found.latents
    )
    determinant = found.constant + sum(level.flatten(1).sum(1) for level in found.log_scales)
    torch.testing.assert_close(found.log_density().float(), gaussian + determinant)
    torch.testing.assert_close(found.log_density_map(size).flatten(1).sum(1), found.log_density().float())


def test_a_coupling_is_two_convolutions_around_a_1x1_and_scales_as_the_paper_says() -> None:
    step = _taught((8, 8)).levels[1][0]  # type: ignore[index]
    assert isinstance(step, FlowStep)
    x = torch.randn(8, 3, 4, 4)  # [C, B, H, W]
    with torch.no_grad():
        weights = step_weights([step])[0]
        y, log_scale = weights.forward(x)
        first, second = (half.transpose(0, 1) for half in weights.mixed(x).chunk(2))
        net, three = step.network, torch.exp(3 * step.network.log_scale)

        def normalised(h: torch.Tensor, layer: nn.Module) -> torch.Tensor:
            scale = torch.exp(3 * layer.actnorm.log_scale).view(-1, 1, 1)
            return torch.relu((h + layer.actnorm.bias.view(-1, 1, 1)) * scale)

        entering = net.enter.weight.unflatten(1, (3, 3, 4)).permute(0, 3, 1, 2)  # [width, C / 2, 3, 3]
        h = normalised(torch.conv2d(first, entering, padding=1), net.enter)
        h = normalised(torch.conv2d(h, net.middle.weight[..., None, None]), net.middle)
        leaving = net.leave.unflatten(0, (3, 3, 8)).permute(2, 3, 0, 1)  # [C, width, 3, 3]
        h = (torch.conv2d(h, leaving.flip(2, 3), net.bias, padding=1)) * three.view(-1, 1, 1)
        shift, raw = h.chunk(2, dim=1)
        scale = torch.sigmoid(raw - 0.1) + 0.6
    torch.testing.assert_close(y.transpose(0, 1), torch.cat([first, (second + shift) * scale], 1), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(log_scale, scale.log().sum(1), rtol=1e-4, atol=1e-5)


def test_the_1x1_convolution_begins_as_a_rotation_and_its_determinant_is_the_sum_of_its_diagonal() -> None:
    torch.manual_seed(0)
    step = Glow((8, 8), 2, 1, 8).levels[1][0]  # type: ignore[index]
    assert isinstance(step, FlowStep)
    kernel = step_weights([step])[0].kernel
    torch.testing.assert_close(kernel @ kernel.T, torch.eye(8), rtol=0, atol=1e-5)
    with torch.no_grad():
        step.mixing.triangles += 0.1 * torch.randn(8, 8)
        step.mixing.actnorm.log_scale += 0.1 * torch.randn(8)
    determinant = torch.linalg.slogdet(step_weights([step])[0].kernel).logabsdet
    torch.testing.assert_close(log_determinants([step])[0], determinant)


def test_steps_whose_weights_are_computed_together_are_each_itself() -> None:
    steps = list(_taught((8, 8), depth=3).levels[1].children())
    together = step_weights(steps)  # type: ignore[arg-type]
    assert len(together) == 3 and not torch.equal(together[0].kernel, together[1].kernel)
    for step, weights in zip(steps, together, strict=True):
        for found, alone in zip(weights, step_weights([step])[0], strict=True):  # type: ignore[list-item]
            torch.testing.assert_close(found, alone)


def test_the_first_batch_sets_the_actnorms_and_no_later_one_does() -> None:
    torch.manual_seed(0)
    flow = Glow((8, 8), 2, 3, 8)
    first = torch.rand(32, 1, 8, 8) * 0.1 + 0.3
    flow.initialise(first)
    h = squeezed(first.transpose(0, 1))
    for step in flow.levels[0].children():
        assert isinstance(step, FlowStep)
        actnorm = step.mixing.actnorm
        with torch.no_grad():
            normalised = (h.flatten(1) + actnorm.bias[:, None]) * torch.exp(3 * actnorm.log_scale)[:, None]
            h, _ = step_weights([step])[0].forward(h)
        torch.testing.assert_close(normalised.mean(1), torch.zeros(4), rtol=0, atol=1e-3)
        torch.testing.assert_close(normalised.std(1), torch.ones(4), rtol=0, atol=0.01)
    kept = {name: value.clone() for name, value in flow.state_dict().items()}
    flow.initialise(torch.rand(32, 1, 8, 8) - 0.5)
    assert all(torch.equal(value, kept[name]) for name, value in flow.state_dict().items())


def test_a_step_begins_without_a_shift_and_with_one_scale() -> None:
    torch.manual_seed(0)
    flow = Glow((8, 8), 1, 1, 8)
    flow.initialise(torch.rand(8, 1, 8, 8) - 0.5)
    (log_scale,) = flow(torch.rand(2, 1, 8, 8) - 0.5).log_scales
    scale = torch.sigmoid(torch.tensor(-0.1)) + 0.6
    torch.testing.assert_close(log_scale, (2 * scale.log()).expand_as(log_scale))


@pytest.mark.parametrize("columns", [1, 700, 1300])
def test_the_hidden_channels_piece_by_piece_are_the_plain_products_and_gradients(columns: int) -> None:
    torch.manual_seed(0)
    shapes = ((6, columns), (8, 6), (8,), (8, 8), (8,), (5, 8))
    x, first, b, second, c, third = (torch.randn(shape, requires_grad=True) for shape in shapes)
    plain = third @ torch.relu(second @ torch.relu(first @ x + b[:, None]) + c[:, None])
    pieced = _hidden_product(x, first, b, second, c, third)
    torch.testing.assert_close(pieced, plain)
    with torch.no_grad():
        torch.testing.assert_close(_hidden_product(x, first, b, second, c, third), plain)
    above = torch.randn_like(plain)
    wanted = torch.autograd.grad(plain, (x, first, b, second, c, third), above)
    found = torch.autograd.grad(pieced, (x, first, b, second, c, third), above)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", SIZES)
def test_retracing_gives_the_gradients_of_keeping(size: tuple[int, ...]) -> None:
    flow = _taught(size, depth=3, strength=0.02)
    x = torch.rand(3, 1, *size) - 0.5
    gradients = []
    for flow.retracing in (False, True):
        flow.zero_grad()
        flow(x).log_density().mean().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in flow.parameters() if p.grad is not None]))
    assert len(gradients[0]) == sum(p.numel() for p in flow.parameters())
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-3, atol=1e-3)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """What a pass keeps is counted on the thread that asks: on several, parts of the batch would each be kept on another."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_retracing_keeps_nothing_more_of_a_deeper_flow(one_thread: None) -> None:
    assert _kept(depth=2, retracing=True) == _kept(depth=6, retracing=True)
    assert _kept(depth=2, retracing=False) < _kept(depth=6, retracing=False)


def _kept(depth: int, retracing: bool) -> int:
    """Floats, other than weights, that a forward pass of 32 images keeps for the way back."""
    flow = Glow((16, 16), 1, depth, 64, retracing=retracing)
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.ndim > 1 and 32 * 8 * 8 in (
            tensor.shape[-1],
            math.prod(tensor.shape[-3:]),
        ):  # one a place: no weights
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes() // 4
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        found = flow(torch.rand(32, 1, 16, 16) - 0.5)
        assert found.log_density().shape == (32,)
    return sum(kept.values())


def test_squeezing_gathers_blocks_and_can_be_undone() -> None:
    x = torch.arange(2 * 3 * 4 * 4.0).view(2, 3, 4, 4)
    assert squeezed(x).shape == (8, 3, 2, 2)
    assert set(squeezed(x)[:4, 0, 0, 0].tolist()) == {0.0, 1.0, 4.0, 5.0}
    assert torch.equal(unsqueezed(squeezed(x)), x)
    volume = torch.randn(2, 3, 2, 4, 6)
    assert torch.equal(unsqueezed(squeezed(volume)), volume)


def test_mixed_precision_around_it_changes_nothing() -> None:
    flow = _taught((8, 8))
    x = torch.rand(2, 1, 8, 8) - 0.5
    with torch.no_grad():
        plain = flow(x).log_density()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(flow(x).log_density(), plain)


@pytest.mark.parametrize(("size", "levels"), [((512, 512), 7), ((64, 64), 4), ((32, 128, 128), 4), ((32, 64, 64), 4)])
def test_levels_that_fit_are_the_papers_at_its_sizes(size: tuple[int, ...], levels: int) -> None:
    assert largest_levels(size) >= levels
    with pytest.raises(ValueError, match="multiple of"):
        Glow(size, levels + 4, 1, 2)


def test_the_way_back_takes_the_pieces_of_the_way_there_when_the_threads_have_changed() -> None:
    torch.manual_seed(0)
    x, first, second, third = (
        torch.randn(shape, requires_grad=True) for shape in ((6, 3000), (64, 6), (64, 64), (5, 64))
    )
    threads, nothing = torch.get_num_threads(), torch.zeros(64)
    plain = third @ torch.relu(second @ torch.relu(first @ x))
    try:
        torch.set_num_threads(1)
        pieced = _hidden_product(x, first, nothing, second, nothing, third)
        torch.set_num_threads(2)
        (found,) = torch.autograd.grad(pieced.sum(), first)
    finally:
        torch.set_num_threads(threads)
    torch.testing.assert_close(found, torch.autograd.grad(plain.sum(), first)[0], rtol=1e-3, atol=1e-2)
