"""A model is asked only about what it was trained on, and a refusal says which tag stood in the way."""

from __future__ import annotations

import dataclasses

import pytest

from engine.imaging.series import Series
from engine.imaging.terms import age_in_years
from engine.models.card import Applicability, Card, InputSpec
from engine.scoring.applicability import why_not
from tests.cards import plain_card


def card(spatial_dims: int = 2, **limits) -> Card:
    size = InputSpec(spatial_dims=spatial_dims, size=(128,) * spatial_dims)
    return plain_card(input=size, applicability=Applicability(**limits))


CHEST = card(modality=("CR", "DX"), body_part=("CHEST",), view=("PA", "AP"), age_years=(1.0, 6.0))
FILM = Series(
    key="1",
    study_uid="1",
    series_uid="1",
    kind="radiograph",
    format="dicom",
    sources=("/a.dcm",),
    modality="DX",
    body_part="CHEST",
    view="PA",
    age="004Y",
)


def test_a_study_inside_the_card_is_scored_without_being_asked_for() -> None:
    assert why_not(CHEST, FILM, named=False) == ""
    assert why_not(CHEST, dataclasses.replace(FILM, body_part="THORAX"), named=False) == ""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"modality": "MG"}, "modality MG"),
        ({"body_part": "HAND"}, "body part HAND"),
        ({"view": "LL"}, "view LL"),
        ({"age": "061Y"}, "aged 61"),
        ({"kind": "volume"}, "this is a volume"),
    ],
)
def test_a_tag_outside_the_card_refuses_even_a_named_model(change: dict[str, str], said: str) -> None:
    series = dataclasses.replace(FILM, **change)
    for named in (False, True):
        assert said in why_not(CHEST, series, named=named)


def test_files_without_tags_are_scored_only_by_a_model_that_was_named() -> None:
    picture = Series(key="1", study_uid="1", series_uid="1", kind="radiograph", format="raster", sources=("/a.png",))
    assert "name the model" in why_not(CHEST, picture, named=False)
    assert why_not(CHEST, picture, named=True) == ""


PICTURE = dataclasses.replace(FILM, format="raster", sources=("/a.png",), modality="", body_part="", view="", age="")


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ({"body_part": "HAND"}, "body part HAND"),
        ({"view": "LATERAL"}, "view LATERAL"),
        ({"modality": "MG"}, "modality MG"),
    ],
)
def test_a_picture_that_its_table_says_is_something_else_is_refused_though_the_model_was_named(
    stated: dict[str, str], said: str
) -> None:
    picture = dataclasses.replace(PICTURE, **stated)
    for named in (False, True):
        reason = why_not(CHEST, picture, named=named)
        assert said in reason and "name the model" not in reason


def test_a_picture_of_which_the_table_says_all_is_scored_unasked() -> None:
    told = dataclasses.replace(PICTURE, modality="DX", body_part="THORAX", view="FRONTAL", age="004Y")
    assert why_not(CHEST, told, named=False) == ""
    assert "modality not stated" in why_not(CHEST, dataclasses.replace(told, modality=""), named=False)


def test_a_pictures_age_in_a_table_is_weighed_by_who_names_the_model() -> None:
    """The adult bundles' own cohort has a few children in it: they are scored as they were when its card's figures were measured."""
    grown = dataclasses.replace(PICTURE, body_part="CHEST", age="057Y")
    assert "aged 57" in why_not(CHEST, grown, named=False) and "name the model" in why_not(CHEST, grown, named=False)
    assert why_not(CHEST, grown, named=True) == ""
    assert "aged 57" in why_not(CHEST, dataclasses.replace(FILM, age="057Y"), named=True)


@pytest.mark.parametrize(("tag", "said"), [("body_part", "body part not"), ("view", "view not"), ("age", "age not")])
def test_what_a_film_does_not_say_leaves_the_choice_to_a_person(tag: str, said: str) -> None:
    """An adult's lateral without age and view must not be ranked by a model of children's frontal films."""
    untold = dataclasses.replace(FILM, **{tag: ""})
    assert said in why_not(CHEST, untold, named=False)
    assert why_not(CHEST, untold, named=True) == ""


def test_a_person_is_asked_to_name_a_model_only_where_naming_it_helps() -> None:
    slice_without_part = dataclasses.replace(FILM, modality="MR", body_part="")
    assert "modality MR" in why_not(CHEST, slice_without_part, named=False)
    assert "name the model" not in why_not(CHEST, slice_without_part, named=False)


def test_a_card_that_names_no_body_part_is_never_asked_unasked() -> None:
    mammogram = dataclasses.replace(FILM, modality="MG", body_part="BREAST")
    assert "does not say which studies" in why_not(card(), mammogram, named=False)
    assert why_not(card(), FILM, named=True) == ""


def test_an_age_of_six_lasts_until_the_seventh_birthday() -> None:
    assert why_not(CHEST, dataclasses.replace(FILM, age="006Y"), named=False) == ""
    assert why_not(CHEST, dataclasses.replace(FILM, age="080M"), named=False) == ""
    assert "aged 7" in why_not(CHEST, dataclasses.replace(FILM, age="007Y"), named=False)


def test_phantom_models_and_patient_models_keep_apart_unless_named() -> None:
    phantom_model = card(modality=("DX",), body_part=("CHEST",), synthetic=True)
    phantom = dataclasses.replace(FILM, synthetic=True)
    assert "phantom" in why_not(phantom_model, FILM, named=False)
    assert "phantom" in why_not(CHEST, phantom, named=False)
    assert why_not(phantom_model, phantom, named=False) == ""
    assert why_not(phantom_model, FILM, named=True) == ""


def test_age_strings_in_months_weeks_and_days_are_years() -> None:
    assert age_in_years("018M") == pytest.approx(1.5)
    assert age_in_years("010D") == pytest.approx(0.027, abs=0.001)
    assert age_in_years("") is None and age_in_years("old") is None
