"""The evaluation of a model card: a preset of protocols for an exported network, on people that it was not trained on.

The pairs are sampled as those of a training are, by a `PairMaker`: at random positions, mirrored or not, with a random response.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from streamdeblur.errors import InputError
from streamdeblur.evaluation.case_maker import add_noise
from streamdeblur.evaluation.cases import Case, CaseSet
from streamdeblur.evaluation.columns import COLUMNS
from streamdeblur.evaluation.evaluate import evaluate_cases
from streamdeblur.evaluation.evaluator import NONE, EvaluatorSettings
from streamdeblur.evaluation.methods import open_method
from streamdeblur.evaluation.methods.network import exported_network
from streamdeblur.evaluation.metrics import dlib_models
from streamdeblur.evaluation.metrics.fidelity import psnr
from streamdeblur.evaluation.protocols import BlurProtocol
from streamdeblur.evaluation.sources import DataSet, open_data
from streamdeblur.evaluation.statistics import Interval
from streamdeblur.evaluation.summary import LOWER, ProtocolSummary, summarise
from streamdeblur.network import Network
from streamdeblur.training.blur.exposures import Pair
from streamdeblur.training.blur.sensor import Sensor
from streamdeblur.training.datasets.pair_maker import PairMaker
from streamdeblur.training.datasets.pair_sources import open_maker
from streamdeblur.training.datasets.recipe import DEFAULT_MIX, Recipe

RESTORED = "restored"
"""Name of the network among the methods."""
NOISE = 1.5
"""Standard deviation, in code values, of the noise that is added to synthetic blur, as any camera adds some."""
VISIBLE_BLUR_DB = 34.0
"""Pairs whose blurry face has a higher PSNR show hardly any motion."""
TRIES = 20
"""Pairs that are made for each one that is wanted, at most."""
TITLES = {name: COLUMNS[name].title for name in ("psnr", "ssim", "gmsd", "error")} | {"cosine": "identity cosine"}
"""The columns of the table."""


@dataclass(frozen=True)
class CardProtocol:
    """One row of the table: a blur protocol, and the pairs that are sampled for it."""

    title: str
    protocol: BlurProtocol
    count: int
    noise: float = 0.0
    """Standard deviation in code values of the noise that is added to the blurry faces."""
    visible_only: bool = False
    """Whether pairs with hardly any motion are left out."""

    @property
    def recipe(self) -> Recipe:
        """The recipe of its pairs: uniform extents of 4 to 34 px, and no degradations."""
        scheme = self.protocol.scheme
        return Recipe(
            mix=dict.fromkeys(DEFAULT_MIX, 0.0) | {scheme: 1.0},
            extents=(4.0, 34.0),
            camera_extents=(4.0, 24.0),
            spread="uniform",
            lengths=(scheme.length or 11,),
            responses=("identity", "srgb"),
            sensor=Sensor.none(),
        )

    def case_set(self, maker: PairMaker, seed: int) -> CaseSet:
        """Sample the cases.

        Raises:
            InputError: There are none.
        """
        cases: list[Case] = []
        for index in range(TRIES * self.count):
            pair = maker.pair(index)
            blurry = pair.blurry
            if self.noise:
                blurry = add_noise(blurry, self.noise, np.random.default_rng((seed, index)))
            if self.visible_only and psnr(blurry, pair.sharp) >= VISIBLE_BLUR_DB:
                continue
            cases.append(Case(f"{index:06d}", blurry, pair.sharp, _group(pair)))
            if len(cases) == self.count:
                break
        if not cases:
            raise InputError(f"None of the clips moves enough for the protocol {self.title}.")
        return CaseSet(self.title, cases)


PROTOCOLS = (
    CardProtocol("synthetic, 4 to 34 px", BlurProtocol.parse("synthetic"), 140, noise=NOISE),
    CardProtocol("VLA with camera shake, 4 to 24 px", BlurProtocol.parse("vla+camera"), 72),
    CardProtocol("VLA", BlurProtocol.parse("vla"), 72, visible_only=True),
    CardProtocol("PrAvg 7", BlurProtocol.parse("pravg:7"), 72, visible_only=True),
    CardProtocol("PrAvg 11", BlurProtocol.parse("pravg:11"), 72, visible_only=True),
    CardProtocol("PrAvg 21", BlurProtocol.parse("pravg:21"), 72, visible_only=True),
    CardProtocol("sharp", BlurProtocol.parse("sharp"), 60),
)


@dataclass(frozen=True)
class RunProtocol:
    """One more row, for networks with a memory: the present exposures of runs, restored with those before them."""

    title: str
    protocol: BlurProtocol
    count: int
    noise: float = 0.0
    """Standard deviation in code values of the noise of each exposure."""
    visible: float | None = None
    """PSNR in dB above which a blurry face shows hardly any motion, and is left out."""

    def case_set(self, data: DataSet, seed: int) -> CaseSet:
        """Make the cases, blurred in linear intensity.

        Raises:
            InputError: There are none.
        """
        runs = self.protocol.runs(data, self.count, seed, "srgb", self.noise, self.visible)
        return CaseSet(self.title, [run[-1] for run in runs])


RUNS = (
    RunProtocol("runs, synthetic, 4 to 34 px", BlurProtocol.parse("runs:synthetic"), 140, noise=NOISE),
    RunProtocol("runs, VLA with camera shake, 4 to 24 px", BlurProtocol.parse("runs:vla+camera"), 72),
    RunProtocol("runs, PrAvg 11", BlurProtocol.parse("runs:pravg:11"), 72, visible=VISIBLE_BLUR_DB),
)


def measure(network: Path, stills: Path | None, clips: Path | None, seed: int = 0) -> Iterator[ProtocolSummary]:
    """Evaluate a network under each protocol that the data allow: averages need clips, the others stills.

    The crops of pairs are restored alone. A network with a memory has rows of runs besides, where it sees those before.

    Landmarks and identity are measured if dlib is installed (extra ``eval``).

    Args:
        network: ONNX file that ``streamdeblur export`` wrote.
        stills: Sharp faces of people that the network was not trained on.
        clips: Clips of faces of such people.
        seed: Of the blurry faces.

    Raises:
        NetworkError: The file is not a network of streamdeblur.
        InputError: The data cannot be opened, or hold no pair of a protocol.
    """
    runs = RUNS if Network.read(network).memory else ()
    methods = [open_method(LOWER), exported_network(RESTORED, network)]
    models = ("dlib", NONE, "dlib") if dlib_models.is_installed() else (NONE, NONE, NONE)
    for found in evaluate_cases(_case_sets(stills, clips, seed, runs), methods, EvaluatorSettings(*models)):
        yield summarise(found, seed)


def _case_sets(stills: Path | None, clips: Path | None, seed: int, runs: Sequence[RunProtocol]) -> Iterator[CaseSet]:
    for row in PROTOCOLS:
        averages = row.protocol.scheme.averages
        if (clips if averages else stills) is None:
            continue
        maker = open_maker(
            [] if averages or stills is None else [stills], [clips] if averages and clips is not None else [], row.recipe, seed
        )
        yield row.case_set(maker, seed)
    for run in runs:
        data = clips if run.protocol.scheme.averages else stills
        if data is not None:
            yield run.case_set(open_data(data), seed)


def _group(pair: Pair) -> str:
    """The still or clip that a pair is from."""
    return next(f"{kind} {pair.record[kind]}" for kind in ("clip", "still") if kind in pair.record)


def table_head(summary: ProtocolSummary) -> str:
    """Return the head of the table in Markdown, with the columns that this protocol has."""
    titles = [title for name, title in TITLES.items() if name in summary.rows[0].metrics]
    return f"| input (pairs), blurred -> restored | {' | '.join(titles)} |\n|{' --- |' * (len(titles) + 1)}"


def table_row(summary: ProtocolSummary) -> str:
    """Return the row of one protocol in Markdown: means over its pairs, of the blurry and of the restored faces."""
    blurred, restored = (row.metrics for row in summary.rows)
    cells = [f"{_number(name, blurred)} -> {_number(name, restored)}" for name in TITLES if name in blurred]
    return f"| {summary.protocol} ({summary.faces}) | {' | '.join(cells)} |"


def _number(name: str, metrics: dict[str, Interval]) -> str:
    return f"{metrics[name].value:{COLUMNS[name].format_spec}}"
