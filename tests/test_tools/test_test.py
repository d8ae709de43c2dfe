"""tools/test.py: every output of a real evaluation, held against what training's own validation said."""

import json
import pickle
import re

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpose.registry import MODELS

from tests.helpers import data_root, needs_data, repo_root

pytestmark = needs_data


@pytest.fixture(scope='module')
def with_curve(tiny, tmp_path_factory):
    """The tiny config, which is of a data set of mmpose, with a metric of ours that writes files."""
    config = tmp_path_factory.mktemp('config') / 'with_curve.py'
    evaluator = "[dict(type='PCKAccuracy', thr=0.5), dict(type='EPE'), dict(type='PDJ')]"
    config.write_text(f"_base_ = ['{tiny}']\nval_evaluator = {evaluator}\ntest_evaluator = {evaluator}\n")
    return config


@pytest.fixture(scope='module')
def trained(main, with_curve, tmp_path_factory, scalars):
    """A checkpoint, and the metrics that validation gave it."""
    work_dir = tmp_path_factory.mktemp('trained')
    main('train.py', with_curve, '--work-dir', work_dir, '--seed', 1, '--cfg-options', 'train_cfg.max_epochs=1')
    metrics = {k: v for k, v in scalars(work_dir)[-1].items() if k in ('PCK', 'EPE')}
    assert len(metrics) == 2
    return work_dir / 'epoch_1.pth', metrics


@pytest.fixture(scope='module')
def tested(command, with_curve, trained, tmp_path_factory):
    cwd = tmp_path_factory.mktemp('tested')
    flags = [
        '--work-dir',
        'w',
        '--out',
        'results/metrics.json',
        '--dump',
        'pred.pkl',
        '--show-dir',
        'drawn',
        '--badcase',
    ]
    # every prediction of this hardly trained model is a bad case
    options = ['--cfg-options', 'default_hooks.badcase.badcase_thr=0']
    done = command('test.py', with_curve, trained[0], *flags, *options, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return cwd, done.stdout


def persons():
    return json.loads((data_root() / 'mpii-sample' / 'test_mpii.json').read_text())


def test_metrics_equal_those_of_validation(tested, trained):
    metrics = json.loads((tested[0] / 'results' / 'metrics.json').read_text())
    assert {name: metrics[name] for name in trained[1]} == pytest.approx(trained[1], rel=1e-6)
    assert metrics['PDJ@0.1/people'] + metrics['PDJ@0.1/people_left_out'] == len(persons())


def test_curves_are_written_by_both_tools(tested, trained):
    metrics = json.loads((tested[0] / 'results' / 'metrics.json').read_text())
    header, *rows = (line.split(',') for line in (tested[0] / 'w' / 'pdj.csv').read_text().splitlines())
    assert float(rows[20][header.index('mean')]) == pytest.approx(metrics['PDJ@0.2'], abs=1e-4)
    assert (trained[0].parent / 'pdj.csv').read_text() == (tested[0] / 'w' / 'pdj.csv').read_text()
    assert (trained[0].parent / 'pdj.png').is_file() and (tested[0] / 'w' / 'pdj.png').is_file()


def test_dumped_predictions_give_the_metric(tested, trained):
    predictions = pickle.loads((tested[0] / 'pred.pkl').read_bytes())
    assert len(predictions) == len(persons()) == 5
    errors = [
        np.linalg.norm(np.asarray(p['pred_instances']['keypoints']) - p['gt_instances']['keypoints'], axis=-1)[
            p['gt_instances']['keypoints_visible'].reshape(1, 16, -1)[..., 0] > 0
        ]
        for p in predictions
    ]
    assert np.concatenate(errors).mean() == pytest.approx(trained[1]['EPE'], rel=1e-5)


def test_pictures_are_drawn(tested):
    folder = next((tested[0] / 'w').glob('*/drawn'))
    drawn = sorted(folder.glob('*_0.jpg'))
    assert len(drawn) == 5
    assert sorted(folder.iterdir()) == sorted([*drawn, *(file.with_name(f'{file.stem}_maps.png') for file in drawn)])
    for file in drawn:
        source = cv2.imread(str(data_root() / 'mpii-sample' / 'images' / file.name.replace('_0.jpg', '.jpg')))
        image = cv2.imread(str(file))
        assert image.shape[1] == source.shape[1] and (image[: len(source)] != source).any()


def test_bad_cases_are_listed(tested):
    results = json.loads(next((tested[0] / 'w').glob('*/badcase/results.json')).read_text())
    assert sorted(r['img'] for r in results) == sorted(p['image'].removesuffix('.jpg') for p in persons())
    assert all(r['KeypointMSELoss'] > 0 for r in results)


def test_a_pipe_gets_plain_lines(tested):
    lines = [line for line in tested[1].splitlines() if 'Epoch(test)' in line]
    assert len(lines) == 3  # batches; the result is in tables
    assert '━' not in tested[1] and tested[1].count('Load') == 1 and 'DumpResults' not in tested[1]
    assert re.search(r'\| EPE +\|', tested[1])


@pytest.mark.parametrize(
    'args, message',
    [
        (['TINY', 'gone.pth'], 'checkpoint gone.pth: no such file'),
        (['TINY', 'half.pth'], 'checkpoint half.pth: it is truncated or not a checkpoint'),
        (['TINY', 'flipped.pth'], 'checkpoint flipped.pth: its part .* is damaged'),
        (['absent.py', 'good.pth'], 'config absent.py does not exist'),
        (['TINY', 'good.pth', '--out', 'm.txt'], '--out m.txt, allowed: a name that ends in .json'),
        (['TINY', 'good.pth', '--dump', 'p.json'], '--dump p.json, allowed: a name that ends in .pkl'),
        (['TINY', 'good.pth', '--work-dir', '/proc/nope'], '--work-dir /proc/nope: cannot be written to'),
        (['TINY', 'good.pth', '--out', '/proc/nope/m.json'], '--out /proc/nope: cannot be written to'),
        (['TINY', 'good.pth', '--dump', '/proc/p.pkl'], '--dump /proc: cannot be written to'),
        (['TINY', 'good.pth', '--show-dir', '/proc/nope'], '--show-dir /proc/nope: cannot be written to'),
        (['TINY', 'good.pth', '--show'], '--show needs a display'),
        (['TINY', 'good.pth', '--cfg-options', 'test_cfg=None'], 'sets no test_cfg'),
        (['headless.py', 'good.pth', '--badcase'], 'no single loss in the config, set default_hooks.badcase.metric'),
    ],
    ids=lambda value: ' '.join(value) if isinstance(value, list) else '',
)
def test_errors_leave_nothing_behind(args, message, main, tiny, trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = trained[0].read_bytes()
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 1
    (tmp_path / 'good.pth').write_bytes(content)
    (tmp_path / 'half.pth').write_bytes(content[: len(content) // 2])
    (tmp_path / 'flipped.pth').write_bytes(flipped)
    (tmp_path / 'headless.py').write_text("model = dict(type='PoseModel', head=None)\n")
    before = sorted(tmp_path.rglob('*'))
    with pytest.raises(SystemExit, match=f'test.py: error: .*{message}'):
        main('test.py', *[tiny if word == 'TINY' else word for word in args])
    assert sorted(tmp_path.rglob('*')) == before


def test_a_plain_state_dict_is_enough(main, tiny, trained, tmp_path):
    weights = torch.load(trained[0], weights_only=True)['state_dict']
    torch.save(weights, tmp_path / 'weights.pth')
    main('test.py', tiny, tmp_path / 'weights.pth', '--work-dir', tmp_path / 'w', '--out', tmp_path / 'm.json')
    assert json.loads((tmp_path / 'm.json').read_text()) == pytest.approx(trained[1], rel=1e-6)


@pytest.fixture
def figures(tmp_path):
    """A config of figures that are drawn, and weights of its model."""
    config = repo_root() / 'configs' / 'demo' / 'td-hm_res18-small_stick-figure-64x64.py'
    torch.save(MODELS.build(Config.fromfile(config).model).state_dict(), tmp_path / 'figures.pth')
    return config, tmp_path / 'figures.pth'


def test_bad_cases_of_figures_without_files_are_refused(main, figures, tmp_path):
    with pytest.raises(SystemExit, match=r'error: --badcase: test_dataloader.dataset .StickFigureDataset. draws its'):
        main('test.py', *figures, '--badcase', '--work-dir', tmp_path / 'w')


def test_the_checkpoint_of_another_model_is_refused(main, tiny, trained, tmp_path):
    wider = ['--cfg-options', 'model.backbone.base_channels=16', 'model.head.in_channels=128']
    with pytest.raises(SystemExit, match='epoch_1.pth does not match the model of the config. Weights of another'):
        main('test.py', tiny, trained[0], '--work-dir', tmp_path / 'w', *wider)


def test_weights_that_are_not_finite_are_refused(main, tiny, trained, tmp_path):
    content = torch.load(trained[0], weights_only=True)
    content['state_dict']['head.final_layer.weight'][0] = float('nan')
    torch.save(content, tmp_path / 'nan.pth')
    with pytest.raises(SystemExit, match=r'nan.pth holds NaN or infinity.* 1 weights: head.final_layer.weight'):
        main('test.py', tiny, tmp_path / 'nan.pth', '--work-dir', tmp_path / 'w')


def test_the_validation_set_can_be_tested(main, with_curve, trained, tmp_path):
    checkpoint, metrics = trained
    config, out = tmp_path / 'other_test_set.py', tmp_path / 'val.json'
    config.write_text(f"_base_ = ['{with_curve}']\ntest_evaluator = [dict(type='EPE')]\n")
    main('test.py', config, checkpoint, '--phase', 'val', '--out', out, '--work-dir', tmp_path / 'w')
    found = json.loads(out.read_text())
    assert {key: found[key] for key in metrics} == pytest.approx(metrics)
    # options of the validation set hold as well
    options = ('--cfg-options', 'val_evaluator.0.thr=1e9')
    main('test.py', config, checkpoint, '--phase', 'val', '--out', out, '--work-dir', tmp_path / 'w', *options)
    assert json.loads(out.read_text())['PCK'] == 1 != found['PCK']
