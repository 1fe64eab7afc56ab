"""A bundle scores as the network it was saved from, and what is not a sound bundle is refused by name with a cure."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from engine.errors import BundleRejected, StorageUnavailable
from engine.models import shelf
from engine.models.alpha_gan import AlphaGAN
from engine.models.bundle import load_bundle, save_bundle
from engine.models.card import Card

Write = Callable[..., Path]


def _rewritten(path: Path, change: Callable[[dict], None]) -> Path:
    """The file with its header changed, offsets kept."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])
    return path


def test_a_loaded_bundle_scores_exactly_as_the_saved_network(write: Write, model: AlphaGAN) -> None:
    bundle = load_bundle(write())
    x = torch.rand(4, 1, 32, 32) * 2 - 1
    with torch.inference_mode():
        saved, loaded = model.anomaly(x), bundle.model.anomaly(x)
    for name, values in saved.scores.items():
        assert torch.equal(values, loaded.scores[name])
    assert torch.equal(saved.heatmap, loaded.heatmap)
    assert not bundle.model.training
    assert bundle.heatmap_p99 is not None and bundle.heatmap_p99.shape == (1, 32, 32)


def test_float16_storage_keeps_scores_within_a_thousandth(
    write: Write, model: AlphaGAN, card: Card, tmp_path: Path
) -> None:
    save_bundle(tmp_path / "half.safetensors", model, card, None, None, dtype=torch.float16)
    bundle = load_bundle(tmp_path / "half.safetensors")
    assert (tmp_path / "half.safetensors").stat().st_size < 0.6 * write().stat().st_size
    x = torch.rand(4, 1, 32, 32) * 2 - 1
    with torch.inference_mode():
        saved, loaded = model.anomaly(x).scores, bundle.model.anomaly(x).scores
    for name, values in saved.items():
        torch.testing.assert_close(loaded[name], values, rtol=1e-3, atol=1e-3)
    assert bundle.heatmap_mean is None


def test_float16_storage_rounds_no_bias_and_no_statistic_of_a_normalisation(
    model: AlphaGAN, card: Card, tmp_path: Path
) -> None:
    with torch.no_grad():
        for value in model.state_dict().values():
            if value.is_floating_point():
                value.fill_(0.1)
    save_bundle(tmp_path / "half.safetensors", model, card, None, None, dtype=torch.float16)
    stored = load_bundle(tmp_path / "half.safetensors").model.state_dict()
    kinds = {value.ndim > 1 for value in stored.values() if value.is_floating_point()}
    assert kinds == {True, False}, "the network has both"
    for name, value in stored.items():
        if value.is_floating_point():
            assert bool((value == 0.1).all()) == (value.ndim <= 1), name


def test_the_card_survives(write: Write, card: Card) -> None:
    assert shelf.read_card(write()) == card
    assert load_bundle(write()).hash == shelf.bundle_hash(write())


def test_the_shelf_is_read_without_torch() -> None:
    code = "import sys; from engine.models import shelf; shelf.installed(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("kept", [0, 4, 8, 100, -1])
def test_a_truncated_file_is_refused(write: Write, kept: int) -> None:
    path = write()
    path.write_bytes(path.read_bytes()[:kept])
    for reader in (shelf.read_card, load_bundle):
        with pytest.raises(BundleRejected) as caught:
            reader(path)
        assert str(path) in str(caught.value) and caught.value.cure


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04" + b"\0" * 100, b"\x80\x02ctorch\n" * 20, b"\x10" + b"\0" * 7 + b"[" * 16]
)
def test_a_file_that_is_not_safetensors_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(BundleRejected):
        load_bundle(path)


def test_a_safetensors_file_without_a_card_is_refused(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(2)}, tmp_path / "plain.safetensors")
    with pytest.raises(BundleRejected, match="without a model card"):
        load_bundle(tmp_path / "plain.safetensors")


def test_a_card_of_a_newer_version_is_refused(write: Write) -> None:
    with pytest.raises(BundleRejected, match="version 99"):
        load_bundle(write(card_version=99))


def test_an_unknown_method_is_refused(write: Write) -> None:
    with pytest.raises(BundleRejected, match="crystal-ball"):
        load_bundle(write(method="crystal-ball"))


@pytest.mark.parametrize(
    "architecture",
    [
        {"size": 64, "code": 16, "width": 64},
        {"size": 32, "code": 17, "width": 64},
        {"size": 32, "code": 16, "width": 1 << 40},  # refused by its shapes: nothing of that size is made
        {"size": 32, "code": 16, "colour": "red"},
        {"size": 33},
    ],
)
def test_weights_of_another_architecture_are_refused(write: Write, architecture: dict) -> None:
    with pytest.raises(BundleRejected, match="weights are not those"):
        load_bundle(write(architecture=architecture))


def test_weights_that_are_not_numbers_are_refused(write: Write, model: AlphaGAN) -> None:
    broken = AlphaGAN(**model.architecture)
    with torch.no_grad():
        broken.encoder.linear.weight[0, 0] = float("nan")
    with pytest.raises(BundleRejected, match="not all numbers"):
        load_bundle(write(other=broken))


def test_offsets_that_lie_are_refused(write: Write) -> None:
    def shorten(header: dict) -> None:
        header["model.encoder.linear.weight"]["shape"] = [1, 1]

    with pytest.raises(BundleRejected):
        load_bundle(_rewritten(write(), shorten))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleRejected):
        shelf.find(tmp_path / "absent.safetensors")
    with pytest.raises(BundleRejected, match="no model is called"):
        shelf.find("no-such-model")


def test_one_damaged_bundle_does_not_hide_the_others(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("sound.safetensors")
    (tmp_path / "damaged.safetensors").write_bytes(b"nothing")
    monkeypatch.setattr(shelf, "SHIPPED", tmp_path)
    monkeypatch.setattr(shelf, "user_folder", lambda: tmp_path / "none")
    told: list[BundleRejected] = []
    assert [bundle.id for bundle in shelf.installed(on_error=told.append)] == ["small"]
    assert len(told) == 1 and "damaged" in str(told[0])


def test_a_bundle_that_cannot_be_written_leaves_the_old_one(
    write: Write, model: AlphaGAN, card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write()
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("engine.models.bundle.os.fsync", full)
    with pytest.raises(StorageUnavailable, match="No space left"):
        save_bundle(path, model, card, None, None)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_what_a_killed_save_left_is_removed_by_the_next_and_a_save_under_way_is_not(
    write: Write, tmp_path: Path
) -> None:
    abandoned, under_way = tmp_path / ".small.safetensors.123.tmp", tmp_path / ".small.safetensors.124.tmp"
    another = tmp_path / ".other.safetensors.123.tmp"
    longer = tmp_path / ".small.safetensors.old.123.tmp"
    for file in (abandoned, under_way, another, longer):
        file.write_bytes(b"half")
        if file != under_way:
            os.utime(file, (0, 0))
    path = write()
    assert set(tmp_path.iterdir()) == {path, under_way, another, longer}


def test_reading_a_bundle_imports_no_compiler(tiny_bundle_file: Path) -> None:
    """Which takes as long as torch itself: each start of the engine would wait for it."""
    code = "import sys; from engine.models.bundle import load_bundle; load_bundle(sys.argv[1]); print('torch._dynamo' in sys.modules)"
    command = [sys.executable, "-c", code, str(tiny_bundle_file)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    assert subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout == "False\n"


def _with_card(path: Path, **changes: object) -> Path:
    """The file with its card changed as only a hand or another program changes it: past every check that Normascope makes when it writes one."""

    def change(header: dict) -> None:
        card = json.loads(header["__metadata__"]["card"])
        header["__metadata__"]["card"] = json.dumps(card | changes)

    return _rewritten(path, change)


@pytest.mark.parametrize(
    ("preprocessing", "words"),
    [
        ({"name": "abdomen"}, "'abdomen' .*no preprocessing is called"),
        ({"name": "chest", "options": {"colour": "red"}}, "'chest' .*colour: Extra inputs"),
        ({"name": "chest", "options": {"grey": "purple"}}, "'chest' .*grey: Input should be"),
        ({"name": "head-ct", "options": {"lungs": "only"}}, "'head-ct' .*lungs: Extra inputs"),
    ],
)
def test_a_preprocessing_that_is_not_known_blames_the_bundle_and_no_image(
    write: Write, preprocessing: dict, words: str
) -> None:
    path = _with_card(write(), preprocessing=preprocessing)
    for reader in (shelf.read_card, load_bundle):
        with pytest.raises(BundleRejected, match=words) as caught:
            reader(path)
        assert str(path) in str(caught.value) and "newer version" in caught.value.cure
        assert "http" not in str(caught.value) and "\n" not in str(caught.value)


def test_a_preprocessing_of_other_dimensions_than_the_network_is_refused(write: Write) -> None:
    with pytest.raises(BundleRejected, match="does not make an input of 2 dimensions"):
        load_bundle(_with_card(write(), preprocessing={"name": "head-ct"}))


@pytest.mark.parametrize(
    ("calibration", "words"),
    [
        ({"normal_scores": [], "n": 0}, "normal_scores: .*at least 1 item"),
        ({"normal_scores": [0.0, float("nan"), 1.0], "n": 3}, "normal_scores: they are not all finite"),
        ({"normal_scores": [0.0, float("inf")], "n": 2}, "normal_scores: they are not all finite"),
        ({"normal_scores": [2.0, 1.0, 3.0], "n": 3}, "normal_scores: they are not in ascending order"),
        ({"normal_scores": [0.0, 1.0], "n": 0}, r"code_norm\.n: "),
    ],
)
def test_a_calibration_that_places_no_score_is_refused(write: Write, calibration: dict, words: str) -> None:
    path = _with_card(write(), calibration={"scores": {"code_norm": calibration}})
    for reader in (shelf.read_card, load_bundle):
        with pytest.raises(BundleRejected, match=words) as caught:
            reader(path)
        assert str(path) in str(caught.value) and caught.value.cure and "Value error" not in str(caught.value)


@pytest.mark.parametrize("percentile", [1e9, 100.5, -1.0, float("nan")])
def test_a_percentile_that_cannot_be_reached_flags_nothing_and_is_refused(
    write: Write, card: Card, percentile: float
) -> None:
    calibration = card.calibration.model_dump() | {"flag_percentile": percentile}
    with pytest.raises(BundleRejected, match="flag_percentile"):
        load_bundle(_with_card(write(), calibration=calibration))


def test_a_model_that_ranks_by_a_score_without_a_calibration_is_refused(write: Write) -> None:
    with pytest.raises(BundleRejected, match="ranks by 'ssim', for which it has no calibration"):
        load_bundle(_with_card(write(), primary_score="ssim"))


def test_a_card_that_says_only_what_the_first_version_said_is_still_read(write: Write) -> None:
    def forget(header: dict) -> None:
        card = json.loads(header["__metadata__"]["card"])
        del card["calibration"]["flag_percentile"], card["calibration"]["cohort"], card["preprocessing"]["options"]
        kept = {name: value for name, value in card.items() if name not in ("recipe", "evaluation", "versions")}
        header["__metadata__"]["card"] = json.dumps(kept | {"card_version": 1})

    card = load_bundle(_rewritten(write(), forget)).card
    assert card.card_version == 1 and card.calibration.flag_percentile == 95 and card.preprocessing.options == {}
