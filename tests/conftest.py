"""What every test may ask for: the real images beside the checkout, and a display-free Qt unless a display is there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

if (
    "PYTEST_XDIST_WORKER" in os.environ
):  # before torch: processes that share the cores would wait for each other's threads
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from engine.models.freed_memory import keep_freed_memory

keep_freed_memory()  # as every process of ours that runs networks: hundreds of small ones are trained here


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Without a screen, Qt draws into memory; pytest-xvfb has made a virtual one before this where it can, in each process that runs tests."""
    only_hands_out = config.getoption("numprocesses", None) and not hasattr(config, "workerinput")
    if not os.environ.get("DISPLAY") and not only_hands_out:
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where tests run in several processes: windows in one of them, as a screen has one focus, and each other file whole, as its fixtures are dear."""
    for item in items:
        shows_a_window = "qtbot" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("windows" if shows_a_window else str(item.path)))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real radiographs and CT; a test that asks for it is skipped where it is absent."""
    folder = Path(os.environ.get("NORMASCOPE_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real images are not here: {folder} (set NORMASCOPE_SHARED_DATA)")
    return folder


@pytest.fixture(scope="module")
def coarse_phantoms() -> Iterator[None]:
    """Cohorts of phantoms of 256 pixels and thick voxels: made in a tenth of the time, and alike in all but detail."""
    from engine.phantoms import chest, cohort, hand, head
    from engine.phantoms.phantom import LesionRequest, Phantom

    def rendered(study: cohort.PlannedStudy) -> Phantom:
        lesion = None if study.lesion is None else LesionRequest(study.lesion)
        if study.kind == "chest":
            return chest.render(study.seed, lesion, size=256)
        if study.kind == "hand":
            return hand.render(study.seed, lesion, shape=(256, 200))
        return head.render(study.seed, lesion, shape=(32, 48, 48), spacing=(5.0, 4.8, 4.8))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cohort, "rendered", rendered)
        yield


@pytest.fixture(scope="session")
def tiny_bundle_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small untrained alpha-GAN with a calibration: what it says is meaningless, how it is asked and answers is not."""
    import numpy as np
    import torch

    from engine.models.alpha_gan import AlphaGAN
    from engine.models.bundle import save_bundle
    from engine.models.card import Applicability
    from tests.cards import card_of

    size = 16
    torch.manual_seed(0)
    model = AlphaGAN(size=size, code=8, width=16).eval()
    card = card_of(
        model,
        np.linspace(0, 4, 21),
        ("code_norm", "reconstruction_error", "ssim"),
        id="tiny",
        title="Tiny",
        applicability=Applicability(modality=("CR", "DX"), body_part=("CHEST",)),
        primary_score="reconstruction_error",
    )
    path = tmp_path_factory.mktemp("bundle") / "tiny.safetensors"
    save_bundle(path, model, card, torch.full((1, size, size), 0.2), torch.full((1, size, size), 0.9))
    return path
