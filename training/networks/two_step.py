"""Both steps as one network, in the form that is validated and exported."""

from __future__ import annotations

from torch import Tensor, nn

from streamdeblur.training.networks.deconvolution import Memory
from streamdeblur.training.networks.generator import TwoPathGenerator, reference_of
from streamdeblur.training.networks.hourglass import Hourglass


class TwoStepNetwork(nn.Module):
    """H, then G_bl: what remains of the method at prediction."""

    def __init__(
        self, hourglass: Hourglass | None, generator: TwoPathGenerator | None, draft: TwoPathGenerator | None = None
    ) -> None:
        """
        Args:
            hourglass: H; None for a generator that sees the blurry image alone.
            generator: G_bl; without it the coarse image is also the restored one.
            draft: A generator of single frames; its image takes the place of the coarse one in `generator`.
        """
        super().__init__()
        self.hourglass = hourglass
        self.draft = draft
        self.generator = generator

    @property
    def memory(self) -> int:
        """Number of neighbouring crops that the network gets beside the present one."""
        return 0 if self.generator is None else self.generator.preset.memory

    @property
    def reduction(self) -> int:
        """By how much crops are reduced before they are deconvolved, if they are."""
        return 2 if self.generator is None else self.generator.preset.patch // 2

    @property
    def outputs(self) -> list[str]:
        """Names of what the network returns, in order."""
        says_confidence = self.generator is not None and self.generator.confidence is not None
        return ["restored", *["coarse"] * (self.hourglass is not None), *["confidence"] * says_confidence]

    def forward(self, blurry: Tensor, neighbours: Tensor | None = None, validity: Tensor | None = None) -> tuple[Tensor, ...]:
        """Restore blurry crops.

        Args:
            blurry: float [N, 3, H, W], RGB in [0, 1].
            neighbours: Luma of neighbouring crops of the same faces at half resolution, float [N, memory, H / 2, W / 2]; of a
                network with a memory.
            validity: float [N, memory]: 1 where there is a neighbour, 0 where there is none.

        Returns:
            By the names of `outputs`: the restored images and, of a network with a hourglass, the coarse ones, both float
            [N, 3, H, W], RGB, clamped to [0, 1]; and, of a generator that says it, how far the restored ones were trusted, [N].
        """
        coarse, code = (None, None) if self.hourglass is None else self.hourglass(blurry)
        memory = None if neighbours is None or validity is None else Memory(neighbours, validity)
        reference, deep = reference_of(self.draft, blurry, coarse, code)
        if self.generator is None:
            assert coarse is not None
            assert reference is not None
            return reference.clamp(0.0, 1.0), coarse.clamp(0.0, 1.0)
        restored = self.generator.restore(blurry, reference, code, memory, deep)
        images = [restored.trusted(blurry), *([] if coarse is None else [coarse])]
        confidence = [] if restored.confidence is None else [restored.confidence.flatten()]
        return *(image.clamp(0.0, 1.0) for image in images), *confidence
