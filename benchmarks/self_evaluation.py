"""The self evaluation of the paper (Table 4) at a size for CPUs: train the eight variants, evaluate them, and print the tables.

python benchmarks/self_evaluation.py WORK --pairs PAIRS --symmetric PAIRS --clips CLIPS --identity faces.onnx

Besides the eight variants, the whole method is trained without each of its terms, and on pairs whose windows grow symmetrically.
All see equal numbers of images. PAIRS are made by
`streamdeblur dataset pairs TRAINING_CLIPS PAIRS --scheme vla:sequential --every 3 --config ablations/small/final` (symmetric ones
by `--scheme vla`), and faces.onnx by `python -m streamdeblur.training.dlib_network faces.onnx`. The hourglass is that of the
shipped `paper-small`; `--hourglass RUN` takes another one of its size. CLIPS are of other people. WORK keeps runs, networks and
results, so that what was stopped goes on; `--trained` evaluates the networks that are there already. `--page docs/results.md`
writes the tables into the page, with `--portraits` also three of these pictures beside it as each of the eight variants restores
them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shlex
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from picture_rows import Sheet, write_sheet_of
from result_tables import p_value, paper_rows, rank_agreement, short_name
from results import replaced

from harness import markdown
from streamdeblur.evaluation.columns import COLUMNS
from streamdeblur.evaluation.results import FaceResult, ResultFolder
from streamdeblur.evaluation.statistics import gap_closed, mean_interval, paired_p_value
from streamdeblur.partial_file import write_file
from streamdeblur.weights import network_path

VARIANTS = (
    "cgan-no-hg-only-2mf2", "cgan-no-hg", "hg-disc", "hg-disc-vgg", "hg-vanilla-cgan", "vanilla-cgan-vgg", "hg-vanilla-cgan-vgg",
    "final",
)  # fmt: skip
"""In the order of Table 4."""
WHOLE = "final"
"""What all others are tested against."""
TERMS: dict[str, dict[str, Any]] = {
    "final-no-discriminator": {"cgan": {"weights": {"adversarial": 0, "projection": 0}}},
    "final-no-adversarial": {"cgan": {"weights": {"adversarial": 0}}},
    "final-no-projection": {"cgan": {"weights": {"projection": 0}}},
    "final-no-gradient": {"cgan": {"weights": {"gradient": 0}}},
    "final-one-pathway": {"network": {"generator": {"sharp_pathway": False}}, "cgan": {"weights": {"reconstruction": 0}}},
}
"""The whole method without a term, or without all that needs the discriminator: what differs. The second pathway goes with its
reconstruction term, which is all that trains it."""
SYMMETRIC = "final-symmetric"
"""The whole method on windows that grow at both sides."""
ALL = (*VARIANTS, *TERMS, SYMMETRIC)
"""The names of all networks, as they are trained and listed."""
SEVERAL = ("final", "cgan-no-hg", "hg-vanilla-cgan", "hg-vanilla-cgan-vgg", *TERMS, SYMMETRIC)
"""The variants that decide: they differ by one part each, and are trained with every seed; the others with the first one."""
PROTOCOLS = ("pravg:7", "vla:sequential", "vla", "synthetic:markov")
SHOWN = ("psnr", "ssim", "auc", "auc_second", "failure", "cosine")
FACES = 216
PORTRAITS = 9
"""Of which those with the best, the median and the worst gain of `lite` are shown."""
STRIDE = 7
"""Frames between the faces of a clip at least, so that no two windows of PrAvg 7 overlap."""


@dataclass(frozen=True)
class Folders:
    """What the trainings and the evaluation read, and where they write."""

    work: Path
    hourglass: Path
    pairs: Path
    symmetric: Path
    clips: Path
    identity: Path

    def network(self, variant: str, seed: int) -> Path:
        """The exported network of a variant."""
        return self.work / f"{variant}-{seed}.onnx"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    for name in ("pairs", "symmetric", "clips", "identity"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    hourglass = network_path("paper-small")
    parser.add_argument("--hourglass", type=Path, default=hourglass, help="a run of step 1, or a network with its hourglass")
    parser.add_argument("--variants", nargs="+", choices=ALL, default=ALL, metavar="NAME", help="these alone")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--images", type=int, help="images of each variant, if not as many as the configuration says")
    parser.add_argument("--share", type=share, help="K/N: train every Nth network from the Kth one on, and evaluate nothing")
    parser.add_argument("--trained", action="store_true", help="train nothing, and evaluate the networks that are there")
    parser.add_argument("--workers", default="1", help="processes that measure")
    parser.add_argument("--page", type=Path, help="the page to write the tables into")
    parser.add_argument("--portraits", type=Path, help="pictures of people who may be shown, for the page")
    arguments = parser.parse_args()
    folders = Folders(**{field.name: getattr(arguments, field.name) for field in fields(Folders)})
    folders.work.mkdir(parents=True, exist_ok=True)
    first, *others = arguments.seeds
    planned = [(one, first) for one in ALL] + [(one, seed) for seed in others for one in SEVERAL]
    planned = [one for one in planned if one[0] in arguments.variants]
    if arguments.trained:
        planned = [one for one in planned if folders.network(*one).exists()]
    number, of = arguments.share or (1, 1)
    for variant, seed in planned[number - 1 :: of]:
        train(folders, variant, seed, arguments.images)
    if arguments.share:
        return
    text = "\n\n".join([*tables(evaluate(folders, planned, arguments.workers)), shown_command(arguments)])
    print(text)
    if arguments.page:
        chosen = [variant for variant, seed in planned if seed == first and variant in VARIANTS]
        shown = [pictures(folders, chosen, first, arguments.portraits, arguments.page)] if arguments.portraits else []
        write_file(arguments.page, replaced(arguments.page.read_text(), "self-evaluation", "\n\n".join([*shown, text])))


def shown_command(arguments: argparse.Namespace) -> str:
    """The command that repeats the tables, with the names of the options in place of files and folders."""
    words = ["WORK", "--pairs", "PAIRS", "--symmetric", "SYMMETRIC", "--clips", "CLIPS", "--identity", "faces.onnx"]
    words += ["--hourglass", "HOURGLASS"] if arguments.hourglass != network_path("paper-small") else []
    words += ["--variants", *arguments.variants] if arguments.variants != ALL else []
    words += ["--seeds", *map(str, arguments.seeds)] if len(arguments.seeds) > 1 else []
    words += ["--images", str(arguments.images)] if arguments.images else []
    words += ["--portraits", "PORTRAITS"] if arguments.portraits else []
    return f"```sh\npython benchmarks/self_evaluation.py {shlex.join(words)}\n```"


def share(text: str) -> tuple[int, int]:
    """K and N of "K/N".

    Raises:
        ValueError: It is not such a share.
    """
    number, of = map(int, text.split("/"))
    if not 1 <= number <= of:
        raise ValueError
    return number, of


def train(folders: Folders, variant: str, seed: int, images: int | None) -> None:
    """Train one variant from one seed and export it, if that was not done.

    Raises:
        SystemExit: It was done with other settings.
    """
    exported = folders.network(variant, seed)
    config, run = exported.with_suffix(".yaml"), exported.with_suffix("")
    named = variant if variant in VARIANTS else WHOLE
    changes = {"base": f"ablations/small/{named}", "seed": seed, **TERMS.get(variant, {})}
    if images:
        changes["cgan"] = {"images": images, **changes.get("cgan", {})}
    pairs = folders.symmetric if variant == SYMMETRIC else folders.pairs
    options = {"--pairs": pairs}
    if named.startswith(("hg-", WHOLE)):
        options["--init" if named.startswith("hg-disc") else "--hourglass"] = folders.hourglass
    if variant.endswith("vgg"):
        options["--identity"] = folders.identity
    text = f"{json.dumps(changes)}\n# {', '.join(f'{option} {version_of(path)}' for option, path in options.items())}\n"
    if config.exists() and config.read_text() != text:
        raise SystemExit(
            f"{config} has other settings or data than this run. Remove it with its run and network, or name another folder."
        )
    if exported.exists():
        return
    config.write_text(text)
    words = [word for option in options.items() for word in option]
    streamdeblur("train", "cgan", config, *words, "--held-out-clips", folders.clips, "--out", run)
    streamdeblur("export", run, exported, "--precision", "fp16-stored")


def version_of(path: Path) -> str:
    """The name of a folder, or that of a file and the first digits of its SHA-256."""
    return f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()[:12]}" if path.is_file() else path.name


def evaluate(folders: Folders, planned: Sequence[tuple[str, int]], workers: str) -> ResultFolder:
    """Evaluate all networks on the same faces."""
    methods = ["blurred", *(f"onnx:{folders.network(variant, seed)}" for variant, seed in planned), "oracle"]
    out = folders.work / "evaluation"
    streamdeblur(
        "evaluate", folders.clips, "--protocol", ",".join(PROTOCOLS), "--limit", FACES, "--stride", STRIDE, "--runs", 0,
        "--workers", workers, "--methods", ",".join(methods), "--out", out,
    )  # fmt: skip
    return ResultFolder(out)


def pictures(folders: Folders, variants: Sequence[str], seed: int, portraits: Path, page: Path) -> str:
    """Write three portraits as each of the variants restores them beside a page (Fig. 10 of the paper).

    Returns the Markdown that shows them.
    """
    methods = ["blurred", *(f"onnx:{folders.network(variant, seed)}" for variant in variants), "onnx:lite", "oracle"]
    protocol, out = "synthetic:markov", folders.work / "portraits"
    streamdeblur(
        "evaluate", portraits, "--protocol", protocol, "--limit", PORTRAITS, "--runs", 0, "--methods", ",".join(methods),
        "--out", out,
    )  # fmt: skip
    words = f"Three blurry portraits, what {len(variants)} variants and lite make of them, and the sharp ones"
    return write_sheet_of(Sheet("variants", words, columns=len(methods), side=150), ResultFolder(out), protocol, page)


def streamdeblur(*words: object) -> None:
    """Run a command of streamdeblur."""
    subprocess.run([sys.executable, "-m", "streamdeblur", *map(str, words)], check=True)


def tables(results: ResultFolder) -> list[str]:
    """One table for each protocol."""
    return [table(protocol, results.of_protocol(protocol)) for protocol in PROTOCOLS]


def table(protocol: str, results: Sequence[FaceResult]) -> str:
    """The metrics of each variant, means over its seeds, with intervals, the paper's shares, tests against the whole one."""
    found = by_variant(results)
    groups = [one.group for one in next(iter(found["blurred"].values()))]
    columns = {name: {variant: mean_over_seeds(runs, name) for variant, runs in found.items()} for name in SHOWN}
    published = paper_shares_of_variants() if protocol == PROTOCOLS[0] else {}
    head = ["variant", "seeds", *(COLUMNS[name].title for name in SHOWN), "gap closed % (AUC)", "paper %", "p (PSNR)", "p (AUC)"]
    rows = []
    trained = [name for name in ALL if name in found]
    for variant in ("blurred", *trained, "oracle"):
        cells = [_cell(columns[name][variant], groups, COLUMNS[name].format_spec) for name in SHOWN]
        if variant in trained:
            share = gap_closed(*(columns["auc"][one] for one in ("blurred", variant, "oracle")), groups)
            cells += [f"{100 * share.value:.0f} [{100 * share.low:.0f} to {100 * share.high:.0f}]"]
            cells += [published.get(variant, "")]
            compared = WHOLE in found and variant != WHOLE
            cells += [
                p_value(paired_p_value(columns[name][variant], columns[name][WHOLE], groups), 3) if compared else ""
                for name in ("psnr", "auc")
            ]
        else:
            cells += [""] * 4
        rows.append([f"`{variant}`", str(len(found[variant])) if variant in trained else "", *cells])
    title = f"`{protocol}`, {len(groups)} faces of {len(set(groups))} clips:"
    return "\n\n".join([title, markdown(head, rows), " ".join([order(columns["auc"]), *seeds(found)])])


def order(auc: dict[str, NDArray[np.float64]]) -> str:
    """How far the eight variants are in the order that they have in the paper, by AUC."""
    shares = paper_shares_of_variants()
    common = [variant for variant in VARIANTS if variant in auc]
    tau = rank_agreement([float(shares[one]) for one in common], [float(auc[one].mean()) for one in common])
    return f"The order of the {len(common)} variants by AUC beside that of the paper under PrAvg 7: Kendall's tau {tau}."


def seeds(found: dict[str, dict[str, list[FaceResult]]]) -> list[str]:
    """A sentence on how far two seeds of one variant differ; none where each variant has one."""
    spread = largest_spread(found)
    return [f"Two seeds of one variant differ by up to {spread:.2f} dB in their mean PSNR."] if spread else []


def paper_shares_of_variants() -> dict[str, str]:
    """The share of the gap in AUC that each variant closes in Table 4, in percent, by our names."""
    ours = {variant.replace("-", ""): variant for variant in VARIANTS}
    rows = paper_rows("Ablations, PrAvg 7")
    return {ours[name.strip("`").lower().replace("-", "")]: row["share %"] for name, row in rows.items()}


def largest_spread(found: dict[str, dict[str, list[FaceResult]]]) -> float:
    """The largest difference in dB between the mean PSNR of two seeds of one variant; 0 where each has one seed."""
    means = [[float(COLUMNS["psnr"].values(faces).mean()) for faces in runs.values()] for runs in found.values()]
    return max(max(seeds) - min(seeds) for seeds in means)


def by_variant(results: Sequence[FaceResult]) -> dict[str, dict[str, list[FaceResult]]]:
    """The results of each variant and seed, in one order of the faces."""
    found: dict[str, dict[str, dict[str, FaceResult]]] = defaultdict(lambda: defaultdict(dict))
    for one in results:
        name = short_name(one.method)
        variant, _, seed = name.rpartition("-") if name != one.method else (name, "", "0")
        found[variant][seed][one.case] = one
    return {
        variant: {seed: [faces[case] for case in sorted(faces)] for seed, faces in runs.items()}
        for variant, runs in found.items()
    }


def mean_over_seeds(runs: dict[str, list[FaceResult]], name: str) -> NDArray[np.float64]:
    """A column's value of each face: the mean over the seeds."""
    return np.mean([COLUMNS[name].values(faces) for faces in runs.values()], axis=0)


def _cell(values: NDArray[np.float64], groups: Sequence[str], spec: str) -> str:
    found = mean_interval(values, groups)
    return f"{found.value:{spec}} ±{(found.high - found.low) / 2:{spec}}"


if __name__ == "__main__":
    main()
