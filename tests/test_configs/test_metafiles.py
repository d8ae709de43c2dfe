"""Agreement of metafiles with configs and measured results."""

import json

import pytest
import yaml

from tests.helpers import repo_root

ROOT = repo_root()
METAFILES = sorted(ROOT.glob('configs/**/metafile.yml'))
RESULTS = [json.loads(path.read_text()) for path in (ROOT / 'benchmarks' / 'results').glob('*.json')]
RUNS = [run for runs in RESULTS for run in (runs if isinstance(runs, list) else [runs])]
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
