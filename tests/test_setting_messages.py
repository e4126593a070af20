"""Whatever a setting is given, it is accepted or refused in words for users, in which nothing of pydantic shows."""

from __future__ import annotations

import datetime
import decimal
import importlib
import pathlib
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamdeblur.errors import OptionError
from streamdeblur.options import VideoOptions
from streamdeblur.settings import ComposedSettings, Settings
from streamdeblur.training.config import TrainingConfig

FOREIGN = re.compile(
    r"Input should|pydantic|type=|For further information|validation error|input_value|Value error|Extra inputs|"
    r"Exceeds the limit|"
    r"Field required|codec can't|Instance is"
)
MODULES = (
    "live.options", "evaluation.options", "training.config", "training.datasets.pairs", "training.datasets.options",
    "training.blur.options", "evaluation.methods.network", "evaluation.deconvolution.blind", "evaluation.deconvolution.nonblind",
)  # fmt: skip
for name in MODULES:
    importlib.import_module(f"streamdeblur.{name}")


def _models(base):
    for model in base.__subclasses__():
        if model.__module__.startswith("streamdeblur"):
            yield model
            yield from _models(model)


MODELS = [model for model in dict.fromkeys(_models(Settings)) if model.model_fields]

numbers = st.one_of(
    st.integers(),
    st.floats(),
    st.booleans(),
    st.sampled_from([2**63, -1, 0, float("nan"), float("inf")]),
    st.just(5000).map(lambda digits: 10**digits),
)
texts = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["a\0b", "x" * 10_000, "\ud800", "\udc80", "1:30", "1x2", "nan", "-inf", "vla", "pravg:" + "9" * 5000, "9" * 5000]
    ),
)
others = st.sampled_from([
    None, b"bytes", datetime.date(2024, 1, 1), datetime.timedelta(days=-1), decimal.Decimal("NaN"), 1j, object(),
    pathlib.Path("a\0"), {1, 2}, range(3), int, print, VideoOptions(),
])  # fmt: skip
values = st.recursive(
    st.one_of(numbers, texts, others),
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(st.one_of(texts, st.integers()), inner, max_size=3)),
    max_leaves=8,
)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_hostile_values_are_refused_in_our_words(model, data):
    names = st.one_of(st.sampled_from(sorted({*model.model_fields, *model.flat_fields()})), texts)
    given_settings = data.draw(st.dictionaries(names, values, min_size=1, max_size=4))
    for make in (model.validated, lambda given: model(**given), lambda given: model().changed(**given)):
        if "validated" not in repr(make) and any(field.is_required() for field in model.model_fields.values()):
            continue
        made, problem = attempt(make, given_settings)
        assert isinstance(made, model) or problem
        assert not FOREIGN.search(problem), problem
        assert len(problem) < 4000


def attempt(make, given_settings):
    """What was made, and the words of the refusal."""
    try:
        return make(given_settings), ""
    except OptionError as error:
        return None, str(error)
    except TypeError:
        # Python's own: a keyword that is no text
        return None, "no keyword"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_each_setting_says_what_it_accepts(model):
    for name in model.flat_fields():
        with pytest.raises(OptionError) as error:
            model.validated({name: object()})
        assert name in str(error.value)
        assert re.search(r"must be (a|an|one|text|true|lines|WIDTH)", str(error.value)), str(error.value)
        assert "another value" not in str(error.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"strength": float("nan")}, "Invalid setting: strength: must be a number, 0 to 1 (got nan)."),
        ({"strength": 2}, "Invalid setting: strength: must be a number, 0 to 1 (got 2)."),
        ({"always": "perhaps"}, "Invalid setting: always: must be true or false (got 'perhaps')."),
        (
            {"detect_every": 10**5000},
            "Invalid setting: detect_every: must be a whole number, 1 to 120 (got a value of the type int).",
        ),
        ({"codec": "x" * 5000}, None),
        ({"engine": 7}, "Invalid setting: engine: must be text (got 7)."),
        ({"network": "a\0b"}, "Invalid setting: network: text has no NUL characters (got 'a\\x00b')."),
        ({"duration": 0}, None),
    ],
)
def test_messages_of_values(given, message):
    with pytest.raises(OptionError) as error:
        VideoOptions(**given)
    assert message is None or str(error.value) == message
    assert len(str(error.value)) < 300


def test_what_is_known_is_listed_once():
    with pytest.raises(OptionError) as error:
        VideoOptions.load(None, zzz=1, qqq=2, strenght=3)
    text = str(error.value)
    assert text.startswith(
        "Invalid setting: unknown setting 'strenght' (did you mean 'strength'?); unknown settings 'zzz', 'qqq' (known: "
    )
    assert text.count("known: ") == 1


def test_many_problems_are_counted():
    with pytest.raises(OptionError, match=r"and 992 more unknown names\."):
        VideoOptions.validated({f"zzz{number}": 1 for number in range(1000)})


def test_problems_within_others_are_named_with_their_place():
    with pytest.raises(OptionError) as error:
        TrainingConfig.validated(
            {
                "hourglass": {"batch": "x", "optimiser": {"kind": "muom"}},
                "recipe": {"mix": {"vla": -1}, "extents": [1, "x"]},
                "cgan": {"zzz": 1},
            }
        )
    text = str(error.value)
    for words in (
        "hourglass.batch: must be a whole number, 1 to 65536 (got 'x')",
        "hourglass.optimiser.kind: must be one of muon, adam (got 'muom'; did you mean 'muon'?)",
        "recipe.mix.vla: must be a number, 0 to 1,000,000,000 (got -1)",
        "recipe.extents: must be a list of 2, each a number (got 'x')",
        "unknown setting 'cgan.zzz' (known: images, batch",
    ):
        assert words in text, text


def test_composed_settings_name_the_flat_setting():
    model = next(model for model in MODELS if issubclass(model, ComposedSettings) and "restoration" in model.model_fields)
    with pytest.raises(OptionError, match=r"^Invalid setting: strength: must be"):
        model(restoration={"strength": 5})
