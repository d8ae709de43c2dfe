"""The neck against a plain loop over parts; in a model, compiled and exported."""

import itertools

import numpy as np
import onnxruntime
import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.structures import InstanceData, PixelData
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample
from torch.nn import functional as F

from posestructs.layers.message_passing import BACKENDS, MODES
from posestructs.models.necks import TreeMessagePassing
from posestructs.structures import build_tree

# parts in arbitrary order; the root has two children, one of which has two
TREE = dict(
    names=list('abcdefg'),
    parents=[3, 0, 3, -1, 0, 2, 5],
    joints=['c', 'a', 'g', 'd', 'b'],
    weights=dict(e=dict(a=0.5, b=0.5), f=dict(c=0.5, g=0.5)),
)
LSP = dict(from_file='lsp-26.py')


def neck_of(seed=0, **config):
    """A neck with large weights, so that messages have an effect, and biases that are not zero."""
    torch.manual_seed(seed)
    neck = TreeMessagePassing(**dict(dict(in_channels=5, tree=TREE, part_channels=4), **config)).double()
    for name, parameter in neck.named_parameters():
        # fc7 (out, in, 1, 1), kernels (edges, out, in, kh, kw)
        if 'bias' in name:
            torch.nn.init.normal_(parameter, std=0.3)
            continue
        inputs = (parameter[0] if name == 'fc7.weight' else parameter[0, 0]).numel()
        torch.nn.init.normal_(parameter, std=1.3 / inputs**0.5)
    return neck


def reference(neck, x, preset, direction, rectify):
    """The paper's formulas part by part, from the tree's parents and the state dict. (N, V, 2, C, h, w)."""
    state, tree, channels = dict(neck.named_parameters()), build_tree(TREE), neck.part_channels
    children = [[c for c, p in enumerate(tree.parents) if p == k] for k in range(tree.num_parts)]
    edges = [k for k, p in enumerate(tree.parents) if p != -1]
    relus = dict(release=[True, False]).get(preset, [False] * 9)

    def own(k, side):
        start = (2 * k + side) * channels
        weight, bias = (state[f'fc7.{name}'][start : start + channels] for name in ('weight', 'bias'))
        a = torch.einsum('oi,nihw->nohw', weight[:, :, 0, 0], x) + bias[:, None, None]
        return a.clamp(min=0) if rectify == 'pre' else a

    def transform(name, child, y):
        for i in range(len(getattr(neck, name).kernels)):
            weight, bias = (state[f'{name}.{what}.{i}'][edges.index(child)] for what in ('kernels', 'biases'))
            kh, kw = weight.shape[-2:]
            padded = F.pad(y, (kw // 2, kw // 2, kh // 2, kh // 2))
            y = F.conv2d(padded, weight) + bias[:, None, None]
            y = y.clamp(min=0) if relus[i] else y
        return y

    def up(k):
        a = own(k, 0)
        for c in children[k] if direction in ('both', 'up', 'self') else ():
            a = a + transform('up', c, own(k, 0).clamp(min=0) if direction == 'self' else up(c))
        return a.clamp(min=0)

    def down(k):
        b = own(k, 1)
        if tree.parents[k] >= 0 and direction in ('both', 'down', 'self'):
            b = b + transform('down', k, own(k, 1).clamp(min=0) if direction == 'self' else down(tree.parents[k]))
        return b.clamp(min=0)

    return torch.stack([torch.stack([up(k), down(k)], 1) for k in range(tree.num_parts)], 1)


@pytest.mark.parametrize(
    'preset, direction, rectify',
    [
        *itertools.product(['paper', 'release', 'separable'], ['both', 'up', 'down', 'none'], [None]),
        ('paper', 'both', 'post'),
        ('release', 'both', 'pre'),
        ('release', 'none', 'pre'),
        ('separable', 'self', None),
        ('paper', 'self', None),
    ],
)
def test_equal_to_a_plain_loop_with_gradients(preset, direction, rectify):
    neck = neck_of(preset=preset, direction=direction, rectify=rectify)
    assert neck.rectify == (rectify or ('pre' if preset == 'paper' else 'post'))
    x = torch.randn(2, 5, 13, 15, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(2, 7, 2, 4, 13, 15, dtype=torch.float64)
    leaves = [x, *neck.parameters()]
    expected = reference(neck, x, preset, direction, neck.rectify)
    gradients = torch.autograd.grad((weight * expected).sum(), leaves)
    silent = reference(neck, x, preset, 'none', neck.rectify)
    changed = ((expected - silent).abs().amax((0, 3, 4, 5)) > 0.1).tolist()
    # all are updated but the leaves upward and the root downward
    updated = [
        [k in (0, 2, 3, 5) and direction not in ('none', 'down'), k != 3 and direction not in ('none', 'up')]
        for k in range(7)
    ]
    assert changed == updated
    for mode in MODES:
        neck.mode = mode
        (ours,) = neck((torch.zeros(1), x))
        assert ours.shape == (2, 7 * 2 * 4, 13, 15) and ours.shape[1] == neck.out_channels
        assert float((ours - expected.flatten(1, 3)).detach().abs().max()) < 1e-10
        for theirs, gradient in zip(
            gradients, torch.autograd.grad((weight.flatten(1, 3) * ours).sum(), leaves), strict=True
        ):
            assert float((gradient - theirs).abs().max()) < 1e-10 * max(1.0, float(theirs.abs().max()))


@pytest.mark.parametrize('mode', BACKENDS)
def test_gradcheck(mode):
    transform = [dict(channels=1, kernel_size=3, act_cfg=dict(type='ReLU')), dict(kernel_size=(1, 3))]
    tree = dict(names=list('abc'), parents=[1, -1, 1])
    neck = neck_of(1, in_channels=2, tree=tree, part_channels=2, preset=None, transform=transform, mode=mode)
    names = [name for name, _ in neck.named_parameters()]
    x = torch.randn(1, 2, 3, 4, dtype=torch.float64, requires_grad=True)

    def run(x, *parameters):
        return torch.func.functional_call(neck, dict(zip(names, parameters, strict=True)), ((x,),))[0]

    assert torch.autograd.gradcheck(run, (x, *(p.detach().requires_grad_() for p in neck.parameters())))


def test_parameters_of_the_release_on_lsp():
    with torch.device('meta'):
        neck = TreeMessagePassing(in_channels=1024, tree=LSP)
    counts = {name: p.numel() for name, p in neck.named_parameters()}
    fc7 = counts.pop('fc7.weight') + counts.pop('fc7.bias')
    assert {name.split('.')[0] for name in counts} == {'up', 'down'}
    assert f'{sum(counts.values()) / 1e6:.1f}' == '40.2' and f'{fc7 / 1e6:.1f}' == '6.8'
    # 25 edges, two directions, two layers; biases 64 and 128
    assert sum(counts.values()) == 25 * 2 * (2 * 7 * 7 * 128 * 64 + 64 + 128)
    assert neck.out_channels == 26 * 256


def test_initial_values_are_gaussian():
    torch.manual_seed(0)
    neck = TreeMessagePassing(in_channels=64, tree=TREE, part_channels=16)
    neck.init_weights()
    for name, parameter in neck.named_parameters():
        if 'bias' in name:
            assert not parameter.any()
        else:
            assert float(parameter.detach().std()) == pytest.approx(0.01, rel=0.05), name


def test_paramwise_cfg_reaches_kernels_biases_and_fc7():
    model = torch.nn.Module()
    model.neck = TreeMessagePassing(in_channels=4, tree=TREE, part_channels=2)
    keys = {
        'kernels': dict(lr_mult=10, decay_mult=2),
        'biases': dict(lr_mult=20),
        'fc7.weight': dict(lr_mult=5),
        'fc7.bias': dict(lr_mult=7),
    }
    config = dict(optimizer=dict(type='SGD', lr=1.0, weight_decay=0.5), paramwise_cfg=dict(custom_keys=keys))
    groups = build_optim_wrapper(model, config).optimizer.param_groups
    rates = {id(group['params'][0]): (group['lr'], group['weight_decay']) for group in groups}
    wanted = {'kernels': (10, 1.0), 'biases': (20, 0.5), 'weight': (5, 0.5), 'bias': (7, 0.5)}
    for name, parameter in model.neck.named_parameters():
        (kind,) = {part for part in name.split('.') if part in wanted}
        assert rates[id(parameter)] == wanted[kind], name


def test_a_checkpoint_does_not_depend_on_the_mode():
    grouped, loop = neck_of(mode='grouped'), neck_of(seed=5, mode='loop')
    x = torch.randn(1, 5, 9, 8, dtype=torch.float64)
    assert float((grouped((x,))[0] - loop((x,))[0]).detach().abs().max()) > 0.1
    loop.load_state_dict(grouped.state_dict(), strict=True)
    torch.testing.assert_close(loop((x,))[0], grouped((x,))[0], atol=1e-12, rtol=0)


def test_joints_only_and_the_input_beside_them():
    neck = neck_of()
    x = torch.randn(1, 5, 9, 8, dtype=torch.float64)
    (parts,) = neck((x,))
    parts = parts.unflatten(1, (7, 8))
    joints = neck_of(out_joints=True, keep_input=True)
    (found, beside) = joints([x])
    # c, a, g, d, b in the order of the joints
    torch.testing.assert_close(found, parts[:, [2, 0, 6, 3, 1]].flatten(1, 2), atol=0, rtol=0)
    assert beside is x and joints.out_channels == 5 * 8


def test_which_map_is_read():
    x, other = torch.randn(2, 1, 5, 9, 8, dtype=torch.float64)
    expected = neck_of()(x)[0]
    for in_index, feats in ((0, (x, other)), (-1, [other, x]), ((-1, 0), [(other, other), (x, other)])):
        assert torch.equal(neck_of(in_index=in_index)(feats)[0], expected)
    with pytest.raises(TypeError, match=r'in_index=\(-1,\) selects 2 maps'):
        neck_of()([(x, other)])
    with pytest.raises(TypeError, match=r'in_index=\(3,\).*1 maps'):
        neck_of(in_index=3)([x])
    with pytest.raises(TypeError, match=r'in_index=\(0, 1\).*a tensor'):
        neck_of(in_index=(0, 1))([x])


def test_bricks_build_the_same():
    neck, x = neck_of(), torch.randn(1, 5, 9, 8, dtype=torch.float64)
    tree = neck.tree
    up, down = neck.input_features((x,), 'up'), neck.input_features((x,), 'down')

    def from_below(k):
        messages = [neck.transform(from_below(c), 'up', c) for c in tree.children[k]]
        return neck.update(up[:, k], sum(messages) if messages else None)

    def from_above(k):
        parent = tree.parents[k]
        return neck.update(down[:, k], neck.transform(from_above(parent), 'down', k) if parent >= 0 else None)

    expected = torch.cat([f(k) for k in range(7) for f in (from_below, from_above)], 1)
    torch.testing.assert_close(neck((x,))[0], expected, atol=1e-12, rtol=0)
    with pytest.raises(ValueError, match='child=3, allowed: a part with a parent'):
        neck.transform(up[:, 0], 'up', 3)
    with pytest.raises(ValueError, match="direction='down'.*built with direction='up'"):
        neck_of(direction='up').transform(up[:, 0], 'down', 0)
    with pytest.raises(ValueError, match="direction='both', allowed: 'up', 'down'"):
        neck.input_features((x,), 'both')


def test_a_tree_of_one_part_has_no_messages():
    neck = neck_of(tree=dict(names=['a'], parents=[-1]))
    assert neck.up is None and neck.down is None
    assert neck((torch.randn(1, 5, 2, 2, dtype=torch.float64),))[0].shape == (1, 8, 2, 2)


@pytest.mark.parametrize(
    'config, words',
    [
        (dict(direction='sideways'), ["direction='sideways'", "'both', 'up', 'down', 'none'"]),
        (dict(preset='big'), ["preset='big'", "'paper', 'release', 'separable'"]),
        (dict(mode='matmul'), ["mode='matmul'", "allowed: 'auto', 'loop', 'grouped'"]),
        (dict(mode='measure'), ["mode='measure'", "allowed: 'auto', 'loop', 'grouped'"]),
        (dict(rectify='both'), ["rectify='both'", "'pre', 'post'"]),
        (dict(part_channels=0), ['part_channels=0', 'at least 1']),
        (dict(in_channels=2.5), ['in_channels=2.5', 'at least 1']),
        (dict(transform=[dict(channels=3, kernel_size=3)]), ['channels=3', 'part_channels=4']),
    ],
)
def test_bad_configs(config, words):
    with pytest.raises(ValueError) as caught:
        neck_of(**config)
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize(
    'preset, shape, words',
    [
        ('release', (1, 5, 6, 9), ['6 x 9', '7 x 7']),
        ('paper', (1, 5, 9, 6), ['9 x 6', '7 x 7']),
        ('separable', (1, 5, 13, 12), ['13 x 12', '13 x 13']),
        ('release', (1, 6, 9, 9), ['in_channels=5', '6 channels']),
    ],
)
def test_bad_maps(preset, shape, words):
    with pytest.raises(ValueError) as caught:
        neck_of(preset=preset)((torch.zeros(shape, dtype=torch.float64),))
    assert all(word in str(caught.value) for word in words), caught.value
    # without messages there are no kernels that the map could be smaller than
    if shape[1] == 5:
        assert (
            neck_of(preset=preset, direction='none')((torch.zeros(shape, dtype=torch.float64),))[0].shape[2:]
            == shape[2:]
        )


@pytest.mark.parametrize('mode', BACKENDS)
def test_channels_last_gives_the_same(mode):
    neck = neck_of(mode=mode)
    x = torch.randn(2, 5, 9, 8, dtype=torch.float64)
    expected = neck((x,))[0]
    neck.fc7.to(memory_format=torch.channels_last)
    x = x.contiguous(memory_format=torch.channels_last).requires_grad_()
    (found,) = neck((x,))
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)
    found.sum().backward()
    assert x.grad.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize('mode', BACKENDS)
def test_cpu_autocast(mode):
    neck = neck_of(mode=mode, part_channels=16)
    x = torch.randn(2, 5, 9, 8, dtype=torch.float64)
    exact = neck((x,))[0].detach()
    neck.float()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        (found,) = neck((x.float(),))
    assert found.dtype == torch.bfloat16
    # bfloat16 has 8 bits; messages pass up to four transforms of two layers
    assert float((found.detach().double() - exact).norm() / exact.norm()) < 0.02
    found.float().sum().backward()
    assert all(p.grad.dtype == torch.float32 and bool(p.grad.isfinite().all()) for p in neck.parameters())


@pytest.mark.gpu
@pytest.mark.parametrize('mode', MODES)
def test_gpu_half_precision(mode):
    neck = neck_of(mode=mode, part_channels=32)
    x = torch.randn(2, 5, 14, 12, dtype=torch.float64)
    exact = neck((x,))[0].detach()
    neck.float().cuda()
    with torch.autocast('cuda', dtype=torch.float16):
        (found,) = neck((x.float().cuda(),))
    assert found.dtype == torch.float16
    assert float((found.detach().cpu().double() - exact).norm() / exact.norm()) < 0.01
    found.float().sum().backward()
    assert all(bool(p.grad.isfinite().all()) for p in neck.parameters())


@pytest.mark.gpu
@pytest.mark.parametrize('mode', BACKENDS)
def test_gpu_equals_cpu(mode):
    neck = neck_of(mode=mode)
    x = torch.randn(3, 5, 9, 8, dtype=torch.float64)
    expected = neck((x,))[0].detach()
    found = neck.cuda()((x.cuda(),))[0].detach().cpu()
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=0)


@pytest.mark.parametrize('mode', ['auto', 'grouped'])
def test_compiles_as_one_graph(mode):
    neck, x = neck_of(mode=mode, tree=dict(names=list('abc'), parents=[1, -1, 1])), torch.randn(2, 5, 9, 8).double()
    torch._dynamo.reset()
    compiled = torch.compile(neck, fullgraph=True, backend='aot_eager')
    gradients = []
    for run in (neck, compiled):
        (y,) = run((x,))
        gradients.append(torch.autograd.grad(y.square().sum(), list(neck.parameters())))
    torch.testing.assert_close(y, neck((x,))[0], atol=1e-12, rtol=0)
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize('dynamo, mode', [(True, 'auto'), (False, 'grouped')])
def test_onnx_for_any_batch(dynamo, mode, tmp_path):
    neck = neck_of(mode=mode).float().eval()
    path, x = str(tmp_path / 'neck.onnx'), torch.randn(2, 5, 9, 8)
    if dynamo:
        batch = torch.export.Dim('batch')
        torch.onnx.export(neck, ((x,),), path, dynamo=True, dynamic_shapes=(({0: batch},),), verbose=False)
    else:
        axes = dict(x={0: 'batch'}, y={0: 'batch'})
        torch.onnx.export(neck, ((x,),), path, dynamo=False, input_names=['x'], output_names=['y'], dynamic_axes=axes)
    session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
    for count in (1, 3):
        x = torch.randn(count, 5, 9, 8)
        (found,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
        with torch.no_grad():
            np.testing.assert_allclose(found, neck((x,))[0].numpy(), atol=1e-4)


def test_trains_in_front_of_a_plain_heatmap_head():
    tree = build_tree(LSP)
    channels = 8
    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            type='TopdownPoseEstimator',
            data_preprocessor=dict(type='PoseDataPreprocessor'),
            backbone=dict(type='ResNet', depth=18, strides=(1, 2, 1, 1), dilations=(1, 1, 1, 1)),
            neck=dict(type='TreeMessagePassing', in_channels=512, tree=LSP, part_channels=channels, out_joints=True),
            head=dict(
                type='HeatmapHead',
                in_channels=tree.num_joints * 2 * channels,
                out_channels=tree.num_joints,
                deconv_out_channels=None,
                loss=dict(type='KeypointMSELoss', use_target_weight=True),
                decoder=dict(type='MSRAHeatmap', input_size=(64, 64), heatmap_size=(8, 8), sigma=1),
            ),
        )
    )
    sample = PoseDataSample(metainfo=dict(input_size=(64, 64), flip_indices=list(range(tree.num_joints))))
    sample.gt_instances = InstanceData(keypoints=np.zeros((1, tree.num_joints, 2), np.float32))
    sample.gt_instance_labels = InstanceData(keypoint_weights=torch.ones(1, tree.num_joints))
    sample.gt_fields = PixelData(heatmaps=torch.rand(tree.num_joints, 8, 8))
    losses = model(torch.randn(1, 3, 64, 64), [sample], mode='loss')
    losses['loss_kpt'].backward()
    for name, parameter in model.neck.named_parameters():
        assert bool(parameter.grad.isfinite().all()), name
        if 'kernels' in name:
            # the transform of every edge is trained, in both directions
            assert bool((parameter.grad.flatten(1).abs().amax(1) > 0).all()), name
