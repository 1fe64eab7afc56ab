"""SALAD and MemDAE score an image alone as in a batch and from a bundle, and show the normals that it is most like."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.models.bundle import load_bundle, save_bundle
from engine.models.card import Card, InputSpec
from engine.models.inference import Inference
from engine.models.mem_dae import MemDAE
from engine.models.salad import SALAD
from tests.engine.models.shapes import parameters_of

KINDS = [SALAD, MemDAE]


def _small(kind: type[SALAD] = SALAD, **changes: object) -> SALAD:
    torch.manual_seed(0)
    values = {"size": 64, "width": 2, "code": 6, "bank": 12, "neighbours": 3, "heatmap_sigma": 0} | changes
    model = kind(**values).eval()  # type: ignore[arg-type]
    if len(model.thumbnails):
        model.thumbnails.copy_(torch.randint(0, 256, model.thumbnails.shape))
    return model


def _images(count: int = 4) -> torch.Tensor:
    return torch.rand(count, 1, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1


def _card(card: Card, model: SALAD) -> Card:
    return card.model_copy(
        update={
            "method": model.method,
            "architecture": model.architecture,
            "input": InputSpec(spatial_dims=2, size=(64, 64)),
        }
    )


def test_the_papers_sizes_are_the_defaults() -> None:
    with torch.device("meta"):
        model = SALAD()
    assert (model.spec.size, model.code, model.neighbours, model.network) == ((256, 256), 200, 100, "unet")
    assert parameters_of(model) == parameters_of(model.autoencoder)


def test_scores_are_the_papers_and_ours() -> None:
    model, x = _small(), _images()
    with torch.inference_mode():
        found = model.anomaly(x)
        z, drawn = model.autoencoder(x)
    assert set(found.scores) == {"aggregation", "mse", "ssim", "local_error"}
    torch.testing.assert_close(found.scores["aggregation"], model.memory.aggregation(z, 3))
    torch.testing.assert_close(found.scores["mse"], (x - drawn).square().mean((1, 2, 3)))
    assert found.heatmap is not None
    torch.testing.assert_close(found.heatmap, (x - drawn).square())


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_scores_alone_as_in_a_batch_and_from_a_bundle(card: Card, tmp_path: Path, kind: type[SALAD]) -> None:
    model, x = _small(kind, thumbnail=8), _images()
    save_bundle(tmp_path / "own.safetensors", model, _card(card, model), None, None)
    bundle = load_bundle(tmp_path / "own.safetensors")
    assert type(bundle.model) is kind
    ready = Inference(bundle, "cpu")
    with torch.inference_mode():
        together = model.anomaly(x)
        alone = [ready(image[None]) for image in x]
    for name, values in together.scores.items():
        torch.testing.assert_close(values, torch.cat([one.scores[name] for one in alone]), rtol=1e-4, atol=1e-6)
    assert together.neighbours is not None
    for index, one in enumerate(alone):
        assert one.neighbours is not None
        assert torch.equal(one.neighbours[0], together.neighbours[index])


def test_neighbours_are_the_pictures_of_the_nearest_codes() -> None:
    model = _small(thumbnail=8)
    x = _images()
    with torch.inference_mode():
        model.memory.codes[5] = model.autoencoder.encode(x[:1])[0]
        found = model.anomaly(x)
    assert found.neighbours is not None and found.neighbours.shape == (4, 4, 8, 8)
    assert torch.equal(((found.neighbours[0, 0] + 1) * 127.5).round().byte(), model.thumbnails[5])


def test_a_bundle_without_pictures_shows_none(card: Card, tmp_path: Path) -> None:
    model = _small()
    save_bundle(tmp_path / "own.safetensors", model, _card(card, model), None, None)
    assert Inference(load_bundle(tmp_path / "own.safetensors"), "cpu")(_images()).neighbours is None


def test_pictures_and_counts_survive_half_precision_whole(card: Card, tmp_path: Path) -> None:
    model = _small(thumbnail=8)
    counts = {name: value for name, value in model.state_dict().items() if name.endswith("num_batches_tracked")}
    for value in counts.values():
        value.fill_(100_001)  # more than float16 can hold
    save_bundle(tmp_path / "half.safetensors", model, _card(card, model), None, None, dtype=torch.float16)
    loaded = load_bundle(tmp_path / "half.safetensors").model.state_dict()
    assert torch.equal(loaded["thumbnails"], model.thumbnails) and loaded["thumbnails"].dtype == torch.uint8
    assert counts and all(torch.equal(loaded[name], value) for name, value in counts.items())
    # 8 x 8 bytes for each of 12 normals, not twice as many
    assert (tmp_path / "half.safetensors").read_bytes().count(bytes(model.thumbnails.flatten().tolist())) == 1
