"""Agreement of metafiles with configs and measured results."""

import json

import pytest
import yaml
from mmengine.config import Config

from tests.helpers import data_root, needs_data, repo_root

ROOT = repo_root()
METAFILES = sorted(ROOT.glob('configs/**/metafile.yml'))
RESULTS = [json.loads(path.read_text()) for path in (ROOT / 'benchmarks' / 'results').glob('*.json')]
RUNS = [run for runs in RESULTS for run in (runs if isinstance(runs, list) else [runs])]
# by folder of the data; a data set without a folder is drawn
NAMES = dict(lsp='LSP', lspet='LSP-extended', mpii='MPII', flic='FLIC', coco='COCO', freihand='FreiHAND')
MEASURED = {run['config']: run['metrics'] for run in RUNS if 'metrics' in run and 'config' in run}


@pytest.mark.parametrize('path', METAFILES, ids=lambda path: path.parent.name)
def test_every_config_is_listed_with_the_figures_that_were_measured(path):
    meta = yaml.safe_load(path.read_text())
    collections = {c['Name']: c for c in meta['Collections']}
    listed = {model['Config'] for model in meta['Models']}
    assert listed == {str(p.relative_to(ROOT)) for p in path.parent.glob('*.py')}
    for model in meta['Models']:
        assert (ROOT / collections[model['In Collection']]['README']).is_file()
        assert model['Name'] == model['Config'].rsplit('/', 1)[1].removesuffix('.py')
        assert 'Weights' not in model or (ROOT / model['Weights']).is_file()
        for result in model.get('Results', []):
            measured = MEASURED[model['Config']]
            assert result['Metrics'] == {key: round(measured[key], 1) for key in result['Metrics']}


def test_structured_feature_learning_has_measured_models():
    meta = yaml.safe_load((ROOT / 'configs' / 'structured_feature' / 'metafile.yml').read_text())
    assert sum('Results' in model for model in meta['Models']) >= 4


def test_shipped_weights_are_listed():
    models = [model for path in METAFILES for model in yaml.safe_load(path.read_text())['Models']]
    shipped = {str(path.relative_to(ROOT)) for path in (ROOT / 'demo' / 'checkpoints').glob('*.pth')}
    assert {model['Weights'] for model in models if 'Weights' in model} == shipped


def training_data(dataset):
    """Names of the data sets of a config with labelled persons, as metafiles give them."""
    if parts := dataset.get('datasets'):
        return [name for part in parts for name in training_data(part)]
    if dataset.type == 'BackgroundDataset':
        return []
    folder = str(dataset.get('data_root') or 'StickFigure').rstrip('/').rsplit('/', 1)[-1]
    if folder != 'lspet-mini':
        return [NAMES.get(folder, folder)]
    return [f'LSP-extended ({persons(dataset):,} persons)']


def persons(dataset):
    """Number of persons that an id file names."""
    return len((data_root() / 'lspet-mini' / dataset.id_file).read_text().split())


@needs_data
@pytest.mark.parametrize('path', METAFILES, ids=lambda path: path.parent.name)
def test_the_data_are_those_of_the_configs(path):
    for model in yaml.safe_load(path.read_text())['Models']:
        config, given = Config.fromfile(ROOT / model['Config']), model['Metadata']['Training Data']
        names = training_data(config.train_dataloader.dataset)
        assert sorted(set(names)) == sorted([given] if isinstance(given, str) else given), model['Name']
        for result in model.get('Results', []):
            (tested,) = training_data(config.test_dataloader.dataset)
            assert result['Dataset'].removesuffix(', under occluders') == tested, model['Name']
