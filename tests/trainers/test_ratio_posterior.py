"""Members learn from their own images by their own loss, a run can be resumed to the same end, and what ends in the card needs no label."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from engine.errors import CohortRejected
from engine.models.local_contrast import NEIGHBOURHOOD
from engine.models.ratio_posterior import RatioNetwork, RatioPosterior
from tests.trainers.conftest import Make, drawn
from tests.trainers.method_runs import seen
from trainers import ratio_posterior
from trainers.draw import drawn_cohorts
from trainers.held_out_slopes import SURE
from trainers.method import Batch, TrainingImages
from trainers.ratio_posterior import RatioPosteriorPlan, RatioPosteriorTrainer
from trainers.registry import trainer_of
from trainers.training import Progress, run_training
from trainers.watching import held_out_loss


def _trainer(**changes: object) -> RatioPosteriorTrainer:
    values = {"size": (32, 32), "epochs": 3, "width": 4, "members": 2, "folds": 3, "batch": 6} | changes
    trainer = trainer_of(RatioPosteriorPlan.model_validate(values), Fabric(accelerator="cpu", devices=1))
    assert isinstance(trainer, RatioPosteriorTrainer)
    return trainer


@pytest.fixture(scope="module")
def images() -> TrainingImages:
    normal = np.stack([drawn(seed, side=32) for seed in range(18)])
    mixture = np.stack([drawn(100 + seed, abnormal=seed % 2 == 0, side=32) for seed in range(18)])
    return TrainingImages(normal, mixture, None, np.arange(18) // 2, np.arange(18) // 2)


def _batch(images: TrainingImages, indices: list[int]) -> Batch:
    assert images.mixture is not None
    chosen = torch.tensor(indices)
    sides = [torch.from_numpy(side[indices])[:, None] / 127.5 - 1 for side in (images.normal, images.mixture)]
    return Batch(sides[0], chosen, sides[1], 0.5, chosen)


def test_a_member_is_changed_by_its_own_update_only(images: TrainingImages, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = _trainer()
    trainer.begin(images)
    before = [[p.detach().clone() for p in network.parameters()] for network in trainer.networks]
    update = trainer.update
    monkeypatch.setattr(trainer, "update", lambda name, loss: name == "member 1" and update(name, loss))
    trainer.step(_batch(images, list(range(12))), torch.Generator().manual_seed(0))
    moved = [
        any(not torch.equal(a, b) for a, b in zip(kept, network.parameters(), strict=True))
        for kept, network in zip(before, trainer.networks, strict=True)
    ]
    assert moved == [False, True]


def test_a_member_never_sees_its_fold(images: TrainingImages) -> None:
    first, second = _trainer(occlusion=0.0), _trainer(occlusion=0.0)
    indices = list(range(18))
    for trainer in (first, second):
        trainer.begin(images)
        trainer.begin_epoch(0)
        batch = _batch(images, indices)
        if trainer is second:
            assert batch.mixture is not None
            batch.normal[trainer.folds[0] == 1] = 0.7
            batch.mixture[trainer.folds[1] == 1] = -0.3
        torch.manual_seed(0)
        trainer.step(batch, torch.Generator().manual_seed(0))
    same = [
        all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
        for one, other in zip(first.networks, second.networks, strict=True)
    ]
    assert same == [False, True]


def test_a_patients_images_are_in_one_fold_and_folds_are_even(images: TrainingImages) -> None:
    trainer = _trainer()
    trainer.begin(images)
    for folds in trainer.folds:
        assert torch.equal(folds[0::2], folds[1::2])
        assert folds.bincount().tolist() == [6, 6, 6]


def test_the_risks_agree_until_the_mixture_looks_less_normal_than_it_can_be() -> None:
    plain, bounded = _trainer(), _trainer(risk="non-negative", least_normal_share=0.5)
    known, mixture = torch.tensor([0.2, 0.4]), torch.tensor([0.5, -1.0])
    torch.testing.assert_close(plain.risk(known, mixture), bounded.risk(known, mixture))
    known, mixture = torch.tensor([3.0, 3.0], requires_grad=True), torch.tensor([-4.0, -4.0], requires_grad=True)
    risk, step = bounded.risk(known, mixture)
    assert risk > plain.risk(known, mixture)[0]
    step.backward()
    assert (
        mixture.grad is not None and (mixture.grad < 0).all()
    )  # a step downwards makes the mixture look more normal again


def test_it_learns_to_tell_abnormal_images_that_nobody_named(images: TrainingImages) -> None:
    trainer = _trainer(epochs=12, learning_rate=5e-3)
    history = run_training(trainer, images, None)
    assert history[-1].losses["risk"] < 0.95 * history[0].losses["risk"]
    model = trainer.scoring_model()
    new = np.stack([drawn(500 + seed, abnormal=seed >= 8, side=32) for seed in range(16)])
    with torch.inference_mode():
        scores = model.anomaly(torch.from_numpy(new)[:, None] / 127.5 - 1).scores["log_posterior"]
    assert scores[8:].mean() > scores[:8].mean()
    findings = trainer.findings
    assert 0 < findings["normal_share_of_mixture"] <= 1 and model.normal_share == trainer.average.normal_share
    assert findings["held_out_risk_fitted"] <= findings["held_out_risk"] + 1e-6
    assert findings["held_out_images"] == [12, 12]  # two members, each judged on its own third


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"scattering_likeness": True, "scattering_evened": True, "scattering_turned": True, "mirrored": True},
        {"scattering_likeness": True, "scattering_evened": True, "scattering_film": False, "scattering_window": 1.8},
    ],
)
def test_the_rule_counts_for_as_much_as_held_out_images_bear_it_out(
    images: TrainingImages, changes: dict[str, object]
) -> None:
    trainer = _trainer(scattering=True, epochs=1, **changes)
    run_training(trainer, images, None)
    model = trainer.scoring_model()
    assert model.rule is not None and model.rule.weight.abs().max() > 0
    assert model.rule.turned == ("scattering_turned" in changes)
    assert model.rule.film == ("scattering_film" not in changes)
    assert model.rule.window == changes.get("scattering_window", NEIGHBOURHOOD)
    assert not model.rule.turned or model.rule.side.abs().max() > 0
    members, rule = trainer.findings["slopes_of_members_and_rule"]
    assert model.slope == pytest.approx(members, abs=1e-4) and model.scattering_slope == pytest.approx(rule, abs=1e-4)
    new = np.stack([drawn(500 + seed, abnormal=seed >= 8, side=32) for seed in range(16)])
    with torch.inference_mode():
        scores = model.anomaly(torch.from_numpy(new)[:, None] / 127.5 - 1).scores["log_posterior"]
    assert scores[8:].mean() > scores[:8].mean()


def test_where_the_rule_counts_alone_the_held_out_risk_is_the_rules(
    images: TrainingImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ratio_posterior, "surplus", lambda known, mixture, patients: 0.0)
    trainer = _trainer(scattering=True, epochs=1)
    run_training(trainer, images, None)
    assert trainer.average.rule is not None
    known, mixture = trainer._fit_rule(images, trainer.average.rule)
    risk = np.logaddexp(0, -known).mean() + np.logaddexp(0, mixture).mean()
    assert trainer.findings["held_out_risk"] == pytest.approx(risk, abs=1e-5)


@pytest.mark.parametrize("adds", [SURE - 0.1, SURE + 0.1])
def test_members_count_beside_the_rule_only_where_held_out_images_show_that_they_add_to_it(
    adds: float, images: TrainingImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ratio_posterior, "surplus", lambda known, mixture, patients: adds)
    trainer = _trainer(scattering=True, epochs=1)
    run_training(trainer, images, None)
    model, findings = trainer.scoring_model(), trainer.findings
    assert (model.slope > 0) is (adds > SURE)
    # of two members, each has an own third; the rule has all
    assert images.mixture is not None
    every = [len(images.normal), len(images.mixture)]
    assert findings["held_out_images"] == ([12, 12] if adds > SURE else every)
    assert findings["standard_errors_that_members_add_to_the_rule"] == pytest.approx(adds)
    x = torch.from_numpy(images.normal[:3])[:, None] / 127.5 - 1
    with torch.inference_mode():
        found = model.anomaly(x)
        assert model.rule is not None and model.scattering_slope is not None and found.heatmap is not None
        alone = model.scattering_slope * model.terms_of(model.rule, x).mean((1, 2, 3))
    said = -model.log_posterior(alone)
    assert torch.allclose(found.scores["log_posterior"], said, atol=1e-5) is (adds < SURE)
    torch.testing.assert_close(found.heatmap.mean((1, 2, 3)), found.scores["log_posterior"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("scattering", [False, True])
def test_a_resumed_run_ends_where_an_uninterrupted_one_does(
    scattering: bool, images: TrainingImages, tmp_path: Path
) -> None:
    whole = _trainer(scattering=scattering)
    run_training(whole, images, None)

    class PulledPlug(Exception):
        pass

    def pull(progress: Progress) -> None:
        if progress.epoch == 2:
            raise PulledPlug

    checkpoint = tmp_path / "checkpoint.safetensors"
    with pytest.raises(PulledPlug):
        run_training(_trainer(scattering=scattering), images, checkpoint, on_progress=pull)
    second = _trainer(scattering=scattering)
    run_training(second, images, checkpoint, resume=True)
    assert second.findings == whole.findings
    assert second.scoring_model().architecture == whole.scoring_model().architecture
    for name, value in whole.scoring_model().state_dict().items():
        torch.testing.assert_close(second.scoring_model().state_dict()[name], value, rtol=0, atol=0)


def test_what_is_fitted_on_held_out_images_is_what_will_score(images: TrainingImages) -> None:
    trainer = _trainer(mirrored=True)
    trainer.begin(images)
    member = trainer.average.members[0]
    assert isinstance(member, RatioNetwork)
    member.linear.weight.mul_(1000)  # an untrained network says nearly the same of every image
    known, _ = trainer.held_out(images)
    model = trainer.scoring_model()
    assert model.mirrored
    place = int((trainer.folds[0] == 0).nonzero()[0])
    pixels = torch.from_numpy(images.normal[place])[None, None] / 127.5 - 1
    with torch.inference_mode():
        both = torch.stack([model.members[0](x) for x in (pixels, pixels.flip(3))])
    assert (both[0] - both[1]).abs() > 1e-3
    assert known[0] == pytest.approx(float(both.mean()), abs=1e-4)


def test_a_run_may_start_from_the_features_of_another(bundle_of: Callable[[RatioPosterior], Path]) -> None:
    torch.manual_seed(7)
    other = RatioPosterior(size=32, width=4, members=1)
    trainer = _trainer(start=str(bundle_of(other)))
    for network in trainer.networks:
        for kept, given in zip(network.features.parameters(), other.members[0].features.parameters(), strict=True):
            torch.testing.assert_close(kept, given, rtol=1e-3, atol=1e-4)  # stored as float16
    linear = [network.linear.weight for network in trainer.networks]
    assert not torch.equal(linear[0], linear[1])
    with pytest.raises(ValueError, match="width 8"):
        _trainer(start=str(bundle_of(other)), width=8)


def test_a_plan_that_turns_images_and_is_not_mirrored_is_refused() -> None:
    with pytest.raises(ValueError, match="needs mirrored"):
        _trainer(scattering=True, scattering_turned=True)


def test_a_run_without_a_mixture_is_refused(cohort_csv: Make) -> None:
    with pytest.raises(CohortRejected, match="unlabelled mixture"):
        drawn_cohorts(_trainer(), cohort_csv(), None)


def test_a_rule_that_would_look_at_nothing_is_refused_with_its_plan() -> None:
    with pytest.raises(ValueError, match="needs scattering_evened"):
        _trainer(scattering=True, scattering_film=False)


def test_held_out_normals_and_the_mixture_are_judged_by_members_that_learned_nothing_from_them(
    images: TrainingImages,
) -> None:
    trainer = _trainer(members=4, folds=3)
    with_held = replace(images, held=np.stack([drawn(300 + seed, side=32) for seed in range(7)]))
    run_training(trainer, with_held, None)
    assert images.mixture is not None and with_held.held is not None
    network, risks = trainer.average.eval(), []
    with torch.no_grad():
        for index in range(3):  # the fourth member shares the first one's fold
            member = network.members[index]
            own = seen(images.mixture)[trainer.folds[1] == index]
            known, mixture = (member.terms(x).double().mean((1, 2, 3)) for x in (seen(with_held.held), own))
            risks.append((torch.log1p(torch.exp(-known)).mean(), torch.log1p(torch.exp(mixture)).mean()))
    expected = sum(float(known + mixture) for known, mixture in risks) / 3  # folds are of six images each
    assert held_out_loss(trainer, with_held) == pytest.approx(expected, rel=1e-5)
    assert not trainer.average.training and trainer.networks[0].training
