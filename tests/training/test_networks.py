"""The networks have the layers of Table 3 and Sec. 3."""

from __future__ import annotations

import copy

import pytest
import torch

from streamdeblur.errors import OptionError
from streamdeblur.training.networks.blocks import PatchConv, ResnetLayer
from streamdeblur.training.networks.discriminator import Discriminator
from streamdeblur.training.networks.generator import TwoPathGenerator, low_pass, with_luma
from streamdeblur.training.networks.hourglass import Hourglass
from streamdeblur.training.networks.pathways import BothPathways
from streamdeblur.training.networks.presets import DeconvolutionPreset, GeneratorPreset, HourglassPreset, NetworkPreset
from streamdeblur.training.networks.table3 import KEEP_PROBABILITIES, Table3Decoder, Table3Encoder
from streamdeblur.training.networks.two_step import TwoStepNetwork

LITE_HOURGLASS = HourglassPreset(kind="modulated", widths=(8, 8, 8), encoder_blocks=(1, 1, 1), decoder_blocks=(1, 1), code=8)
LITE_GENERATOR = GeneratorPreset(kind="unet", widths=(8, 8, 8), encoder_blocks=(1, 1, 1), decoder_blocks=(1, 1))

# Output [channels, side] and number of weights of each layer for an image of 256 x 256: filters, bias, two per channel for BN.
ENCODER_TABLE = [
    ((64, 256), 6 * 64 * 16 + 64),
    ((128, 128), 64 * 128 * 16 + 128 + 256),
    ((256, 64), 128 * 256 * 16 + 256 + 512),
    ((512, 32), 256 * 512 * 16 + 512 + 1024),
    ((512, 16), 512 * 512 * 16 + 512 + 1024),
    ((512, 8), 512 * 512 * 16 + 512 + 1024),
    ((512, 4), 512 * 512 * 16 + 512 + 1024),
    ((256, 2), 512 * 256 * 1 + 256 + 512),
]
# layers 6 and 7 also take the 256 and 128 channels of the U-net skips
DECODER_TABLE = [
    ((1024, 4), 256 * 1024 * 1 + 1024 + 2048),
    ((512, 8), 1024 * 512 * 16 + 512 + 1024),
    ((512, 16), 512 * 512 * 16 + 512 + 1024),
    ((512, 32), 512 * 512 * 16 + 512 + 1024),
    ((256, 64), 512 * 256 * 16 + 256 + 512),
    ((128, 128), (256 + 256) * 128 * 16 + 128 + 256),
    ((64, 256), (128 + 128) * 64 * 16 + 64 + 128),
    ((3, 257), 64 * 3 * 16 + 3),
]


def shapes_of(layers, run):
    """Output shapes of layers while `run` is called."""
    shapes = [None] * len(layers)
    hooks = [
        layer.register_forward_hook(lambda module, inputs, output, number=number: shapes.__setitem__(number, output.shape))
        for number, layer in enumerate(layers)
    ]
    with torch.no_grad():
        run()
    for hook in hooks:
        hook.remove()
    return [(shape[1], shape[2]) for shape in shapes]


def parameters_of(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_generator_is_table_3():
    encoder, decoder = Table3Encoder(6, 1.0).eval(), Table3Decoder(1.0).eval()
    output = []
    shapes = shapes_of([*encoder.layers, *decoder.layers], lambda: output.append(decoder(*encoder(torch.rand(1, 6, 256, 256)))))
    assert list(zip(shapes[:8], map(parameters_of, encoder.layers), strict=True)) == ENCODER_TABLE
    assert list(zip(shapes[8:], map(parameters_of, decoder.layers), strict=True)) == DECODER_TABLE
    assert output[0].shape == (1, 3, 256, 256)


def test_batch_normalisation_and_dropout_are_where_table_3_has_them():
    encoder, decoder = Table3Encoder(3, 1 / 32), Table3Decoder(1 / 32)

    def kinds(layer):
        return {type(module) for module in layer}

    assert [torch.nn.BatchNorm2d in kinds(layer) for layer in encoder.layers] == [False] + 7 * [True]
    assert [torch.nn.BatchNorm2d in kinds(layer) for layer in decoder.layers] == 7 * [True] + [False]
    dropouts = [next((m.p for m in layer if isinstance(m, torch.nn.Dropout)), 0.0) for layer in decoder.layers]
    assert dropouts == [1 - keep for keep in KEEP_PROBABILITIES]


def test_residual_connections_skip_two_layers_without_filtering():
    encoder = Table3Encoder(3, 1 / 32).eval()
    images = torch.rand(1, 3, 256, 256)
    with torch.no_grad():
        before, _ = encoder(images)
        # silence layers 2 and 3: what arrives behind them is layer 1, shrunk
        for layer in encoder.layers[1:3]:
            layer[2].register_forward_hook(lambda *arguments: torch.zeros_like(arguments[2]))
        _, skips = encoder(images)
        first = encoder.layers[0](images)
    expected = torch.nn.functional.avg_pool2d(first, 4)
    bias = encoder.layers[2][3](torch.zeros(1, 8, 64, 64))
    assert torch.allclose(skips[3][:, :2] - bias[:, :2], expected, atol=1e-6)
    assert before.shape == (1, 8, 2, 2)


def test_both_pathways_share_one_decoder_and_nothing_else():
    preset = GeneratorPreset(width=1 / 32)
    generator = TwoPathGenerator(preset, 0)
    images = torch.rand(2, 3, 256, 256)
    generator(images, images, None).sum().backward()
    assert all(parameter.grad is None for parameter in generator.sharp_encoder.parameters())
    touched = [parameter.grad.clone() for parameter in generator.decoder.parameters()]
    generator.zero_grad()
    generator.reconstruct(images, None).sum().backward()
    assert all(parameter.grad is None for parameter in generator.blurry_encoder.parameters())
    assert len(touched) == sum(parameter.grad is not None for parameter in generator.decoder.parameters())
    assert generator.blurry_encoder.layers[0][1].in_channels == 6
    assert generator.sharp_encoder.layers[0][1].in_channels == 3


def test_the_running_statistics_of_the_decoder_are_those_of_blurry_images_alone():
    def statistics():
        return [value.clone() for name, value in generator.decoder.state_dict().items() if "running" in name]

    generator = TwoPathGenerator(GeneratorPreset(width=1 / 32, conditioned=False), 0).train()
    both, decoder = BothPathways(None, generator), copy.deepcopy(generator.decoder.state_dict())
    blurry = torch.rand(2, 3, 256, 256)
    torch.manual_seed(0)
    generator(blurry, None, None)
    expected = statistics()
    generator.decoder.load_state_dict(decoder)
    torch.manual_seed(0)
    both(blurry, 1 - blurry)
    assert all(torch.equal(one, other) for one, other in zip(statistics(), expected, strict=True))
    assert any(not torch.equal(one, decoder[name]) for name, one in generator.decoder.state_dict().items() if "running" in name)
    # those of the sharp pathway's own encoder are kept as ever
    assert generator.sharp_encoder.layers[1][3].num_batches_tracked == 1


def test_the_discriminator_has_five_layers_and_returns_its_penultimate_features():
    discriminator = Discriminator(NetworkPreset().discriminator)
    convolutions = [module for module in discriminator.modules() if isinstance(module, torch.nn.Conv2d)]
    assert len(convolutions) == 5
    verdict, features = discriminator(torch.rand(1, 3, 256, 256), torch.rand(1, 3, 256, 256))
    assert verdict.shape == (1, 1, 30, 30)
    assert features.shape == (1, 512, 31, 31)
    assert torch.equal(discriminator.verdict(features), verdict)


def test_the_papers_hourglass_has_blocks_of_three_layers_and_lateral_connections():
    hourglass = Hourglass(HourglassPreset(width=8, depth=2))
    level = hourglass.body.levels
    for block in (level.lateral, level.up, level.inner.lateral):
        assert [type(layer) for layer in block.layers] == 3 * [ResnetLayer]
    coarse, code = hourglass(torch.rand(2, 3, 64, 64))
    assert coarse.shape == (2, 3, 64, 64)
    assert code is None


@pytest.mark.parametrize(("height", "width"), [(64, 64), (96, 160)])
def test_the_dense_networks_start_as_the_identity(height, width):
    hourglass, generator = Hourglass(LITE_HOURGLASS).eval(), TwoPathGenerator(LITE_GENERATOR, 8).eval()
    blurry = torch.rand(2, 3, height, width)
    coarse, code = hourglass(blurry)
    assert torch.equal(coarse, blurry)
    assert torch.equal(generator(blurry, coarse, code), blurry)
    assert torch.equal(generator.reconstruct(blurry, code), low_pass(blurry))


def test_a_generator_starts_as_a_wider_hourglass():
    torch.manual_seed(0)
    hourglass = Hourglass(LITE_HOURGLASS).eval()
    for weights in hourglass.parameters():
        torch.nn.init.normal_(weights, 0.0, 0.1)
    wider = {"widths": (12, 10, 8), "deconvolution": DeconvolutionPreset()}
    generator = TwoPathGenerator(LITE_GENERATOR.model_copy(update=wider), 8).eval()
    generator.initialise_from(hourglass)
    blurry = torch.rand(2, 3, 64, 64)
    coarse, code = hourglass(blurry)
    assert (coarse - blurry).abs().mean() > 0.1
    assert torch.allclose(generator(blurry, coarse, code), coarse, atol=1e-5)
    generator(blurry, coarse, code).sum().backward()
    for stem in generator.blurry_encoder.stems[1:]:
        assert stem.weight.grad[8:].abs().sum() == 0, "new inputs do not reach the first channels yet ..."
    assert generator.decoder.head.weight.grad[:, 8:].abs().sum() > 0, "... but the layers after them learn to use it"


def test_a_generator_with_fewer_blocks_starts_without_them():
    hourglass = Hourglass(LITE_HOURGLASS)
    generator = TwoPathGenerator(LITE_GENERATOR.model_copy(update={"encoder_blocks": (1, 1, 0)}), 8)
    generator.initialise_from(hourglass)
    assert torch.equal(generator.blurry_encoder.stems[0].weight, hourglass.encoder.stems[0].weight)
    assert not list(generator.blurry_encoder.levels[2].parameters())


def test_a_generator_that_cannot_start_as_the_hourglass_is_refused():
    for change in ({"widths": (8, 8, 4)}, {"encoder_blocks": (1, 1, 3)}):
        with pytest.raises(OptionError, match="begins as a modulated hourglass"):
            NetworkPreset(hourglass=LITE_HOURGLASS, generator=GeneratorPreset(**{**LITE_GENERATOR.model_dump(), **change}))


def test_a_patch_convolution_is_a_strided_one():
    layer = PatchConv(3, 5, 4)
    images = torch.rand(2, 3, 16, 24)
    assert torch.allclose(layer.train()(images), layer.eval()(images), atol=1e-6)


def test_the_dense_blocks_depend_on_the_blur_code():
    hourglass = Hourglass(LITE_HOURGLASS)
    block = hourglass.encoder.levels[0].blocks[0]
    torch.nn.init.normal_(block.narrow.weight)
    torch.nn.init.normal_(block.scale.weight)
    features = torch.rand(1, 8, 4, 4)
    assert not torch.allclose(block(features, torch.ones(1, 8)), block(features, -torch.ones(1, 8)))


def test_step_2_does_not_change_the_hourglass():
    hourglass = Hourglass(HourglassPreset(width=8, depth=2))
    pathways = BothPathways(hourglass, TwoPathGenerator(GeneratorPreset(width=1 / 32), 0)).train()
    before = {name: value.clone() for name, value in hourglass.state_dict().items()}
    restored, reconstructed, _ = pathways(torch.rand(2, 3, 256, 256), torch.rand(2, 3, 256, 256))
    assert restored.deconvolved is None
    (restored.images.sum() + reconstructed.sum()).backward()
    assert all(parameter.grad is None for parameter in hourglass.parameters())
    assert all(torch.equal(before[name], value) for name, value in hourglass.state_dict().items())


def test_the_exported_form_is_clamped():
    network = TwoStepNetwork(Hourglass(LITE_HOURGLASS), None).eval()
    restored, coarse = network(torch.full((1, 3, 64, 64), 1.5))
    assert restored.max() == coarse.max() == 1.0


def test_an_output_of_luma_has_one_filter_and_is_compared_as_luma():
    generator = TwoPathGenerator(GeneratorPreset(width=1 / 32, output="luma"), 0).eval()
    assert generator.decoder.layers[-1][0].out_channels == 1
    weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    blurry, sharp = torch.rand(2, 1, 3, 256, 256)
    targets = generator.targets(blurry, sharp)
    luma = ((sharp - blurry) * weights).sum(1, keepdim=True)
    assert torch.allclose(targets - blurry, luma.expand(-1, 3, -1, -1), atol=1e-5)
    with torch.no_grad():
        pathways = BothPathways(Hourglass(HourglassPreset(width=8, depth=2)), generator).eval()
        outputs = pathways(blurry, sharp)
    assert torch.equal(outputs.targets, targets)
    # a difference of luma is the same in all colours, and nothing else differs
    for images, aim in ((outputs.restored.images, targets), (outputs.reconstructed, sharp)):
        difference = images - aim
        assert difference.abs().max() > 0.01
        assert (difference - difference.mean(1, keepdim=True)).abs().max() < 1e-5
    assert torch.allclose(with_luma(sharp, (sharp * weights).sum(1, keepdim=True)), sharp, atol=1e-6)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(generator.targets(blurry, sharp), targets), "luma is not rounded in mixed precision"


def test_only_table_3_has_an_output_of_luma():
    with pytest.raises(OptionError, match="luma"):
        GeneratorPreset.validated({"kind": "unet", "output": "luma"})
