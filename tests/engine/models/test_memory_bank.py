"""The memory bank keeps detached unit codes, scores by equation 4, and never asks for the arccos of more than one."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from engine.models.memory_bank import MemoryBank, usable_neighbours


def _bank(*codes: list[float]) -> MemoryBank:
    bank = MemoryBank(len(codes), len(codes[0]))
    bank.codes.copy_(F.normalize(torch.tensor(codes, dtype=torch.float32), dim=1))
    return bank


def test_it_starts_with_unit_vectors_that_no_optimiser_sees() -> None:
    bank = MemoryBank(7, 5)
    torch.testing.assert_close(bank.codes.norm(dim=1), torch.ones(7))
    assert not list(bank.parameters())
    assert "codes" in bank.state_dict()


def test_an_update_is_a_moving_average_of_unit_length_for_the_named_images_alone() -> None:
    bank = _bank([1, 0], [0, 1], [1, 0])
    bank.update(torch.tensor([0, 1]), torch.tensor([[0.0, 1], [0, 1]]), 0.5)
    half = math.sqrt(0.5)
    torch.testing.assert_close(bank.codes, torch.tensor([[half, half], [0, 1], [1, 0]]))


def test_what_it_stores_carries_no_gradient() -> None:
    bank = _bank([1, 0], [0, 1])
    z = F.normalize(torch.tensor([[1.0, 1.0]], requires_grad=True), dim=1)
    bank.update(torch.tensor([0]), z, 0.5)
    assert not bank.codes.requires_grad
    bank.log_probabilities(z, 0.1).sum().backward()  # and the next step's graph does not reach the last one's
    assert bank.codes.grad is None


def test_likeness_is_equation_1() -> None:
    bank = _bank([1, 0], [0, 1], [-1, 0])
    z = torch.tensor([[0.6, 0.8]])
    exact = torch.tensor([0.6, 0.8, -0.6]).div(0.1).exp()
    torch.testing.assert_close(bank.log_probabilities(z, 0.1).exp()[0], exact / exact.sum())


def test_entropies_are_those_of_the_likeness_whatever_the_rows_at_once() -> None:
    torch.manual_seed(0)
    bank = MemoryBank(9, 4)
    p = bank.log_probabilities(bank.codes, 0.5).exp()
    exact = -(p * p.log()).sum(1)
    torch.testing.assert_close(bank.entropies(0.5), exact)
    torch.testing.assert_close(bank.entropies(0.5, rows=2), exact)


def test_a_code_with_company_has_more_entropy_than_a_lonely_one() -> None:
    company, _, lonely = _bank([1, 0.01], [1, 0], [-1, 0]).entropies(0.1)
    assert company > lonely


def test_aggregation_is_equation_4() -> None:
    torch.manual_seed(1)
    bank = MemoryBank(12, 5)
    z = F.normalize(torch.randn(3, 5), dim=1)
    angles = torch.arccos(z @ bank.codes.T)
    weights = angles / angles.sum(1, keepdim=True)
    exact = weights.sort(1).values[:, :3].mean(1)
    torch.testing.assert_close(bank.aggregation(z, 3), exact)


def test_aggregation_of_stored_codes_is_finite_and_lowest() -> None:
    torch.manual_seed(2)
    bank = MemoryBank(400, 200)
    stored = bank.aggregation(bank.codes, 1)  # rounding makes some of these cosines exceed 1
    assert torch.isfinite(stored).all()
    assert stored.max() < bank.aggregation(F.normalize(torch.randn(20, 200), dim=1), 1).min()


@pytest.mark.parametrize(("wanted", "size", "used"), [(100, 4479, 100), (100, 240, 60), (100, 3, 1), (5, 240, 5)])
def test_no_more_than_a_quarter_of_the_bank_are_neighbours(wanted: int, size: int, used: int) -> None:
    assert usable_neighbours(wanted, size) == used


def test_the_nearest_come_nearest_first_and_never_more_than_there_are() -> None:
    bank = _bank([1, 0], [0, 1], [1, 1])
    z = torch.tensor([[0.1, 0.99]])
    assert bank.nearest(z, 2).tolist() == [[1, 2]]
    assert bank.nearest(z, 9).tolist() == [[1, 2, 0]]
