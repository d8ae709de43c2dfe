"""docs/tutorial.ipynb runs from its first cell to its last, and what it trains has learned."""

import ast
import base64
import json
import re
import tempfile
from runpy import run_path

import cv2
import numpy as np
import pytest

from tests.helpers import repo_root

FILE = repo_root() / 'docs' / 'tutorial.ipynb'
MAX_BYTES = 60_000
MAX_IMAGE = 25_000


@pytest.fixture(scope='module')
def notebook():
    return json.loads(FILE.read_text())


@pytest.fixture(scope='module')
def sources(notebook):
    """Texts of the cells of a kind."""
    return lambda kind: [''.join(cell['source']) for cell in notebook['cells'] if cell['cell_type'] == kind]


def images(outputs):
    """Pictures of a cell, as bytes."""
    return [base64.b64decode(one['data']['image/jpeg']) for one in outputs if one['output_type'] == 'display_data']


def printed(outputs):
    return ''.join(''.join(one['text']) for one in outputs if one['output_type'] == 'stream')


def test_it_is_stored_with_small_outputs_in_the_current_format(notebook, sources):
    assert FILE.stat().st_size <= MAX_BYTES
    assert (notebook['nbformat'], notebook['nbformat_minor']) == (4, 5)
    ids = [cell['id'] for cell in notebook['cells']]
    assert len(set(ids)) == len(ids) and all(re.fullmatch(r'[\w-]{1,64}', name) for name in ids)
    assert {cell['cell_type'] for cell in notebook['cells']} == {'code', 'markdown'}
    code = [cell for cell in notebook['cells'] if cell['cell_type'] == 'code']
    assert [cell['execution_count'] for cell in code] == list(range(1, len(code) + 1))
    pictures = [data for cell in code for data in images(cell['outputs'])]
    assert len(pictures) == 3
    for data in pictures:
        assert len(data) <= MAX_IMAGE and cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) is not None
    texts = '\n'.join(printed(cell['outputs']) for cell in code)
    assert re.search(r'\| PCK \| 0\.\d+ \|', texts)
    # neither folders nor warnings of whoever ran it
    assert not re.search(r'(^|\s)/\w|WARNING|Traceback', texts)
    for text in sources('code'):
        ast.parse(text)
    links = re.findall(r'\]\(([^)#]+)', '\n'.join(sources('markdown')))
    assert links and all((FILE.parent / link).is_file() for link in links)


@pytest.fixture
def run(sources, tmp_path, monkeypatch):
    """Outputs of the cells, and variables after the last."""
    monkeypatch.chdir(tmp_path)  # back to where it was after the test
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
    return run_path(str(FILE.with_name('execute_tutorial.py')))['run_cells'](sources('code'))


@pytest.mark.slow
def test_it_runs_and_the_model_has_learned(run, notebook):
    outputs, variables = run
    assert len(variables['person']['keypoints']) == 14
    assert variables['tree'].joints == ('neck', 'right_wrist', 'left_wrist', 'right_ankle', 'left_ankle')
    stored = [cell['outputs'] for cell in notebook['cells'] if cell['cell_type'] == 'code']
    assert [len(images(found)) for found in outputs] == [len(images(cell)) for cell in stored]
    for found, cell in zip(outputs, stored, strict=True):
        assert printed(found) == printed(cell) or 'Epoch(train)' in printed(cell)
    # one fixed pose in every box, the mean of the training figures, would be right less often
    build, simple = variables['StickFigureDataset'], variables['simple']
    trained, tested = (
        poses(build(num_samples=100, start_index=start, metainfo=dict(from_file='star.py'), **simple))
        for start in (1000000, 0)
    )
    fixed = 100 * (np.linalg.norm(tested - np.nanmean(trained, 0), axis=-1) < 0.1)[~np.isnan(tested[..., 0])].mean()
    assert 100 * variables['runner'].message_hub.get_scalar('val/PCK').current() > fixed + 20
    size = np.ptp(variables['new'][0]['bbox'][0].reshape(2, 2), axis=0)
    drawn = np.array(variables['predicted']) - [figure['keypoints'][0] for figure in variables['new']]
    assert np.median(np.linalg.norm(drawn / size, axis=-1)) < 0.2


def poses(figures):
    """(N, 5, 2) joints in units of the box, NaN where they are not labelled."""
    found = []
    for figure in figures:
        corner, size = figure['bbox'][0, :2], figure['bbox'][0, 2:] - figure['bbox'][0, :2]
        seen = figure['keypoints_visible'][0, :, None] > 0
        found.append(np.where(seen, (figure['keypoints'][0] - corner) / size, np.nan))
    return np.array(found)
