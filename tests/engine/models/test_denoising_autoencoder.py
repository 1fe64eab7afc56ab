"""The denoising autoencoder takes off what it is made to, in two dimensions and three, and measures it by what is usual at each place."""

from __future__ import annotations

import pytest
import torch

from engine.models.denoising_autoencoder import DenoisingAutoencoder

SIZES = [(32, 48), (16, 32, 16)]


def _model(size: tuple[int, ...], **changes: object) -> DenoisingAutoencoder:
    torch.manual_seed(0)
    model = DenoisingAutoencoder(size, width=2, levels=2, **changes).eval()  # type: ignore[arg-type]
    torch.nn.init.normal_(model.last.weight, std=0.1)
    return model


@pytest.mark.parametrize("size", SIZES)
def test_an_untaught_network_takes_nothing_off(size: tuple[int, ...]) -> None:
    x = torch.rand(2, 1, *size) * 2 - 1
    with torch.inference_mode():
        found = DenoisingAutoencoder(size, width=2, levels=2).eval().anomaly(x)
    assert found.reconstruction is not None
    torch.testing.assert_close(found.reconstruction, x)
    assert float(found.scores["unusual_error"].max()) == 0


@pytest.mark.parametrize("size", SIZES)
def test_what_is_seen_at_one_end_of_the_image_reaches_its_own_place_through_the_skip_connections(
    size: tuple[int, ...],
) -> None:
    model = _model(size)
    x = torch.zeros(1, 1, *size, requires_grad=True)
    model.excess(x)[(0, 0, *(extent // 2 for extent in size))].backward()
    assert x.grad is not None
    assert float(x.grad[(0, 0, *(extent // 2 for extent in size))].abs()) > 0


@pytest.mark.parametrize("size", SIZES)
def test_an_image_scores_alone_as_in_a_batch(size: tuple[int, ...]) -> None:
    model = _model(size)
    x = torch.rand(3, 1, *size) * 2 - 1
    with torch.inference_mode():
        together, alone = model.anomaly(x), model.anomaly(x[1:2])
    assert together.heatmap is not None and together.heatmap.shape == x.shape
    for name, values in alone.scores.items():
        torch.testing.assert_close(values[0], together.scores[name][1], rtol=1e-5, atol=1e-6)


def test_noise_of_both_signs_cancels_and_a_lesion_does_not() -> None:
    model = DenoisingAutoencoder((32, 32), width=2, levels=2, heatmap_sigma=1 / 16)
    drawn = torch.zeros(1, 1, 32, 32)
    noise = torch.ones(1, 1, 32, 32)
    noise[..., ::2, :] = -1
    lesion = torch.zeros(1, 1, 32, 32)
    lesion[..., 12:20, 12:20] = 1
    assert float(model.local_excess(noise, drawn)[..., 8:24, 8:24].max()) < 0.05
    assert float(model.local_excess(lesion, drawn).max()) > 0.8


def test_an_error_counts_for_less_where_normals_have_it_too() -> None:
    model = _model((32, 32))
    x = torch.rand(1, 1, 32, 32)
    mean_square = torch.full((1, 32, 32), 0.01)
    with torch.inference_mode():
        model.set_usual(mean_square)
        before = model.anomaly(x)
        mean_square[:, :16] = 1.0
        model.set_usual(mean_square)
        after = model.anomaly(x)
    assert before.heatmap is not None and after.heatmap is not None
    assert float((after.heatmap / before.heatmap)[..., :16, :].max()) < 0.15
    assert after.scores["unusual_error"] < before.scores["unusual_error"]
    torch.testing.assert_close(after.scores["local_error"], before.scores["local_error"])


def test_a_spot_is_focal_and_an_image_that_is_unusual_all_over_is_not() -> None:
    model = _model((32, 32))
    spot = torch.full((1, 1, 32, 32), 0.01)
    spot[..., 16, 16] = 0.5
    model.excess = lambda x: spot  # type: ignore[method-assign]
    focal = model.anomaly(torch.zeros(1, 1, 32, 32)).scores
    model.excess = lambda x: torch.full_like(x, 0.5)  # type: ignore[method-assign]
    overall = model.anomaly(torch.zeros(1, 1, 32, 32)).scores
    assert focal["focal_error"] > 3 * overall["focal_error"]
    assert focal["unusual_error"] < overall["unusual_error"]


def test_the_black_around_the_patient_is_no_finding() -> None:
    model = _model((32, 32))
    x = torch.rand(1, 1, 32, 32)
    x[..., :8] = -1
    with torch.inference_mode():
        heatmap = model.anomaly(x).heatmap
    assert heatmap is not None and float(heatmap[..., :8].max()) == 0 and float(heatmap[..., 8:].max()) > 0


def test_a_speck_of_black_inside_a_film_is_no_hole_in_the_heatmap() -> None:
    model = _model((32, 32))
    x = torch.rand(1, 1, 32, 32)
    x[..., :8] = -1
    x[..., -1] = -1  # a narrow margin
    x[..., 15:18, 20:22] = -1  # a lung's darkest pixels
    with torch.inference_mode():
        heatmap = model.anomaly(x).heatmap
    assert heatmap is not None and float(heatmap[..., 15:18, 20:22].min()) > 0
    assert float(heatmap[..., :8].max()) == 0 and float(heatmap[..., -1].max()) == 0


@pytest.mark.parametrize("size", [(32,), (8, 32), (20, 32), (16, 32, 36)])
def test_a_size_that_cannot_be_halved_so_often_is_refused(size: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="multiples of 8" if size != (8, 32) else "multiples of 16"):
        DenoisingAutoencoder(size, width=2, levels=3 if size == (8, 32) else 2)
