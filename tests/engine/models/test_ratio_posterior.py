"""The ratio posterior's heatmap is its score, place by place, and the posterior is the log ratio with the mixture's share of normals."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from engine.models.ratio_posterior import TURNED_SHARE, RatioNetwork, RatioPosterior, ResidualBlock
from engine.models.scattering import CHANNELS

LAYERS = [(24, 48, 48), (24, 24, 24), (48, 12, 12), (48, 12, 12), (96, 6, 6), (96, 6, 6), (96, 6, 6)]


def _warmed(model: RatioPosterior) -> RatioPosterior:
    """With batch statistics as after a training, so that layers are not all alike."""
    model.train()
    generator = torch.Generator().manual_seed(1)
    for _ in range(3):
        model.anomaly(torch.rand(4, 1, *model.spec.size, generator=generator) * 2 - 1)
    return model.eval()


@pytest.fixture(scope="module")
def model() -> RatioPosterior:
    torch.manual_seed(0)
    return _warmed(RatioPosterior(size=64, width=8, members=3, normal_share=0.6, slope=0.7, offset=0.1))


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.rand(5, 1, 64, 64, generator=torch.Generator().manual_seed(2)) * 2 - 1


def test_layers_are_as_the_docstring_draws_them() -> None:
    network = RatioNetwork().eval()
    seen: list[tuple[int, ...]] = []
    for index, layer in enumerate(network.features):
        if isinstance(layer, ResidualBlock) or index == 2:
            layer.register_forward_hook(lambda _m, _i, out: seen.append(tuple(out.shape[1:])))
    with torch.inference_mode():
        assert network(torch.zeros(2, 1, 96, 96)).shape == (2,)
    assert seen == LAYERS
    assert sum(p.numel() for p in network.parameters()) == 548_185


def test_the_places_terms_have_the_logit_as_their_mean(model: RatioPosterior, images: torch.Tensor) -> None:
    member = model.members[0]
    assert isinstance(member, RatioNetwork)
    with torch.inference_mode():
        terms = member.terms(images)
        assert terms.shape == (5, 1, 4, 4)
        torch.testing.assert_close(terms.mean((1, 2, 3)), member(images), rtol=1e-5, atol=1e-6)


def test_the_heatmap_has_the_score_as_its_mean(model: RatioPosterior, images: torch.Tensor) -> None:
    with torch.inference_mode():
        found = model.anomaly(images)
    assert found.heatmap is not None and found.heatmap.shape == images.shape
    torch.testing.assert_close(found.heatmap.mean((1, 2, 3)), found.scores["log_posterior"], rtol=1e-5, atol=1e-6)
    assert found.heatmap.flatten(1).std(1).min() > 1e-3  # and it says something of where


def test_the_score_is_minus_the_posterior_of_the_members_mean_logit(
    model: RatioPosterior, images: torch.Tensor
) -> None:
    with torch.inference_mode():
        found = model.anomaly(images)
        logit = torch.stack([member(images) for member in model.members]).mean(0)
    assert found.posterior is not None
    torch.testing.assert_close(found.posterior, -found.scores["log_posterior"])
    torch.testing.assert_close(found.posterior, math.log(0.6) + 0.1 + 0.7 * logit, rtol=1e-5, atol=1e-6)


def test_an_image_scores_alone_as_in_a_batch(model: RatioPosterior, images: torch.Tensor) -> None:
    with torch.inference_mode():
        together = model.anomaly(images).scores["log_posterior"]
        alone = torch.cat([model.anomaly(image[None]).scores["log_posterior"] for image in images])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-6)


def test_nothing_in_the_margin_changes_a_score(images: torch.Tensor) -> None:
    torch.manual_seed(0)
    model = _warmed(RatioPosterior(size=64, width=4, members=1, margin=0.1))
    other = torch.rand_like(images)
    other[..., 7:-7, 7:-7] = images[..., 7:-7, 7:-7]
    with torch.inference_mode():
        found, same = model.anomaly(images), model.anomaly(other)
        other[:, :, 10, 10] += 1
        changed = model.anomaly(other)
    assert torch.equal(found.scores["log_posterior"], same.scores["log_posterior"])
    assert not torch.equal(found.scores["log_posterior"], changed.scores["log_posterior"])
    assert found.heatmap is not None
    torch.testing.assert_close(found.heatmap.mean((1, 2, 3)), found.scores["log_posterior"], rtol=1e-5, atol=1e-6)


def test_a_mirror_image_scores_the_same_where_sides_mean_nothing(images: torch.Tensor) -> None:
    torch.manual_seed(0)
    plain = _warmed(RatioPosterior(size=64, width=8, members=2))
    both = RatioPosterior(**plain.architecture | {"mirrored": True}).eval()
    both.load_state_dict(plain.state_dict())
    with torch.inference_mode():
        found, turned = both.anomaly(images), both.anomaly(images.flip(3))
        one, other = (plain.anomaly(x).scores["log_posterior"] for x in (images, images.flip(3)))
    assert (one - other).abs().max() > 1e-4
    torch.testing.assert_close(found.scores["log_posterior"], (one + other) / 2, rtol=1e-5, atol=1e-6)
    assert found.heatmap is not None and turned.heatmap is not None
    torch.testing.assert_close(found.heatmap, turned.heatmap.flip(3), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found.heatmap.mean((1, 2, 3)), found.scores["log_posterior"], rtol=1e-5, atol=1e-5)


@pytest.fixture(scope="module")
def with_rule() -> RatioPosterior:
    """Members that see less of the image than the rule on scattering, on an image that is wider than high."""
    torch.manual_seed(0)
    model = RatioPosterior(
        size=(64, 96), width=4, members=2, margin=0.1, mirrored=True, member_size=(32, 32), scattering_slope=0.4
    )
    assert model.rule is not None
    torch.nn.init.normal_(model.rule.weight)
    return _warmed(model)


def test_the_rule_on_scattering_counts_beside_the_members(with_rule: RatioPosterior) -> None:
    images = torch.rand(3, 1, 64, 96, generator=torch.Generator().manual_seed(3)) * 2 - 1
    assert with_rule.rule is not None
    with torch.inference_mode():
        found = with_rule.anomaly(images)
        members = torch.stack([with_rule.terms_of(member, images).mean((1, 2, 3)) for member in with_rule.members])
        rule = with_rule.terms_of(with_rule.rule, images)
    assert rule.shape == (3, 1, 4, 6) and rule.mean((1, 2, 3)).std() > 1e-3
    torch.testing.assert_close(-found.scores["log_posterior"], members.mean(0) + 0.4 * rule.mean((1, 2, 3)))
    assert found.heatmap is not None and found.heatmap.shape == images.shape
    torch.testing.assert_close(found.heatmap.mean((1, 2, 3)), found.scores["log_posterior"], rtol=1e-4, atol=1e-4)


def test_the_rule_does_not_look_into_the_margin(with_rule: RatioPosterior) -> None:
    images = torch.rand(1, 1, 64, 96, generator=torch.Generator().manual_seed(3)) * 2 - 1
    other = torch.rand_like(images)
    other[..., 7:-7, 10:-10] = images[..., 7:-7, 10:-10]
    with torch.inference_mode():
        scores = [with_rule.anomaly(x).scores["log_posterior"] for x in (images, other)]
    assert torch.equal(*scores)


def test_a_model_with_a_rule_is_built_anew_from_its_card(with_rule: RatioPosterior) -> None:
    again = RatioPosterior(**with_rule.architecture).eval()
    again.load_state_dict(with_rule.state_dict())
    images = torch.rand(2, 1, 64, 96, generator=torch.Generator().manual_seed(4)) * 2 - 1
    with torch.inference_mode():
        torch.testing.assert_close(again.anomaly(images).scores, with_rule.anomaly(images).scores)


def test_the_rule_also_looks_at_the_image_with_its_contrast_evened_out() -> None:
    torch.manual_seed(0)
    model = RatioPosterior(
        size=(64, 96), width=4, members=1, mirrored=True, scattering_slope=0.4, scattering_evened=True
    )
    assert model.rule is not None
    torch.nn.init.normal_(model.rule.weight)
    again = RatioPosterior(**_warmed(model).architecture).eval()
    again.load_state_dict(model.state_dict())
    assert again.rule is not None
    images = torch.rand(3, 1, 64, 96, generator=torch.Generator().manual_seed(5)) * 1.2 - 0.6
    with torch.inference_mode():
        features = again.rule.features(images)
        fainter = again.rule.features(images * 0.7)
        found, alone = again.anomaly(images), again.anomaly(images[:1])
    plain, evened = (fainter - features).chunk(2, dim=1)
    assert features.shape == (3, 2 * CHANNELS, 4, 6)
    assert evened.abs().mean() < 0.2 * plain.abs().mean()
    assert found.heatmap is not None
    torch.testing.assert_close(found.heatmap.mean((1, 2, 3)), found.scores["log_posterior"], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(alone.scores["log_posterior"], found.scores["log_posterior"][:1], rtol=1e-4, atol=1e-4)


def test_a_rule_that_looks_at_evened_contrast_alone_hardly_minds_exposure() -> None:
    torch.manual_seed(0)
    model = RatioPosterior(
        size=(64, 96), width=4, members=1, scattering_slope=0.4, scattering_evened=True, scattering_film=False
    )
    other = RatioPosterior(**model.architecture | {"scattering_window": 1.8})
    assert model.rule is not None and other.rule is not None and len(model.rule.weight) == CHANNELS
    images = torch.rand(3, 1, 64, 96, generator=torch.Generator().manual_seed(5)) * 1.2 - 0.6
    with torch.inference_mode():
        features, fainter = model.rule.features(images), model.rule.features(images * 0.7)
        narrower = other.rule.features(images)
    assert (fainter - features).abs().mean() < 0.05
    assert (narrower - features).abs().mean() > 0.1
    again = RatioPosterior(**other.architecture)
    again.load_state_dict(other.state_dict())
    assert again.rule is not None and (again.rule.film, again.rule.window) == (False, 1.8)


@pytest.mark.parametrize("changes", [{"scattering_film": False}, {"scattering_window": 0.0}])
def test_a_rule_that_looks_at_nothing_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must look at the image"):
        RatioPosterior(scattering_slope=0.4, **changes)


def test_a_model_made_before_contrast_was_evened_out_looks_at_the_image_alone(with_rule: RatioPosterior) -> None:
    new = {"scattering_evened", "scattering_film", "scattering_window"}
    before = {name: value for name, value in with_rule.architecture.items() if name not in new}
    again = RatioPosterior(**before)
    again.load_state_dict(with_rule.state_dict())
    assert again.rule is not None and len(again.rule.weight) == CHANNELS


def test_a_rule_that_turns_images_has_a_meaning_of_its_own_for_either_side_but_minds_no_mirror() -> None:
    torch.manual_seed(0)
    model = RatioPosterior(
        size=(64, 96), width=4, members=1, mirrored=True, scattering_slope=0.4, scattering_turned=True
    )
    assert model.rule is not None
    torch.nn.init.normal_(model.rule.weight)
    model.rule.side.normal_(generator=torch.Generator().manual_seed(1))
    again = RatioPosterior(**_warmed(model).architecture).eval()
    again.load_state_dict(model.state_dict())
    assert again.rule is not None
    images = torch.rand(6, 1, 64, 96, generator=torch.Generator().manual_seed(6)) * 2 - 1
    with torch.inference_mode():
        found, mirrored = again.anomaly(images), again.anomaly(images.flip(3))
        terms = again.terms_of(again.rule, images)
        views = again.rule.features(images), again.rule.features(images.flip(3))
        _, turned = again.rule.together(*views)
    assert 0 < int(turned.sum()) < 6  # some were turned, and some were not
    torch.testing.assert_close(found.scores, mirrored.scores, rtol=1e-4, atol=1e-4)
    assert found.heatmap is not None and mirrored.heatmap is not None
    torch.testing.assert_close(found.heatmap, mirrored.heatmap.flip(3), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(found.heatmap.mean((1, 2, 3)), found.scores["log_posterior"], rtol=1e-4, atol=1e-4)
    share = torch.where(turned, TURNED_SHARE, 1 - TURNED_SHARE)
    said = ((views[0] * (1 - share) + views[1] * share) * again.rule.weight).sum(1, keepdim=True)
    turned_back = torch.cat([one.flip(2) if turn else one for one, turn in zip(said, turned, strict=True)])
    torch.testing.assert_close(terms, turned_back[:, None], rtol=1e-3, atol=1e-3)


def test_only_a_mirrored_model_may_turn_images() -> None:
    with pytest.raises(ValueError, match="mirrored"):
        RatioPosterior(size=64, scattering_slope=0.4, scattering_turned=True)


@pytest.mark.parametrize(
    "wrong",
    [{"size": 16}, {"size": 100}, {"members": 0}, {"normal_share": 0.0}, {"normal_share": 1.1}, {"slope": -0.1}],
)
def test_what_makes_no_network_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        RatioPosterior(**wrong)  # type: ignore[arg-type]


def test_places_of_members_that_do_not_fit_the_image_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        RatioPosterior(size=128, member_size=(96, 96))
